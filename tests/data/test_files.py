"""Files as users have them: every layout understood, every fault named."""

import numpy as np
import pandas as pd
import pytest
from test_prices import refused

from gan_notes.data.prices import default_tickers, load_prices
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
            path.write_text(content, encoding="utf-8", **kwargs)
        elif path.suffix == ".parquet":
            content.to_parquet(path, **kwargs)
        else:
            content.to_csv(path, **kwargs)
        return str(path)

    return write


def test_wide_csv(table, write):
    prices = load_prices(source=write(table))
    assert list(prices) == ["KO", "GE"]
    pd.testing.assert_frame_equal(prices, table.rename_axis("date"), check_freq=False)
    assert prices.attrs["source"] == "prices.csv"


def rename(columns):
    return lambda table, long: long.rename(columns=columns)


def pairs(table, long):
    frame = {"Adj Close": table, "Close": 2 * table, "Volume": 1000 * table}
    frame = pd.concat(frame, axis=1)
    frame.columns.names = ["Price", "Ticker"]
    return frame


def one_row(form):
    """Give names like "Close KO" instead of two rows of them."""

    def change(table, long):
        frame = pairs(table, long)
        return frame.set_axis([form.format(*pair) for pair in frame.columns], axis=1)

    return change


def no_level_names(table, long):
    return pairs(table, long).rename_axis(columns=[None, None])


def text(form):
    return lambda table, long: table.map(form.format)


def snake(name):
    return name.lower().replace(" ", "_")


LAYOUTS = {
    "wide": ("a.csv", lambda t, long: t),
    "wide, dates without a name": ("a.csv", lambda t, long: t.rename_axis(None)),
    "wide, newest first": ("a.csv", lambda t, long: t[::-1]),
    "wide, compressed": ("a.csv.gz", lambda t, long: t),
    "wide, dollars and thousands": ("a.csv", text("${:,.2f}")),
    "wide, spaces around": ("a.csv", text(" {:.1f} ")),
    "wide, row numbers": ("a.csv", lambda t, long: t.reset_index()),
    "wide, row numbers of a part": (
        "a.csv",
        lambda t, long: t.reset_index().set_index(pd.Index([7, 2, 9, 4, 1, 3])),
    ),
    "wide, row numbers twice": (
        "a.csv",
        lambda t, long: t.reset_index().reset_index(),
    ),
    "wide, dates after": (
        "a.csv",
        lambda t, long: t.assign(day=t.index).set_index("KO"),
    ),
    "wide, dates of another language": (
        "a.csv",
        lambda t, long: t.rename_axis("Fecha"),
    ),
    "wide, observation_date": (
        "a.csv",
        lambda t, long: t.rename_axis("observation_date"),
    ),
    "wide, date as a number": (
        "a.csv",
        lambda t, long: t.set_axis(t.index.strftime("%Y%m%d")).rename_axis(None),
    ),
    "wide, a volume beside": ("a.csv", lambda t, long: t.assign(Volume=1000)),
    "parquet": ("a.parquet", lambda t, long: t),
    "parquet, dates as numbers": (
        "a.parquet",
        lambda t, long: t.assign(
            date=t.index.strftime("%Y%m%d").astype(int)
        ).reset_index(drop=True),
    ),
    "parquet, dates as objects": (
        "a.parquet",
        lambda t, long: t.set_axis(pd.Index(t.index.date, name="date")),
    ),
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
    "long, row numbers": ("a.csv", lambda t, long: long.reset_index(drop=True)),
    "long, melted": ("a.csv", lambda t, long: t.reset_index().melt("Date")),
    "long, categories": (
        "a.parquet",
        lambda t, long: long.astype({"Ticker": "category"}),
    ),
    "price and ticker": ("a.csv", pairs),
    "price and ticker, no names of levels": ("a.csv", no_level_names),
    "price and ticker, dates in a column": (
        "a.csv",
        lambda t, long: no_level_names(t, long).reset_index().set_index("Date"),
    ),
    "price and ticker, row numbers in text": (
        "a.csv",
        lambda t, long: pairs(t, long).reset_index(),
    ),
    "price and ticker, row numbers": (
        "a.parquet",
        lambda t, long: pairs(t, long).reset_index(),
    ),
    "ticker and price, row numbers": (
        "a.parquet",
        lambda t, long: pairs(t, long).swaplevel(axis=1).reset_index(),
    ),
    "one row, price first": ("a.csv", one_row("{0} {1}")),
    "one row, ticker first": ("a.csv", one_row("{1}_{0}")),
    "one row, closes alone": (
        "a.csv",
        lambda t, long: t.rename(columns="{} Close".format),
    ),
    "one row, as tuples": ("a.csv", one_row("('{0}', '{1}')")),
    "one row, parquet": ("a.parquet", one_row("{0} {1}")),
    "ticker and price": ("a.csv", lambda t, long: pairs(t, long).swaplevel(axis=1)),
    "price and ticker, parquet": ("a.parquet", pairs),
}


