"""Data: what each source gives, and each bad input refused in one clear sentence."""

import importlib.util
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gan_notes.data.images import load_images
from gan_notes.data.prices import default_tickers, load_prices, sample_tickers
from gan_notes.data.toys import gaussian_ring, ring_centres
from gan_notes.data.windows import make_windows


@pytest.fixture
def table():
    """Two tickers, six weekdays over a weekend."""
    days = pd.bdate_range("2020-01-02", periods=6, name="Date").as_unit("ns")
    return pd.DataFrame(
        {"KO": np.arange(1.0, 7), "GE": np.arange(11.0, 17)}, index=days
    )


@pytest.fixture
def long_table(table):
    """The same as open-high-low-close rows; adjusted closes are what it holds."""
    long = table.rename_axis(columns="Ticker").stack().rename("Adj Close")
    long = long.reset_index().sort_values(["Ticker", "Date"])
    bars = {c: 2 * long["Adj Close"] for c in ("Open", "High", "Low", "Close")}
    return long.assign(Volume=1000, **bars)


@pytest.fixture
def write(tmp_path):
    """Write a frame or a text to a file and return its path."""

    def write(content, name="prices.csv", **kwargs):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content, **kwargs)
        elif path.suffix == ".parquet":
            content.to_parquet(path, **kwargs)
        else:
            content.to_csv(path, **kwargs)
        return str(path)

    return write


def refused(match, error=ValueError, **kwargs):
    """Expect one sentence, on one line, which ends and holds what `match` says."""
    with pytest.raises(error, match=match) as caught:
        load_prices(**kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


# The offline sample


def test_sample_default_is_six_tickers_of_33_years():
    prices = load_prices()
    assert list(prices) == default_tickers() == ["GE", "JNJ", "JPM", "KO", "WMT", "XOM"]
    assert prices.shape == (8313, 6)
    assert str(prices.index[0].date()) == "1990-01-02"
    assert str(prices.index[-1].date()) == "2022-12-28"
    assert prices.index.name == "date"
    assert prices.index.dtype == "datetime64[ns]"
    assert prices.dtypes.eq("float64").all()
    assert prices.attrs == {"source": "sample", "days_lost": 0, "note": ""}


def test_time_is_not_reversed():
    ratio = load_prices("MSFT").iloc[[0, -1], 0]
    assert ratio.iloc[1] > 100 * ratio.iloc[0]  # it grew, and not the other way


@pytest.mark.parametrize("tickers", [["KO", "XOM"], "KO,XOM", "ko xom", " KO , xom,"])
def test_tickers_in_a_list_or_a_string(tickers):
    assert list(load_prices(tickers)) == ["KO", "XOM"]


@pytest.mark.parametrize("nothing", [None, "", [], " "])
def test_empty_means_default(nothing):
    assert load_prices(nothing, "", "").shape == (8313, 6)


def test_period_includes_both_ends():
    days = load_prices("KO", "2020-01-02", "2020-01-06").index
    assert [str(d.date()) for d in days] == ["2020-01-02", "2020-01-03", "2020-01-06"]


def test_sample_lists_its_twenty_tickers():
    assert len(sample_tickers()) == 20
    assert set(default_tickers()) <= set(sample_tickers())
    assert default_tickers("yahoo") == ["BA", "CAT", "DIS", "GE", "IBM", "KO"]


def test_unknown_ticker_of_the_sample():
    message = refused("'KOO' is not in the sample. Did you mean 'KO'", tickers="KOO")
    assert "sample_tickers() lists all 20." in message


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        (
            {"start": "2021-01-01", "end": "2020-01-01"},
            "start: 2021-01-01 is after end",
        ),
        ({"start": "1970-01-01", "end": "1980-01-01"}, "GE: the sample has no values"),
        ({"start": "2020-02-30"}, "start: '2020-02-30' is not a date"),
        ({"end": "01/02/2020"}, "end: '01/02/2020' is not a date"),
        ({"end": "soon"}, "end: 'soon' is not a date; write it as YYYY-MM-DD"),
        ({"start": 2020}, "start: 2020 is not a date"),
        ({"tickers": "KO,KO"}, "'KO' is named twice"),
        ({"source": "yaho"}, "'yaho' is neither.*Did you mean 'yahoo'"),
        ({"source": ""}, "source: '' is neither 'sample' nor 'yahoo'"),
    ],
)
def test_wrong_arguments_are_named(kwargs, match):
    refused(match, **kwargs)


