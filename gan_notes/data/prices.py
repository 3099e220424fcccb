"""Daily prices from the offline sample, Yahoo or a file; chapters 05 to 07."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gan_notes.data import layouts, numerals, package_files, tables

SAMPLE_SIX = ("GE", "JNJ", "JPM", "KO", "WMT", "XOM")
YAHOO_SIX = ("BA", "CAT", "DIS", "GE", "IBM", "KO")  # the six of the source report


def sample_tickers() -> list[str]:
    """List the twenty tickers of the offline sample.

    Examples
    --------
    >>> sample_tickers()[:5]
    ['AAPL', 'AMD', 'BAC', 'BBY', 'CVX']
    """
    return list(_read_sample())


def default_tickers(source: str | os.PathLike = "sample") -> list[str]:
    """List what `load_prices` gives when no ticker is named.

    Parameters
    ----------
    source : str or path
        "sample", "yahoo" or the path of a file.

    Returns
    -------
    list of str
        Six tickers, or every column of the file. The two sixes differ because no
        offline data that a package ships hold all of Yahoo's; GE and KO are in both.

    Examples
    --------
    >>> default_tickers("yahoo")
    ['BA', 'CAT', 'DIS', 'GE', 'IBM', 'KO']
    """
    kind = _check_source(source)
    if kind == "file":
        return list(layouts.read_columns(source).series)
    return list(YAHOO_SIX if kind == "yahoo" else SAMPLE_SIX)


def load_prices(
    tickers: str | Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    *,
    source: str | os.PathLike = "sample",
    positive: bool = True,
) -> pd.DataFrame:
    """Load daily adjusted closing prices, a row per day and a column per ticker.

    Parameters
    ----------
    tickers : list of str or str
        One string may hold several, with commas or spaces between, unless all of it
        is the name of a column. Numbers are refused: as text, tickers keep their
        zeros. Empty means `default_tickers`.
    start, end : str
        First and last day wanted, "YYYY-MM-DD", both included. Empty means all there
        is; with "yahoo", from 1990 to yesterday.
    source : str or path
        "sample" (offline, 20 US shares, 1990 to 2022), "yahoo" (needs a network; kept
        in the user's cache folder), or a CSV or Parquet path.
    positive : bool
        Whether to refuse values of zero or less, which no price is. False for other
        measurements, which only `transform="levels"` can scale.

    Returns
    -------
    DataFrame
        float64 (days, tickers), in the currency of the source, with a sorted
        DatetimeIndex named "date". The days that all tickers have are kept, so a day
        that one leaves blank is left out. `attrs` of the frame says so without a
        warning: "source", "days_lost", "left_out", a sentence on days and columns,
        "changes" ("log-returns", or "differences" where a value is zero or less), and
        "note", all there is to show, empty for most sources.

    Raises
    ------
    ValueError
        An unknown ticker, a period without prices, a value that is no price, a date
        that comes twice, a file of another shape. Like every error here it is one
        sentence that names the ticker or file and says what to do.
    FileNotFoundError
        There is no such file.
    ModuleNotFoundError
        The package that holds the sample is not installed.
    ConnectionError
        Yahoo cannot be reached, refuses, or answers with something else.

    Notes
    -----
    A file may be wide (a column of dates and one per ticker), long (date, ticker,
    close) or one ticker's open-high-low-close table; several of those may stand side
    by side, as "Close KO" or with two rows of names. Separators, decimal commas and
    the order of day and month are found out, and refused where two readings fit.
    "date" may be any column of dates; a column "time" beside it is joined. Blanks and
    "." are missing values. Opens and volumes are given only when asked for by name.

    The sample is the S&P 500 panel inside skfolio, read without importing it. Prices
    are adjusted for splits and dividends, so that their ratios are returns.

    Examples
    --------
    >>> prices = load_prices("KO, XOM", start="2020-01-01", end="2020-01-31")
    >>> prices.shape, str(prices.index[0].date()), list(prices)
    ((21, 2), '2020-01-02', ['KO', 'XOM'])
    """
    kind = _check_source(source)
    first, last = _check_period(start, end)
    left_out = ""
    if kind == "yahoo":
        from gan_notes.data import yahoo

        wanted = [t.upper() for t in tables.split_names(tickers) or YAHOO_SIX]
        first, last = yahoo.period(first, last)
        series = yahoo.read_series(wanted, first, last)
        frame = tables.common_days(series, first, last, "Yahoo", positive)
        yahoo.store(series, first, last)  # only what has passed every check
    elif kind == "sample":
        known = _read_sample()
        wanted = tables.split_names(tickers, known) or list(SAMPLE_SIX)
        hint = f"sample_tickers() lists all {len(known)}."
        series = tables.pick(known, wanted, "the sample", hint)
        frame = tables.common_days(series, first, last, "the sample", positive)
    else:
        name, columns = Path(source).name, layouts.read_columns(source)
        known = columns.others | columns.series
        wanted = tables.split_names(tickers, known) or list(columns.series)
        if not wanted:
            raise ValueError(
                f"{name} has {', '.join(columns.others)} but no close; name the "
                "columns to read in tickers."
            )
        hint = f"{name} has {', '.join(list(columns.series)[:20])}."
        picked = tables.pick(known, wanted, name, hint)
        series = numerals.to_numbers(picked, name)
        frame = tables.common_days(series, first, last, name, positive)
        kind, left_out = name, columns.note * (not tickers)
    left_out = tables.join_notes([left_out, frame.attrs["left_out"]])
    note = tables.join_notes([left_out, tables.sign_note(frame)])
    frame.attrs |= {"source": kind, "left_out": left_out, "note": note}
    return frame


def _check_source(source: str | os.PathLike) -> str:
    """Say which of "sample", "yahoo" and "file" a source is."""
    name = os.fspath(source)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):  # one letter is a drive
        raise ValueError(
            f"source: {name!r} is an address, and files are read from disk alone; "
            "download it first and give the path."
        )
    if name in ("sample", "yahoo"):
        return name
    if not name or (Path(name).name == name and "." not in name):
        raise ValueError(
            f"source: {name!r} is neither 'sample' nor 'yahoo' nor the path of a CSV "
            f"or Parquet file. {tables.suggest(name, ('sample', 'yahoo'))}".strip()
        )
    return "file"


def _check_period(
    start: str | None, end: str | None
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    days = []
    for label, day in (("start", start), ("end", end)):
        if day is None or day == "":
            days.append(None)
            continue
        try:
            if isinstance(day, str) and not re.match(r"\d{4}-\d\d-\d\d", day):
                raise ValueError("pandas would guess what 2020 or 01/02/03 means")
            if isinstance(day, numbers.Number):
                raise TypeError("pandas would count nanoseconds from 1970")
            days.append(pd.Timestamp(day).tz_localize(None))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{label}: {day!r} is not a date; write it as YYYY-MM-DD."
            ) from error
    first, last = days
    if first is not None and last is not None and first > last:
        raise ValueError(
            f"start: {first.date()} is after end, {last.date()}; exchange them."
        )
    return first, last


def _read_sample() -> dict[str, pd.Series]:
    folder = package_files("skfolio")
    with (folder / "datasets" / "data" / "sp500_dataset.csv.gz").open("rb") as file:
        frame = pd.read_csv(
            file, compression="gzip", index_col="Date", parse_dates=["Date"]
        )
    frame.index = pd.DatetimeIndex(frame.index, name="date").as_unit("ns")
    return {str(c): frame[c].astype("float64") for c in frame}
