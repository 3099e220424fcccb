"""Windows of prices: split in time, scaled, and turned back into prices with dates.

Chapter 05 looks at the windows, 06 trains on them, 07 judges on their changes.
"""

from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gan_notes.data import dates as calendar
from gan_notes.data import room, tables, toys, transforms
from gan_notes.data.transforms import Transform

# While windows are cut they are held so often, at 8 bytes a number: as prices, as their
# logarithms and changes, and in the scale of the transform. Measured: 2.4 for levels,
# 3.2 for changes.
COPIES = 3.5


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Training and test windows, where they came from, and the way back.

    Attributes
    ----------
    train, test : float32 array (n, L, d)
        In the scale of `transform`.
    train_dates, test_dates : datetime64 array (n, L)
        The day of each row of a window.
    train_prices, test_prices : float64 array (n, L, d) or (n, L + 1, d)
        L + 1 where windows hold log-returns: the first price is then that of the day
        before the first date.
    transform : Transform
        Fitted on the training period alone.
    history : DataFrame (days, d)
        The whole price table: training, gap and test.
    """

    train: np.ndarray
    test: np.ndarray
    train_dates: np.ndarray
    test_dates: np.ndarray
    train_prices: np.ndarray
    test_prices: np.ndarray
    transform: Transform
    history: pd.DataFrame

    @property
    def tickers(self) -> list[str]:
        """The names of the d columns, in order."""
        return list(self.transform.tickers)

    @property
    def sequence_length(self) -> int:
        """L, the rows of a window."""
        return self.train.shape[1]

    @property
    def positive(self) -> bool:
        """Whether all values are above zero, so that changes are log-returns."""
        return self.changes_are == "log-returns"

    @property
    def changes_are(self) -> str:
        """What `changes` gives: "log-returns", "differences", or both, by ticker."""
        return tables.changes_of(self.history, self.transform.differences)

    @property
    def note(self) -> str:
        """What a reader should know of the data, in sentences; mostly empty.

        Days that were left out, and values that turn changes into differences.
        """
        attrs = self.history.attrs
        left_out = attrs.get("left_out", attrs.get("note", ""))
        chosen = list(self.transform.differences)
        signs = tables.sign_note(self.history.drop(columns=chosen))
        return tables.join_notes([left_out, signs])

    @property
    def unit(self) -> str:
        """The word for several rows: "days", or "rows" where a row is no day."""
        return calendar.unit(self.history.index)

    def __repr__(self) -> str:
        """Say what there is in a line for each period, and then the note."""
        sides = ((self.train, self.train_dates), (self.test, self.test_dates))
        lines = [
            f"{len(x):,} {name} windows of {x.shape[1]} x {x.shape[2]}, "
            f"{self.transform.kind}, "
            f"{str(dates[0, 0])[:10]} to {str(dates[-1, -1])[:10]}"
            for name, (x, dates) in zip(("training", "test"), sides, strict=True)
        ]
        return "\n".join([*lines, self.note]).rstrip()

    def changes(self, x: np.ndarray) -> np.ndarray:
        """Give the day-to-day changes of windows: the ground every judge stands on.

        Parameters
        ----------
        x : array (n, L, d) or (L, d)
            Real or synthetic windows in the scale of `transform`.

        Returns
        -------
        float64 array (n, L, d) or (n, L - 1, d)
            Log-returns; L - 1 of them where windows hold levels. First differences
            instead where the data have values of zero or less, or where
            ``make_windows`` was told so.

        Notes
        -----
        A generator of levels may leave the positive numbers, which have logarithms.
        Such a level counts as ``transforms.FLOOR`` of the lowest training price: a
        crash that no judge will overlook.
        """
        return self.transform.changes(x, positive=self.positive)

    def prices(
        self, x: np.ndarray, *, dates=None, start_prices=None
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Turn windows into prices with dates.

        Parameters
        ----------
        x : array (n, L, d) or (L, d)
            In the scale of `transform`.
        dates : sequence (L,), or (n, L) for a place of its own for each window
            Anything that pandas reads as dates, such as rows of `test_dates`. None
            means after the last row of `history`.
        start_prices : array (d,) or (n, d)
            The prices of the day before the first date. None means those that
            `history` has. Only for returns: levels have their own height.

        Returns
        -------
        DataFrame or list of DataFrame
            One frame (L, d) with a DatetimeIndex "date", or n of them.

        Examples
        --------
        >>> days = pd.bdate_range("2020-01-01", periods=40, name="date")
        >>> table = pd.DataFrame({"KO": 50.0 + np.sin(np.arange(40.0))}, index=days)
        >>> windows = make_windows(table, sequence_length=3, transform="log_returns")
        >>> real = windows.prices(windows.test[0], dates=windows.test_dates[0])
        >>> bool(np.allclose(real, table.loc[real.index]))
        True
        """
        x = self.transform.check_windows(x)
        if dates is None:
            dates = calendar.after(self.history.index, x.shape[-2])
        if self.transform.holds_returns and start_prices is None:
            places = calendar.places(dates, x.shape[:-1])
            if x.ndim == 2:
                start_prices = self._before(places[0])
            else:
                start_prices = np.stack([self._before(p[0]) for p in places])
        return self.transform.prices(x, dates, start_prices)

    def join(self, x: np.ndarray, *, dates=None, start_prices=None) -> pd.DataFrame:
        """Chain windows end to end into one long path of prices.

        Parameters
        ----------
        x : array (n, L, d)
            In the scale of `transform`. Windows of levels are joined by their L - 1
            changes, since their heights do not meet.
        dates : sequence of as many dates as the path has rows
            None means after the last row of `history`.
        start_prices : array (d,)
            The prices of the day before. None means those that `history` has.

        Returns
        -------
        DataFrame (n L, d), or (n (L - 1), d) for levels
            With a DatetimeIndex "date". The windows were made one by one, so days on
            two sides of a seam are independent.
        """
        changes = self.changes(x).reshape(-1, len(self.tickers))
        if dates is None:
            dates = calendar.after(self.history.index, len(changes))
        index = calendar.places(dates, (len(changes),))
        if start_prices is None:
            start = self._before(index[0])
        else:
            start = self.transform.check_start(start_prices)
        signed = self.transform.signed
        if not (self.transform.holds_returns or self.positive):
            signed = [True] * len(self.tickers)
        values = transforms.chain(changes, start, signed)
        return pd.DataFrame(values, index=index, columns=self.tickers)

    def _before(self, day: pd.Timestamp) -> np.ndarray:
        """Give the last known prices before a day, (d,)."""
        row = int(self.history.index.searchsorted(day)) - 1
        if row < 0:
            raise ValueError(
                f"dates: no price is known before {day.date()}, for the data begin on "
                f"{self.history.index[0].date()}; choose later ones, or give "
                "start_prices."
            )
        return self.history.iloc[row].to_numpy("float64")