def test_empty_range_says_what_there_is():
    message = refused("the sample", start="2030-01-01")
    assert "1990-01-02 to 2022-12-28" in message


@pytest.mark.parametrize("package", ["skfolio", "mlxtend"])
def test_missing_package_names_the_remedy(package, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == package else find_spec(n)
    )
    with pytest.raises(ModuleNotFoundError, match=f"{package}.*gan-notes.sample."):
        load_prices() if package == "skfolio" else load_images()


def test_import_and_sample_load_no_heavy_package():
    script = (
        "import sys; import gan_notes.data.windows; gan_notes.load_prices();"
        "gan_notes.load_images();"
        "names = 'tensorflow keras yfinance skfolio mlxtend sklearn matplotlib';"
        "print(sorted(set(names.split()) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


# Files


def test_wide_csv(table, write):
    prices = load_prices(source=write(table))
    assert list(prices) == ["KO", "GE"]
    pd.testing.assert_frame_equal(prices, table.rename_axis("date"), check_freq=False)
    assert prices.attrs["source"] == "prices.csv"


def rename(columns):
    return lambda table, long: long.rename(columns=columns)


def pairs(table, long):
    frame = pd.concat({"Adj Close": table, "Close": 2 * table}, axis=1)
    frame.columns.names = ["Price", "Ticker"]
    return frame


def snake(name):
    return name.lower().replace(" ", "_")


LAYOUTS = {
    "wide": ("a.csv", lambda t, long: t),
    "wide, dates without a name": ("a.csv", lambda t, long: t.rename_axis(None)),
    "wide, newest first": ("a.csv", lambda t, long: t[::-1]),
    "wide, compressed": ("a.csv.gz", lambda t, long: t),
    "parquet": ("a.parquet", lambda t, long: t),
    "parquet, dates in a column": ("a.parquet", lambda t, long: t.reset_index()),
    "parquet, dates without a name": ("a.parquet", lambda t, long: t.rename_axis(None)),
    "long": ("a.csv", lambda t, long: long),
    "long, shuffled": ("a.csv", lambda t, long: long.sample(frac=1, random_state=0)),
    "long, upper case": ("a.csv", rename(str.upper)),
    "long, snake case": ("a.csv", rename(snake)),
    "long, other names": ("a.csv", rename({"Ticker": "Symbol", "Date": "TIMESTAMP"})),
    "long, close only": (
        "a.csv",
        lambda t, long: long[["Date", "Ticker", "Adj Close"]].rename(
            columns={"Adj Close": "close"}
        ),
    ),
    "long, parquet": ("a.parquet", lambda t, long: long),
    "long, two indices": (
        "a.parquet",
        lambda t, long: long.set_index(["Date", "Ticker"]),
    ),
    "price and ticker": ("a.csv", pairs),
    "ticker and price": ("a.csv", lambda t, long: pairs(t, long).swaplevel(axis=1)),
    "price and ticker, parquet": ("a.parquet", pairs),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_table(layout, table, long_table, write):
    name, change = LAYOUTS[layout]
    source = write(change(table, long_table), name)
    prices = load_prices(["KO", "GE"], source=source)
    expected = table.rename_axis("date").rename_axis(columns=None)
    pd.testing.assert_frame_equal(prices, expected, check_freq=False)
    assert sorted(default_tickers(source)) == ["GE", "KO"]


def test_adjusted_close_is_preferred(long_table, write):
    source = write(long_table, index=False)
    assert load_prices("KO", source=source)["KO"].iloc[0] == 1.0
    source = write(long_table.drop(columns="Adj Close"), index=False)
    assert load_prices("KO", source=source)["KO"].iloc[0] == 2.0


def test_one_ticker_of_bars_is_named_after_the_file(long_table, write):
    bars = long_table[long_table["Ticker"] == "KO"].drop(columns="Ticker")
    source = write(bars, "coke.csv", index=False)
    prices = load_prices(source=source)
    assert list(prices) == ["coke"]
    assert prices["coke"].iloc[0] == 1.0
    columns = load_prices("open,high,volume", source=source)  # or as one asks
    assert list(columns) == ["Open", "High", "Volume"]


def test_file_tickers_in_any_case(table, write):
    source = write(table.rename(columns={"KO": "Coca Cola"}))
    assert list(load_prices("coca cola,ge", source=source)) == ["Coca Cola", "GE"]


def test_negative_measurements_are_welcome_as_levels(table, write):
    source = write(table - 3)
    prices = load_prices(source=source, positive=False)
    assert prices["KO"].tolist() == [-2, -1, 0, 1, 2, 3]
    message = refused("KO: prices.csv has -2 on 2020-01-02", source=source)
    assert "positive=False" in message
    assert "transform='levels'" in message


def test_clock_times_and_a_last_day_that_is_whole(write):
    hours = pd.date_range("2020-01-01", periods=48, freq="h", name="time")
    source = write(pd.DataFrame({"power": np.arange(48.0)}, index=hours))
    day = load_prices(source=source, end="2020-01-01", positive=False)
    assert len(day) == 24
    until = load_prices(source=source, end="2020-01-01 05:00", positive=False)
    assert len(until) == 6


@pytest.mark.parametrize(
    "dates",
    [
        ["2020-03-06 00:00:00-05:00", "2020-03-09 00:00:00-04:00"],  # a summer time
        ["2020-03-06T00:00:00Z", "2020-03-09T00:00:00Z"],
        ["20200306", "20200309"],
        ["Mar 6, 2020", "Mar 9, 2020"],
        ["2020/03/06", "2020/03/09"],
        ["03/06/2020", "03/09/2020", "03/16/2020"],  # only month first fits
        ["06.03.2020", "09.03.2020", "16.03.2020"],  # only day first fits
    ],
)
def test_dates_in_other_forms(dates, write):
    source = write(pd.DataFrame({"date": dates, "KO": 1.0}))
    found = load_prices(source=source).index
    assert found[:2].tolist() == list(pd.to_datetime(["2020-03-06", "2020-03-09"]))


def test_unequal_histories_keep_common_days_and_say_so(table, write):
    table.loc[table.index[:2], "GE"] = np.nan
    prices = load_prices(source=write(table))
    assert len(prices) == prices.attrs["days_lost"] + 2 == 4
    assert prices.attrs["note"] == (
        "2 of 6 days are left out because not every ticker has them: GE has 4 "
        "(2020-01-06 to 2020-01-09)."
    )
    assert len(load_prices("KO", source=write(table))) == 6


def test_long_files_with_different_calendars_keep_common_days(long_table, write):
    prices = load_prices(source=write(long_table.drop(index=long_table.index[2])))
    assert len(prices) == 5
    assert prices.attrs["days_lost"] == 1


def test_a_bad_value_outside_the_period_does_no_harm(table, write):
    table.iloc[0, 0] = -1.0
    assert len(load_prices(source=write(table), start="2020-01-03")) == 5


def spoil(row, column, value):
    def change(table):
        table = table.astype(object)
        table.iloc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (spoil(2, 0, np.nan), "KO: prices.csv has no value on 2020-01-06 .of 1 miss"),
        (spoil(2, 1, np.inf), "GE: prices.csv has no value on 2020-01-06"),
        (spoil(3, 1, 0.0), "GE: prices.csv has 0 on 2020-01-07, which is no price"),
        (spoil(3, 1, "1,5"), "prices.csv, GE: '1,5' on 2020-01-07 is not a number"),
        (spoil(slice(None), 1, np.nan), "GE: prices.csv has no values.*none at all"),
        (lambda t: t.iloc[[0, 1, 1, 2]], "more than one row for 2020-01-03"),
        (lambda t: t.reset_index(drop=True), "prices.csv has no date column"),
        (lambda t: t[[]], "prices.csv has dates but no column"),
        (lambda t: t.iloc[:0], "prices.csv has names of columns but no rows"),
    ],
)
def test_bad_tables_are_refused(change, match, table, write):
    refused(match, source=write(change(table)))


