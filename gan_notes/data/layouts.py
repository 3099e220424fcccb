"""Which columns of a file are prices; the page on usage shows examples.

Understood are, with names in any case: wide (a date and a column per ticker), long
(date, ticker, close and perhaps more), one ticker's open-high-low-close table, and
such tables side by side ("Close KO", or two rows of names). An adjusted close is
preferred to a close. What stands beside a close is no price, and is given only to
those who ask for it by name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from gan_notes.data import dates, files
from gan_notes.data.files import plain, price_word

DATE_NAMES = ("date", "datetime", "timestamp", "time", "day")  # best first
TICKER_NAMES = ("ticker", "symbol", "name", "variable")
DAY_NUMBER = r"(?:19|20)\d{6}"  # 20240131
NUMBER = r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?"
CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[ap]m)?|\d{6}"


@dataclass(frozen=True)
class Columns:
    """What a file holds, as read: on dates, not yet sorted, cut or made numbers.

    Attributes
    ----------
    series : dict of str to Series
        What is meant when nobody asks for anything: a series per ticker.
    others : dict of str to Series
        What is given only when asked for by name: opens, volumes.
    note : str
        What was left out although no close explains it; mostly empty.
    """

    series: dict[str, pd.Series]
    others: dict[str, pd.Series] = field(default_factory=dict)
    note: str = ""


def read_columns(source: str | os.PathLike) -> Columns:
    """Read every column or ticker of a file.

    Parameters
    ----------
    source : str or path
        As `files.read_table` takes it.

    Returns
    -------
    Columns

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is of another shape; the sentence says which and what to change.
    """
    where = Path(source).name
    frame = files.read_table(source)
    blank = [_is_blank(frame.iloc[:, i]) for i in range(frame.shape[1])]
    keep = [bool(n) or not b for n, b in zip(frame.columns, blank, strict=True)]
    frame = _dated(frame.loc[:, keep], where)
    names = pd.Index(frame.columns)
    if not names.is_unique:
        raise ValueError(
            f"{where} has two columns named {names[names.duplicated()][0]!r}; rename "
            "one."
        )
    if names.empty:
        raise ValueError(f"{where} has dates but no column of values.")
    return (
        _long(frame, where)
        or _bars(frame, where)
        or _side_by_side(frame)
        or _wide(frame)
    )


def _dated(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Move the dates, and the times of day beside them, into the index."""
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    names = [plain(n) for n in frame.columns]
    at = _find_dates(names, columns)
    if at is None:
        raise ValueError(
            f"{where} has no date column: its columns are {_listed(frame.columns)}; "
            "add one, or name one 'date'."
        )
    values, used = columns[at], {at}
    if "time" in names and (clock := names.index("time")) != at:
        if _matches(columns[clock], CLOCK):
            used.add(clock)
            values = _with_clock(values, columns[clock])
    for i, (name, column) in enumerate(zip(names, columns, strict=True)):
        if i not in used and _are_row_numbers(name, column) and not any(names[:i]):
            used.add(i)
        elif i not in used and not name:
            raise ValueError(f"{where}: column {i + 1} has no name; give it one.")
    if pd.api.types.is_integer_dtype(values):  # 20240131
        values = values.astype(str)
    rest = frame.iloc[:, [i for i in range(len(names)) if i not in used]]
    return rest.set_axis(dates.read(values, where), axis=0)


def _find_dates(names: list[str], columns: list[pd.Series]) -> int | None:
    """Choose the column of dates: a first one without a name, or by name."""
    first = bool(columns) and not _are_numbers(columns[0]) and dates.seem(columns[0])
    if first and not names[0]:
        return 0
    ranks = {n: i for i, n in enumerate(DATE_NAMES)}
    for name in names:
        if name.startswith("date") or name.endswith(("date", "time")):
            ranks.setdefault(name, len(DATE_NAMES))
    found = [i for i, name in enumerate(names) if name in ranks]
    if not found:  # by another language's name
        return 0 if first else None
    # Numbers are dates only where nothing else is.
    return min(found, key=lambda i: (_are_numbers(columns[i]), ranks[names[i]]))


