"""Windows of prices: split out of time, scaled, and turned back into prices.

Chapters 05 to 07 explain what each step is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd

KINDS = ("levels", "normal_scores", "log_returns")
KNOTS = 257  # rank table per ticker: keeps every extreme day, and JSON small
FLOOR = 0.01  # of the lowest training price: where a price below zero is put


@dataclass(frozen=True)
class Transform:
    """A scale fitted on the training period, and the way back to prices."""

    kind: str
    tickers: list[str]
    start_prices: np.ndarray
    tables: list[dict] = field(repr=False)
    positive: bool = True

    @classmethod
    def fit(cls, prices: pd.DataFrame, kind: str = "levels") -> Transform:
        """Fit on training prices (days, tickers) and nothing else."""
        if kind not in KINDS:
            raise ValueError(f"transform: {kind!r} is not one of {', '.join(KINDS)}.")
        values = prices.to_numpy("float64")
        positive = bool((values > 0).all())
        if kind != "levels" and not positive:
            raise ValueError(
                f"transform: {kind!r} takes logarithms, and the data have values of "
                "zero or less; use transform='levels'."
            )
        columns = values if kind == "levels" else np.diff(np.log(values), axis=0)
        tables = [_FIT[kind](column) for column in columns.T]
        return cls(kind, [str(c) for c in prices.columns], values[-1], tables, positive)

    @property
    def is_return(self) -> bool:
        """Whether windows hold log-returns, which need one price more."""
        return self.kind != "levels"

    def apply(self, prices) -> np.ndarray:
        """Scale price windows (n, L or L + 1, d) to (n, L, d) float32."""
        values = np.asarray(prices, "float64")
        if self.is_return:
            values = np.diff(np.log(values), axis=-2)
        columns = [
            _FORWARD[self.kind](values[..., i], table)
            for i, table in enumerate(self.tables)
        ]
        return np.stack(columns, axis=-1).astype("float32")

    def inverse(self, x, start_prices=None) -> np.ndarray:
        """Turn scaled windows (n, L, d) back into prices (n, L, d)."""
        values = self.unscale(x)
        if not self.is_return:
            return values
        start = self.start_prices if start_prices is None else start_prices
        start = np.asarray(start, "float64")[..., None, :]
        return start * np.exp(np.cumsum(values, axis=-2))

    def unscale(self, x) -> np.ndarray:
        """Undo the scale only: prices for levels, log-returns otherwise."""
        values = np.asarray(x, "float64")
        columns = [
            _BACKWARD[self.kind](values[..., i], table)
            for i, table in enumerate(self.tables)
        ]
        return np.stack(columns, axis=-1)

    def to_config(self) -> dict:
        """Give a dictionary that json can write."""
        return {
            "kind": self.kind,
            "tickers": list(self.tickers),
            "start_prices": self.start_prices.tolist(),
            "tables": self.tables,
            "positive": self.positive,
        }

    @classmethod
    def from_config(cls, config: dict) -> Transform:
        """Rebuild a transform from `to_config`."""
        start = np.asarray(config["start_prices"], "float64")
        return cls(**{**config, "start_prices": start})


@dataclass(frozen=True)
class Windows:
    """Training and test windows with their dates, prices and transform."""

    train: np.ndarray
    test: np.ndarray
    train_dates: np.ndarray
    test_dates: np.ndarray
    train_prices: np.ndarray
    test_prices: np.ndarray
    transform: Transform
    history: pd.DataFrame = field(repr=False)
    sequence_length: int = 24

    @property
    def tickers(self) -> list[str]:
        """The columns, in order."""
        return self.transform.tickers

    def changes(self, x) -> np.ndarray:
        """Log-returns of windows in the transform's scale, (n, L - 1 or L, d)."""
        values = self.transform.unscale(x)
        if self.transform.is_return:
            return values
        if not self.transform.positive:
            return np.diff(values, axis=-2)
        floor = FLOOR * np.array([t["low"] for t in self.transform.tables])
        return np.diff(np.log(np.maximum(values, floor)), axis=-2)

    def prices(self, x, at=None):
        """Prices with dates: one frame for (L, d), a list for (n, L, d)."""
        x = np.asarray(x)
        if x.ndim == 3:
            many = np.ndim(at) == 2
            return [self.prices(w, at[i] if many else at) for i, w in enumerate(x)]
        dates, start = self._place(at, len(x))
        values = self.transform.inverse(x, start)
        return pd.DataFrame(values, index=dates, columns=self.tickers)

    def join(self, x, at=None) -> pd.DataFrame:
        """Chain windows end to end into one long path of prices."""
        changes = self.changes(x).reshape(-1, len(self.tickers))
        dates, start = self._place(at, len(changes))
        total = np.cumsum(changes, axis=0)
        log = self.transform.is_return or self.transform.positive
        values = start * np.exp(total) if log else start + total
        return pd.DataFrame(values, index=dates, columns=self.tickers)

    def _place(self, at, length):
        """Give dates (length,) and the prices (d,) of the day before them."""
        days, table = self.history.index, self.history.to_numpy("float64")
        dates, start = None, None
        if at is None:
            first = len(days)
        elif isinstance(at, (str, pd.Timestamp, np.datetime64)):
            first = int(days.searchsorted(pd.Timestamp(at)))
        elif np.asarray(at).dtype.kind == "M":
            dates = pd.DatetimeIndex(np.asarray(at), name="date")
            first = int(days.searchsorted(dates[0]))
        else:
            first, start = len(days), np.asarray(at, "float64")
        if dates is None:
            dates = days[first : first + length]
            if len(dates) < length:
                more = pd.bdate_range(
                    days[-1] + pd.offsets.BDay(), periods=length - len(dates)
                )
                dates = dates.append(more)
        if start is None:
            start = table[max(first - 1, 0)]
        return pd.DatetimeIndex(dates, name="date"), start


