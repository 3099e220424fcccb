"""Promises of the untrained measures and of the block bootstrap."""

import numpy as np
import pytest

from gan_notes.evaluation import distances


def normal(*shape, seed=0):
    """Independent standard normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)


# Coverage and density -------------------------------------------------------------


@pytest.mark.parametrize("neighbours", [1, 5])
def test_coverage_of_independent_samples_is_the_closed_form(neighbours):
    real, synthetic = normal(2000, 2, seed=1), normal(2000, 2, seed=2)
    counts = distances.neighbour_counts(real, synthetic, neighbours=neighbours)
    # Naeem et al. (2020): 1 - 2^-k. Standard error of a share: at most .011.
    assert (counts > 0).mean() == pytest.approx(1 - 2.0**-neighbours, abs=0.025)
    assert counts.mean() / neighbours == pytest.approx(1, abs=0.1)


def test_coverage_of_a_copy_is_one():
    real = normal(300, 4)
    assert (distances.neighbour_counts(real, real) > 0).all()


def test_coverage_sees_a_dropped_mode_and_density_does_not():
    real = normal(1000, 2)
    real[500:] += 100
    counts = distances.neighbour_counts(real, normal(1000, 2, seed=1))
    assert (counts > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (counts[500:] == 0).all()
    # All synthetic points crowd where half of the real ones are.
    assert counts.mean() / 5 == pytest.approx(1, abs=0.1)


def test_density_sees_points_between_the_modes_and_coverage_does_not():
    """Half of the synthetic points lie where no real one is."""
    real, near = normal(1000, 2), normal(1000, 2, seed=1)
    far = np.concatenate([near, near + 50])
    counts = distances.neighbour_counts(real, far)
    density = counts.mean() * len(real) / (5 * len(far))
    assert density == pytest.approx(0.5, abs=0.05)
    assert (counts > 0).mean() == pytest.approx(1 - 2.0**-5, abs=0.025)


def test_far_away_windows_cover_nothing():
    counts = distances.neighbour_counts(normal(200, 3), normal(200, 3) + 50)
    assert counts.sum() == 0


def test_windows_are_flattened():
    real, synthetic = normal(60, 5, 2), normal(80, 5, 2, seed=1)
    flat = real.reshape(60, -1), synthetic.reshape(80, -1)
    np.testing.assert_array_equal(
        distances.neighbour_counts(real, synthetic), distances.neighbour_counts(*flat)
    )


def test_too_few_windows_are_named():
    with pytest.raises(ValueError, match="real: 5 windows"):
        distances.neighbour_counts(normal(5, 2), normal(9, 2))


# Frechet distance -----------------------------------------------------------------


def test_frechet_distance_of_equal_moments_is_zero():
    x = normal(500, 3)
    assert distances.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_a_shift_and_a_stretch():
    x = normal(500, 3)
    shift = np.array([1.0, -2.0, 0.5])
    assert distances.frechet_distance(x, x + shift) == pytest.approx(shift @ shift)
    # Covariances A and s^2 A: tr(A + s^2 A - 2 s A) = (s - 1)^2 tr(A).
    x = x - x.mean(axis=0)
    expected = 0.25 * np.trace(np.cov(x, rowvar=False))
    assert distances.frechet_distance(x, 1.5 * x) == pytest.approx(expected)


def test_frechet_distance_does_not_depend_on_the_axes():
    x, y = normal(400, 3), 2 * normal(300, 3, seed=1) + 1
    rotation, _ = np.linalg.qr(normal(3, 3, seed=2))
    turned = distances.frechet_distance(x @ rotation, y @ rotation)
    assert turned == pytest.approx(distances.frechet_distance(x, y))


def test_frechet_distance_is_blind_beyond_two_moments():
    signs = np.sign(normal(20_000, 1))
    assert distances.frechet_distance(signs, normal(20_000, 1, seed=1)) < 1e-3


def test_principal_axes_never_ask_for_more_than_there_is():
    assert distances.principal_axes(normal(4, 3, 5)).n_components_ == 4
    assert distances.principal_axes(normal(99, 3, 5)).n_components_ == 10


# Blocks of time -------------------------------------------------------------------


def test_interval_of_independent_values_is_the_textbook_one():
    x = normal(1000)
    low, high = distances.block_interval(np.mean, x, block=1, draws=2000)
    assert low < x.mean() < high
    # 2 * 1.96 / sqrt(1000) = .124; 2,000 draws place the ends within some 5 %.
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 1000**0.5, rel=0.1)


def test_overlapping_windows_need_blocks():
    length = 20
    days = normal(3000)
    x = np.convolve(days, np.ones(length) / length, mode="valid")

    def width(block):
        low, high = distances.block_interval(np.mean, x, block=block, draws=500)
        return high - low

    # The mean of the windows is nearly the mean of the days: width 3.92 / sqrt(3000).
    truth = 2 * 1.96 / 3000**0.5
    assert width(1) < 0.4 * truth  # too sure of itself
    assert width(100) == pytest.approx(truth, rel=0.3)


def test_series_are_resampled_together():
    x = normal(200)
    low, high = distances.block_interval(
        lambda a, b: np.mean(a - b), x, x + 1, block=10
    )
    assert low == pytest.approx(-1)
    assert high == pytest.approx(-1)


@pytest.mark.parametrize(
    ("series", "block", "message"),
    [
        ((np.zeros(5), np.zeros(6)), 1, "series: lengths"),
        ((np.zeros(5),), 6, "block: 6"),
        ((np.zeros(5),), 0, "block: 0"),
    ],
)
def test_bad_blocks_are_named(series, block, message):
    with pytest.raises(ValueError, match=message):
        distances.block_interval(lambda *x: 0.0, *series, block=block)


def test_thin_keeps_order_and_both_ends():
    x = np.arange(100)
    kept = distances.thin(x, 7)
    assert len(kept) == 7
    assert kept[0] == 0
    assert kept[-1] == 99
    assert (np.diff(kept) > 0).all()
    assert distances.thin(x, 500) is x
