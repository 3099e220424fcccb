"""Toy points whose law is known; chapters 01 and 03."""

from __future__ import annotations

import numpy as np


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """Give the centres of `gaussian_ring`, counter-clockwise from (radius, 0).

    Parameters
    ----------
    modes : int
        Number of centres.
    radius : float
        Of the circle around the origin on which they stand.

    Returns
    -------
    float32 array (modes, 2)

    Examples
    --------
    >>> ring_centres(4, 1.0).round(1).tolist()[:2]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if modes < 1:
        raise ValueError(f"modes: {modes} is too few; a ring has at least 1.")
    angle = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres.astype("float32")


def gaussian_ring(
    n: int, *, modes: int = 8, radius: float = 2.0, std: float = 0.02, seed: int = 0
) -> np.ndarray:
    """Draw points from equally likely Gaussians with centres on a circle.

    Parameters
    ----------
    n : int
        Number of points.
    modes, radius : int, float
        Number of Gaussians, and radius of the circle on which their centres stand.
    std : float
        Standard deviation of each Gaussian, along both axes.
    seed : int
        The same seed draws the same points.

    Returns
    -------
    float32 array (n, 2)

    Notes
    -----
    The usual test for mode collapse; Metz et al. (2017), "Unrolled generative
    adversarial networks", use eight modes, radius 2 and standard deviation 0.02.
    """
    if n < 1 or std < 0:
        raise ValueError(f"n, std: {n} and {std} came; n is at least 1, std 0 or more.")
    random = np.random.default_rng(seed)
    centres = ring_centres(modes, radius)[random.integers(modes, size=n)]
    return (centres + std * random.normal(size=(n, 2))).astype("float32")
