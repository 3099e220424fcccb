"""Prices from a reader's own CSV or Parquet file; the page on usage shows examples.

Three layouts are understood, with column names in any case: wide (a date and a
column per ticker), long (date, ticker, close and perhaps more), and one ticker's
open-high-low-close table. An adjusted close is preferred to a close.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

DATE_NAMES = ("date", "datetime", "timestamp", "time", "day", "")
TICKER_NAMES = ("ticker", "symbol", "name")
CLOSE_NAMES = ("adjclose", "adjustedclose", "closeadjusted", "close")  # best first
BAR_NAMES = ("open", "high", "low", "volume")


def read_series(
    source: str | os.PathLike, wanted: list[str] | None = None
) -> dict[str, pd.Series]:
    """Read every column or ticker of a file, unsorted and unchecked.

    Parameters
    ----------
    source : str or path
        A CSV (also compressed) or Parquet file.
    wanted : list of str
        Column names asked for. Where an open-high-low-close table has all of them,
        they are what is read, instead of its close.

    Returns
    -------
    dict
        From ticker to float64 series with a DatetimeIndex, in file order.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is of another shape; the sentence says which and what to change.
    """
    path = Path(source).expanduser()
    frame = _read_table(path)
    if not len(frame):
        raise ValueError(f"{path.name} has names of columns but no rows below them.")
    if frame.columns.nlevels == 2:
        frame = _pick_close(frame, path)
    frame.columns = [str(c).strip() for c in frame.columns]
    plain = {_plain(c): c for c in reversed(frame.columns)}
    if pd.api.types.is_numeric_dtype(frame.get(plain.get(""))):
        frame = frame.drop(columns=plain.pop(""))  # row numbers, not dates
    date = next((plain[n] for n in DATE_NAMES if n in plain), None)
    if date is None:
        raise ValueError(
            f"{path.name} has no date column: its columns are "
            f"{_listed(frame.columns)}; add one, or name one 'date'."
        )
    frame.index = _read_dates(frame.pop(date), path)
    plain.pop(_plain(date))
    ticker = next((plain[n] for n in TICKER_NAMES if n in plain), None)
    close = next((plain[n] for n in CLOSE_NAMES if n in plain), None)
    if ticker is not None and not pd.api.types.is_numeric_dtype(frame[ticker]):
        if close is None:
            raise ValueError(
                f"{path.name} has a column {ticker!r} but none named 'close' or "
                f"'adj close': its columns are {_listed(frame.columns)}."
            )
        groups = frame.groupby(frame[ticker].astype(str).str.strip(), sort=True)
        return {t: _numbers(g[close], t, path) for t, g in groups}
    bars = close is not None and any(n in plain for n in BAR_NAMES)
    if bars and not (wanted and all(_plain(w) in plain for w in wanted)):
        name = path.name.split(".")[0]
        return {name: _numbers(frame[close], name, path)}
    if frame.columns.empty:
        raise ValueError(f"{path.name} has dates but no column of values.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{path.name} has two columns named {twice!r}; rename one.")
    return {c: _numbers(frame[c], c, path) for c in frame.columns}


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(
            f"source: there is no file {path.name} in {path.absolute().parent}; "
            "check the path, or use source='sample'."
        )
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
            named = isinstance(frame.index, pd.MultiIndex) or frame.index.name
            if isinstance(frame.index, pd.DatetimeIndex):
                frame.index.name = "date"
            elif not named:
                return frame
            return _index_to_columns(frame)
        head = pd.read_csv(path, nrows=2, header=None, dtype=str, on_bad_lines="skip")
        first = set(head[0].astype(str).str.lower())
        if first == {"price", "ticker"}:  # as yfinance writes a download
            frame = pd.read_csv(path, header=[0, 1], index_col=0)
            return _index_to_columns(frame.rename_axis(index="date"))
        return pd.read_csv(path, encoding="utf-8-sig", low_memory=False)
    except (ValueError, OSError) as error:  # parser, encoding and Parquet errors
        raise ValueError(
            f"{path.name} cannot be read ({str(error).strip().splitlines()[0]}); save "
            "it as comma-separated UTF-8 text or as Parquet."
        ) from error


def _index_to_columns(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.columns.nlevels == 1:
        return frame.reset_index()
    dates = frame.index
    frame = frame.reset_index(drop=True)
    frame.insert(0, ("date", ""), dates)
    return frame


def _pick_close(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Reduce columns of (price, ticker) pairs to one close per ticker."""
    for level in (0, 1):
        plain = {_plain(c): c for c in frame.columns.get_level_values(level)}
        for name in CLOSE_NAMES:
            if name in plain:
                close = frame.xs(plain[name], axis=1, level=level)
                close.insert(0, "date", frame[("date", "")])
                return close
    raise ValueError(f"{path.name} has two rows of column names but no close in them.")


