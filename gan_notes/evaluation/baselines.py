"""Generators that learn little or nothing. Chapter 07 measures GANs against them.

Each takes real windows of the training period and returns as many synthetic ones as
asked, in the same scale and shape, so that every judge treats it as it treats a GAN.
`bootstrap`, `garch` and `iid` work on the days behind the windows, which they recover
from windows that are in the order of time and one day apart; they ask for changes
(`Windows.changes`), since days of levels cannot be shuffled.
"""

import numpy as np
from scipy import optimize, special, stats


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


def student(windows: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Draw from one multivariate t with the covariance of the flattened windows.

    A `gaussian` draw in which each window is made calm or stormy as a whole. So it has
    heavy tails and clusters of volatility, which outlast every window.

    Parameters
    ----------
    windows, n, seed
        As for `gaussian`.

    Returns
    -------
    float32 array (n, length, features)

    Notes
    -----
    The degrees of freedom follow from how much the mean square of a window varies: its
    logarithm has the variance psi'(p / 2) + psi'(df / 2), where psi' is the trigamma
    function and p the number of independent values in a window, (tr C)^2 / tr C^2 of
    their correlation matrix C. They stay above 2, where the covariance ends.
    """
    draw = gaussian(windows, n, seed=seed).astype("float64")
    flat = np.asarray(windows, dtype="float64").reshape(len(windows), -1)
    z = (flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-12)
    gram = z @ z.T if len(z) < z.shape[1] else z.T @ z
    independent = np.trace(gram) ** 2 / max((gram**2).sum(), 1e-12)
    spread = np.log(np.maximum((z**2).mean(axis=1), 1e-12)).var()
    excess = spread - special.polygamma(1, max(independent, 1.0) / 2)
    freedom = _freedom(excess)
    centre = flat.mean(axis=0).reshape(windows.shape[1:])
    random = np.random.default_rng([seed, 1])
    size = np.sqrt((freedom - 2) / random.chisquare(freedom, size=(n, 1, 1)))
    return (centre + (draw - centre) * size).astype("float32")


def iid(windows: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Draw days one by one: all that a day has, nothing of their order.

    Parameters
    ----------
    windows : float array (n_windows, length, features)
        Changes of the training period, in the order of time, one day apart.
    n, seed
        As for `gaussian`.

    Returns
    -------
    float32 array (n, length, features)
    """
    windows = _checked(windows, n)
    days = days_of(windows)
    random = np.random.default_rng(seed)
    return days[random.integers(len(days), size=(n, windows.shape[1]))]


def bootstrap(
    windows: np.ndarray, n: int, *, block: float | None = None, seed: int = 0
) -> np.ndarray:
    """Join stretches of history of random length: the stationary bootstrap.

    Parameters
    ----------
    windows : float array (n_windows, length, features)
        Changes of the training period, in the order of time, one day apart.
    n : int
        How many to draw.
    block : float
        Mean days of a stretch. None: the length that is optimal for the mean, on the
        average over the features, which needs the extra ``[finance]``.
    seed : int
        The same seed draws the same windows.

    Returns
    -------
    float32 array (n, length, features)

    Notes
    -----
    Politis and Romano (1994): a stretch begins on any day, ends with probability
    1 / block on each, and goes round from the last day to the first. The optimal
    length is that of Patton, Politis and White (2009), by ``arch``. With a block of 13
    days one window of 24 in six is copied whole: no generator to trust with secrets.
    """
    windows = _checked(windows, n)
    days = days_of(windows)
    if block is None:
        lengths = _arch().bootstrap.optimal_block_length(days)["stationary"]
        block = max(float(lengths.mean()), 1.0)
    random = np.random.default_rng(seed)
    at = random.integers(len(days), size=(n, windows.shape[1]))
    goes_on = random.random(at.shape) >= 1 / block
    for day in range(1, at.shape[1]):
        following = (at[:, day - 1] + 1) % len(days)
        at[:, day] = np.where(goes_on[:, day], following, at[:, day])
    return days[at]


def garch(windows: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Simulate a GARCH(1,1) per feature, their shocks joined by a Gaussian copula.

    Volatility that remembers, tails and cross-correlation of the shocks: what a desk
    would use. Each window starts in the volatility of a training day, the same day for
    all features.

    Parameters
    ----------
    windows : float array (n_windows, length, features)
        Changes of the training period, in the order of time, one day apart.
    n, seed
        As for `gaussian`.

    Returns
    -------
    float32 array (n, length, features)

    Raises
    ------
    ModuleNotFoundError
        The extra ``[finance]`` is not installed.

    Notes
    -----
    Bollerslev (1986), fitted with Student shocks by ``arch``; the shocks that are then
    drawn are quantiles of the residuals, so their tail is the data's own.
    """
    windows = _checked(windows, n)
    days = days_of(windows).astype("float64")
    unit = np.maximum(days.std(axis=0), 1e-12)
    arch = _arch()
    fits = [
        arch.univariate.arch_model(column, dist="t", rescale=False).fit(disp="off")
        for column in (days / unit).T
    ]
    mu, omega, alpha, beta, _ = np.array([fit.params for fit in fits]).T
    shocks = np.stack([fit.std_resid for fit in fits], axis=1)
    scores = special.ndtri(stats.rankdata(shocks, axis=0) / (len(shocks) + 1))
    correlation = np.atleast_2d(np.corrcoef(scores, rowvar=False))
    random = np.random.default_rng(seed)
    start = random.integers(len(days), size=n)
    variance = (
        np.stack([fit.conditional_volatility for fit in fits], axis=1)[start] ** 2
    )
    shape = (n, windows.shape[1])
    copula = random.multivariate_normal(
        np.zeros(len(fits)), correlation, size=shape, method="eigh"
    )
    rank = special.ndtr(copula)
    draw = np.empty(rank.shape)
    for feature in range(len(fits)):
        draw[..., feature] = np.quantile(shocks[:, feature], rank[..., feature])
    for day in range(shape[1]):
        draw[:, day] *= np.sqrt(variance)
        variance = omega + alpha * draw[:, day] ** 2 + beta * variance
    return ((mu + draw) * unit).astype("float32")


def days_of(windows: np.ndarray) -> np.ndarray:
    """Recover the days behind overlapping windows.

    Parameters
    ----------
    windows : array (n, length, features)
        In the order of time, each one day after the one before.

    Returns
    -------
    array (n + length - 1, features)

    Raises
    ------
    ValueError
        Neighbours do not share all days but one.

    Examples
    --------
    >>> days = np.arange(5.0)[:, None]
    >>> days_of(np.stack([days[:3], days[1:4], days[2:]]))[:, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    gap = np.abs(windows[1:, :-1] - windows[:-1, 1:])
    off = (gap > 1e-5 * np.abs(windows).max()).any(axis=(1, 2))
    if off.any():
        at = int(off.argmax())
        raise ValueError(
            f"windows: number {at + 1} is not number {at} one day later, so the days "
            "behind them cannot be recovered. Pass the changes of all training "
            "windows in the order of time: Windows.changes(Windows.train)."
        )
    return np.concatenate([windows[:, 0], windows[-1, 1:]])


ALL = {
    "copycat": copycat,
    "bootstrap": bootstrap,
    "GARCH": garch,
    "multivariate t": student,
    "Gaussian": gaussian,
    "iid days": iid,
}  # in the order of a table


def _arch():
    """Import arch, or say which extra holds it."""
    try:
        import arch.bootstrap
        import arch.univariate
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "arch, which fits GARCH and block lengths, is not installed; run "
            'pip install "gan-notes[finance]".'
        ) from error
    return arch


def _freedom(excess: float) -> float:
    """Solve psi'(df / 2) = excess for df, between 2.1 and 1,000."""

    def miss(freedom):
        return special.polygamma(1, freedom / 2) - excess

    if miss(1000.0) > 0 or miss(2.1) < 0:
        return 1000.0 if miss(1000.0) > 0 else 2.1
    return optimize.brentq(miss, 2.1, 1000.0)


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
