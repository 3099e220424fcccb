"""Promises of the untrained measures and of the block bootstrap."""

import numpy as np
import pytest
from scipy import stats

from gan_notes.data.toys import gaussian_ring, ring_centres
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


# Modes ----------------------------------------------------------------------------


def test_modes_of_the_mixture_itself():
    """In two dimensions 1 - exp(-4.5) of the points lie within three deviations."""
    scores = distances.mode_scores(
        gaussian_ring(20_000, std=0.05, seed=1), centres=ring_centres(), std=0.05
    )
    assert scores["modes"] == 8
    assert scores["high quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert scores["spread"] == pytest.approx(0.97, abs=0.01)  # the far ones are cut


def test_modes_that_are_dropped_thin_or_missed():
    ring = gaussian_ring(4_000, std=0.05, seed=1)
    rule = {"centres": ring_centres(), "std": 0.05}
    angle = np.arctan2(ring[:, 1], ring[:, 0])
    half = ring[(angle > -0.3) & (angle < np.pi - 0.3)]
    assert distances.mode_scores(half, **rule)["modes"] == 4
    stray = np.concatenate([np.repeat(ring_centres()[:1], 999, axis=0), ring_centres()])
    assert distances.mode_scores(stray, **rule)["modes"] == 1
    assert distances.mode_scores(stray, **rule)["spread"] == 0
    nowhere = distances.mode_scores(ring * 0, **rule)
    assert (nowhere["modes"], nowhere["high quality"]) == (0, 0)
    assert np.isnan(nowhere["spread"])


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


# Intervals over splits and trainings ----------------------------------------------


def test_one_training_has_student_s_interval():
    scores = normal(7, seed=3)
    value, low, high = distances.mean_interval(scores)
    test = stats.ttest_1samp(scores, 0).confidence_interval()
    assert value == pytest.approx(scores.mean())
    assert (low, high) == pytest.approx((test.low, test.high))


@pytest.mark.parametrize(("trainings", "splits"), [(5, 20), (3, 8), (1, 6)])
def test_the_interval_holds_what_splits_and_trainings_add(trainings, splits):
    """Effects of each training, each split and each pair; the truth is 0."""
    random = np.random.default_rng(0)
    spread = np.array([1.0, 0.7, 0.5])
    if trainings == 1:  # another training is not in the interval of one
        spread[0] = 0
    covered = 0
    for _ in range(400):
        by_training = random.normal(size=(trainings, 1)) * spread[0]
        by_split = random.normal(size=(1, splits)) * spread[1]
        rest = random.normal(size=(trainings, splits)) * spread[2]
        _, low, high = distances.mean_interval(by_training + by_split + rest)
        covered += low <= 0 <= high
    assert 0.92 <= covered / 400 <= 0.995  # .95 less three standard errors; wide errs


def test_a_single_score_has_no_interval_of_its_own():
    assert np.isnan(distances.mean_interval(np.array([0.5]))[1:]).all()
    value, low, high = distances.mean_interval(np.array([0.5]), variance=0.01)
    assert (low, high) == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=1e-3)
    assert value == 0.5


# MMD ------------------------------------------------------------------------------


def test_mmd_is_unbiased_and_sees_a_shift_a_width_and_a_lost_mode():
    draws = [
        distances.mmd(normal(60, 3, seed=[s, 1]), normal(60, 3, seed=[s, 2]))
        for s in range(200)
    ]
    error = np.std(draws) / len(draws) ** 0.5
    assert abs(np.mean(draws)) < 4 * error  # a biased estimate has some 1 / 60 more
    assert error < 1e-3
    real = normal(300, 3)
    real[150:] += 3
    for wrong in (real + 0.5, 1.5 * (real - real.mean(0)) + real.mean(0), real[:150]):
        assert distances.mmd(real, wrong + 0.01 * normal(*wrong.shape, seed=1)) > 0.01


def test_mmd_of_two_points_is_the_closed_form():
    # The real distance is 1, so that the kernel is exp(-d^2 / 2).
    real, synthetic = np.array([[0.0], [1.0]]), np.array([[3.0], [3.0]])
    across = (np.exp(-4.5) + np.exp(-2.0)) / 2
    expected = np.exp(-0.5) + 1 - 2 * across
    assert distances.mmd(real, synthetic) == pytest.approx(expected)


def test_balls_of_a_line_are_what_one_counts():
    centres = np.array([[0.0], [1.0], [3.0]])  # radii of k = 1: 1, 1, 2
    inside = distances.inside_balls(
        centres, np.array([[0.5], [1.5], [4.9], [9.0]]), neighbours=1
    )
    assert inside.tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [False, True, True, False],
    ]
    counts = distances.neighbour_counts(
        centres, np.array([[0.5], [1.5], [4.9], [9.0]]), neighbours=1
    )
    assert counts.tolist() == [1, 2, 2]
    with pytest.raises(ValueError, match="3 windows, more than 3 needed"):
        distances.inside_balls(centres, centres, neighbours=3)
