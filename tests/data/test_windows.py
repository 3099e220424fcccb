"""Windows: what belongs to which side, what the scale saw, and the way back."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gan_notes.data.prices import load_prices
from gan_notes.data.toys import sines
from gan_notes.data.transforms import FLOOR, KINDS, Transform
from gan_notes.data.windows import make_windows, sine_windows

every_kind = pytest.mark.parametrize("kind", KINDS)
returns_only = pytest.mark.parametrize("kind", KINDS[1:])


def walk(days=300, tickers=3, seed=0, volatility=0.02, start="2020-01-01"):
    """Random walks with heavy tails, some days without a move, dated on weekdays."""
    random = np.random.default_rng(seed)
    returns = volatility * random.standard_t(4, size=(days, tickers))
    returns[random.random((days, tickers)) < 0.1] = 0.0
    names = [f"T{i}" for i in range(tickers)]
    dates = pd.bdate_range(start, periods=days, name="date").as_unit("ns")
    return pd.DataFrame(100 * np.exp(returns.cumsum(0)), index=dates, columns=names)


def measurements(days=200):
    """Values of any sign, as a thermometer gives them, hour by hour."""
    hours = pd.date_range("2021-03-01", periods=days, freq="h", name="date").as_unit(
        "ns"
    )
    hour = np.arange(days)
    values = {"outside": 8 * np.sin(hour / 4), "power": 3 + np.cos(hour / 5)}
    return pd.DataFrame(values, index=hours)


walks = st.builds(
    walk,
    days=st.integers(90, 200),
    tickers=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    volatility=st.floats(1e-3, 0.1),
)


@every_kind
@settings(max_examples=25, deadline=None)
@given(prices=walks, length=st.integers(2, 8))
def test_inverse_recovers_prices_of_both_sides(kind, prices, length):
    windows = make_windows(prices, sequence_length=length, transform=kind)
    for side in ("train", "test"):
        x = getattr(windows, side)
        real = getattr(windows, f"{side}_prices")
        back = windows.transform.inverse(x, real[:, 0])
        # float32 keeps 24 bits: 6e-8 of a range of a few times the price
        np.testing.assert_allclose(back, real[:, -length:], rtol=2e-5)


@every_kind
@settings(max_examples=25, deadline=None)
@given(prices=walks, length=st.integers(2, 8))
def test_prices_come_back_with_their_dates(kind, prices, length):
    windows = make_windows(prices, sequence_length=length, transform=kind)
    for x, dates in (
        (windows.train, windows.train_dates),
        (windows.test, windows.test_dates),
    ):
        frames = windows.prices(x[::20], dates=dates[::20])
        assert len(frames) == len(x[::20])
        for frame in frames:
            real = prices.loc[frame.index]
            pd.testing.assert_frame_equal(frame, real, rtol=2e-5, check_freq=False)


@every_kind
@settings(max_examples=50, deadline=None)
@given(
    days=st.integers(40, 200),
    length=st.integers(2, 9),
    fraction=st.floats(0.4, 0.8),
)
def test_sides_share_no_day_and_keep_a_gap(kind, days, length, fraction):
    values = 10.0 + np.random.default_rng(days).permutation(days)  # no value twice
    dates = pd.bdate_range("2020-01-01", periods=days)
    prices = pd.DataFrame({"T0": values}, index=dates)
    span = length + (kind != "levels")
    if days - math.floor(days * fraction) < 2 * span:
        return
    windows = make_windows(
        prices, sequence_length=length, transform=kind, train_fraction=fraction
    )
    # A value tells the day it is of.
    position = {p: i for i, p in enumerate(prices["T0"])}
    train = {position[p] for p in windows.train_prices.ravel()}
    test = {position[p] for p in windows.test_prices.ravel()}
    assert min(test) - max(train) - 1 >= span
    assert max(train) < days * fraction


@every_kind
def test_no_window_is_dropped(kind):
    prices, length = walk(300), 12
    windows = make_windows(prices, sequence_length=length, transform=kind)
    span = length + (kind != "levels")
    assert len(windows.train) == 240 - span + 1
    assert len(windows.test) == 60 - span - span + 1
    assert windows.train_dates[-1, -1] == prices.index[239]
    assert windows.test_dates[-1, -1] == prices.index[-1]
    np.testing.assert_array_equal(windows.train_prices[0, 0], prices.iloc[0])
    np.testing.assert_array_equal(windows.test_prices[-1, -1], prices.iloc[-1])


@every_kind
def test_time_runs_forward(kind):
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform=kind)
    for dates in (windows.train_dates, windows.test_dates):
        assert (np.diff(dates, axis=1) > np.timedelta64(0)).all()
        assert (np.diff(dates, axis=0) > np.timedelta64(0)).all()
    assert windows.train_dates.max() < windows.test_dates.min()
    day = pd.Timestamp(windows.test_dates[3, 5])
    np.testing.assert_array_equal(windows.test_prices[3, -12 + 5], prices.loc[day])


@every_kind
def test_shapes_and_types(kind):
    windows = make_windows(walk(300), sequence_length=12, transform=kind)
    n, extra = len(windows.test), kind != "levels"
    assert windows.test.shape == (n, 12, 3)
    assert windows.test.dtype == windows.train.dtype == np.float32
    assert windows.test_prices.shape == (n, 12 + extra, 3)
    assert windows.test_prices.dtype == np.float64
    assert windows.test_dates.shape == (n, 12)
    assert windows.test_dates.dtype == "datetime64[ns]"
    assert windows.tickers == windows.transform.tickers == ["T0", "T1", "T2"]
    assert windows.sequence_length == 12
    assert repr(windows).count("\n") == 1
    assert kind in repr(windows)


def test_windows_pass_on_the_note_about_lost_days():
    prices = walk(300)
    prices.attrs["note"] = "2 of 302 days are left out."
    windows = make_windows(prices, sequence_length=12)
    assert windows.note == "2 of 302 days are left out."
    assert repr(windows).splitlines()[-1] == windows.note


@pytest.mark.parametrize("row", [5, -1])  # in either period
def test_windows_say_what_turned_changes_into_differences(row):
    prices = walk(300)
    assert make_windows(prices).changes_are == "log-returns"
    prices.iloc[row, 1] = -36.98
    windows = make_windows(prices)
    day = prices.index[row].date()
    assert windows.changes_are == "differences"
    assert windows.note == (
        f"T1 has 1 value of zero or less (-36.98 on {day}): all changes are "
        "differences, not log-returns."
    )
    assert repr(windows).splitlines()[-1] == windows.note


def test_the_note_is_of_the_rows_that_are_there(tmp_path):
    prices = walk(300)
    prices.iloc[-1, 1] = 0.0
    prices.to_csv(tmp_path / "a.csv")
    loaded = load_prices(source=tmp_path / "a.csv", positive=False)
    assert make_windows(loaded).note == loaded.attrs["note"] != ""
    later = make_windows(loaded.iloc[:-1])
    assert (later.note, later.changes_are) == ("", "log-returns")


def test_rows_are_called_days_where_they_are():
    assert make_windows(walk(300)).unit == "days"
    assert make_windows(measurements(), sequence_length=6).unit == "rows"


@every_kind
def test_scale_is_blind_to_the_test_period(kind):
    prices = walk(300)
    changed = prices.copy()
    changed.iloc[240:] = 7 * walk(60, seed=5).to_numpy()
    one = make_windows(prices, sequence_length=12, transform=kind)
    other = make_windows(changed, sequence_length=12, transform=kind)
    assert one.transform.to_config() == other.transform.to_config()
    np.testing.assert_array_equal(one.train, other.train)
    assert np.abs(one.test - other.test).max() > 1


def test_levels_are_scaled_once_over_the_training_period():
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform="levels")
    low, high = prices.iloc[:240].min(), prices.iloc[:240].max()
    expected = ((prices - low) / (high - low)).to_numpy()
    np.testing.assert_allclose(windows.train[:, 0], expected[:229], atol=1e-6)
    np.testing.assert_allclose(windows.test[:, 0], expected[252:289], atol=1e-6)
    assert windows.train.min(axis=(0, 1)).tolist() == [0, 0, 0]
    assert windows.train.max(axis=(0, 1)).tolist() == [1, 1, 1]


def test_log_returns_are_standard_scores():
    windows = make_windows(walk(300), sequence_length=12, transform="log_returns")
    days = np.concatenate([windows.train[0], windows.train[1:, -1]])
    np.testing.assert_allclose(days.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(days.std(axis=0), 1, atol=1e-6)


def test_normal_scores_are_normal_whatever_the_returns():
    prices = walk(4000, volatility=0.01)
    windows = make_windows(prices, sequence_length=12, transform="normal_scores")
    days = np.concatenate([windows.train[0], windows.train[1:, -1]])
    returns = np.diff(np.log(prices.iloc[:3200].to_numpy()), axis=0)
    for column, raw in zip(days.T, returns.T, strict=True):
        # The tenth of days without a move is one atom, a step of .1 in the
        # distribution, so .05 from its mean rank to either side; the rest is exact.
        assert stats.kstest(column, "norm").statistic < 0.06
        assert abs(stats.kurtosis(column)) < 0.2 < 2 < stats.kurtosis(raw)
        moved = raw != 0
        ranks = stats.rankdata(raw)[moved]
        expected = stats.norm.ppf((ranks - 0.5) / len(raw))
        # 257 knots a table: straight between them, exact at the extremes
        np.testing.assert_allclose(column[moved], expected, atol=0.05)
        np.testing.assert_allclose(column.max(), expected.max(), atol=1e-6)


@returns_only
def test_returns_beyond_the_training_range_stay_finite_and_invertible(kind):
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform=kind)
    crash = prices.iloc[-13:].to_numpy().copy()
    crash[6:] *= 0.4
    crash[9:] *= 3.0
    x = windows.transform.apply(crash)
    assert np.abs(x).max() < 60  # 1.1 in logarithm is 55 days of 2 %
    np.testing.assert_allclose(
        windows.transform.inverse(x, crash[0]), crash[1:], rtol=2e-5
    )
    far = windows.transform.unscale(np.array([[[-8.0] * 3], [[8.0] * 3]]))
    known = np.diff(np.log(prices.iloc[:240].to_numpy()), axis=0)
    assert (far[0, 0] < known.min(axis=0)).all()
    assert (far[1, 0] > known.max(axis=0)).all()


@pytest.mark.parametrize("days", [4, 5, 8, 30])
def test_rank_table_of_a_short_period_is_increasing(days):
    prices = walk(days, seed=3)
    table = Transform.fit(prices, "normal_scores").parameters[0]
    assert (np.diff(table["returns"]) > 0).all()
    assert (np.diff(table["scores"]) > 0).all()
    x = Transform.fit(prices, "normal_scores").apply(prices.to_numpy())
    assert np.isfinite(x).all()


@every_kind
def test_config_is_json_and_rebuilds_the_transform_exactly(kind):
    windows = make_windows(walk(600), sequence_length=12, transform=kind)
    config = json.loads(json.dumps(windows.transform.to_config()))
    again = Transform.from_config(config)
    assert again.to_config() == windows.transform.to_config()
    x = np.random.default_rng(0).normal(size=(5, 12, 3))
    np.testing.assert_array_equal(again.inverse(x), windows.transform.inverse(x))
    np.testing.assert_array_equal(again.apply(windows.test_prices), windows.test)


@every_kind
def test_changes_are_log_returns_whatever_the_scale(kind):
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform=kind)
    expected = np.diff(np.log(windows.test_prices), axis=1)
    changes = windows.changes(windows.test)
    assert changes.shape == (len(windows.test), 12 - (kind == "levels"), 3)
    np.testing.assert_allclose(changes, expected, atol=2e-6)


def test_changes_of_measurements_are_first_differences():
    windows = make_windows(measurements(), sequence_length=6)
    assert not windows.positive
    expected = np.diff(windows.test_prices, axis=1)
    np.testing.assert_allclose(windows.changes(windows.test), expected, atol=1e-5)


def test_negative_test_values_alone_make_first_differences_too():
    prices = walk(300)
    prices.iloc[-1] = -1.0
    windows = make_windows(prices, sequence_length=12)
    assert np.isfinite(windows.changes(windows.test)).all()


def test_synthetic_level_below_zero_counts_as_a_crash():
    windows = make_windows(walk(300), sequence_length=12)
    x = windows.test[:1].copy()
    x[0, 5] = -50.0
    changes = windows.changes(x)
    assert np.isfinite(changes).all()
    lowest = windows.transform.lowest
    before = windows.test_prices[0, 4]
    np.testing.assert_allclose(
        changes[0, 4], np.log(FLOOR * lowest / before), rtol=1e-5
    )


@returns_only
def test_start_price_is_what_the_caller_says(kind):
    windows = make_windows(walk(300), sequence_length=12, transform=kind)
    one = windows.prices(windows.test[0], start_prices=[10.0, 20.0, 30.0])
    growth = windows.test_prices[0, 1:] / windows.test_prices[0, 0]
    np.testing.assert_allclose(one, growth * [10.0, 20.0, 30.0], rtol=2e-5)
    assert one.index[0] > windows.history.index[-1]
    default = windows.transform.inverse(windows.test[0])
    last = windows.history.iloc[239].to_numpy()
    np.testing.assert_allclose(default, growth * last, rtol=2e-5)


@returns_only
def test_each_window_may_have_its_own_place_and_start(kind):
    windows = make_windows(walk(300), sequence_length=12, transform=kind)
    x, dates = windows.test[:3], windows.test_dates[:3]
    starts = np.arange(9.0).reshape(3, 3) + 1
    both = windows.prices(x, dates=dates, start_prices=starts)
    for i, frame in enumerate(both):
        alone = windows.prices(x[i], dates=dates[i], start_prices=starts[i])
        pd.testing.assert_frame_equal(frame, alone)
    shared = windows.prices(x, dates=dates[1], start_prices=starts[1])
    pd.testing.assert_frame_equal(shared[1], both[1])
    assert all(f.index.equals(both[1].index) for f in shared)
    np.testing.assert_allclose(
        shared[0] / both[0].to_numpy(), np.ones((12, 1)) * (starts[1] / starts[0])
    )


@every_kind
def test_one_route_to_prices(kind):
    windows = make_windows(walk(300), sequence_length=12, transform=kind)
    x, dates = windows.test[:2], windows.test_dates[:2]
    start = None if kind == "levels" else windows.test_prices[:2, 0]
    for one, other in zip(
        windows.prices(x, dates=dates),
        windows.transform.prices(x, dates, start),
        strict=True,
    ):
        pd.testing.assert_frame_equal(one, other)
    (trained,) = windows.transform.prices(x[:1], dates[0])  # from the training's end
    expected = windows.transform.inverse(x[0])
    np.testing.assert_array_equal(trained.to_numpy(), expected)


@pytest.mark.parametrize(
    "change",
    [
        list,
        lambda d: [pd.Timestamp(t) for t in d],
        lambda d: [str(t)[:10] for t in d],
        pd.DatetimeIndex,
        lambda d: pd.DatetimeIndex(d, tz="America/New_York"),
        lambda d: pd.Series(d, index=range(7, 7 + len(d))),
        lambda d: pd.DatetimeIndex(d).date,
        lambda d: pd.DatetimeIndex(d).to_period("D"),
        lambda d: d.astype("datetime64[D]"),
    ],
)
def test_dates_come_in_every_form(change):
    windows = make_windows(walk(300), sequence_length=12, transform="log_returns")
    x, dates = windows.test, windows.test_dates
    expected = windows.prices(x[0], dates=dates[0])
    given = windows.prices(x[0], dates=change(dates[0]))
    pd.testing.assert_frame_equal(given, expected)
    assert given.index.name == "date"
    two = windows.prices(x[:2], dates=[change(d) for d in dates[:2]])
    pd.testing.assert_frame_equal(two[0], expected)
    path = windows.join(x[:1], dates=change(dates[0]))
    pd.testing.assert_frame_equal(path, expected)


def test_without_a_place_windows_follow_the_data_on_weekdays():
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform="log_returns")
    frame = windows.prices(windows.test[-1])
    expected = pd.bdate_range(prices.index[-1], periods=13)[1:]
    assert frame.index.tolist() == expected.tolist()
    assert frame.index.name == "date"
    growth = windows.test_prices[-1, 1] / windows.test_prices[-1, 0]
    np.testing.assert_allclose(frame.iloc[0], prices.iloc[-1] * growth, rtol=2e-5)


def test_hourly_measurements_go_on_hourly():
    table = measurements()
    windows = make_windows(table, sequence_length=6)
    frame = windows.prices(windows.test[0])
    hours = pd.date_range(table.index[-1], periods=7, freq="h")[1:]
    assert frame.index.tolist() == hours.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_join_of_consecutive_windows_is_the_real_path(kind):
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform=kind)
    rows = 12 - (kind == "levels")
    chain = windows.test[::rows]
    first = prices.index.get_loc(windows.test_dates[0, 12 - rows])
    days = prices.index[first : first + rows * len(chain)]
    path = windows.join(chain, dates=days)
    pd.testing.assert_frame_equal(
        path, prices.loc[path.index], rtol=2e-5, check_freq=False
    )
    assert path.index.equals(days)
    start = 2 * prices.iloc[first - 1].to_numpy()
    double = windows.join(chain, dates=days, start_prices=start)
    np.testing.assert_allclose(double, 2 * path)


def test_join_of_measurements_adds_up():
    table = measurements()
    windows = make_windows(table, sequence_length=6)
    first = table.index.get_loc(windows.test_dates[0, 1])
    days = table.index[first:][: 5 * len(windows.test[::5])]
    path = windows.join(windows.test[::5], dates=days)
    higher = table.iloc[first - 1].to_numpy() + 100
    above = windows.join(windows.test[::5], dates=days, start_prices=higher)
    np.testing.assert_allclose(above, path + 100)
    pd.testing.assert_frame_equal(
        path, table.loc[path.index], atol=1e-4, check_freq=False
    )


def test_join_goes_on_after_the_data():
    prices = walk(300)
    windows = make_windows(prices, sequence_length=12, transform="log_returns")
    path = windows.join(windows.test[:4])
    expected = pd.bdate_range(prices.index[-1], periods=49)[1:]
    assert path.index.tolist() == expected.tolist()
    growth = windows.test_prices[0, 1] / windows.test_prices[0, 0]
    np.testing.assert_allclose(path.iloc[0], prices.iloc[-1] * growth, rtol=2e-5)


def test_month_ends_stay_at_month_ends():
    prices = walk(300).set_axis(pd.date_range("1995-01-31", periods=300, freq="ME"))
    windows = make_windows(prices, sequence_length=12)
    ahead = windows.prices(windows.test[0]).index
    assert ahead.is_month_end.all()
    assert ahead.to_period("M").tolist() == list(
        pd.period_range(prices.index[-1], periods=13, freq="M")[1:]
    )


def test_minutes_do_not_run_through_the_night():
    days = pd.bdate_range("2024-03-01", periods=5)
    minutes = [d + pd.Timedelta(minutes=570 + m) for d in days for m in range(60)]
    prices = walk(300).set_axis(pd.DatetimeIndex(minutes))
    windows = make_windows(prices, sequence_length=12)
    ahead = windows.join(windows.test[:9]).index
    assert len(ahead) == 99
    assert ahead[0] == pd.Timestamp("2024-03-08 09:30")
    assert ahead[60] == pd.Timestamp("2024-03-11 09:30")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sequence_length": 0}, "sequence_length: 0 came"),
        ({"sequence_length": 2.5}, "sequence_length: 2.5 came"),
        ({"transform": "levls"}, "transform: 'levls' is none of.*mean 'levels'"),
        ({"train_fraction": 80}, "train_fraction: 80 came"),
    ],
)
def test_wrong_arguments_are_named(change, match):
    with pytest.raises(ValueError, match=match):
        make_windows(walk(300), **change)


@pytest.mark.parametrize(("kind", "need"), [("levels", 236), ("log_returns", 246)])
def test_too_few_rows_says_how_many_are_needed(kind, need):
    with pytest.raises(ValueError, match=f"windows of 24 need at least {need} rows"):
        make_windows(walk(need - 1), transform=kind)
    assert len(make_windows(walk(need), transform=kind).test) == 1


@pytest.mark.parametrize("fraction", [1e-9, 1e-300, 1 - 1e-12])
def test_a_fraction_that_no_table_has_is_refused_at_once(fraction):
    with pytest.raises(ValueError, match=r"need at least \d[\d,]{9,} rows"):
        make_windows(walk(300), train_fraction=fraction)


@returns_only
@pytest.mark.parametrize("row", [5, -1])  # in either period
def test_logarithms_of_what_is_not_positive_are_refused(kind, row):
    prices = walk(300)
    prices.iloc[row, 1] = 0.0
    with pytest.raises(ValueError, match="T1 has values of zero or less; use tr"):
        make_windows(prices, transform=kind)
    assert len(make_windows(prices).train) == 217


@every_kind
def test_constant_ticker_has_no_scale(kind):
    prices = walk(300).assign(FLAT=5.0)
    with pytest.raises(ValueError, match="FLAT: nothing varies in the training"):
        make_windows(prices, transform=kind)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda p: p.to_numpy(), "a ndarray without columns"),
        (lambda p: p.reset_index(drop=True), "its index holds no dates"),
        (lambda p: p[::-1], "dates are not in order"),
        (lambda p: p.where(p != p.iloc[3, 1]), "T1 has missing"),
    ],
)
def test_wrong_tables_are_refused(spoil, match):
    with pytest.raises(ValueError, match=match):
        make_windows(spoil(walk(300)))


@pytest.mark.parametrize(
    ("where", "match"),
    [
        (
            {"dates": pd.bdate_range("2020-01-01", periods=12)},
            "known before 2020-01-01",
        ),
        ({"dates": 20200101}, r"dates: shape \(\) came; give 12 dates"),
        ({"dates": "2020-06-01"}, r"dates: shape \(\) came; give 12 dates"),
        ({"dates": range(12)}, "dates: 0 is a number, not a date"),
        ({"dates": np.arange(18000, 18012)}, "dates: 18000 is a number"),
        ({"dates": [pd.NaT] * 12}, "dates: there is no date in data row 1"),
        ({"dates": ["01/02/2021"] * 12}, "dates: the dates can be read day first"),
        ({"dates": pd.bdate_range("2021-01-01", periods=12)[::-1]}, "go forward"),
        ({"dates": ["2021-01-01"] * 12}, "go forward in time, none twice"),
        ({"dates": pd.bdate_range("2021-01-01", periods=3)}, r"shape \(3,\) came"),
        (
            {"start_prices": [1.0, 2.0]},
            r"start_prices: shape \(2,\) came; .*T0, T1, T2",
        ),
        ({"start_prices": 5.0}, r"start_prices: shape \(\) came"),
        ({"start_prices": [1.0, 2.0, np.nan]}, "start_prices: a missing or infinite"),
    ],
)
def test_wrong_places_are_refused(where, match):
    windows = make_windows(walk(300), sequence_length=12, transform="log_returns")
    with pytest.raises(ValueError, match=match):
        windows.prices(windows.test[0], **where)
    with pytest.raises(ValueError, match=match):
        windows.join(windows.test[:1], **where)


def test_places_for_another_number_of_windows_are_refused():
    windows = make_windows(walk(300), sequence_length=12, transform="log_returns")
    x, dates = windows.test[:3], windows.test_dates
    with pytest.raises(ValueError, match=r"shape \(2, 12\) .* or 3 rows of them"):
        windows.prices(x, dates=dates[:2])
    with pytest.raises(ValueError, match=r"dates: shape \(3,\) came"):
        windows.prices(x, dates=[dates[0], dates[1], dates[2, :5]])
    with pytest.raises(ValueError, match=r"shape \(2, 3\) .* or 3 rows of them"):
        windows.prices(x, start_prices=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(12,\) came; give 36 dates"):
        windows.join(x, dates=dates[0])
    with pytest.raises(ValueError, match=r"shape \(3, 3\) came"):
        windows.join(x, start_prices=np.ones((3, 3)))


def test_levels_have_their_own_height():
    windows = make_windows(walk(300), sequence_length=12)
    with pytest.raises(ValueError, match="levels have their own height"):
        windows.prices(windows.test[0], start_prices=[1.0, 2.0, 3.0])
    path = windows.join(windows.test[:2], start_prices=[1.0, 2.0, 3.0])
    first = np.exp(windows.changes(windows.test[0])[0])
    np.testing.assert_allclose(path.iloc[0], first * [1.0, 2.0, 3.0])


@every_kind
def test_windows_of_another_shape_are_refused(kind):
    windows = make_windows(walk(300), sequence_length=12, transform=kind)
    for call in (windows.transform.inverse, windows.prices, windows.join):
        with pytest.raises(ValueError, match="must hold 3 tickers: T0, T1, T2"):
            call(windows.test[..., :2])
    with pytest.raises(ValueError, match="neither"):
        windows.prices(windows.test[0, 0])


@every_kind
def test_the_offline_six(kind):
    prices = load_prices()
    windows = make_windows(prices, transform=kind)
    assert len(windows.train) == 6650 - 23 - (kind != "levels")
    assert np.isfinite(windows.test).all()
    back = windows.transform.inverse(windows.test, windows.test_prices[:, 0])
    np.testing.assert_allclose(back, windows.test_prices[:, -24:], rtol=1e-5)
    spread = windows.changes(windows.train).std()
    assert 0.017 < spread < 0.018  # daily, all six together


@pytest.mark.parametrize("kind", ["normal_scores", "log_returns"])
def test_columns_may_change_by_differences(kind):
    days = pd.bdate_range("2020-01-01", periods=120, name="date")
    steps = np.random.default_rng(0).normal(size=(120, 2))
    rate = steps[:, 1].cumsum()  # of both signs
    table = pd.DataFrame({"KO": 50 * np.exp(steps[:, 0] / 50), "RATE": rate}, days)
    windows = make_windows(
        table, sequence_length=5, transform=kind, differences=["RATE"]
    )
    assert windows.changes_are == "log-returns and differences"
    assert windows.note == ""  # it was chosen, so nobody need be told
    changes = windows.changes(windows.test)
    days_of_first = table.index.get_indexer(windows.test_dates[0])
    np.testing.assert_allclose(
        changes[0, :, 0], np.log(table["KO"]).diff().iloc[days_of_first], atol=1e-6
    )
    np.testing.assert_allclose(
        changes[0, :, 1], table["RATE"].diff().iloc[days_of_first], atol=1e-5
    )
    for back in (
        windows.prices(windows.test[0], dates=windows.test_dates[0]),
        windows.join(windows.test[:1], dates=windows.test_dates[0]),
    ):
        np.testing.assert_allclose(back, table.loc[back.index], rtol=1e-4, atol=1e-4)
    again = type(windows.transform).from_config(
        json.loads(json.dumps(windows.transform.to_config()))
    )
    np.testing.assert_array_equal(
        again.apply(windows.test_prices), windows.transform.apply(windows.test_prices)
    )
    with pytest.raises(ValueError, match=r"differences=\['RATE'\]"):
        make_windows(table, sequence_length=5, transform=kind)
    with pytest.raises(ValueError, match="'RATES' is none of the tickers"):
        make_windows(table, sequence_length=5, transform=kind, differences=["RATES"])
    with pytest.raises(ValueError, match="give a list"):
        make_windows(table, sequence_length=5, transform=kind, differences="RATE")
    with pytest.raises(ValueError, match="windows of levels hold no changes"):
        make_windows(table, sequence_length=5, differences=["RATE"])


def test_sines_are_windows_as_they_are():
    windows = sine_windows(40, sequence_length=12, held_out=10)
    # The training windows are those of the paper's protocol, to the bit.
    np.testing.assert_array_equal(windows.train, sines(40, length=12))
    np.testing.assert_array_equal(windows.test, sines(10, length=12, seed=1))
    assert windows.train_dates[-1, -1] < windows.test_dates[0, 0]
    assert windows.unit == "rows"


@every_kind
def test_sines_come_back_with_their_rows(kind):
    windows = sine_windows(30, sequence_length=8, transform=kind, held_out=10)
    sides = (windows.train, windows.train_dates), (windows.test, windows.test_dates)
    for x, dates in sides:
        assert x.shape[1:] == (8, 5)
        back = windows.prices(x[3], dates=dates[3])
        np.testing.assert_allclose(back, windows.history.loc[back.index], rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"held_out": 0}])
def test_sines_leave_a_window_to_each_side(wrong):
    with pytest.raises(ValueError, match="0, 24 and 5 came"):
        sine_windows(**wrong)