@pytest.mark.parametrize("index", [True, False])
def test_bad_parquet_without_dates(index, table, write):
    source = write(table.reset_index(drop=True), "a.parquet", index=index)
    refused("a.parquet has no date column", source=source)


def test_duplicate_dates_of_a_long_file(long_table, write):
    twice = pd.concat([long_table, long_table.iloc[[2]]])
    refused("GE: prices.csv has more than one row for 2020-01-06", source=write(twice))


def test_duplicate_columns(write):
    source = write("date,KO, KO\n2020-01-02,1,2\n2020-01-03,1,2\n")
    refused("prices.csv has two columns named 'KO'", source=source)


def test_long_file_without_close(long_table, write):
    long = long_table[["Date", "Ticker", "Open"]]
    message = refused("'Ticker' but none named 'close'", source=write(long))
    assert "Open" in message


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "cannot be read"),
        ("date,KO\n2020-01-02,1\n13/01/2020,2\n", "such as '13/01/2020'"),
        ("date,KO\n01/02/2020,1\n01/03/2020,2\n", "two things, such as '01/02/2020'"),
        ("date,KO\n13/01/2020,1\n01/13/2020,2\n", "two things, such as '13/01/2020'"),
        ("date,KO\n2020-01-02,1\n,2\n", "has no date in data row 2"),
        ("date;KO\n2020-01-02;1\n", "no date column: its columns are date;KO"),
        ("<!DOCTYPE html>\n<p>Sign in, please</p>\n", "no date column"),
        ('date,KO\n"2020-01-02,1\n', "cannot be read"),
        ("date,KO\n2020-01-02,1\n2020-01-03,1,2,3,4\n", "cannot be read"),
    ],
)
def test_bad_text_is_refused(text, match, write):
    refused(f"prices.csv.*{match}", source=write(text))


