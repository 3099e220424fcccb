"""Prices from Yahoo, over real HTTP: a server on the loopback plays Yahoo's part."""

import contextlib
import json
import logging
import socket
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

import gan_notes
from gan_notes.data import yahoo
from gan_notes.data.prices import load_prices

HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
PERIOD = {"start": "2020-01-02", "end": "2020-01-31"}
DAYS = pd.bdate_range("2019-12-02", "2020-03-31")  # what "Yahoo" has


def closes(ticker):
    """The prices our Yahoo has, unadjusted; the adjusted ones are half as high."""
    return 100.0 + len(ticker) + np.arange(len(DAYS))


class Yahoo(BaseHTTPRequestHandler):
    """Answers the calls for cookie, crumb and prices as Yahoo does."""

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.startswith("/v1/test/getcrumb"):
            return self.answer(200, b"crumb", "text/plain")
        if not url.path.startswith("/v8/finance/chart/"):
            return self.answer(404, b"", "text/plain")
        ticker = url.path.rsplit("/", 1)[1]
        self.server.asked.append(ticker)
        status, body = self.server.plan.get(ticker, self.prices)(ticker, url.query)
        kind = "application/json" if body[:1] == b"{" else "text/html"
        return self.answer(status, body, kind)

    do_POST = do_GET

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the caller stopped waiting
            self.wfile.write(body)

    def log_message(self, *args):
        pass

    @staticmethod
    def prices(ticker, query, days=DAYS, gap=None):
        query = {k: v[0] for k, v in parse_qs(query).items()}
        noon = days.tz_localize("America/New_York") + pd.Timedelta(hours=9.5)
        stamps = noon.tz_convert("UTC").tz_localize(None).as_unit("s").asi8
        inside = np.ones(len(days), bool)
        if "period1" in query:
            inside = (stamps >= int(query["period1"])) & (
                stamps < int(query["period2"])
            )
        if not inside.any():
            return refusal(400, "Bad Request", "Data doesn't exist for startDate = 1")
        close = pd.Series(closes(ticker)[: len(days)])[inside].tolist()
        adjusted = [c / 2 for c in close]
        if gap is not None and "period1" in query:
            close[gap] = adjusted[gap] = None
        quote = {k: close for k in ("open", "high", "low", "close")}
        meta = {
            "currency": "USD",
            "symbol": ticker,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "firstTradeDate": int(stamps[0]),
            "regularMarketTime": int(stamps[-1]),
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "max"],
        }
        result = {
            "meta": meta,
            "timestamp": [int(s) for s in stamps[inside]],
            "indicators": {
                "quote": [quote | {"volume": [1000] * len(close)}],
                "adjclose": [{"adjclose": adjusted}],
            },
        }
        body = {"chart": {"result": [result], "error": None}}
        return 200, json.dumps(body).encode()


def refusal(status, code, description):
    error = {"code": code, "description": description}
    return status, json.dumps({"chart": {"result": None, "error": error}}).encode()


def unknown(ticker, query):
    return refusal(404, "Not Found", "No data found, symbol may be delisted")


@pytest.fixture(scope="session")
def _yfinance(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import yfinance
    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("py-yfinance")))


@pytest.fixture
def send_to(_yfinance, monkeypatch, tmp_path):
    """Send yfinance's requests to a port of the loopback, with an empty cache."""
    from yfinance.data import YfData

    new_session = yahoo._new_session

    def redirect(port):
        def on_loopback():
            session = new_session()

            class Loopback(type(session)):
                def request(self, method, url, *args, **kwargs):
                    url = urlsplit(url)._replace(
                        scheme="http", netloc=f"127.0.0.1:{port}"
                    )
                    return super().request(method, url.geturl(), *args, **kwargs)

            session.__class__ = Loopback
            return session

        monkeypatch.setattr(yahoo, "_new_session", on_loopback)

    type(YfData)._instances.clear()  # no cookie or session of an earlier test
    monkeypatch.setattr(yahoo, "cache_folder", lambda: tmp_path / "cache")
    return redirect


@pytest.fixture
def server(send_to):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Yahoo)
    server.plan, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    send_to(server.server_port)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def cached(tmp_path):
    return sorted(p.name for p in tmp_path.glob("cache/**/*") if p.is_file())


def fails(error, match, tmp_path, tickers="KO", **period):
    """Load, expect one clear sentence, and nothing in the cache."""
    with pytest.raises(error, match=match) as caught:
        load_prices(tickers, source="yahoo", **(period or PERIOD))
    assert "\n" not in str(caught.value)
    assert not cached(tmp_path)
    return str(caught.value)