def make_windows(
    prices: pd.DataFrame,
    *,
    sequence_length: int = 24,
    transform: str = "levels",
    differences: Sequence[str] = (),
    train_fraction: float = 0.8,
) -> Windows:
    """Cut prices into overlapping windows, the test ones later than the training ones.

    Parameters
    ----------
    prices : DataFrame (days, d)
        As `load_prices` gives it.
    sequence_length : int
        L, the rows of a window. L log-returns need L + 1 days.
    transform : str
        "levels", "normal_scores" or "log_returns"; see `Transform`.
    differences : sequence of str
        Tickers that change by first differences rather than by log-returns, such as
        interest rates; for windows of changes only.
    train_fraction : float
        Of the days, the earliest ones. The scale is fitted on these.

    Returns
    -------
    Windows
        With stride 1, in order of time, none left out. Between the last training and
        the first test day lie as many unused days as a window has: no day is on both
        sides, and neighbours across the split are not near copies.

    Raises
    ------
    ValueError
        Too few rows, more windows than the memory holds, or an argument out of range:
        one sentence says which, what came, and what to do.

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=100, name="date")
    >>> table = pd.DataFrame({"KO": 50.0 + np.sin(np.arange(100.0))}, index=days)
    >>> make_windows(table, sequence_length=5)
    76 training windows of 5 x 1, levels, 2020-01-01 to 2020-04-21
    11 test windows of 5 x 1, levels, 2020-04-29 to 2020-05-19
    """
    tables.check_table(prices)
    if not isinstance(sequence_length, (int, np.integer)) or sequence_length < 2:
        raise ValueError(
            f"sequence_length: {sequence_length!r} came; use a whole number from 2 up."
        )
    if not 0 < train_fraction < 1:
        raise ValueError(
            f"train_fraction: {train_fraction!r} came; use a number between 0 and 1."
        )
    # Of all days, since the test days must have logarithms too.
    Transform.check(prices, transform, differences)
    span = sequence_length + (transform != "levels")  # days that a window needs
    cut = _training_days(len(prices), train_fraction)
    if cut < span or len(prices) - cut < 2 * span:
        most = math.ceil(2 * span / min(train_fraction, 1 - train_fraction)) + 1
        days = range(min(most, sys.maxsize))  # in as many there is room for both

        def enough(n):
            c = _training_days(n, train_fraction)
            return c >= span and n - c >= 2 * span

        need = bisect.bisect_left(days, True, lo=len(prices), key=enough)
        raise ValueError(
            f"sequence_length: windows of {sequence_length} need at least {need:,} "
            f"rows to train, keep a gap and test, but there are {len(prices):,}; use a "
            "shorter one or a longer period."
        )
    room.check(len(prices), span, prices.shape[1], copies=COPIES)
    fitted = Transform.fit(prices.iloc[:cut], transform, differences)
    train_prices, train_dates = _cut(prices.iloc[:cut], span, sequence_length)
    test_prices, test_dates = _cut(prices.iloc[cut + span :], span, sequence_length)
    return Windows(
        train=fitted.apply(train_prices),
        test=fitted.apply(test_prices),
        train_dates=train_dates,
        test_dates=test_dates,
        train_prices=train_prices,
        test_prices=test_prices,
        transform=fitted,
        history=prices,
    )


