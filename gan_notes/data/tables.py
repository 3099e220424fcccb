"""From a series per ticker to one checked table of the days that all have.

Whatever the source, `prices.load_prices` passes through here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd


def split_names(tickers: str | Sequence[str] | None) -> list[str]:
    """Take tickers from a list, or from a string with commas or spaces."""
    if isinstance(tickers, str):
        # A space separates too, unless commas do: columns may have spaces in names.
        parts = tickers.split(",") if "," in tickers else tickers.split()
        tickers = [p.strip() for p in parts if p.strip()]
    tickers = [str(t).strip() for t in (tickers if tickers is not None else [])]
    twice = {t for t in tickers if tickers.count(t) > 1}
    if twice:
        raise ValueError(f"tickers: {min(twice)!r} is named twice; once is enough.")
    return tickers


def pick(series: dict, wanted: list[str], name: str, hint: str) -> dict:
    """Choose tickers by name, in any case; empty `wanted` means all."""
    known = {t.upper(): t for t in series}
    picked = {}
    for ticker in wanted or series:
        found = ticker if ticker in series else known.get(ticker.upper())
        if found is None:
            raise ValueError(
                f"tickers: {ticker!r} is not in {name}. {suggest(ticker, series)}{hint}"
            )
        picked[found] = series[found]
    return picked


def common_days(series: dict, first, last, name: str, positive: bool) -> pd.DataFrame:
    """Cut to the period, check every value, and keep the days that all have."""
    columns = {}
    for ticker, column in series.items():
        column = column.sort_index(kind="stable")
        inside = np.ones(len(column), bool)
        if first is not None:
            inside &= column.index >= first
        if last is not None:  # a last day without a time of day is whole
            whole = last == last.normalize()
            stop = last + pd.Timedelta(days=1) if whole else last
            inside &= column.index < stop if whole else column.index <= stop
        columns[ticker] = _check_column(column, column[inside], ticker, name, positive)
    frame = pd.concat(columns, axis=1, join="inner").sort_index()
    every = len(set().union(*(c.index for c in columns.values())))
    if frame.empty:
        spans = [f"{t} {_span(c.index)}" for t, c in columns.items()]
        raise ValueError(
            f"tickers: those of {name} have no day in common ({', '.join(spans)}); "
            "leave one out or choose another period."
        )
    lost = every - len(frame)
    note = ""
    if lost:
        short = min(columns, key=lambda t: len(columns[t]))
        days = columns[short].index
        note = (
            f"{lost:,} of {every:,} days are left out because not every ticker has "
            f"them: {short} has {len(days):,} ({_span(days)})."
        )
    frame.index = pd.DatetimeIndex(frame.index.to_numpy(), name="date")
    frame.columns = pd.Index([str(c) for c in frame.columns])
    frame.attrs = {"source": name, "days_lost": lost, "note": note}
    return frame


def check_table(prices: pd.DataFrame) -> None:
    """Refuse a table that `common_days` would not have made."""
    problem = None
    if not isinstance(prices, pd.DataFrame) or not prices.shape[1]:
        problem = f"a {type(prices).__name__} without columns of prices came"
    elif not isinstance(prices.index, pd.DatetimeIndex):
        problem = "its index holds no dates"
    elif not prices.index.is_monotonic_increasing or not prices.index.is_unique:
        problem = "its dates are not in order, or one comes twice"
    elif not np.isfinite(prices.to_numpy("float64")).all():
        ticker = prices.columns[~np.isfinite(prices.to_numpy("float64")).all(axis=0)][0]
        problem = f"{ticker} has missing or infinite values"
    if problem:
        raise ValueError(f"prices: {problem}; pass a frame as load_prices gives it.")


def suggest(name: str, known: Iterable[str]) -> str:
    """Give "Did you mean 'KO'? " or nothing, for the end of an error message."""
    known = {k.upper(): k for k in known}
    close = difflib.get_close_matches(name.upper(), known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(repr(known[c]) for c in close)}? " * bool(close)


def _check_column(whole, column, ticker, name, positive) -> pd.Series:
    """Refuse what no price series has; empty ends are a shorter history."""
    known = whole.dropna()
    if column.dropna().empty:
        has = f"it has {_span(known.index)}" if len(known) else "it has none at all"
        raise ValueError(
            f"{ticker}: {name} has no values in the period asked for; {has}."
        )
    column = column.loc[column.first_valid_index() : column.last_valid_index()]
    if column.index.has_duplicates:
        day = _day(column.index[column.index.duplicated()][0])
        raise ValueError(
            f"{ticker}: {name} has more than one row for {day}; keep one row per date."
        )
    if column.hasnans:
        day = _day(column.index[column.isna()][0])
        raise ValueError(
            f"{ticker}: {name} has no value on {day} (of {int(column.isna().sum())} "
            "missing); fill or drop those days, or leave the ticker out."
        )
    if positive and (column <= 0).any():
        first = column[column <= 0]
        raise ValueError(
            f"{ticker}: {name} has {first.iloc[0]:g} on {_day(first.index[0])}, which "
            "is no price; correct it, or for measurements use transform='levels' "
            "(positive=False here)."
        )
    return column


def _day(when: pd.Timestamp) -> str:
    return str(when.date() if when == when.normalize() else when)


def _span(index: pd.DatetimeIndex) -> str:
    return f"{_day(index.min())} to {_day(index.max())}"