TEXTS = {
    "semicolons": "date;KO;GE\n2020-01-02;1.5;11\n2020-01-03;2.25;12\n",
    "semicolons, decimal commas": "date;KO;GE\n2020-01-02;1,5;11\n2020-01-03;2,25;12\n",
    "tabs": "date\tKO\tGE\n2020-01-02\t1.5\t11\n2020-01-03\t2.25\t12\n",
    "bars": "date|KO|GE\n2020-01-02|1.5|11\n2020-01-03|2.25|12\n",
    "a comma at each end": "date,KO,GE\n2020-01-02,1.5,11,\n2020-01-03,2.25,12,\n",
    "commas in names too": "date,KO,GE,,\n2020-01-02,1.5,11,,\n2020-01-03,2.25,12,,\n",
    "names one column late": "KO,GE\n2020-01-02,1.5,11\n2020-01-03,2.25,12\n",
    "quoted": '"date","KO","GE"\n"2020-01-02","1.5","11"\n"2020-01-03","2.25","12"\n',
    "quoted, decimal commas": 'date,KO,GE\n2020-01-02,"1,5",11\n2020-01-03,"2,25",12\n',
    "byte order mark": "\ufeffdate,KO,GE\n2020-01-02,1.5,11\n2020-01-03,2.25,12\n",
    "Windows lines": "date,KO,GE\r\n2020-01-02,1.5,11\r\n2020-01-03,2.25,12\r\n",
    "row numbers twice over": (
        "Unnamed: 0.1,Unnamed: 0,date,KO,GE\n"
        "0,4,2020-01-02,1.5,11\n1,5,2020-01-03,2.25,12\n"
    ),
    "a date by its name among numbers": (
        "KO,trade_date,GE\n1.5,2020-01-02,11\n2.25,2020-01-03,12\n"
    ),
    "two rows of names, dates beside": (
        "Date,Close,Close,Volume\n,KO,GE,KO\n2020-01-02,1.5,11,9\n2020-01-03,2.25,12,9\n"
    ),
    "two rows, the ticker first": (
        ",KO,KO,GE\n,Close,Volume,Close\n2020-01-02,1.5,9,11\n2020-01-03,2.25,9,12\n"
    ),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_way_of_writing_gives_the_same_table(text, write):
    prices = load_prices(["KO", "GE"], source=write(text))
    assert prices.to_numpy().tolist() == [[1.5, 11.0], [2.25, 12.0]]
    assert prices.index.strftime("%Y-%m-%d").tolist() == ["2020-01-02", "2020-01-03"]


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


@pytest.mark.parametrize(
    "names",
    [
        "1. open,2. high,3. low,4. close,5. volume",
        "Open,High,Low,Close/Last,Volume",
        "Open Price,High Price,Low Price,Close Price,Prev Close",
        "Open,High,Low,Price,Vol.",
        "open,high,low,Last,change",
    ],
)
def test_bars_give_their_close_alone(names, write):
    names = names.split(",")
    word = next(
        n for n in names if n[-5:].lower() in ("close", "/last", "price", "last")
    )
    word = {"Open Price": "Close Price"}.get(word, word)
    cells = {n: [2.0, 3.0] if n == word else [7.0, 8.0] for n in names}
    frame = pd.DataFrame({"Date": ["2020-01-02", "2020-01-03"], **cells})
    for name in ("coke.csv", "coke.parquet"):
        source = write(frame, name, index=False)
        assert load_prices(source=source)["coke"].tolist() == [2.0, 3.0]
        assert default_tickers(source) == ["coke"]
        assert list(load_prices(names[1], source=source)) == [names[1]]


def test_opens_and_volumes_side_by_side_come_only_by_name(table, long_table, write):
    source = write(one_row("{0} {1}")(table, long_table))
    volume = load_prices("Volume KO", source=source)
    assert volume["Volume KO"].tolist() == (1000 * table["KO"]).tolist()
    refused("'Volume' is not in prices.csv", tickers="Volume", source=source)


def test_tickers_that_are_words_of_prices_too(table, write):
    source = write(table.set_axis(["LOW", "OPEN"], axis=1))  # two shares of New York
    assert default_tickers(source) == ["LOW", "OPEN"]
    names = ["Close LOW", "Low LOW", "Close OPEN", "Open OPEN"]
    source = write(pd.concat([table, table], axis=1).set_axis(names, axis=1))
    assert load_prices(source=source)["OPEN"].tolist() == table["KO"].tolist()
    names = [" ".join(reversed(n.split())) for n in names]
    source = write(pd.concat([table, table], axis=1).set_axis(names, axis=1))
    assert load_prices(source=source)["LOW"].tolist() == table["KO"].tolist()


def test_a_volume_without_a_close_is_left_out_and_said(table, write):
    source = write(table.assign(Volume=1000.0))
    prices = load_prices(source=source)
    assert list(prices) == ["KO", "GE"]
    assert "left out unless named in tickers: Volume" in prices.attrs["note"]
    asked = load_prices("KO,volume", source=source)
    assert list(asked) == ["KO", "Volume"]
    assert asked.attrs["note"] == ""
    source = write(pd.DataFrame({"High": 2.0, "Low": 1.0}, index=table.index))
    refused("has High, Low but no close; name the columns", source=source)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_names_in_other_scripts_are_names(name, table, write):
    source = write(table.set_axis(["삼성전자", "Öl €"], axis=1), name)
    assert default_tickers(source) == ["삼성전자", "Öl €"]
    assert len(load_prices(source=source).columns) == 2


def test_a_column_of_values_without_a_name_is_no_index(write):
    refused("column 3 has no name", source=write("date,KO,\n2020-01-02,1,2\n"))


def test_names_with_words_of_prices_in_them_stay_whole(table, write):
    for names in (["Last Resort", "Open Door"], ["price", "KO"]):
        source = write(table.set_axis(names, axis=1))
        assert default_tickers(source) == names
    assert default_tickers(write(table[["KO"]].set_axis(["price"], axis=1))) == [
        "price"
    ]


def test_a_name_with_a_comma_in_a_file_of_semicolons(write):
    source = write("date;Coca, Cola\n2020-01-02;1.5\n2020-01-03;2.5\n")
    assert default_tickers(source) == ["Coca, Cola"]


def test_numbers_are_dates_only_where_nothing_else_is(write):
    frame = {"timestamp": [1577923200, 1578009600], "day": ["2020-01-02", "2020-01-03"]}
    source = write(pd.DataFrame({**frame, "close": 2.0, "open": 1.0}), index=False)
    assert str(load_prices(source=source).index[1].date()) == "2020-01-03"


def test_an_unnamed_column_of_dates_is_preferred(table, write):
    source = write(table.set_axis(["DAY", "TIME"], axis=1).rename_axis(None))
    assert default_tickers(source) == ["DAY", "TIME"]
    assert load_prices("DAY", source=source)["DAY"].tolist() == table["KO"].tolist()


@pytest.mark.parametrize("tickers", [["NA", "RY"], ["7203", "6758"], ["000660", "7"]])
def test_tickers_are_text(tickers, table, write):
    table = table.set_axis(tickers, axis=1)
    long = table.rename_axis(columns="ticker").stack().rename("close").reset_index()
    for frame, name in ((table, "a.csv"), (long, "a.csv"), (long, "a.parquet")):
        source = write(frame, name)
        assert sorted(default_tickers(source)) == sorted(tickers)
        prices = load_prices(tickers, source=source)
        assert prices.to_numpy().tolist() == table.to_numpy().tolist()
    alone = write(long[long["ticker"] == tickers[0]], index=False)
    assert default_tickers(alone) == [tickers[0]]


def test_numeric_tickers_of_parquet(table, write):
    long = table.set_axis([7203, 6758], axis=1).rename_axis(columns="ticker").stack()
    long = long.rename("close").reset_index()
    for kind in ("int64", "float64"):
        source = write(long.astype({"ticker": kind}), "a.parquet")
        assert default_tickers(source) == ["6758", "7203"]


def test_a_blank_ticker_is_named_by_its_row(long_table, write):
    for blank in (None, " "):
        long_table.iloc[3, list(long_table).index("Ticker")] = blank
        for name in ("a.csv", "a.parquet"):
            refused("no ticker in data row 4", source=write(long_table, name))


@pytest.mark.parametrize("tickers", [5930, [7203, 6758], ["KO", None], [""]])
def test_numbers_for_tickers_are_refused(tickers, table, write):
    refused("is no name; write each as text", tickers=tickers)
    refused("is no name; write each as text", tickers=tickers, source=write(table))


def test_names_with_spaces_and_commas(table, write):
    source = write(table.set_axis(["Crude Oil", "S&P 500, index"], axis=1))
    assert list(load_prices("crude oil", source=source)) == ["Crude Oil"]
    assert list(load_prices("S&P 500, index", source=source)) == ["S&P 500, index"]
    assert list(load_prices(["S&P 500, index"], source=source)) == ["S&P 500, index"]
    refused("'Crude' is not in", tickers="Crude Gas", source=source)


def test_only_what_was_asked_for_is_converted(table, write):
    for name in ("a.csv", "a.parquet"):
        source = write(table.assign(sector="Food"), name)
        assert list(load_prices("KO GE", source=source)) == ["KO", "GE"]
        refused("sector: 'Food' on 2020-01-02 is not a number", source=source)


CLOCKS = pd.to_datetime(["2024-03-01 09:30", "2024-03-01 09:35", "2024-03-04 09:30"])


@pytest.mark.parametrize("day", ["%Y-%m-%d", "%Y.%m.%d", "%d/%m/%y", "%d.%m.%Y"])
@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S", "%H%M%S", "%I:%M %p"])
def test_date_and_time_are_joined(day, clock, write):
    when = CLOCKS.append(pd.to_datetime(["2024-03-13 15:59"]))
    frame = {"Date": when.strftime(day), "Time": when.strftime(clock), "Close": 1.0}
    source = write(pd.DataFrame({**frame, "Open": 2.0}), "bars.csv", index=False)
    assert load_prices(source=source).index.tolist() == list(when)


def test_date_and_time_of_parquet_are_joined(write):
    frame = {"date": CLOCKS.normalize(), "time": CLOCKS.time, "KO": 1.0}
    source = write(pd.DataFrame(frame), "a.parquet")
    assert load_prices(source=source).index.tolist() == list(CLOCKS)


def test_a_time_beside_dates_with_a_clock_is_said_twice_only(write):
    for name in ("a.csv", "a.parquet"):
        frame = {
            "Date": CLOCKS,
            "Time": (CLOCKS + pd.Timedelta(hours=5)).strftime("%H:%M"),
            "KO": 1.0,
        }
        prices = load_prices(source=write(pd.DataFrame(frame), name, index=False))
        assert list(prices) == ["KO"]
        assert prices.index.tolist() == list(CLOCKS)


def test_an_instant_among_days_is_taken(write):
    source = write("date,KO\n2024-01-02,59.1\n2024-01-03 15:59:58-05:00,59.3\n")
    assert str(load_prices(source=source).index[1]) == "2024-01-03 15:59:58"


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
    assert len(load_prices("GE", source=write(table))) == 4  # a shorter history
    assert load_prices("GE", source=write(table)).attrs["note"] == ""


@pytest.mark.parametrize("blank", ["", ".", "NA", "n/a", "-", "null"])
def test_a_holiday_of_one_ticker_is_one_rule_in_every_layout(blank, table, write):
    table.loc[table.index[2], "KO"] = np.nan
    long = table.rename_axis(columns="ticker").stack().rename("close").dropna()
    every = long.reindex(pd.MultiIndex.from_product([table.index, ["KO", "GE"]]))
    every = every.rename_axis(["Date", "ticker"])
    sources = [write(f, f"{i}.csv", na_rep=blank) for i, f in enumerate((table, every))]
    sources += [write(long.to_frame(), "long.csv"), write(table, "a.parquet")]
    for source in sources:
        prices = load_prices("KO,GE", source=source)
        assert prices.index.equals(table.index.delete(2))
        assert prices.attrs["days_lost"] == 1
        assert prices.attrs["note"] == (
            "1 of 6 days is left out because not every ticker has them: KO has 5 "
            "(2020-01-02 to 2020-01-09)."
        )
    alone = load_prices("KO", source=sources[0])
    assert alone.attrs["note"] == (
        "1 of 6 days is left out because KO has no value there, first on 2020-01-06."
    )


def test_words_fit_rows_that_are_no_days(write):
    minutes = pd.date_range("2024-03-01 09:30", periods=6, freq="min", name="time")
    frame = pd.DataFrame({"A": [1.0, 2, np.nan, 4, 5, 6], "B": 1.0}, index=minutes)
    assert "1 of 6 rows is left out" in load_prices(source=write(frame)).attrs["note"]


def test_what_turns_changes_into_differences_is_said(table, write):
    assert load_prices(source=write(table)).attrs["changes"] == "log-returns"
    table.iloc[3, 1] = -36.98
    table.iloc[[2, 4], 0] = 0.0
    prices = load_prices(source=write(table), positive=False)
    assert prices.attrs["changes"] == "differences"
    assert prices.attrs["note"] == (
        "KO has 2 values of zero or less (0 on 2020-01-06), GE has 1 value of zero or "
        "less (-36.98 on 2020-01-07): all changes are differences, not log-returns."
    )


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
        (
            spoil(2, 1, np.inf),
            "GE: prices.csv has inf on 2020-01-06, which is no price",
        ),
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
        ("date,KO\n2020-01-02,1\n13/01/2020,2\n", "'13/01/2020' stands out"),
        ("date,KO\n01/02/2020,1\n01/03/2020,2\n", "first, such as '01/02/2020'"),
        ("date,KO\n13/01/2020,1\n01/13/2020,2\n", "no one way .* stands out"),
        ("date,KO\n2020-01-02,1\n,2\n", "no date in data row 2"),
        ("prices,of\nsomething,1\n", "no date column: its columns are prices, of"),
        (
            "<!DOCTYPE html>\n<p>Sign in, please</p>\n",
            "cannot be read .it is a web page",
        ),
        (
            "Source: us\ndate,KO,GE\n2020-01-02,1,2\n",
            "in the first line: 1, .* below: 3",
        ),
        ('date,KO\n2020-01-02,"2,084"\n', "'2,084' can be read as 2084 and as 2.084"),
        ('date,KO\n"2020-01-02,1\n', "cannot be read"),
        ("date,KO\n2020-01-02,1\n2020-01-03,1,2,3,4\n", "cannot be read"),
    ],
)
def test_bad_text_is_refused(text, match, write):
    refused(f"prices.csv.*{match}", source=write(text))


def test_wrong_encoding_and_false_parquet(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"date,\xff\xfe\n2020-01-02,1\n")
    refused("a.csv cannot be read", source=tmp_path / "a.csv")
    (tmp_path / "a.parquet").write_text("date,KO", encoding="utf-8")
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
