"""Prices from Yahoo through yfinance, kept as Parquet in the user's cache folder.

yfinance hides most failures: it answers with an empty table, whatever went wrong. So
the session it is given here keeps a record of what Yahoo said, and the error is told
from that. The same session gives up when Yahoo stays silent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd

import gan_notes
from gan_notes.data import tables

FIRST_DAY = "1990-01-01"  # where the offline sample begins, too
PATIENCE = 9.0  # seconds without any answer; a dead network is told in under 15
# What an unknown ticker may have meant; Yahoo itself offers no list.
KNOWN = """
    AAPL AMD AMZN BA BAC BBY CAT CVX DIS GE GOOG GOOGL HD IBM JNJ JPM KO LLY META MRK
    MSFT NVDA PEP PFE PG QQQ RRC SPY TSLA UNH WMT XOM
""".split()
ELSE = "or use source='sample' or a file of prices"


def period(
    first: pd.Timestamp | None, last: pd.Timestamp | None
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Fill in the period: from `FIRST_DAY`, to yesterday at the latest.

    Today is left out because its price still moves: a cached day never changes.
    """
    yesterday = pd.Timestamp.now("UTC").tz_localize(None).normalize()
    yesterday -= pd.Timedelta(days=1)
    first = pd.Timestamp(FIRST_DAY) if first is None else first.normalize()
    last = yesterday if last is None else min(last.normalize(), yesterday)
    if first > last:
        raise ValueError(
            f"start: {first.date()} is after the last complete day, {last.date()}; "
            "choose an earlier one."
        )
    return first, last


def read_series(
    tickers: list[str], first: pd.Timestamp, last: pd.Timestamp
) -> dict[str, pd.Series]:
    """Give adjusted closes, from the cache where it has them, else from Yahoo.

    Parameters
    ----------
    tickers : list of str
        Yahoo's symbols, upper case.
    first, last : Timestamp
        Both included.

    Returns
    -------
    dict
        From ticker to float64 series with a DatetimeIndex "date". Nothing is stored:
        the caller does that once every ticker has passed its checks.

    Raises
    ------
    ValueError
        Yahoo does not know the ticker, or has no prices in the period.
    ConnectionError
        No network, too many requests, or an answer that is no JSON.
    """
    series = {t: _read_cached(_cache_path(t, first, last)) for t in tickers}
    missing = [t for t in tickers if series[t] is None]
    if missing:
        with _quiet(), _new_session() as session:
            for ticker in missing:
                series[ticker] = _fetch(ticker, first, last, session)
    return series