def _with_clock(days: pd.Series, clock: pd.Series) -> pd.Series:
    """Join a column of dates and one of times, unless the dates have a clock."""
    if pd.api.types.is_datetime64_any_dtype(days):
        if (days != days.dt.normalize()).any():
            return days
        days = days.dt.strftime("%Y-%m-%d")
    elif days.astype(str).str.contains(":", regex=False).any():
        return days
    text = clock.astype(str).str.strip()
    text = text.str.replace(r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3", regex=True)
    return days.astype(str).str.strip() + " " + text


def _long(frame: pd.DataFrame, where: str) -> Columns | None:
    names = {plain(n): n for n in reversed(frame.columns)}
    ticker = next((names[n] for n in TICKER_NAMES if n in names), None)
    if ticker is None:
        return None
    close = _best_close(frame.columns)
    words = not _are_numbers(frame[ticker])
    if close is None and words and frame.shape[1] == 2:
        (only,) = (n for n in frame.columns if n != ticker)
        close = None if price_word(only) else only
    if close is None and words:
        raise ValueError(
            f"{where} has a column {ticker!r} but none named 'close' or 'adj close': "
            f"its columns are {_listed(frame.columns)}."
        )
    if close is None:
        return None
    known = frame[ticker].convert_dtypes()  # 7203.0 of a table with gaps is 7203
    known = known.astype(str).str.strip().mask(known.isna(), "")
    if known.eq("").any():
        row = int(known.eq("").argmax()) + 1
        raise ValueError(
            f"{where}: there is no ticker in data row {row}; give each row one."
        )
    groups = frame[close].groupby(known.to_numpy(), sort=True)
    return Columns({t: column for t, column in groups})


def _bars(frame: pd.DataFrame, where: str) -> Columns | None:
    """Take the close of one ticker's table, named after the file."""
    close = _best_close(frame.columns)
    words = [price_word(n) for n in frame.columns if n != close]
    if close is None or not any(words):
        return None
    return Columns({where.split(".")[0]: frame[close]}, dict(frame.items()))


def _side_by_side(frame: pd.DataFrame) -> Columns | None:
    """Take a close per ticker from names like "Close KO" or "KO_Close"."""
    for split in (_price_first, _ticker_first):
        pairs = {n: pair for n in frame.columns if (pair := split(n))}
        tickers = {t: [n for n in pairs if pairs[n][1] == t] for _, t in pairs.values()}
        closes = {
            t: min(
                (n for n in own if pairs[n][0] in files.CLOSES),
                key=lambda n: files.CLOSES.index(pairs[n][0]),
                default=None,
            )
            for t, own in tickers.items()
        }
        # Closes alone are so only together: "KO Close, GE Close", not "Last Resort".
        words = {pairs.get(n, ("",))[0] for n in frame.columns}
        if len(words) > 1 and all(len(own) == 1 for own in tickers.values()):
            continue
        series, used = {}, set()
        for name in frame.columns:
            ticker = pairs.get(name, ("", name))[1]
            if closes.get(ticker) is None:
                series[name] = frame[name]
            else:
                series[ticker] = frame[closes[ticker]]
                used.add(name)
        if used:
            return Columns(series, {n: frame[n] for n in frame if n in used})
    return None


def _price_first(name: str) -> tuple[str, str] | None:
    cuts = [(n[0], n[1]) for n in _cuts(name) if price_word(n[0])]
    return (price_word(cuts[-1][0]), cuts[-1][1]) if cuts else None


def _ticker_first(name: str) -> tuple[str, str] | None:
    cuts = [(n[0], n[1]) for n in _cuts(name) if price_word(n[1])]
    return (price_word(cuts[0][1]), cuts[0][0]) if cuts else None


def _cuts(name: str) -> list[tuple[str, str]]:
    """Cut a name in two at each of its gaps, unless all of it is a price's name."""
    if price_word(name):
        return []
    name = re.sub(r"[()'\"]", "", name).strip()
    gaps = re.finditer(r"[\s_,|:/.-]+", name)
    cuts = [(name[: g.start()], name[g.end() :]) for g in gaps]
    return [(a, b) for a, b in cuts if a and b]


def _wide(frame: pd.DataFrame) -> Columns:
    """Take every column, except what can only stand beside a price."""
    words = {n: price_word(n) for n in frame.columns}
    beside = [n for n, w in words.items() if w in files.BARS]
    found = {words[n] for n in beside}
    if "volume" not in found and not {"high", "low"} <= found:
        beside = []
    series = {n: frame[n] for n in frame.columns if n not in beside}
    note = ""
    if beside:
        note = f"No price, so left out unless named in tickers: {_listed(beside)}."
    return Columns(series, {n: frame[n] for n in beside}, note)


def _best_close(names) -> str | None:
    words = {price_word(n): n for n in reversed(list(names))}
    return next((words[c] for c in files.CLOSES if c in words), None)


def _is_blank(column: pd.Series) -> bool:
    return bool((column.isna() | column.eq("")).all())


def _matches(column: pd.Series, pattern: str) -> bool:
    text = column.dropna().astype(str).str.strip().str.lower()
    return bool(len(text)) and bool(text.str.fullmatch(pattern).all())


def _are_numbers(column: pd.Series) -> bool:
    """Say whether a column is of numbers, which are no dates; 20240131 is one."""
    if pd.api.types.is_float_dtype(column):
        return True
    return _matches(column, NUMBER) and not _matches(column, DAY_NUMBER)


def _are_row_numbers(name: str, column: pd.Series) -> bool:
    """Say whether a column only counts rows, as an index that was written along."""
    if name not in ("", "index", "level0"):
        return False
    if not _matches(column, r"\d+") or _matches(column, DAY_NUMBER):
        return False
    counts = pd.to_numeric(column).to_numpy() == range(len(column))
    return not name or bool(counts.all())


def _listed(names) -> str:
    names = [str(n) for n in names]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" * (len(names) > 8))
