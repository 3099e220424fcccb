"""Dates: read so that none means two things, and continued after the last one.

Whatever a file, an argument or a notebook calls dates passes through `read`.
"""

from __future__ import annotations

import itertools
import numbers
import re
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

DAY = pd.Timedelta(days=1)
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
# The whole years that fit into nanoseconds since 1970, which pandas counts in.
FIRST_YEAR, LAST_YEAR = 1678, 2261
# Orders of three numbers.
LONG_YEAR = (("%m", "%d", "%Y"), ("%d", "%m", "%Y"))
SHORT_YEAR = (("%m", "%d", "%y"), ("%d", "%m", "%y"))
YEAR_FIRST = (("%y", "%m", "%d"),)
NUMBERS = r"(\d{1,2})([/.-])\d{1,2}\2(\d{4}|\d\d)(?!\d)"
MONTHS = r"(?:^|[^a-zA-Z])(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
ANY = r"^\d{1,4}[/.-]\d|^(?:19|20)\d{6}"
OFFSET = r"(:\d\d(?:\.\d+)?) ?(?:(?:UTC|GMT)?[+-]\d\d:?\d\d|Z|UTC|GMT)$"


def read(values, where: str) -> pd.DatetimeIndex:
    """Read dates strictly, in one way that fits all of them.

    Parameters
    ----------
    values : sequence
        Text, Timestamps, datetime64: anything but numbers, which would be counted
        from 1970. Offsets from UTC are dropped: the local clock is kept.
    where : str
        What the error calls them, for instance the name of a file.

    Returns
    -------
    DatetimeIndex
        Named "date", without a time zone, in the order given.

    Raises
    ------
    ValueError
        One is missing, none of a date, or can be read day first and month first.

    Examples
    --------
    >>> read(["31/01/2020 16:00", "01/02/2020 16:00"], "prices.csv")[1]
    Timestamp('2020-02-01 16:00:00')
    """
    column = pd.Series(values).reset_index(drop=True)
    if not pd.api.types.is_datetime64_any_dtype(column):
        if pd.api.types.infer_dtype(column) != "string":
            number = column.map(lambda v: isinstance(v, numbers.Number) and v == v)
            if number.any():
                raise ValueError(
                    f"{where}: {column[number].iloc[0]} is a number, not a date; write "
                    "dates like 2020-12-31."
                )
            column = column.map(str, na_action="ignore")
        column = column.astype(object).str.strip().replace("", None)
    if column.isna().any():
        raise ValueError(
            f"{where}: there is no date in data row {int(column.isna().argmax()) + 1}; "
            "give each row one."
        )
    if not pd.api.types.is_datetime64_any_dtype(column):
        codes, texts = pd.factorize(column)  # a long file has each date many times
        column = _parse(pd.Series(texts, dtype=object), where).take(codes)
    index = pd.DatetimeIndex(column).tz_localize(None).rename("date")
    if (index.year < FIRST_YEAR).any() or (index.year > LAST_YEAR).any():
        raise ValueError(
            f"{where}: dates of the years {index.year.min()} to {index.year.max()} "
            f"came; they must lie in {FIRST_YEAR} to {LAST_YEAR}, correct them."
        )
    return index.as_unit("ns")


def places(values, shape: tuple[int, ...]) -> pd.DatetimeIndex | list:
    """Read the dates of windows.

    Parameters
    ----------
    values : sequence (L,) or (n, L)
        As `read` takes them. L dates stand for all n windows.
    shape : tuple
        (L,) for one window, (n, L) for n.

    Returns
    -------
    DatetimeIndex, or a list of n
    """
    try:
        cells = np.asarray(values)
    except ValueError:  # rows of unequal length
        cells = np.array(values, dtype=object)
    if cells.shape not in (shape, shape[-1:]):
        each = f", or {shape[0]} rows of them" if len(shape) > 1 else ""
        raise ValueError(
            f"dates: shape {cells.shape} came; give {shape[-1]} dates, one for each "
            f"row{each}."
        )
    index = read(cells.ravel(), "dates")
    rows = [index[i : i + shape[-1]] for i in range(0, len(index), shape[-1])]
    if not all(r.is_monotonic_increasing and r.is_unique for r in rows):
        raise ValueError("dates: they must go forward in time, none twice.")
    if len(shape) == 1:
        return rows[0]
    return rows if len(rows) == shape[0] else rows * shape[0]