def make_windows(
    prices: pd.DataFrame,
    *,
    sequence_length: int = 24,
    transform: str = "levels",
    train_fraction: float = 0.8,
) -> Windows:
    """Cut prices into overlapping windows, the training ones before the test ones."""
    span = sequence_length + (transform != "levels")  # days that a window needs
    cut = int(train_fraction * len(prices))
    if cut < span or len(prices) - cut < 2 * span:
        raise ValueError("too few rows")
    fitted = Transform.fit(prices.iloc[:cut], transform)
    train_prices, train_dates = _cut(prices.iloc[:cut], span, sequence_length)
    test_prices, test_dates = _cut(prices.iloc[cut + span :], span, sequence_length)
    return Windows(
        fitted.apply(train_prices),
        fitted.apply(test_prices),
        train_dates,
        test_dates,
        train_prices,
        test_prices,
        fitted,
        prices,
        sequence_length,
    )


def _cut(prices, span, sequence_length):
    """All windows of `span` days, stride 1, with the dates of the last L days."""
    view = np.lib.stride_tricks.sliding_window_view
    values = view(prices.to_numpy("float64"), span, axis=0).transpose(0, 2, 1)
    dates = view(prices.index.to_numpy(), span)[:, span - sequence_length :]
    return np.ascontiguousarray(values), np.ascontiguousarray(dates)


def _fit_levels(column):
    return {"low": float(column.min()), "high": float(column.max())}


def _fit_scores(column):
    """Table from log-return to normal score, by average ranks at `KNOTS` knots."""
    values, counts = np.unique(np.round(column, 12), return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # ties share their mean rank
    scores = np.array([NormalDist().inv_cdf(r) for r in (ranks - 0.5) / len(column)])
    grid = np.linspace(scores[0], scores[-1], KNOTS)
    keep = np.unique(np.abs(scores[:, None] - grid).argmin(axis=0))
    return {"values": values[keep].tolist(), "scores": scores[keep].tolist()}


def _interpolate(x, xs, ys):
    xs, ys = np.asarray(xs), np.asarray(ys)
    y = np.interp(x, xs, ys)
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0]), y)
    slope = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * slope, y)


_FIT = {
    "levels": _fit_levels,
    "normal_scores": _fit_scores,
    "log_returns": lambda c: {"mean": float(c.mean()), "std": float(c.std())},
}
_FORWARD = {
    "levels": lambda x, t: (x - t["low"]) / (t["high"] - t["low"]),
    "normal_scores": lambda x, t: _interpolate(x, t["values"], t["scores"]),
    "log_returns": lambda x, t: (x - t["mean"]) / t["std"],
}
_BACKWARD = {
    "levels": lambda x, t: t["low"] + x * (t["high"] - t["low"]),
    "normal_scores": lambda x, t: _interpolate(x, t["scores"], t["values"]),
    "log_returns": lambda x, t: t["mean"] + x * t["std"],
}
