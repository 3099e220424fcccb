"""Generators that learn little or nothing. Chapter 07 measures TimeGAN against them.

Each takes real windows of the training period and returns as many synthetic ones as
asked, in the same scale and shape, so that every judge treats it as it treats a GAN.
"""

import numpy as np


def copycat(windows: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Replay training windows, drawn at random: what a perfect memory would give.

    It invents nothing. A judge that learns on those very windows as real ones knows
    them from both sides, so its verdict on them is no floor for other generators.

    Parameters
    ----------
    windows : float array (n_windows, length, features)
        Windows of the training period.
    n : int
        How many to return. Without repetition as long as there are enough.
    seed : int
        The same seed draws the same windows.

    Returns
    -------
    float32 array (n, length, features)

    Examples
    --------
    >>> past = np.arange(6.0).reshape(3, 2, 1)
    >>> copycat(past, 2).shape
    (2, 2, 1)
    """
    windows = _checked(windows, n)
    random = np.random.default_rng(seed)
    replace = n > len(windows)
    return windows[random.choice(len(windows), n, replace=replace)]


def gaussian(windows: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Draw from one Gaussian fitted to the flattened windows.

    It has every mean, variance and linear correlation of the training windows, across
    time and across features, and nothing else: no heavy tails, no clusters of
    volatility. The first thing a GAN has to prove is that it beats this.

    Parameters
    ----------
    windows : float array (n_windows, length, features)
        Windows of the training period.
    n : int
        How many to draw.
    seed : int
        The same seed draws the same windows.

    Returns
    -------
    float32 array (n, length, features)

    Notes
    -----
    With no more windows than numbers in a window the covariance is singular; the draw
    then stays in the span of the windows, which the singular value decomposition does
    without a ridge.

    Examples
    --------
    >>> past = np.random.default_rng(0).normal(size=(500, 4, 2))
    >>> draw = gaussian(past, 10_000)
    >>> bool(abs(draw.std() - past.std()) < 0.02)
    True
    """
    windows = _checked(windows, n)
    flat = windows.reshape(len(windows), -1).astype("float64")
    centred = flat - flat.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    noise = np.random.default_rng(seed).normal(size=(n, len(singular)))
    draw = noise * singular / np.sqrt(max(len(flat) - 1, 1)) @ directions
    draw = draw + flat.mean(axis=0)
    return draw.reshape(n, *windows.shape[1:]).astype("float32")


def _checked(windows: np.ndarray, n: int) -> np.ndarray:
    windows = np.asarray(windows, dtype="float32")
    if windows.ndim != 3 or not len(windows):
        raise ValueError(
            f"windows: shape {windows.shape} is not (n_windows, length, features) "
            "with at least one window. Pass Windows.changes(Windows.train)."
        )
    if not np.isfinite(windows).all():
        raise ValueError("windows: some values are missing or infinite. Drop them.")
    if n < 1:
        raise ValueError(f"n: {n} windows were asked for. Ask for 1 or more.")
    return windows