def _parse(texts: pd.Series, where: str) -> pd.Series:
    """Parse texts by the one reading that fits every one of them."""
    try:
        parsed = pd.to_datetime(texts, format="ISO8601")
        if parsed.dtype.kind == "M" and parsed.dt.tz is None:
            return parsed
    except ValueError:
        pass  # another form, or offsets from UTC that differ
    texts = texts.str.replace(OFFSET, r"\1", regex=True)
    shape = texts.str.extract(f"^{NUMBERS}", expand=True)
    if shape[0].notna().all():
        orders = LONG_YEAR
        if not shape[2].str.len().eq(4).all():  # the year is the end that varies less
            first, last = shape[0].nunique(), shape[2].nunique()
            orders = SHORT_YEAR * (first >= last) + YEAR_FIRST * (first <= last)
        readings = [_with_a_clock(texts, shape[1].iloc[0].join(o)) for o in orders]
        fitting = [r for r in readings if r.notna().all()]
        if fitting and all(r.equals(fitting[0]) for r in fitting):
            return fitting[0]
        if fitting:
            raise ValueError(
                f"{where}: the dates can be read day first and month first, such as "
                f"{texts[0]!r}; write every date as YYYY-MM-DD."
            )
        parsed = _fullest(readings)
    else:
        # With the month in words and four digits of year no doubt is left.
        named = texts.str.contains(MONTHS) & texts.str.contains(r"(?<!\d)\d{4}(?!\d)")
        part = r"([^ /.-]+)[ /.-]"
        dashed = texts.str.replace(f"^{part}{part}", r"\1-\2-", regex=True)
        readings = (
            lambda: pd.to_datetime(texts, format="ISO8601", errors="coerce"),
            lambda: pd.to_datetime(texts.where(named), format="mixed", errors="coerce"),
            lambda: _with_a_clock(dashed, "%d-%b-%y"),
            lambda: _with_a_clock(dashed, "%Y-%m-%d"),  # am and pm, which ISO has not
        )
        parsed = _fullest(r() for r in readings)
    if parsed.isna().any():
        raise ValueError(
            f"{where}: no one way of writing dates fits all of them, and "
            f"{texts[parsed.isna()].iloc[0]!r} stands out; write every date as "
            "YYYY-MM-DD."
        )
    return parsed


def _with_a_clock(texts: pd.Series, order: str) -> pd.Series:
    """Parse by an order of day, month and year, and the clock behind the first."""
    texts = texts.str.replace(r"[ T]+(?=\d{1,2}:)", " ", regex=True)
    for clock in CLOCKS:
        if pd.notna(pd.to_datetime(texts[0], format=order + clock, errors="coerce")):
            return pd.to_datetime(texts, format=order + clock, errors="coerce")
    return pd.Series(pd.NaT, texts.index)


def _fullest(readings: Iterable[pd.Series]) -> pd.Series:
    """Give the reading that leaves least unread, the first that leaves nothing."""
    best = None
    for reading in readings:
        if best is None or reading.notna().sum() > best.notna().sum():
            best = reading
        if best.notna().all():
            break
    return best


def seem(column: pd.Series) -> bool:
    """Say whether a column's first value looks like a date, before all are read."""
    known = column.dropna().astype(str).str.strip()
    known = known[known.ne("")]
    return bool(len(known)) and bool(re.search(f"{ANY}|{MONTHS}", known.iloc[0]))


def is_daily(days: pd.DatetimeIndex) -> bool:
    """Say whether a row is a day: one row a date, most of them a day apart."""
    dates = pd.Series(days.normalize())
    return dates.is_unique and (len(dates) < 2 or dates.diff().median() == DAY)


def unit(days: pd.DatetimeIndex) -> str:
    """Give the word for several rows: "days", or "rows" where a row is no day."""
    return "days" if is_daily(days) else "rows"


