"""From a series per ticker to one checked table of the days that all have.

Whatever the source, `prices.load_prices` passes through here.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gan_notes.data import dates


def split_names(
    tickers: str | Sequence[str] | None, known: Iterable[str] = ()
) -> list[str]:
    """Take tickers from a list, or from a string with commas or spaces.

    A string that is a known name as it stands is not split: "S&P 500, index".
    """
    if isinstance(tickers, str):
        whole, upper = tickers.strip(), {k.upper() for k in known}
        # A space separates too, unless commas do: columns may have spaces in names.
        parts = whole.split(",") if "," in whole else whole.split()
        parts = [p.strip() for p in parts if p.strip()]
        tickers = [whole] if whole.upper() in upper else parts
    elif tickers is None:
        tickers = []
    elif isinstance(tickers, numbers.Number) or not isinstance(tickers, Iterable):
        tickers = [tickers]
    tickers = list(tickers)
    for ticker in tickers:
        if not isinstance(ticker, str) or not ticker.strip():
            raise ValueError(
                f"tickers: {ticker!r} is no name; write each as text, a number in "
                "quotes and with its zeros: '005930'."
            )
    tickers = [t.strip() for t in tickers]
    twice = {t for t in tickers if tickers.count(t) > 1}
    if twice:
        raise ValueError(f"tickers: {min(twice)!r} is named twice; once is enough.")
    return tickers


def pick(known: dict, wanted: list[str], name: str, hint: str) -> dict:
    """Choose tickers by name, in any case."""
    upper = {t.upper(): t for t in reversed(known)}
    picked = {}
    for ticker in wanted:
        found = ticker if ticker in known else upper.get(ticker.upper())
        if found is None:
            raise ValueError(
                f"tickers: {ticker!r} is not in {name}. {suggest(ticker, known)}{hint}"
            )
        picked[found] = known[found]
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
    known = {t: c.dropna() for t, c in columns.items()}
    frame = pd.concat(known, axis=1, join="inner").sort_index()
    if frame.empty:
        spans = [f"{t} {_span(c.index)}" for t, c in known.items()]
        raise ValueError(
            f"tickers: those of {name} have no day in common ({', '.join(spans)}); "
            "leave one out or choose another period."
        )
    frame.index = pd.DatetimeIndex(frame.index.to_numpy(), name="date")
    frame.columns = pd.Index([str(c) for c in frame.columns])
    every = pd.DatetimeIndex(
        np.unique(np.concatenate([c.index for c in columns.values()]))
    )
    frame.attrs = {
        "days_lost": len(every) - len(frame),
        "changes": changes_of(frame),
        "left_out": _lost_note(known, every, frame.index),
    }
    return frame


def changes_of(frame: pd.DataFrame, differences: Sequence[str] = ()) -> str:
    """Say what a change is: "log-returns", or "differences" where those need signs.

    Tickers in `differences` were chosen to change so: "log-returns and differences".
    """
    if len(differences) and len(differences) < frame.shape[1]:
        return "log-returns and differences"
    chosen = len(differences) > 0
    return "differences" if chosen or (frame.to_numpy() <= 0).any() else "log-returns"


def sign_note(frame: pd.DataFrame) -> str:
    """Say in a sentence which values turn all changes into differences, or ""."""
    low = (frame <= 0).sum()
    low = low[low > 0]
    if low.empty:
        return ""
    found = []
    for ticker, count in low.items():
        column = frame[ticker]
        day = column.index[column <= 0][0]
        many = f"{count:,} values" if count > 1 else "1 value"
        found.append(
            f"{ticker} has {many} of zero or less ({column[day]:g} on {_day(day)}"
        )
    told = "), ".join(found[:3])
    told += f"), {len(found) - 3} more likewise" if len(found) > 3 else ")"
    return f"{told}: all changes are differences, not log-returns."


def join_notes(notes: Iterable[str]) -> str:
    """Put sentences one after another, each once."""
    return " ".join(dict.fromkeys(n for n in notes if n))


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
    wrong = column[np.isinf(column) | (positive & (column <= 0))]
    if len(wrong):
        raise ValueError(
            f"{ticker}: {name} has {wrong.iloc[0]:g} on {_day(wrong.index[0])}, which "
            "is no price; correct it. Are these measurements? Then say so: by "
            "positive=False here, transform='levels' in chapter 06, values='levels' in "
            "chapter 07, --values levels for `gan_notes score`."
        )
    return column


def _lost_note(known: dict, every: pd.DatetimeIndex, kept: pd.DatetimeIndex) -> str:
    """Say how many days not all tickers have, and who is shortest."""
    lost = len(every) - len(kept)
    if not lost:
        return ""
    are = "are" if lost > 1 else "is"
    said = f"{lost:,} of {len(every):,} {dates.unit(every)} {are} left out because"
    if len(known) == 1:
        first = _day(every.difference(kept)[0])
        return f"{said} {next(iter(known))} has no value there, first on {first}."
    short = min(known, key=lambda t: len(known[t]))
    days = known[short].index
    return (
        f"{said} not every ticker has them: {short} has {len(days):,} ({_span(days)})."
    )


def _day(when: pd.Timestamp) -> str:
    return str(when.date() if when == when.normalize() else when)


def _span(index: pd.DatetimeIndex) -> str:
    return f"{_day(index.min())} to {_day(index.max())}"
