"""Three scales for windows of prices, each fitted on the training period only.

Chapter 06 trains on them; `windows` cuts the windows and holds the dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from gan_notes.data import dates as calendar
from gan_notes.data import tables

KINDS = ("levels", "normal_scores", "log_returns")
KNOTS = 257  # of a rank table: one each 0.03 normal scores, 60 kB of JSON for six
FLOOR = 0.01  # of the lowest training price: the least price that has a logarithm
TAIL = 1.5  # normal scores from which the line beyond the most extreme day is drawn


@dataclass(frozen=True, eq=False)
class Transform:
    """A scale fitted on training prices, and the way back.

    Attributes
    ----------
    kind : str
        What a window holds: "levels", "normal_scores" or "log_returns".
    tickers : list of str
        Names of the d columns.
    start_prices : float64 array (d,)
        The last training prices, from which `inverse` starts unless told otherwise.
    parameters : list of dict
        What was fitted, a dictionary per ticker.
    differences : tuple of str
        Tickers whose changes are first differences instead of log-returns, such as
        rates and indices of volatility.

    Notes
    -----
    "levels" are the values themselves, of any sign, with the training minimum at 0
    and the training maximum at 1. Later values may lie outside.

    "normal_scores" are log-returns mapped ticker by ticker by their rank among the n
    training returns: the score of rank r is the standard normal quantile of
    (r - 1/2) / n. Ties share their mean rank, and values between two ranks are
    interpolated. Beyond the training extremes a straight line goes on with the mean
    slope of the outermost 1.5 scores, in both directions, so nothing is cut off.

    "log_returns" are log-returns less the training mean, over the training standard
    deviation.

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=5)
    >>> prices = pd.DataFrame({"KO": [50.0, 52.0, 51.0, 54.0, 53.0]}, index=days)
    >>> transform = Transform.fit(prices, "levels")
    >>> x = transform.apply(prices.to_numpy()[None])
    >>> x[0, :, 0].tolist()
    [0.0, 0.5, 0.25, 1.0, 0.75]
    >>> transform.inverse(x)[0, :, 0].tolist()
    [50.0, 52.0, 51.0, 54.0, 53.0]
    """

    kind: str
    tickers: list[str]
    start_prices: np.ndarray
    parameters: list[dict]
    differences: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, prices: pd.DataFrame, kind: str = "levels", differences=()
    ) -> Transform:
        """Fit on the prices of the training period (days, d), and nothing else."""
        cls.check(prices, kind, differences)
        values = prices.to_numpy("float64")
        tickers = [str(c) for c in prices.columns]
        signed = [t in differences for t in tickers]
        columns = values if kind == "levels" else changes(values, signed)
        for ticker, column in zip(tickers, columns.T, strict=True):
            unit = np.abs(column).max() if kind == "levels" else 1.0
            if len(column) < 2 or np.ptp(column) <= 1e-12 * unit:
                raise ValueError(
                    f"{ticker}: nothing varies in the training period, so there is no "
                    "scale to fit; leave it out or choose another period."
                )
        parameters = [_FIT[kind](column) for column in columns.T]
        return cls(kind, tickers, values[-1].copy(), parameters, tuple(differences))

    @staticmethod
    def check(prices: pd.DataFrame, kind: str, differences=()) -> None:
        """Refuse an unknown kind or ticker, and logarithms of zero or less."""
        if kind not in KINDS:
            raise ValueError(
                f"transform: {kind!r} is none of {', '.join(KINDS)}. "
                f"{tables.suggest(str(kind), KINDS)}".strip()
            )
        if isinstance(differences, str):
            raise ValueError(
                f"differences: {differences!r} came; give a list of tickers."
            )
        for ticker in differences:
            if ticker not in prices.columns:
                raise ValueError(
                    f"differences: {ticker!r} is none of the tickers. "
                    f"{tables.suggest(str(ticker), map(str, prices.columns))}".strip()
                )
        if kind == "levels" and len(differences):
            raise ValueError(
                "differences: windows of levels hold no changes; leave it out, or use "
                "transform='normal_scores'."
            )
        bad = prices.columns[(prices <= 0).any()].difference(list(differences))
        if kind != "levels" and len(bad):
            raise ValueError(
                f"transform: {kind!r} takes logarithms, but {bad[0]} has values of "
                f"zero or less; use transform='levels', or differences=[{bad[0]!r}]."
            )

    @property
    def holds_returns(self) -> bool:
        """Whether windows hold changes, L of which need L + 1 prices."""
        return self.kind != "levels"

    @property
    def signed(self) -> list[bool]:
        """Which tickers' changes are first differences, (d,)."""
        return [ticker in self.differences for ticker in self.tickers]

    @property
    def lowest(self) -> np.ndarray:
        """The lowest training value per ticker, (d,); levels only."""
        return np.array([p["low"] for p in self.parameters])

    def apply(self, prices: np.ndarray) -> np.ndarray:
        """Scale price windows (n, L, d), or (n, L + 1, d) for returns, to (n, L, d).

        Returns float32. A single window without the first axis is welcome.
        """
        values = np.asarray(prices, "float64")
        self._check_columns(values, "prices")
        if self.holds_returns:
            values = changes(values, self.signed)
        return self._each(_FORWARD[self.kind], values).astype("float32")

    def unscale(self, x: np.ndarray) -> np.ndarray:
        """Undo the scale alone: values for levels, changes otherwise, float64."""
        values = np.asarray(x, "float64")
        self._check_columns(values, "x")
        return self._each(_BACKWARD[self.kind], values)

    def changes(self, x: np.ndarray, *, positive: bool | None = None) -> np.ndarray:
        """Give the day-to-day changes of scaled windows, float64.

        Parameters
        ----------
        x : array (n, L, d) or (L, d)
            In this scale.
        positive : bool
            Levels only: whether all values have logarithms. None: whether those of the
            training period have.

        Returns
        -------
        float64 array (n, L, d) or (n, L - 1, d), see ``Windows.changes``
        """
        values = self.unscale(x)
        if self.holds_returns:
            return values
        if not (self.lowest > 0).all() if positive is None else not positive:
            return np.diff(values, axis=-2)
        return np.diff(np.log(np.maximum(values, FLOOR * self.lowest)), axis=-2)

    def inverse(self, x: np.ndarray, start_prices=None) -> np.ndarray:
        """Turn scaled windows back into prices.

        Parameters
        ----------
        x : array (n, L, d) or (L, d)
            In this scale.
        start_prices : array (d,) or (n, d)
            The prices of the day before a window of returns. None means the
            transform's own; levels need none.

        Returns
        -------
        float64 array
            Prices of the same shape as x, one for each date of a window.
        """
        values = self.unscale(x)
        if not self.holds_returns:
            return values
        start = self.start_prices if start_prices is None else start_prices
        start = np.asarray(start, "float64")
        self._check_columns(start, "start_prices")
        return chain(values, start, self.signed)

    def prices(
        self, x: np.ndarray, dates, start_prices=None
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Turn scaled windows into prices with dates: the one way there is.

        Parameters
        ----------
        x : array (n, L, d) or (L, d)
            In this scale.
        dates : sequence (L,), or (n, L) for a place of its own for each window
            Anything that pandas reads as dates, but no numbers.
        start_prices : array (d,) or (n, d)
            Returns only: the prices of the day before the first date. None means the
            last of the training period. Levels have their own height.

        Returns
        -------
        DataFrame or list of DataFrame
            One frame (L, d) with a DatetimeIndex "date", or n of them.

        Raises
        ------
        ValueError
            A shape does not fit, dates are numbers or not in order, or levels came
            with a price to start from.
        """
        x = self.check_windows(x)
        index = calendar.places(dates, x.shape[:-1])
        start = None
        if start_prices is not None:
            if not self.holds_returns:
                raise ValueError(
                    "start_prices: windows of levels have their own height; leave it "
                    "out, or use Windows.join, which starts from a price."
                )
            start = self.check_start(start_prices, x.shape[:-2])
        values = self.inverse(x, start)
        if x.ndim == 2:
            return pd.DataFrame(values, index=index, columns=list(self.tickers))
        return [
            pd.DataFrame(v, index=i, columns=list(self.tickers))
            for v, i in zip(values, index, strict=True)
        ]

    def check_windows(self, x) -> np.ndarray:
        """Give windows as an array (n, L, d) or (L, d), or refuse another shape."""
        x = np.asarray(x)
        self._check_columns(x, "x")
        if x.ndim not in (2, 3):
            raise ValueError(f"x: shape {x.shape} is neither (n, L, d) nor (L, d).")
        return x

    def check_start(self, start_prices, before: tuple[int, ...] = ()) -> np.ndarray:
        """Give prices to start from as an array (d,), or (n, d) for `before` = (n,)."""
        start = np.asarray(start_prices, "float64")
        d = len(self.tickers)
        if start.shape not in ((d,), (*before, d)):
            each = f", or {before[0]} rows of them" if before else ""
            raise ValueError(
                f"start_prices: shape {start.shape} came; give a price for each of "
                f"{', '.join(self.tickers)}{each}."
            )
        if not np.isfinite(start).all():
            raise ValueError("start_prices: a missing or infinite price came.")
        return start

    def to_config(self) -> dict:
        """Give a dictionary that json can write."""
        return {
            "kind": self.kind,
            "tickers": list(self.tickers),
            "start_prices": self.start_prices.tolist(),
            "parameters": [dict(p) for p in self.parameters],
            "differences": list(self.differences),
        }

    @classmethod
    def from_config(cls, config: dict) -> Transform:
        """Rebuild a transform from `to_config`, to the last digit."""
        start = np.asarray(config["start_prices"], "float64")
        return cls(
            config["kind"],
            list(config["tickers"]),
            start,
            list(config["parameters"]),
            tuple(config["differences"]),
        )

    def _each(self, function, values: np.ndarray) -> np.ndarray:
        """Apply to each ticker its own scale."""
        pairs = enumerate(self.parameters)
        return np.stack([function(values[..., i], p) for i, p in pairs], axis=-1)

    def _check_columns(self, values: np.ndarray, name: str) -> None:
        if values.shape[-1:] != (len(self.tickers),):
            raise ValueError(
                f"{name}: the last axis of shape {values.shape} must hold "
                f"{len(self.tickers)} tickers: {', '.join(self.tickers)}."
            )


def changes(values: np.ndarray, signed) -> np.ndarray:
    """Return day-to-day changes (..., days - 1, d) of values (..., days, d).

    Parameters
    ----------
    values : float array
    signed : sequence of bool (d,)
        True: first differences. False: log-returns, which want positive values.
    """
    signed = np.asarray(signed)
    return np.diff(
        np.where(signed, values, np.log(np.where(signed, 1.0, values))), axis=-2
    )


def chain(changes: np.ndarray, start: np.ndarray, signed) -> np.ndarray:
    """Return the values after each change, (..., days, d): undo :func:`changes`.

    Parameters
    ----------
    changes : float array (..., days, d)
    start : float array (d,) or (..., d)
        The values before the first change.
    signed : sequence of bool (d,)
    """
    path, start = np.cumsum(changes, axis=-2), np.asarray(start)[..., None, :]
    signed = np.asarray(signed)
    return np.where(signed, start + path, start * np.exp(np.where(signed, 0.0, path)))


def _fit_levels(values: np.ndarray) -> dict:
    return {"low": float(values.min()), "high": float(values.max())}


def _fit_standard(returns: np.ndarray) -> dict:
    return {"mean": float(returns.mean()), "std": float(returns.std())}


def rank_table(returns: np.ndarray) -> dict:
    """Return the table from a sample (n,) to normal scores, thinned to `KNOTS`.

    See :class:`Transform`; :func:`to_scores` applies it.
    """
    # A price that stays gives exactly 0 many times; rounding makes near ties tie.
    values, counts = np.unique(np.round(returns, 12), return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    quantile = NormalDist().inv_cdf
    scores = np.array([quantile(p) for p in (ranks - 0.5) / len(returns)])
    grid = np.linspace(scores[0], scores[-1], KNOTS)
    right = np.clip(np.searchsorted(scores, grid), 1, len(scores) - 1)
    nearer_left = grid - scores[right - 1] < scores[right] - grid
    keep = np.unique(np.where(nearer_left, right - 1, right))
    return {"returns": values[keep].tolist(), "scores": scores[keep].tolist()}


def to_scores(x: np.ndarray, table: dict) -> np.ndarray:
    """Map values of any shape to normal scores by a :func:`rank_table`."""
    return _interpolate(x, table, "returns", "scores")


def _interpolate(x: np.ndarray, parameters: dict, source: str, target: str):
    """Follow the table, and beyond its ends the lines that reach them."""
    xs, ys = np.array(parameters[source]), np.array(parameters[target])
    scores = np.array(parameters["scores"])
    y = np.interp(x, xs, ys)
    low = max(1, np.searchsorted(scores, scores[0] + TAIL, "right") - 1)
    high = min(len(xs) - 2, np.searchsorted(scores, scores[-1] - TAIL))
    slope = (ys[low] - ys[0]) / (xs[low] - xs[0])
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * slope, y)
    slope = (ys[-1] - ys[high]) / (xs[-1] - xs[high])
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * slope, y)


_FIT = {
    "levels": _fit_levels,
    "normal_scores": rank_table,
    "log_returns": _fit_standard,
}
_FORWARD = {
    "levels": lambda x, p: (x - p["low"]) / (p["high"] - p["low"]),
    "normal_scores": to_scores,
    "log_returns": lambda x, p: (x - p["mean"]) / p["std"],
}
_BACKWARD = {
    "levels": lambda x, p: p["low"] + x * (p["high"] - p["low"]),
    "normal_scores": lambda x, p: _interpolate(x, p, "scores", "returns"),
    "log_returns": lambda x, p: p["mean"] + x * p["std"],
}
