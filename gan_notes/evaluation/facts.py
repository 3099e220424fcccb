"""Stylised facts, risk and memorisation of windows of changes. Chapter 07.

Cont (2001) lists what the returns of most assets have in common. Each fact here is a
number of *pooled* days: means, variances and products are averaged over all days of
all windows before they are divided, never within one. A correlation centred within a
window of 24 days would be biased by about -1/24, and blind to calm and stormy windows;
pooled, short windows estimate what the long series has.

For their intervals the facts take `weights`: how often each window counts, a row per
bootstrap sample. Real windows overlap, so theirs are drawn in blocks of time, synthetic
ones one by one.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances_argmin_min

LAGS = 10  # days over which autocorrelations and leverage are followed
TAIL = 0.05  # share of the days, the largest, that make the tail index
LEVELS = (0.01, 0.05)  # of value at risk and expected shortfall
RATIOS = ("tail index", "kurtosis", "kurtosis of sums")  # compared by logarithms
POSITIONS = ("single names", "equal weight", "long-short")


def block_weights(n: int, *, block: int, draws: int = 200, seed: int = 0) -> np.ndarray:
    """Count how often each of `n` windows comes in samples of the block bootstrap.

    Parameters
    ----------
    n : int
        Windows; in the order of time where `block` exceeds 1.
    block : int
        Windows drawn together: longer than the dependence for real windows, 1 for
        independent ones.
    draws : int
        Bootstrap samples.
    seed : int
        The same seed draws the same blocks.

    Returns
    -------
    float64 array (1 + draws, n). The first row is the sample itself, all ones; each
    row sums to n.

    Raises
    ------
    ValueError
        A block that is not between 1 and n windows.

    Notes
    -----
    Kuensch (1989), as `distances.block_interval`, but as counts: an average over
    windows under all samples is then one product of matrices.
    """
    if not 1 <= block <= n:
        raise ValueError(f"block: {block} is not between 1 and {n} windows.")
    random = np.random.default_rng(seed)
    starts = random.integers(0, n - block + 1, size=(draws, -(-n // block)))
    rows = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n]
    counts = [np.bincount(row, minlength=n) for row in rows]
    return np.array([np.ones(n, int), *counts], dtype="float64")


def autocorrelation(
    changes: np.ndarray, lag: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Correlation of a day's change with the change `lag` days later, per ticker.

    Parameters
    ----------
    changes : float array (n, length, features)
        Give ``np.abs(changes)`` for the autocorrelation of sizes: volatility clusters.
    lag : int
        Days, below `length`.
    weights : float array (draws, n)
        See `block_weights`. None counts each window once.

    Returns
    -------
    float array (draws, features), in [-1, 1]; 0 where nothing varies

    Examples
    --------
    >>> up_and_down = np.tile([1.0, -1.0], 12).reshape(1, 24, 1)
    >>> autocorrelation(up_and_down, 2).round(6).tolist()
    [[1.0]]
    """
    return _correlation(*_lagged(changes, lag), weights)