def _read_dates(column: pd.Series, path: Path) -> pd.DatetimeIndex:
    """Parse dates strictly; clock offsets are dropped, local dates kept."""
    if pd.api.types.is_integer_dtype(column):
        column = column.astype(str)  # 20240131
    if not pd.api.types.is_datetime64_any_dtype(column):
        offset = re.compile(r"(:\d\d(?:\.\d+)?)(?:[+-]\d\d:?\d\d|Z)$")
        known = [str(d).strip() if pd.notna(d) else None for d in column]
        column = _parse([d and offset.sub(r"\1", d) for d in known], path)
    index = pd.DatetimeIndex(column)
    if index.hasnans:
        raise ValueError(
            f"{path.name} has no date in data row {int(index.isna().argmax()) + 1}; "
            "give each row one."
        )
    return index.tz_localize(None).as_unit("ns").rename("date")


def _parse(texts: list[str | None], path: Path) -> pd.Series:
    """Parse dates in one format, which must leave no doubt."""
    column = pd.Series(texts, dtype=object)
    parts = re.fullmatch(r"\d{1,2}([/.-])\d{1,2}\1\d{4}", texts[0] or "")
    if parts:  # 31/12/2020 or 12/31/2020: take the reading that fits every row
        orders = (
            parts[1].join(order) for order in (("%m", "%d", "%Y"), ("%d", "%m", "%Y"))
        )
        readings = [pd.to_datetime(column, format=o, errors="coerce") for o in orders]
        fitting = [r for r in readings if (r.notna() | column.isna()).all()]
        if len(fitting) == 1:
            return fitting[0]
        bad = texts[0]
    else:
        try:
            with warnings.catch_warnings(record=True) as guesses:
                warnings.simplefilter("always")
                parsed = pd.to_datetime(column)
            if not guesses:  # pandas warns where it guesses
                return parsed
        except (ValueError, TypeError):
            pass
        parsed = pd.to_datetime(column, format="ISO8601", errors="coerce")
        bad = next(
            (t for t, d in zip(texts, parsed, strict=True) if t and pd.isna(d)),
            texts[0],
        )
    raise ValueError(
        f"{path.name} has dates that cannot be read or mean two things, such as "
        f"{bad!r}; write every date as YYYY-MM-DD."
    )


def _numbers(column: pd.Series, ticker: str, path: Path) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce")
    lost = values.isna() & column.notna()
    if lost.any():
        raise ValueError(
            f"{path.name}, {ticker}: {column[lost].iloc[0]!r} on "
            f"{column.index[lost][0].date()} is not a number; drop the column or name "
            "the others in tickers, and write numbers like 1234.5."
        )
    return values.astype("float64").replace([np.inf, -np.inf], np.nan)


def _plain(name: object) -> str:
    """'Adj Close', 'adj_close' and 'ADJCLOSE' are one name; 'Unnamed: 0' is none."""
    name = re.sub(r"[^a-z0-9]", "", str(name).lower())
    return "" if re.fullmatch(r"unnamed\d+", name) else name


def _listed(names) -> str:
    names = [str(n) for n in names]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" * (len(names) > 8))