def test_wrong_encoding_and_false_parquet(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"date,\xff\xfe\n2020-01-02,1\n")
    refused("a.csv cannot be read", source=tmp_path / "a.csv")
    (tmp_path / "a.parquet").write_text("date,KO")
    refused("a.parquet cannot be read", source=tmp_path / "a.parquet")


def test_missing_file_names_file_and_folder(tmp_path):
    source = tmp_path / "none.csv"
    message = refused("no file none.csv in", FileNotFoundError, source=source)
    assert str(tmp_path) in message


def test_unknown_ticker_of_a_file(table, write):
    message = refused("'KOO' is not in prices.csv", tickers="KOO", source=write(table))
    assert "Did you mean 'KO'? prices.csv has KO, GE." in message


def test_empty_range_of_a_file(table, write):
    message = refused("KO: prices.csv", start="2021-01-01", source=write(table))
    assert "it has 2020-01-02 to 2020-01-09" in message


def test_no_common_day(table, write):
    table.iloc[:3, 0] = table.iloc[3:, 1] = np.nan
    refused("have no day in common .KO 2020-01-07 to", source=write(table))


def test_too_few_rows_for_the_windows(table, write):
    prices = load_prices(source=write(table))
    with pytest.raises(ValueError, match="windows of 24 need at least 236 rows"):
        make_windows(prices)


# Images and points


def test_digits_are_shuffled_by_seed_and_scaled():
    images, labels = load_images()
    assert images.shape == (5000, 28, 28, 1)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert (images.min(), images.max()) == (-1.0, 1.0)
    assert np.bincount(labels).tolist() == [500] * 10
    assert np.bincount(labels[:1000]).min() > 70  # the file is sorted by digit
    again, _ = load_images()
    np.testing.assert_array_equal(images, again)
    other, other_labels = load_images(seed=1)
    assert (labels != other_labels).any()
    # an image keeps its label: digits differ in their amount of ink
    one, two = (i[n == 1].mean() for i, n in ((images, labels), (other, other_labels)))
    assert one == pytest.approx(two, abs=1e-6)
    assert one < images.mean() - 0.1


def test_unknown_images():
    with pytest.raises(ValueError, match="'mnst' is not a set of images"):
        load_images("mnst")


def test_ring_has_equal_modes_of_the_stated_width():
    points = gaussian_ring(80_000, modes=8, radius=2.0, std=0.02)
    centres = ring_centres(8, 2.0)
    assert points.shape == (80_000, 2)
    assert points.dtype == centres.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2.0, rtol=1e-6)
    away = points[:, None] - centres
    mode = np.linalg.norm(away, axis=-1).argmin(axis=1)
    # standard errors: 94 for a count of 10,000, 3.5e-5 for a deviation of 0.02
    assert abs(np.bincount(mode) - 10_000).max() < 500
    own = away[np.arange(len(mode)), mode]
    np.testing.assert_allclose(own.std(axis=0), 0.02, atol=2e-4)


def test_ring_is_a_function_of_its_seed():
    np.testing.assert_array_equal(gaussian_ring(9), gaussian_ring(9))
    assert (gaussian_ring(9, seed=1) != gaussian_ring(9)).any()


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 5, "std": -1}, {"n": 5, "modes": 0}])
def test_ring_refuses_what_makes_no_ring(wrong):
    with pytest.raises(ValueError, match=str(min(wrong.values()))):
        gaussian_ring(**wrong)
