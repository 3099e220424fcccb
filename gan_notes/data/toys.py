"""Toy points and windows whose law is known; chapters 01, 03 and 06."""

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
    return _around(ring_centres(modes, radius), n, std, seed)


def grid_centres(side: int = 5, gap: float = 1.0) -> np.ndarray:
    """Give the centres of `gaussian_grid`, row by row from the lower left corner.

    Parameters
    ----------
    side : int
        Centres along each axis.
    gap : float
        Between neighbours. The middle of the grid is the origin.

    Returns
    -------
    float32 array (side^2, 2)

    Examples
    --------
    >>> grid_centres(2, 1.0).tolist()
    [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    """
    if side < 1:
        raise ValueError(f"side: {side} is too few; a grid has at least 1 each way.")
    along = gap * (np.arange(side) - (side - 1) / 2)
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1).astype("float32")


def gaussian_grid(
    n: int, *, side: int = 5, gap: float = 1.0, std: float = 0.05, seed: int = 0
) -> np.ndarray:
    """Draw points from equally likely Gaussians with centres on a square grid.

    Parameters
    ----------
    n : int
        Number of points.
    side, gap : int, float
        Gaussians along each axis, and the distance of neighbours.
    std : float
        Standard deviation of each Gaussian, along both axes.
    seed : int
        The same seed draws the same points.

    Returns
    -------
    float32 array (n, 2)

    Notes
    -----
    The other usual test for mode collapse. Lin et al. (2018), "PacGAN", have 25 centres
    at distances of 2; at distances of 1 the grid is as wide as the ring.
    """
    return _around(grid_centres(side, gap), n, std, seed)


def _around(centres: np.ndarray, n: int, std: float, seed: int) -> np.ndarray:
    """Draw from equally likely Gaussians of one width."""
    if n < 1 or std < 0:
        raise ValueError(f"n, std: {n} and {std} came; n is at least 1, std 0 or more.")
    random = np.random.default_rng(seed)
    chosen = centres[random.integers(len(centres), size=n)]
    return (chosen + std * random.normal(size=(n, 2))).astype("float32")


def sines(
    n: int = 10_000, *, length: int = 24, features: int = 5, seed: int = 0
) -> np.ndarray:
    """Draw windows of sines, the toy series of the TimeGAN paper.

    Each window and feature is a sine with its own frequency and phase, both uniform on
    [0, 0.1] (in radians a step, and radians), moved from [-1, 1] to [0, 1]. Windows and
    features are independent: there is no order of time, and no date.

    Parameters
    ----------
    n : int
        Number of windows; 10,000 in the authors' code.
    length, features : int
        Steps and columns of a window.
    seed : int
        The same seed draws the same windows.

    Returns
    -------
    float32 array (n, length, features)

    Notes
    -----
    Yoon, Jarrett and van der Schaar (2019) write of frequencies in [0, 1] and phases in
    [-pi, pi]; the first author says in issue 40 of their repository that all results
    of the paper are on the ranges of the code, which are taken here. So no window holds
    more than two fifths of a period.

    Examples
    --------
    >>> sines(3).shape
    (3, 24, 5)
    """
    if n < 1 or length < 2 or features < 1:
        raise ValueError(
            f"n, length, features: {n}, {length} and {features} came; use at least 1, "
            "2 and 1."
        )
    random = np.random.default_rng(seed)
    frequency, phase = random.uniform(0, 0.1, size=(2, n, 1, features))
    steps = np.arange(length)[:, None]
    return ((np.sin(frequency * steps + phase) + 1) / 2).astype("float32")