def test_prices_are_adjusted_dated_and_inclusive(server):
    prices = load_prices("KO,ABC", source="yahoo", **PERIOD)
    inside = DAYS[(DAYS >= "2020-01-02") & (DAYS <= "2020-01-31")]
    assert list(prices) == ["KO", "ABC"]
    assert prices.index.equals(pd.DatetimeIndex(inside, name="date"))
    assert prices.dtypes.eq("float64").all()
    expected = closes("KO")[np.isin(DAYS, inside)] / 2
    np.testing.assert_allclose(prices["KO"], expected)
    assert prices.attrs["source"] == "yahoo"
    assert prices.attrs["note"] == ""


def test_second_load_asks_yahoo_nothing(server, tmp_path):
    first = load_prices("KO", source="yahoo", **PERIOD)
    asked = len(server.asked)
    second = load_prices("ko", source="yahoo", **PERIOD)
    assert len(server.asked) == asked > 0
    pd.testing.assert_frame_equal(first, second)
    assert cached(tmp_path) == ["KO_2020-01-02_2020-01-31.parquet"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"PAR1 half"),
        lambda path: path.write_bytes(b""),
        lambda path: pd.DataFrame({"close": [1.0]}).to_parquet(path),  # without dates
        lambda path: pd.DataFrame({"open": [1.0]}, index=DAYS[:1]).to_parquet(path),
    ],
)
def test_damaged_cache_is_fetched_again_and_repaired(server, tmp_path, damage):
    first = load_prices("KO", source="yahoo", **PERIOD)
    damage(tmp_path / "cache" / "KO_2020-01-02_2020-01-31.parquet")
    second = load_prices("KO", source="yahoo", **PERIOD)
    asked = len(server.asked)
    third = load_prices("KO", source="yahoo", **PERIOD)
    assert len(server.asked) == asked
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, third)
    assert cached(tmp_path) == ["KO_2020-01-02_2020-01-31.parquet"]


def test_odd_symbols_are_file_names_too(server, tmp_path):
    load_prices("^GSPC", source="yahoo", **PERIOD)
    assert cached(tmp_path) == ["%5EGSPC_2020-01-02_2020-01-31.parquet"]


def test_unwritable_cache_does_not_lose_the_prices(server, tmp_path):
    (tmp_path / "cache").write_text(
        "a file where the folder should be", encoding="utf-8"
    )
    assert len(load_prices("KO", source="yahoo", **PERIOD)) == 22


def test_default_six_and_unequal_histories(server):
    server.plan["GE"] = lambda t, q: Yahoo.prices(t, q, days=DAYS[30:])
    prices = load_prices(source="yahoo", **PERIOD)
    assert list(prices) == ["BA", "CAT", "DIS", "GE", "IBM", "KO"]
    assert prices.index[0] == DAYS[30]
    assert prices.attrs["days_lost"] == 22 - len(prices) > 0
    assert "GE has 15 (2020-01-13 to 2020-01-31)" in prices.attrs["note"]


def test_unknown_ticker_offers_close_ones(server, tmp_path):
    server.plan["KOO"] = unknown
    message = fails(ValueError, "knows no 'KOO'.*'KO'", tmp_path, "KOO")
    assert "Look the symbol up" in message


def test_one_unknown_ticker_leaves_none_in_the_cache(server, tmp_path):
    server.plan["QQQQQ"] = unknown
    fails(ValueError, "knows no 'QQQQQ'.*'QQQ'", tmp_path, ["KO", "QQQQQ"])


@pytest.mark.parametrize("ticker", ["KO", "NEW"])  # one known to exist, one not yet
def test_rate_limit(server, tmp_path, ticker):
    server.plan[ticker] = lambda t, q: (429, b"Too Many Requests")
    message = fails(ConnectionError, f"{ticker}: Yahoo refuses", tmp_path, ticker)
    assert "wait some minutes" in message
    assert "source='sample'" in message


@pytest.mark.parametrize("status", [200, 403, 503])
def test_html_instead_of_json(server, tmp_path, status):
    server.plan["KO"] = lambda t, q: (status, HTML)
    message = fails(ConnectionError, "KO: .*a web page instead of prices", tmp_path)
    assert f"HTTP {status}" in message


def test_server_error(server, tmp_path):
    server.plan["KO"] = lambda t, q: refusal(500, "Internal", "broken")
    fails(ConnectionError, "KO: Yahoo refused or failed .HTTP 500", tmp_path)


def test_answer_of_another_shape(server, tmp_path):
    body = json.dumps({"chart": {"result": [{"meta": {}}], "error": None}}).encode()
    server.plan["KO"] = lambda t, q: (200, body)
    fails(ConnectionError, "KO: Yahoo's answer cannot be read", tmp_path)