def sine_windows(
    n: int = 10_000, *, sequence_length: int = 24, transform: str = "levels",
    held_out: int = 2_500, seed: int = 0,
) -> Windows:  # fmt: skip
    """Lay the sines of the TimeGAN paper end to end, a window each, as data.

    Parameters
    ----------
    n : int
        Training windows; 10,000 in the authors' code.
    sequence_length, transform
        As for :func:`make_windows`.
    held_out : int
        Test windows.
    seed : int
        Of :func:`gan_notes.data.toys.sines`; the test windows are drawn by the next.

    Returns
    -------
    Windows
        Of five series, not overlapping and independent, so there is no gap. Their rows
        are minutes from 2000-01-01 on, made up: a sine has no date. Levels are left as
        they are, within [0, 1]. `history` jumps where a window ends; a scale of changes
        is fitted on these jumps too.

    Raises
    ------
    ValueError
        An argument out of range.

    Examples
    --------
    >>> sine_windows(80, held_out=20)
    80 training windows of 24 x 5, levels, 2000-01-01 to 2000-01-02
    20 test windows of 24 x 5, levels, 2000-01-02 to 2000-01-02
    """
    span = sequence_length + (transform != "levels")
    sides = (n, seed), (held_out, seed + 1)
    draws = [toys.sines(count, length=span, seed=own) for count, own in sides]
    values = np.concatenate(draws).astype("float64")
    count, _, features = values.shape
    minutes = pd.date_range("2000-01-01", periods=count * span, freq="min", name="date")
    rows = minutes.as_unit("ns")
    names = [f"sine {i}" for i in range(1, features + 1)]
    flat = values.reshape(count * span, features)
    history = pd.DataFrame(flat, index=rows, columns=names)
    fitted = Transform.fit(history.iloc[: n * span], transform)
    if transform == "levels":
        fitted = replace(fitted, parameters=[{"low": 0.0, "high": 1.0}] * features)
    dates = rows.to_numpy().reshape(count, span)[:, span - sequence_length :]
    x = fitted.apply(values)
    return Windows(
        train=x[:n],
        test=x[n:],
        train_dates=dates[:n],
        test_dates=dates[n:],
        train_prices=values[:n],
        test_prices=values[n:],
        transform=fitted,
        history=history,
    )


def _training_days(days: int, fraction: float) -> int:
    return math.floor(days * fraction + 1e-9)  # 0.29 * 100 is 28.999999999999996


def _cut(prices: pd.DataFrame, span: int, sequence_length: int):
    """All runs of `span` days (n, span, d), and the dates of their last L days."""
    view = np.lib.stride_tricks.sliding_window_view
    values = view(prices.to_numpy("float64"), span, axis=0).transpose(0, 2, 1)
    days = prices.index.to_numpy().astype("datetime64[ns]")
    dates = view(days, span)[:, span - sequence_length :]
    return np.ascontiguousarray(values), np.ascontiguousarray(dates)
