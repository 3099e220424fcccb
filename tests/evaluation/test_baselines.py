"""Promises of the generators that learn little or nothing."""

import numpy as np
import pytest

from gan_notes.evaluation import baselines

GENERATORS = [baselines.copycat, baselines.gaussian]


@pytest.fixture
def past():
    """Windows with heavy tails and correlated features."""
    random = np.random.default_rng(0)
    windows = random.standard_t(3, size=(400, 6, 2))
    windows[..., 1] += 0.8 * windows[..., 0] + 0.5
    return windows.astype("float32")


@pytest.mark.parametrize("generator", GENERATORS)
def test_shape_and_type_are_those_of_the_windows(generator, past):
    draw = generator(past, 7)
    assert draw.shape == (7, 6, 2)
    assert draw.dtype == np.float32


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_seed_decides(generator, past):
    np.testing.assert_array_equal(
        generator(past, 50, seed=3), generator(past, 50, seed=3)
    )
    assert not np.array_equal(generator(past, 50, seed=3), generator(past, 50, seed=4))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(
    ("windows", "n", "message"),
    [
        (np.zeros((3, 4)), 1, "windows: shape"),
        (np.zeros((0, 4, 2)), 1, "at least one window"),
        (np.full((3, 4, 2), np.nan), 1, "missing or infinite"),
        (np.zeros((3, 4, 2)), 0, "n: 0"),
    ],
)
def test_bad_input_is_named(generator, windows, n, message):
    with pytest.raises(ValueError, match=message):
        generator(windows, n)


def test_copycat_returns_training_windows_each_once(past):
    draw = baselines.copycat(past, len(past))
    as_rows = {window.tobytes() for window in draw}
    assert as_rows == {window.tobytes() for window in past}


def test_copycat_repeats_only_when_it_must(past):
    assert len(baselines.copycat(past, 3 * len(past))) == 3 * len(past)


def test_gaussian_has_the_moments_of_the_windows(past):
    flat = past.reshape(len(past), -1)
    draw = baselines.gaussian(past, 60_000, seed=1).reshape(60_000, -1)
    scale = flat.std(axis=0)
    # Standard error of a mean is scale / sqrt(60,000) = .004 scale: five of them.
    np.testing.assert_array_less(abs(draw.mean(0) - flat.mean(0)), 0.02 * scale)
    np.testing.assert_allclose(
        np.cov(draw / scale, rowvar=False),
        np.cov(flat / scale, rowvar=False),
        atol=0.03,
    )


def test_gaussian_loses_the_heavy_tails(past):
    def kurtosis(x):
        z = (x - x.mean()) / x.std()
        return (z**4).mean()

    assert kurtosis(past[..., 0]) > 6
    draw = baselines.gaussian(past, 20_000)[..., 0]
    assert kurtosis(draw) < kurtosis(past[..., 0]) / 2


def test_gaussian_of_few_windows_stays_in_their_span():
    few = np.random.default_rng(0).normal(size=(3, 10, 1)).astype("float32")
    flat = few.reshape(3, -1)
    draw = baselines.gaussian(few, 20).reshape(20, -1) - flat.mean(axis=0)
    assert np.isfinite(draw).all()
    assert np.linalg.matrix_rank(draw, tol=1e-4) <= 2