def test_empty_range(server, tmp_path):
    period = {"start": "1999-01-01", "end": "1999-02-01"}
    message = fails(
        ValueError, "KO: Yahoo has no prices from 1999-01-01", tmp_path, **period
    )
    assert "choose another period" in message


def test_gap_is_said_and_not_cached(server, tmp_path):
    def with_gap(ticker, query):
        status, body = Yahoo.prices(ticker, query)
        if "period1" in query:
            body = json.loads(body)
            result = body["chart"]["result"][0]["indicators"]
            result["quote"][0]["close"][5] = result["adjclose"][0]["adjclose"][5] = None
            body = json.dumps(body).encode()
        return status, body

    server.plan["KO"] = with_gap
    prices = load_prices("KO,ABC", source="yahoo", **PERIOD)
    assert "KO has 21" in prices.attrs["note"]
    assert pd.Timestamp("2020-01-09") not in prices.index
    # Yahoo may fill the day later; the other series is whole.
    assert cached(tmp_path) == ["ABC_2020-01-02_2020-01-31.parquet"]


def test_failure_is_not_replayed(server):
    server.plan["KO"] = lambda t, q: (200, HTML)
    with pytest.raises(ConnectionError):
        load_prices("KO", source="yahoo", **PERIOD)
    del server.plan["KO"]
    assert len(load_prices("KO", source="yahoo", **PERIOD)) == 22


def test_today_is_left_out():
    now = pd.Timestamp.now("UTC").tz_localize(None).normalize()
    first, last = yahoo.period(None, now)
    assert str(first.date()) == yahoo.FIRST_DAY
    assert last == now - pd.Timedelta(days=1)
    with pytest.raises(ValueError, match="after the last complete day"):
        yahoo.period(now, None)


def test_refused_connection(send_to, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        send_to(closed.getsockname()[1])
        message = fails(ConnectionError, "KO: Yahoo cannot be reached", tmp_path)
    assert "check the network" in message


def test_an_answer_of_yahoo_is_told_whatever_came_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(gan_notes, "TENSORFLOW_CAME_FIRST", True)
    server.plan["KO"] = lambda t, q: (429, b"Too Many Requests")
    fails(ConnectionError, "KO: Yahoo refuses more requests", tmp_path)


def test_tensorflow_before_us_is_named_as_the_cause(send_to, tmp_path, monkeypatch):
    monkeypatch.setattr(gan_notes, "TENSORFLOW_CAME_FIRST", True)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # no request works, as with the wrong curl
        send_to(closed.getsockname()[1])
        message = fails(ConnectionError, "KO: no request to Yahoo works", tmp_path)
    assert "TensorFlow was imported before gan_notes" in message
    assert "import gan_notes first" in message


@pytest.mark.parametrize("ticker", ["KO", "HOLE"])
def test_black_hole_is_told_after_one_patience(send_to, tmp_path, monkeypatch, ticker):
    assert yahoo.PATIENCE < 15  # as it ships: long for a slow answer, not for a reader
    monkeypatch.setattr(yahoo, "PATIENCE", 1.0)
    with socket.socket() as hole:  # takes connections, never answers
        hole.bind(("127.0.0.1", 0))
        hole.listen(64)
        send_to(hole.getsockname()[1])
        begin = time.monotonic()
        fails(ConnectionError, f"{ticker}: Yahoo did not answer", tmp_path, ticker)
    # yfinance makes several requests, for cookies too: all of them share the second.
    assert 0.9 < time.monotonic() - begin < 2


def test_patience_begins_anew_with_every_answer(server, monkeypatch):
    monkeypatch.setattr(yahoo, "PATIENCE", 1.0)
    server.plan["NEW"] = lambda t, q: (time.sleep(0.7), Yahoo.prices(t, q))[1]
    begin = time.monotonic()
    assert len(load_prices("NEW", source="yahoo", **PERIOD)) == 22
    assert server.asked.count("NEW") > 1
    assert time.monotonic() - begin > 1.0


def test_network_that_dies_after_the_cookie(server, tmp_path, monkeypatch):
    monkeypatch.setattr(yahoo, "PATIENCE", 1.0)
    server.plan["KO"] = lambda t, q: (time.sleep(2), refusal(500, "", ""))[1]
    fails(ConnectionError, "KO: Yahoo did not answer in time", tmp_path)


def test_nothing_is_logged_and_the_session_stays_usable(server, caplog, capfd):
    from yfinance.data import YfData

    server.plan["KOO"] = unknown
    with pytest.raises(ValueError, match="KOO"):
        load_prices("KOO", source="yahoo", **PERIOD)
    assert not caplog.records
    assert capfd.readouterr().err == ""
    assert logging.getLogger("yfinance").level != logging.CRITICAL + 1
    assert YfData()._session.deadline == float("inf")
