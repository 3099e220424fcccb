"""Points on a ring and windows of sines: their law is what is said."""

import numpy as np
import pytest

from gan_notes.data.toys import (
    gaussian_grid,
    gaussian_ring,
    grid_centres,
    ring_centres,
    sines,
)


def test_ring_has_equal_modes_of_the_stated_width():
    points = gaussian_ring(80_000, modes=8, radius=2.0, std=0.02)
    centres = ring_centres(8, 2.0)
    assert points.shape == (80_000, 2)
    assert points.dtype == centres.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2.0, rtol=1e-6)
    away = points[:, None] - centres
    mode = np.linalg.norm(away, axis=-1).argmin(axis=1)
    # standard errors: 94 for a count of 10,000, 3.5e-5 for a deviation of 0.02
    assert abs(np.bincount(mode) - 10_000).max() < 500
    own = away[np.arange(len(mode)), mode]
    np.testing.assert_allclose(own.std(axis=0), 0.02, atol=2e-4)


def test_ring_is_a_function_of_its_seed():
    np.testing.assert_array_equal(gaussian_ring(9), gaussian_ring(9))
    assert (gaussian_ring(9, seed=1) != gaussian_ring(9)).any()


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 5, "std": -1}, {"n": 5, "modes": 0}])
def test_ring_refuses_what_makes_no_ring(wrong):
    with pytest.raises(ValueError, match=str(min(wrong.values()))):
        gaussian_ring(**wrong)


def test_sines_are_sines_of_the_stated_frequencies():
    x = 2 * sines(500, length=24, features=3).astype("float64") - 1
    assert x.shape == (500, 24, 3)
    # sin(a + w) + sin(a - w) = 2 cos(w) sin(a): one frequency for all steps.
    cosine = ((x[:, 2:] + x[:, :-2]) * x[:, 1:-1]).sum(axis=1)
    cosine /= 2 * (x[:, 1:-1] ** 2).sum(axis=1)
    frequency = np.arccos(cosine.clip(-1, 1))
    start = np.arcsin(x[:, 0])
    for drawn in (frequency, start):  # uniform on [0, 0.1]; rounding moves the ends
        assert drawn.min() > -2e-3
        assert drawn.max() < 0.1 + 2e-3
        # 1,500 draws: standard error .0007 of the mean
        assert abs(drawn.mean() - 0.05) < 0.004
        assert abs(np.quantile(drawn, 0.25) - 0.025) < 0.005
    flat = np.concatenate([frequency, start], axis=1)
    assert abs(np.corrcoef(flat, rowvar=False) - np.eye(6)).max() < 0.2  # independent


def test_sines_are_a_function_of_their_seed():
    np.testing.assert_array_equal(sines(9), sines(9))
    assert (sines(9, seed=1) != sines(9)).any()
    assert sines(9).dtype == np.float32
    assert sines(9).min() >= 0
    assert sines(9).max() <= 1


@pytest.mark.parametrize("wrong", [{"n": 0}, {"length": 1}, {"features": 0}])
def test_sines_refuse_what_makes_no_window(wrong):
    with pytest.raises(ValueError, match="use at least 1, 2 and 1"):
        sines(**wrong)


def test_grid_has_equal_modes_of_the_stated_width():
    points, centres = gaussian_grid(100_000, std=0.05), grid_centres()
    assert centres.shape == (25, 2)
    np.testing.assert_array_equal(np.unique(centres), [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(centres.mean(axis=0), 0, atol=1e-7)
    away = points[:, None] - centres
    mode = np.linalg.norm(away, axis=-1).argmin(axis=1)
    # standard errors: 62 for a count of 4,000, 1.1e-4 for a deviation of 0.05
    assert abs(np.bincount(mode) - 4_000).max() < 320
    own = away[np.arange(len(mode)), mode]
    np.testing.assert_allclose(own.std(axis=0), 0.05, atol=6e-4)
    np.testing.assert_array_equal(gaussian_grid(9), gaussian_grid(9))
    with pytest.raises(ValueError, match="side: 0 is too few"):
        gaussian_grid(9, side=0)
    with pytest.raises(ValueError, match="n, std: 0 and"):
        gaussian_grid(0)
