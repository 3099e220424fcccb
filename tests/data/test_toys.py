"""Points on a ring: as many modes as said, each as wide as said."""

import numpy as np
import pytest

from gan_notes.data.toys import gaussian_ring, ring_centres


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