def after(days: pd.DatetimeIndex, count: int) -> pd.DatetimeIndex:
    """Continue a calendar in its own rhythm.

    Parameters
    ----------
    days : DatetimeIndex
        In order, none twice.
    count : int
        How many dates to give.

    Returns
    -------
    DatetimeIndex
        Daily rows go on upon the weekdays seen, minutes and hours at the times of day
        seen on a weekday, months and quarters at their first or last (working) day.
        What has another rhythm, or none, goes on by its median step.

    Examples
    --------
    >>> after(pd.date_range("2020-01-31", periods=3, freq="ME"), 2).day.tolist()
    [30, 31]
    """
    steps = pd.Series(days).diff().dropna()
    step = steps.median() if len(steps) else DAY
    several = not days.normalize().is_unique  # rows a day
    clocks = {}
    if is_daily(days) or (several and steps.max() > step):
        clocks = _clocks(days)
    if clocks:
        dates = itertools.islice(_sessions(days[-1], clocks), count)
    elif step >= 28 * DAY:
        dates = _months(days, count)
    elif step == 7 * DAY:  # a holiday in the last week moves no later one
        monday = days[-1].normalize() - days[-1].day_of_week * DAY
        usual = int(pd.Series(days.day_of_week).mode()[0]) * DAY + _clock(days)[-1]
        dates = [monday + step * (i + 1) + usual for i in range(count)]
    else:
        dates = [days[-1] + step * (i + 1) for i in range(count)]
    return pd.DatetimeIndex(list(dates), name="date").as_unit("ns")


def _clock(days: pd.DatetimeIndex) -> pd.TimedeltaIndex:
    return days - days.normalize()


def _clocks(days: pd.DatetimeIndex) -> dict[int, list[pd.Timedelta]]:
    """Give the times of day that are usual on each weekday, 0 for Monday."""
    table = pd.DataFrame({"date": days.normalize(), "weekday": days.day_of_week})
    table["clock"] = _clock(days)
    if is_daily(days):
        table["clock"] = table["clock"].mode()[0]
    if table["date"].nunique() > 1:
        table = table[table["date"] < days[-1].normalize()]  # the last may not be over
    dates = table.groupby("weekday")["date"].nunique()
    share = table.groupby(["weekday", "clock"]).size().div(dates, level="weekday")
    usual = share[share >= 0.5].reset_index()
    usual = usual[usual["weekday"].map(dates) > 0.1 * dates.max()]  # a rare Saturday
    clocks = {day: list(rows["clock"]) for day, rows in usual.groupby("weekday")}
    if clocks and max(clocks) < 5 and days[-1] - days[0] < 14 * DAY:
        longest = max(clocks.values(), key=len)  # not every weekday was seen yet
        clocks = {day: clocks.get(day, longest) for day in range(5)}
    return clocks


def _sessions(last: pd.Timestamp, clocks: dict) -> Iterator[pd.Timestamp]:
    """Go on from the last row, day after day."""
    for ahead in itertools.count():
        day = last.normalize() + ahead * DAY
        yield from (day + c for c in clocks.get(day.day_of_week, ()) if day + c > last)


def _months(days: pd.DatetimeIndex, count: int) -> list[pd.Timestamp]:
    """Go on by whole months, at the place in the month that most rows have."""
    months = days.to_period("M")
    step = int(np.median(np.diff(months.year * 12 + months.month)))
    usual = int(pd.Series(days.day).mode()[0])
    places = (
        lambda first: first + pd.offsets.MonthEnd(0),
        lambda first: first + pd.offsets.BMonthEnd(0),
        lambda first: first,
        lambda first: first + pd.offsets.BMonthBegin(0),
        lambda first: first + (min(usual, first.days_in_month) - 1) * DAY,
    )
    firsts, dates = months.to_timestamp(), days.normalize()
    hits = [sum(p(f) == d for f, d in zip(firsts, dates, strict=True)) for p in places]
    place, clock = places[int(np.argmax(hits))], _clock(days)[-1]
    ahead = (months[-1] + step * (i + 1) for i in range(count))
    return [place(m.to_timestamp()) + clock for m in ahead]