def store(
    series: dict[str, pd.Series], first: pd.Timestamp, last: pd.Timestamp
) -> None:
    """Write series that are not cached yet, each whole or not at all.

    Left out are series with blank days, which Yahoo may still fill.
    """
    for ticker, column in series.items():
        path = _cache_path(ticker, first, last)
        if column.hasnans or _read_cached(path) is not None:
            continue
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            column.rename("close").to_frame().to_parquet(part)
            os.replace(part, path)
        except OSError:
            return  # a cache that cannot be written costs time, never the result
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Give the folder of cached prices; delete it to fetch everything anew."""
    import platformdirs  # comes with yfinance

    return Path(platformdirs.user_cache_dir("gan_notes")) / "yahoo"


def _cache_path(ticker: str, first: pd.Timestamp, last: pd.Timestamp) -> Path:
    name = f"{quote(ticker, safe='')}_{first.date()}_{last.date()}.parquet"
    return cache_folder() / name


def _read_cached(path: Path) -> pd.Series | None:
    try:
        column = pd.read_parquet(path)["close"]
    except (OSError, ValueError, KeyError):  # absent, or no longer readable
        return None
    if not isinstance(column.index, pd.DatetimeIndex):  # another program's
        return None
    return column.set_axis(column.index.as_unit("ns").rename("date"))


def _fetch(ticker: str, first, last, session) -> pd.Series:
    import yfinance

    session.begin()
    problem = None
    try:
        # Yahoo's end is the first day not wanted.
        frame = yfinance.Ticker(ticker, session=session).history(
            start=str(first.date()),
            end=str((last + pd.Timedelta(days=1)).date()),
            auto_adjust=True,
            actions=False,
            timeout=PATIENCE,
        )
    except Exception as error:  # yfinance and its HTTP library raise many kinds
        problem, frame = error, pd.DataFrame()
    if frame.empty or frame["Close"].isna().all():
        raise _explain(ticker, first, last, session, problem) from problem
    column = frame["Close"].astype("float64")
    dates = pd.DatetimeIndex(column.index).tz_localize(None).normalize()
    column.index = dates.as_unit("ns").rename("date")
    return column


def _explain(ticker: str, first, last, session, problem) -> Exception:
    """Tell from the last price request why there are no prices."""
    status, text = session.answer
    if status == 0 and gan_notes.TENSORFLOW_CAME_FIRST:
        return ConnectionError(
            f"{ticker}: no request to Yahoo works in this session, because TensorFlow "
            "was imported before gan_notes and its symbols of curl hide those that "
            f"requests need; restart Python, import gan_notes first, {ELSE}."
        )
    if status == 0:
        reason = (
            "did not answer in time" if session.is_silent() else "cannot be reached"
        )
        return ConnectionError(
            f"{ticker}: Yahoo {reason}; check the network and run again, {ELSE}."
        )
    if status == 429:
        return ConnectionError(
            f"{ticker}: Yahoo refuses more requests for now (rate limit, HTTP 429); "
            f"wait some minutes and run again, {ELSE}."
        )
    if text.lstrip()[:1] != "{":
        return ConnectionError(
            f"{ticker}: Yahoo answered with a web page instead of prices (HTTP "
            f"{status}), as a proxy, a login page or maintenance does; try again "
            f"later, {ELSE}."
        )
    if status == 404 or "delisted" in text:
        others = [t for t in KNOWN if t != ticker]
        return ValueError(
            f"tickers: Yahoo knows no {ticker!r}. {tables.suggest(ticker, others)}"
            "Look the symbol up on its website."
        )
    if status >= 400 and "Data doesn't exist" not in text:
        return ConnectionError(
            f"{ticker}: Yahoo refused or failed (HTTP {status}); try again later, "
            f"{ELSE}."
        )
    if problem is not None and status < 400:
        return ConnectionError(
            f"{ticker}: Yahoo's answer cannot be read ({type(problem).__name__}: "
            f"{problem}); update yfinance, {ELSE}."
        )
    return ValueError(
        f"{ticker}: Yahoo has no prices from {first.date()} to {last.date()}; choose "
        "another period."
    )


def _new_session():
    """Make yfinance's kind of session, with a record and an end to its patience."""
    from curl_cffi.requests import Session
    from yfinance.data import YfData

    class RecordingSession(Session):
        answer = (0, "")  # status and beginning of the last price answer
        deadline = float("inf")

        def begin(self) -> None:
            YfData.cache_get.cache_clear()  # it would replay an earlier failure
            self.answer = (0, "")
            self.deadline = time.monotonic() + PATIENCE

        def is_silent(self) -> bool:
            return time.monotonic() > self.deadline - 0.1

        def request(self, method, url, *args, **kwargs):
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer")
            # The calls for cookies ask for 30 seconds each, whatever we ask for.
            kwargs["timeout"] = min(kwargs.get("timeout") or PATIENCE, left)
            price = "/v8/finance/chart/" in url
            if price:
                self.answer = (0, "")
            response = super().request(method, url, *args, **kwargs)
            self.deadline = time.monotonic() + PATIENCE
            if price:
                self.answer = (response.status_code, response.text[:2000])
            return response

        def __exit__(self, *problem) -> None:
            # yfinance keeps the session for the whole process: leave it usable.
            self.deadline = float("inf")

    return RecordingSession(impersonate="chrome")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and the logs of yfinance and its HTML parser out of notebooks."""
    loggers = [logging.getLogger(name) for name in ("yfinance", "bs4")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # yfinance on pandas 3 makes many
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
