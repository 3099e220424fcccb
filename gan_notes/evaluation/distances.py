"""Distances between samples, and intervals that know about time. Chapter 07.

Nothing here is trained: coverage, density and the Frechet distance count and average.
Real windows come in the order of time; neighbours overlap and are not independent, so
intervals resample blocks of time.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.metrics import euclidean_distances, pairwise_distances
from sklearn.neighbors import NearestNeighbors


def thin(windows: np.ndarray, n: int) -> np.ndarray:
    """Keep at most `n` windows, evenly spaced in time and still in order."""
    if len(windows) <= n:
        return windows
    return windows[np.linspace(0, len(windows) - 1, n).astype(int)]


def block_interval(
    statistic: Callable[..., float],
    *series: np.ndarray,
    block: int,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of a statistic of dependent observations, by the moving-block bootstrap.

    Parameters
    ----------
    statistic : callable
        Takes the resampled series, returns a number.
    *series : arrays of one length n, in the order of time
        All are resampled by the same blocks.
    block : int
        Observations in a block; longer than the dependence, shorter than n.
    draws : int
        Bootstrap samples.
    level : float
        The share of draws inside.
    seed : int
        The same seed draws the same blocks.

    Returns
    -------
    low, high : the statistic plus quantiles of the draws about their own mean, so that
        the upward bias of distances under resampling does not move the interval.

    Notes
    -----
    Kuensch (1989): blocks of consecutive observations, drawn with replacement.
    """
    n = len(series[0])
    if any(len(one) != n for one in series):
        raise ValueError(f"series: lengths {[len(one) for one in series]} differ.")
    if not 1 <= block <= n:
        raise ValueError(f"block: {block} is not between 1 and {n} observations.")
    random = np.random.default_rng(seed)
    starts = random.integers(0, n - block + 1, size=(draws, -(-n // block)))
    rows = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n]
    sample = np.array([statistic(*(one[row] for one in series)) for row in rows])
    tail = 50 * (1 - level)
    low, high = np.percentile(sample - sample.mean(), [tail, 100 - tail])
    value = statistic(*series)
    return float(value + low), float(value + high)


def mean_interval(
    values: np.ndarray, *, variance: float = 0.0, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of scores of several trainings in several splits, and its interval.

    Parameters
    ----------
    values : float array (trainings, splits), or (splits,) for one training
        Every training in the same splits, or judged with the same seeds.
    variance : float
        Of the mean for another reason, e.g. the held-out days.
    level : float
        The probability that the interval holds the expectation.

    Returns
    -------
    value, low, high : the ends are NaN where nothing was repeated. With one training
        the interval does not hold what another training would change.

    Notes
    -----
    Student's t. The variances of the means over splits and of those over trainings are
    added, which counts what is neither's twice and so errs on the side of width; the
    degrees of freedom are Satterthwaite's (1946).

    Examples
    --------
    >>> value, low, high = mean_interval(np.array([0.4, 0.5, 0.6, 0.5]))
    >>> round(value, 2), round(low, 2), round(high, 2)
    (0.5, 0.37, 0.63)
    """
    values = np.atleast_2d(values)
    total, weight = variance, 0.0
    for axis in (0, 1):
        means = values.mean(axis=axis)
        if len(means) > 1:
            part = means.var(ddof=1) / len(means)
            total, weight = total + part, weight + part**2 / (len(means) - 1)
    value = float(values.mean())
    if values.size == 1 and not variance:
        return value, float("nan"), float("nan")
    freedom = total**2 / weight if weight else np.inf
    half = float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(total))
    return value, value - half, value + half


def mode_scores(points: np.ndarray, *, centres: np.ndarray, std: float) -> dict:
    """Count the modes of a Gaussian mixture that points cover, and how well.

    A point is good within three standard deviations of a centre. A mode is covered
    where at least a quarter of its fair share of all points are good there: one stray
    point does not cover it, and the rule is the same for any number of modes.

    Parameters
    ----------
    points : float array (n, d)
    centres : float array (m, d)
        Of equally likely Gaussians, far apart.
    std : float
        Standard deviation of each, along every axis.

    Returns
    -------
    dict of "modes" covered (int), the share of good points "high quality", and
    "spread": the standard deviation within modes over `std`, from the good points
    alone; NaN where there are none.

    Examples
    --------
    >>> points, centres = np.array([[0.1], [9.0]]), np.array([[0.0], [4.0]])
    >>> mode_scores(points, centres=centres, std=1.0)
    {'modes': 1, 'high quality': 0.5, 'spread': 0.1}
    """
    gaps = np.linalg.norm(points[:, None] - centres, axis=2)
    nearest, gap = gaps.argmin(axis=1), gaps.min(axis=1)
    good = gap < 3 * std
    share = np.bincount(nearest[good], minlength=len(centres)) / len(points)
    axes = points.shape[1]
    width = np.sqrt((gap[good] ** 2).mean() / axes) if good.any() else np.nan
    return {
        "modes": int((share >= 1 / 4 / len(centres)).sum()),
        "high quality": float(good.mean()),
        "spread": float(width / std),
    }


def neighbour_counts(
    real: np.ndarray, synthetic: np.ndarray, *, neighbours: int = 5
) -> np.ndarray:
    """Count the synthetic windows nearer to each real one than its k-th real neighbour.

    Coverage is the share of counts above zero, density their mean times
    len(real) / (k len(synthetic)).

    Parameters
    ----------
    real, synthetic : float arrays (n, ...) and (m, ...), flattened here
    neighbours : int
        The paper's k, 5 there.

    Returns
    -------
    int array (n,), in the order of `real`

    Notes
    -----
    Naeem et al. (2020). For two independent samples of one size from one distribution
    the expectation of coverage is 1 - 2^-k (.969 for k = 5), that of density 1.
    Overlapping windows are not independent: read both against a real-to-real row.
    """
    return inside_balls(real, synthetic, neighbours=neighbours).sum(axis=1)


def inside_balls(
    centres: np.ndarray, samples: np.ndarray, *, neighbours: int = 5
) -> np.ndarray:
    """Tell which samples lie nearer to each centre than its k-th neighbouring centre.

    Parameters
    ----------
    centres, samples : float arrays (n, ...) and (m, ...), flattened here
    neighbours : int
        The paper's k, 5 there.

    Returns
    -------
    bool array (n, m)

    Notes
    -----
    Kynkaanniemi et al. (2019): with real centres the share of synthetic samples in any
    ball is precision; with synthetic centres that of real ones is recall.
    """
    centres, samples = _flat(centres), _flat(samples)
    if len(centres) <= neighbours:
        raise ValueError(
            f"real: {len(centres)} windows, more than {neighbours} needed."
        )
    near = NearestNeighbors(n_neighbors=neighbours).fit(centres)
    radii = near.kneighbors()[0][:, -1]  # none is its own neighbour
    return pairwise_distances(centres, samples) < radii[:, None]


def frechet_distance(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Squared Frechet distance between Gaussians of the samples' means and covariances.

    Parameters
    ----------
    real, synthetic : float arrays (n, components) and (m, components)
        Coordinates in one space, e.g. the first components of a PCA fitted on real
        windows (`principal_axes`).

    Returns
    -------
    |difference of means|^2 + tr(A + B - 2 (A B)^(1/2)), 0 for equal moments

    Notes
    -----
    Heusel et al. (2017) measure images so, in the space of an Inception network, and
    print the square as we do; only the formula is theirs here, so the numbers compare
    with nobody else's.
    """
    shift = real.mean(axis=0) - synthetic.mean(axis=0)
    a, b = np.cov(real, rowvar=False), np.cov(synthetic, rowvar=False)
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    # The eigenvalues of a product of two covariances are real and not negative.
    root = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * root)


def mmd(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Squared maximum mean discrepancy, unbiased: 0 in the mean for one distribution.

    Parameters
    ----------
    real, synthetic : float arrays (n, ...) and (m, ...), flattened here
        Independent of each other; at least two of each.

    Returns
    -------
    Below zero by chance, at most 2.

    Notes
    -----
    Gretton et al. (2012), the unbiased statistic, with a Gaussian kernel whose width is
    the median distance between two real windows.

    Examples
    --------
    >>> far = mmd(np.zeros((3, 1)) + [[0], [1], [2]], np.full((4, 1), 1e6))
    >>> round(far, 3)
    1.449
    """
    real, synthetic = _flat(real), _flat(synthetic)
    within = euclidean_distances(real, squared=True)
    width = np.median(within[np.triu_indices(len(real), k=1)])

    def mean(squares, same):
        kernel = np.exp(-squares / (2 * max(width, np.finfo("float64").tiny)))
        n, m = kernel.shape
        return (kernel.sum() - n * same) / (n * (m - same))  # none with itself

    across = mean(euclidean_distances(real, synthetic, squared=True), 0)
    among = mean(euclidean_distances(synthetic, squared=True), 1)
    return float(mean(within, 1) + among - 2 * across)


def principal_axes(real: np.ndarray, *, components: int = 10) -> PCA:
    """PCA fitted on flattened real windows; fewer components where there are fewer."""
    flat = _flat(real)
    return PCA(min(components, *flat.shape), random_state=0).fit(flat)


def _flat(windows: np.ndarray) -> np.ndarray:
    return np.asarray(windows, dtype="float64").reshape(len(windows), -1)