def leverage(
    changes: np.ndarray, lag: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Correlation of a change with the size of the change `lag` days later.

    Below zero where losses are followed by more volatility than gains are.

    Parameters
    ----------
    changes, lag, weights
        As in `autocorrelation`.

    Returns
    -------
    float array (draws, features)
    """
    before, after = _lagged(changes, lag)
    return _correlation(before, np.abs(after), weights)


def cross_correlation(
    changes: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Correlation of the changes of two tickers on the same day.

    Parameters
    ----------
    changes, weights
        As in `autocorrelation`.

    Returns
    -------
    float array (draws, pairs), the pairs in the order (0, 1), (0, 2), ..., (1, 2), ...
    """
    x = _checked(changes)
    x = x - x.mean(axis=(0, 1))
    # A product of matrices for each window: twenty tickers have 190 pairs, and as many
    # columns of all windows side by side would take gigabytes.
    means = _averages(x.mean(axis=1), weights)
    products = _averages(x.transpose(0, 2, 1) @ x / x.shape[1], weights)
    covariances = products - means[:, :, None] * means[:, None]
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    scale = np.maximum(
        variances[:, :, None] * variances[:, None], np.finfo("float64").tiny
    )
    first, second = np.triu_indices(x.shape[2], k=1)
    return (covariances / np.sqrt(scale))[:, first, second]


def kurtosis(
    changes: np.ndarray, days: int = 1, weights: np.ndarray | None = None
) -> np.ndarray:
    """Fourth standardised moment of sums over `days` days within windows, per ticker.

    A normal law has 3. Daily returns have far more, and less as they are summed:
    aggregational Gaussianity.

    Parameters
    ----------
    changes, weights
        As in `autocorrelation`.
    days : int
        At most `length`. Every run of so many days counts.

    Returns
    -------
    float array (draws, features); 0 where nothing varies
    """
    changes = _checked(changes)
    if not 1 <= days <= changes.shape[1]:
        raise ValueError(
            f"days: sums over {days} came for windows of {changes.shape[1]}; use 1 up "
            "to the length of a window."
        )
    path = np.cumsum(changes, axis=1)
    sums = path[:, days - 1 :].copy()
    sums[:, 1:] -= path[:, :-days]
    sums -= sums.mean(axis=(0, 1))
    powers = np.stack([(sums**k).mean(axis=1) for k in (1, 2, 3, 4)], axis=1)
    m1, m2, m3, m4 = np.moveaxis(_averages(powers, weights), 1, 0)
    variance = np.maximum(m2 - m1**2, np.finfo("float64").tiny ** 0.5)
    return (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2


def tail_index(
    changes: np.ndarray, weights: np.ndarray | None = None, *, share: float = TAIL
) -> np.ndarray:
    """Hill's estimate of the exponent with which the sizes of changes die out.

    Parameters
    ----------
    changes, weights
        As in `autocorrelation`.
    share : float
        Of the days, the largest in size, that count as the tail.

    Returns
    -------
    float array (draws, features). Where P(size > x) falls like x^-a it estimates a:
    about 3 for shares, more for thinner tails.

    Notes
    -----
    Hill (1975): one over the mean log-ratio of the tail's sizes to the least of them.
    """
    size = np.abs(_checked(changes))
    columns = []
    for column in np.moveaxis(size, 2, 0):
        logs = np.log(np.maximum(column, np.finfo("float64").tiny))
        edge, mean = _tails(-logs, weights, (share,))
        columns.append(1 / np.maximum((edge - mean)[:, 0], 1e-12))
    return np.stack(columns, axis=1)


def losses(changes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Value at risk and expected shortfall of a day, for three kinds of position.

    Parameters
    ----------
    changes, weights
        As in `autocorrelation`. A portfolio's change is the weighted sum of those of
        its tickers: for log-returns its own up to half their variance.

    Returns
    -------
    float array (draws, features + 2, levels, 2): value at risk and expected shortfall
    (last axis) at each of `LEVELS`, both as losses, of each ticker, of all in equal
    weights, and long the first half of the tickers, short the last. With one ticker
    (draws, 2, levels, 2): nothing is long-short.

    Notes
    -----
    The value at risk is the loss that a share `level` of days reaches; the expected
    shortfall is the mean over just that share (Acerbi and Tasche, 2002).
    """
    changes = _checked(changes)
    tickers = changes.shape[2]
    half = tickers // 2
    columns = [*np.moveaxis(changes, 2, 0), changes.mean(axis=2)]
    if half:
        long, short = changes[..., :half], changes[..., tickers - half :]
        columns.append(long.mean(axis=2) - short.mean(axis=2))
    values = [np.stack(_tails(x, weights, LEVELS), axis=-1) for x in columns]
    return -np.stack(values, axis=1)


def nearest(train: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Distance from each window to the nearest training window.

    Every window is first divided by its own standard deviation, over all its days and
    tickers: else the calm ones lie near each other whatever they show.

    Parameters
    ----------
    train, windows : float arrays (n, length, features) and (m, length, features)

    Returns
    -------
    float array (m,); 0 for a copy, whatever its scale
    """

    def shape_only(x):
        flat = _checked(x).reshape(len(x), -1)
        return flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-12)

    return pairwise_distances_argmin_min(shape_only(windows), shape_only(train))[1]


def facts(
    changes: np.ndarray, *, block: int = 1, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Tell the stylised facts of windows, with intervals.

    Parameters
    ----------
    changes : float array (n, length, features)
        Daily changes, log-returns where prices are positive.
    block, draws, seed
        See `block_weights`.

    Returns
    -------
    DataFrame with a row per fact and number of days: `fact`, `days` (the lag, or the
    days summed), `value` (mean over tickers or pairs), `low` and `high` (95 %).

    Raises
    ------
    ValueError
        Not windows, or missing values among them.

    Notes
    -----
    Cont (2001), whose list has these as facts 1, 2, 4, 6, 8 and 9, and the
    correlation across tickers.
    """
    changes = _checked(changes)
    weights = block_weights(len(changes), block=block, draws=draws, seed=seed)
    rows = []
    for fact, parts in _parts(changes, weights).items():
        for days, values in parts.items():
            means = values.mean(axis=1)
            rows.append((fact, days, means[0], *_interval(means)))
    return pd.DataFrame(rows, columns=["fact", "days", "value", "low", "high"])


def distances(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    block: int,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell how far the stylised facts of two samples lie apart, with intervals.

    Parameters
    ----------
    real : float array (n, length, features), in the order of time
    synthetic : float array (m, length, features), independent windows
    block : int
        Real windows in a block, see `block_weights`; synthetic ones are drawn singly.
    draws, seed
        See `block_weights`.

    Returns
    -------
    DataFrame with a row per fact: `fact`, `real` and `synthetic` (means over tickers,
    or pairs, and days), `distance` (mean absolute difference over the same; of
    logarithms for `RATIOS`, whose errors grow with their size), `low` and `high` (95 %,
    resampling both sides). Real data of another period have a distance too: that is
    the floor.

    Raises
    ------
    ValueError
        Not windows, windows of other shapes, or missing values among them.
    """
    pair = _pair(real, synthetic)
    weights = _both(pair, block, draws, seed)
    left, right = (_parts(x, w) for x, w in zip(pair, weights, strict=True))
    rows = []
    for fact in left:
        a, b = (np.concatenate([*x[fact].values()], axis=1) for x in (left, right))
        unit = _logarithm if fact in RATIOS else np.asarray
        apart = np.abs(unit(a) - unit(b)).mean(axis=1)
        rows.append((fact, a[0].mean(), b[0].mean(), apart[0], *_interval(apart, 0)))
    columns = ["fact", "real", "synthetic", "distance", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def risk(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    block: int,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare what can be lost in a day: value at risk and expected shortfall.

    Parameters
    ----------
    real, synthetic, block, draws, seed
        As in `distances`.

    Returns
    -------
    DataFrame with a row per position, level and measure: `position`, `level`,
    `measure` ("VaR" or "ES"), `real` and `synthetic` (in the unit of the changes),
    `ratio` (synthetic to real, mean over tickers for single names), `low` and `high`
    (95 %, of the ratio, resampling both sides).

    Raises
    ------
    ValueError
        As `distances`.
    """
    pair = _pair(real, synthetic)
    weights = _both(pair, block, draws, seed)
    a, b = (losses(x, w) for x, w in zip(pair, weights, strict=True))
    tickers = pair[0].shape[2]
    spans = [slice(tickers), slice(tickers, tickers + 1), slice(tickers + 1, None)]
    rows = []
    for position, span in zip(POSITIONS, spans, strict=True):
        if not a[:, span].size:
            continue
        for i, level in enumerate(LEVELS):
            for j, measure in enumerate(("VaR", "ES")):
                x, y = a[:, span, i, j], b[:, span, i, j]
                ratio = (y / x).mean(axis=1)
                values = (x[0].mean(), y[0].mean(), ratio[0], *_interval(ratio))
                rows.append((position, level, measure, *values))
    columns = ["position", "level", "measure", "real", "synthetic"]
    return pd.DataFrame(rows, columns=[*columns, "ratio", "low", "high"])


def memorisation(
    train: np.ndarray,
    windows: np.ndarray,
    *,
    block: int = 1,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell how near windows come to the training windows; see `nearest`.

    Held-out real windows, treated alike, say how near is near: what lies nearer than
    they do has been remembered.

    Parameters
    ----------
    train, windows : float arrays (n, length, features) and (m, length, features)
    block, draws, seed
        See `block_weights`; `block` exceeds 1 for held-out windows, which overlap.

    Returns
    -------
    DataFrame of two rows, "median" and "1st percentile" of the distances: `statistic`,
    `value`, `low`, `high` (95 %, resampling `windows`).
    """
    _pair(train, windows)
    apart = nearest(train, windows)
    weights = block_weights(len(apart), block=block, draws=draws, seed=seed)
    edges, _ = _tails(apart[:, None], weights, (0.5, 0.01))
    names = ("median", "1st percentile")
    rows = [(n, x[0], *_interval(x, 0)) for n, x in zip(names, edges.T, strict=True)]
    return pd.DataFrame(rows, columns=["statistic", "value", "low", "high"])


def _parts(changes, weights) -> dict[str, dict[int, np.ndarray]]:
    """Give each fact's parts by days, each (draws, tickers or pairs)."""
    lags = range(1, min(LAGS, changes.shape[1] - 1) + 1)
    size = np.abs(changes)
    week = min(5, changes.shape[1])
    parts = {
        "autocorrelation": {k: autocorrelation(changes, k, weights) for k in lags},
        "autocorrelation of sizes": {
            k: autocorrelation(size, k, weights) for k in lags
        },
        "leverage": {k: leverage(changes, k, weights) for k in lags},
        "tail index": {1: tail_index(changes, weights)},
        "kurtosis": {1: kurtosis(changes, 1, weights)},
        "kurtosis of sums": {week: kurtosis(changes, week, weights)},
    }
    if changes.shape[2] > 1:
        parts["cross-correlation"] = {1: cross_correlation(changes, weights)}
    return parts


def _lagged(changes, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the days that have one `lag` days later, and those later days."""
    changes = _checked(changes)
    if not 1 <= lag < changes.shape[1]:
        raise ValueError(
            f"lag: {lag} came for windows of {changes.shape[1]} days; use 1 up to one "
            "less than the length of a window."
        )
    return changes[:, :-lag], changes[:, lag:]


def _averages(rows: np.ndarray, weights) -> np.ndarray:
    """Average rows (n, ...) over windows under each sample: (draws, ...)."""
    weights = np.ones((1, len(rows))) if weights is None else weights
    share = weights / weights.sum(axis=1, keepdims=True)
    return (share @ rows.reshape(len(rows), -1)).reshape(-1, *rows.shape[1:])


def _correlation(a: np.ndarray, b: np.ndarray, weights) -> np.ndarray:
    """Correlate two arrays (n, days, k) over all days of all windows: (draws, k)."""
    a, b = a - a.mean(axis=(0, 1)), b - b.mean(axis=(0, 1))
    means = np.stack([x.mean(axis=1) for x in (a, b, a * a, b * b, a * b)], axis=1)
    x, y, xx, yy, xy = np.moveaxis(_averages(means, weights), 1, 0)
    variances = np.maximum((xx - x * x) * (yy - y * y), np.finfo("float64").tiny)
    return (xy - x * y) / np.sqrt(variances)


def _tails(values: np.ndarray, weights, shares) -> tuple[np.ndarray, np.ndarray]:
    """Give quantiles of values (n, days), and the means of what lies up to them.

    Both are (draws, shares). The mean takes the quantile's own value for what is
    missing to the exact share.
    """
    n, days = values.shape
    weights = np.ones((1, n)) if weights is None else weights
    order = np.argsort(values, axis=None)
    wanted = np.outer(weights.sum(axis=1) * days, shares)
    take = 2 * int(max(shares) * values.size) + 1  # of the lowest, as all that matter
    while (weights[:, order[:take] // days].sum(axis=1) < wanted.max(axis=1)).any():
        take *= 2
    ordered, window = values.ravel()[order[:take]], order[:take] // days
    edges, means = np.empty(wanted.shape), np.empty(wanted.shape)
    for i, row in enumerate(weights):
        counts = row[window]
        reached, sums = np.cumsum(counts), np.cumsum(counts * ordered)
        at = np.searchsorted(reached, wanted[i] * (1 - 1e-12))
        edges[i] = ordered[at]
        means[i] = (sums[at] + (wanted[i] - reached[at]) * ordered[at]) / wanted[i]
    return edges, means


def _logarithm(x: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(x, 1e-6))  # a constant generator has kurtosis 0


def _interval(sample: np.ndarray, least: float = -np.inf) -> tuple[float, float]:
    """Interval of the first value, from the others about their mean.

    As in `distances.block_interval`: so the upward bias of a distance under
    resampling does not move it.
    """
    low, high = np.percentile(sample[1:] - sample[1:].mean(), [2.5, 97.5])
    return max(float(sample[0] + low), least), float(sample[0] + high)


def _both(pair, block: int, draws: int, seed: int) -> list[np.ndarray]:
    """Draw weights of real windows in blocks, of synthetic ones by themselves."""
    return [
        block_weights(len(x), block=b, draws=draws, seed=s)
        for x, b, s in zip(pair, (block, 1), (2 * seed, 2 * seed + 1), strict=True)
    ]


def _pair(real, synthetic) -> tuple[np.ndarray, np.ndarray]:
    real, synthetic = _checked(real), _checked(synthetic)
    if real.shape[1:] != synthetic.shape[1:]:
        raise ValueError(
            f"synthetic: windows of {synthetic.shape[1:]} came for real ones of "
            f"{real.shape[1:]} (days, tickers); cut both alike."
        )
    return real, synthetic


def _checked(changes) -> np.ndarray:
    changes = np.asarray(changes, dtype="float64")
    if changes.ndim != 3 or not len(changes) or changes.shape[1] < 2:
        raise ValueError(
            f"changes: shape {changes.shape} is not (n, length, features) with at "
            "least one window of two days; pass Windows.changes(...)."
        )
    if not np.isfinite(changes).all():
        raise ValueError("changes: some values are missing or infinite; drop them.")
    return changes
