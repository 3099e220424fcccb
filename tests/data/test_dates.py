"""Dates: one reading or none, and calendars that go on as they were."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_notes.data import dates

SIX = pd.Timestamp("2020-03-06")


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-03-06 00:00:00-05:00", "2020-03-13 00:00:00-04:00"],  # a summer time
        ["2020-03-06T00:00:00Z", "2020-03-13T00:00:00Z"],
        ["06.03.2020 00:00:00.000 GMT+0100", "13.03.2020 00:00:00.000 GMT+0100"],
        ["20200306", "20200313"],
        ["2020/3/6", "2020/3/13"],
        ["2020.03.06", "2020.03.13"],
        ["2020-03-06 12:00 AM", "2020-03-13 12:00 AM"],
        ["2020-03-06", "2020-03-13 00:00"],
        ["Mar 6, 2020", "Mar 13, 2020"],
        ["6-Mar-2020", "13-Mar-2020"],
        ["06-Mar-20", "13-Mar-20"],
        ["Fri 6 March 2020", "Fri 13 March 2020"],
        ["03/06/2020", "03/13/2020"],  # only month first fits
        ["06.03.2020", "13.03.2020"],  # only day first fits
        ["6/3/2020 00:00", "13/3/2020 00:00"],
        ["6/3/2020 12:00 AM", "13/3/2020 12:00 AM"],
        ["06/03/20", "13/03/20"],  # the year varies less than the day
        ["20/03/06", "20/03/13"],
        [pd.Timestamp("2020-03-06", tz="Asia/Seoul"), "2020-03-13"],
        [SIX.to_datetime64(), np.datetime64("2020-03-13")],
        [SIX.date(), pd.Timestamp("2020-03-13").date()],
        [SIX.to_period("D"), "2020-03-13"],
    ],
)
def test_dates_in_other_forms(texts):
    read = dates.read(texts, "prices.csv")
    assert read.tolist() == [SIX, SIX + pd.Timedelta(days=7)]
    assert read.name == "date"
    assert read.dtype == "datetime64[ns]"


def test_a_month_whose_name_is_its_abbreviation_fixes_nothing():
    read = dates.read(["May 6, 2020", "Jun 7, 2020"], "prices.csv")
    assert read.strftime("%m-%d").tolist() == ["05-06", "06-07"]


def test_two_readings_that_agree_are_one():
    assert dates.read(["01/01/2020", "02/02/2020"], "a")[1] == pd.Timestamp(
        "2020-02-02"
    )


@pytest.mark.parametrize("clock", ["", " 09:00", " 09:00:00", " 9:00 AM", "T09:00:00Z"])
@pytest.mark.parametrize("day", ["01/03/2024", "01.03.2024", "1-3-2024", "01/03/24"])
def test_two_readings_are_refused_whatever_clock_follows(day, clock):
    with pytest.raises(
        ValueError, match=r"a.csv: .* day first and month first, such as"
    ):
        dates.read([day + clock, day.replace("3", "4") + clock], "a.csv")


@settings(deadline=None)
@given(
    days=st.lists(st.dates(date(1970, 1, 1), date(2069, 12, 31)), min_size=1),
    order=st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%m-%d-%Y"]),
)
def test_slashed_dates_are_never_misread(days, order):
    texts = [d.strftime(order) for d in days]
    if any(d.day > 12 for d in days) or all(d.day == d.month for d in days):
        assert list(dates.read(texts, "a.csv").date) == days
    else:
        with pytest.raises(ValueError, match="day first and month first"):
            dates.read(texts, "a.csv")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (["2020-01-02", ""], "a.csv: there is no date in data row 2"),
        ([None, None], "no date in data row 1"),
        ([pd.NaT, SIX], "no date in data row 1"),
        ([2020, 2021], "a.csv: 2020 is a number, not a date"),
        (np.array([18262, 18263]), "18262.* is a number"),
        ([SIX, 5.0], "5.0 is a number"),
        (["2020-01-02", "13/01/2020"], "'13/01/2020' stands out"),
        (["13/01/2020", "14/01/2020", "01/15/2020"], "'01/15/2020' stands out"),
        (["202001", "202002"], "'202001' stands out"),
        (["1577923200"], "'1577923200' stands out"),
        (["2020-13-01"], "'2020-13-01' stands out"),
        (["Mar-20"], "'Mar-20' stands out"),
        (["Mar 6, 2020", "total"], "'total' stands out"),
        (["59.1"], "'59.1' stands out"),
    ],
)
def test_what_is_no_date_is_named(values, match):
    with pytest.raises(ValueError, match=match):
        dates.read(values, "a.csv")


DAILY = pd.bdate_range("2020-01-01", periods=300)
WORKWEEK = pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu")
GULF = pd.date_range("2020-01-05", periods=300, freq=WORKWEEK)
MONTHS = pd.date_range("1995-01-31", periods=30, freq="ME")


@pytest.mark.parametrize(
    ("days", "freq"),
    [
        (DAILY, "B"),
        (DAILY.delete([7, 8, 100, 298]), "B"),  # holidays
        (DAILY.append(pd.DatetimeIndex(["2020-03-07"])).sort_values(), "B"),
        (pd.date_range("2020-01-01", periods=50), "D"),
        (pd.bdate_range("2020-01-01", periods=3), "B"),
        (DAILY + pd.Timedelta(hours=16), "B"),
        (GULF, WORKWEEK),
        (MONTHS, "ME"),
        (MONTHS.delete(9), "ME"),
        (pd.date_range("1995-01-31", periods=2, freq="ME"), "ME"),
        (pd.date_range("1995-01-31", periods=40, freq="BME"), "BME"),
        (pd.date_range("1995-01-01", periods=40, freq="MS"), "MS"),
        (pd.date_range("1995-01-01", periods=40, freq="BMS"), "BMS"),
        (pd.date_range("1995-03-31", periods=40, freq="QE"), "QE"),
        (pd.date_range("1995-03-31", periods=40, freq="BQE"), "BQE"),
        (pd.date_range("1995-12-31", periods=10, freq="YE"), "YE"),
        (pd.date_range("1995-01-15", periods=40, freq=pd.DateOffset(months=1)), None),
        (pd.date_range("2020-01-03", periods=40, freq="W-FRI"), "W-FRI"),
        (pd.date_range("2020-01-03", periods=40, freq="2W-FRI"), "2W-FRI"),
        (pd.date_range("2020-01-03", periods=100, freq="h"), "h"),
        (pd.date_range("2020-01-03", periods=100, freq="s"), "s"),
    ],
)
def test_calendars_go_on_as_they_were(days, freq):
    expected = pd.date_range(days[-1], periods=15, freq=freq or pd.DateOffset(months=1))
    assert dates.after(days, 14).tolist() == expected[1:].tolist()
    assert len(dates.after(days, 0)) == 0


def test_a_month_end_that_was_a_holiday_moves_no_other():
    days = pd.date_range("2010-01-31", periods=40, freq="BME")
    days = days[:-1].append(days[-1:] - pd.Timedelta(days=1))
    ahead = pd.date_range(days[-1] + pd.Timedelta(days=2), periods=5, freq="BME")
    assert dates.after(days, 5).tolist() == ahead.tolist()


def test_a_week_that_ended_early_moves_no_other():
    days = pd.date_range("2020-01-03", periods=40, freq="W-FRI")
    early = days[:-1].append(days[-1:] - pd.Timedelta(days=1))
    assert dates.after(early, 5).tolist() == dates.after(days, 5).tolist()


def session(days, start="09:30", end="15:59", freq="min"):
    clocks = pd.timedelta_range(f"{start}:00", f"{end}:00", freq=freq)
    return pd.DatetimeIndex([day + clock for day in days for clock in clocks])


@pytest.mark.parametrize("count", [2, 5, 40])
def test_minutes_respect_sessions_and_weekends(count):
    days = pd.bdate_range("2024-02-29", periods=count + 5)
    minutes = session(days)
    known = minutes[: count * 390 - 100]  # the last day has not ended yet
    assert dates.after(known, 1000).tolist() == minutes[len(known) :][:1000].tolist()


def test_half_days_and_gaps_of_a_history_are_not_taken_for_the_rule():
    minutes = session(pd.bdate_range("2024-01-01", periods=40), freq="30min")
    half = minutes.day == 5
    late = pd.DatetimeIndex(["2024-01-15 18:00"])  # one trade after hours
    known = minutes[~(half & (minutes.hour > 12))].delete([50, 51, 100])
    known = known.append(late).sort_values()
    following = session(pd.bdate_range(minutes[-1].date(), periods=3)[1:], freq="30min")
    assert dates.after(known, len(following)).tolist() == following.tolist()


def test_a_week_of_currencies_begins_on_sunday_evening():
    hours = pd.date_range("2024-01-07 17:00", "2024-03-22 16:00", freq="h")
    open_ = (
        hours.day_of_week.isin([0, 1, 2, 3])
        | ((hours.day_of_week == 6) & (hours.hour >= 17))
        | ((hours.day_of_week == 4) & (hours.hour < 17))
    )
    ahead = dates.after(hours[open_], 121)
    assert ahead[0] == pd.Timestamp("2024-03-24 17:00")
    assert ahead[119] == pd.Timestamp("2024-03-29 16:00")
    assert ahead[120] == pd.Timestamp("2024-03-31 17:00")


def test_a_clock_that_jitters_makes_no_other_days():
    jitter = pd.to_timedelta(np.random.default_rng(0).integers(3600, size=300), "s")
    ahead = dates.after(DAILY + pd.Timedelta(hours=16) + jitter, 9)
    expected = pd.bdate_range(DAILY[-1], periods=10)[1:]
    assert ahead.normalize().tolist() == expected.tolist()


def test_ticks_without_a_rhythm_still_go_forward():
    random = np.random.default_rng(0)
    seconds = np.cumsum(random.integers(1, 90_000, size=400))
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    ahead = dates.after(pd.DatetimeIndex(days), 50)
    assert ahead[0] > days[-1]
    assert ahead.is_monotonic_increasing
    assert ahead.is_unique


@pytest.mark.parametrize(
    ("days", "word"),
    [
        (DAILY, "days"),
        (DAILY + pd.Timedelta(hours=5), "days"),
        (DAILY[:1], "days"),
        (MONTHS, "rows"),
        (DAILY[::5], "rows"),
        (session(DAILY[:2]), "rows"),
    ],
)
def test_rows_are_called_days_where_they_are(days, word):
    assert dates.unit(days) == word
