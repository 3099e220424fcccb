"""Promises of the scorecard: each metric rejects what it should, and accepts the real.

A simulated market stands in for the real one: three tickers whose common volatility
wanders by the day, so that more of the same can be drawn at will.
"""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gan_notes import __main__
from gan_notes.data.exchange import write_windows
from gan_notes.evaluation import scorecard
from gan_notes.evaluation.baselines import ALL
from gan_notes.evaluation.scorecard import FRESH

pytestmark = pytest.mark.long

LENGTH, TICKERS = 12, ["KO", "GE", "JPM"]
CHEAP = scorecard.Setting((8, 40), (3, 150), 20, (3, 150), 300, 50)
CHEAPEST = scorecard.Setting((2, 5), (2, 5), 2, (2, 5), 100, 10)


def days(n, *, seed):
    """Changes of the market, in the order of time."""
    random = np.random.default_rng(seed)
    mood = random.normal(size=n)
    for day in range(1, n):
        mood[day] = 0.9 * mood[day - 1] + np.sqrt(1 - 0.9**2) * mood[day]
    common, own = random.normal(size=(n, 1)), random.normal(size=(n, len(TICKERS)))
    return 0.01 * np.exp(0.7 * mood)[:, None] * (0.6 * common + 0.8 * own)


def cut(changes):
    """All windows, one day apart."""
    view = np.lib.stride_tricks.sliding_window_view(changes, LENGTH, axis=0)
    return view.transpose(0, 2, 1)


@pytest.fixture(scope="module")
def real():
    past = days(2500, seed=1)
    return cut(past[:1900]), cut(past[1900 + LENGTH :])


@pytest.fixture(scope="module")
def wrong(real):
    """Windows of the market itself, and windows that are wrong in one way each."""
    random = np.random.default_rng(0)
    more = days(800 * LENGTH, seed=2).reshape(-1, LENGTH, len(TICKERS))
    calm = more[np.argsort(more.std(axis=(1, 2)))[:400]]
    copies = real[0][random.choice(len(real[0]), 400, replace=False)]
    levels = more.std() * random.normal(size=(400, LENGTH + 1, len(TICKERS)))
    return {
        "more of the same": more[:400],
        "noise": more.std() * random.normal(size=(400, *more.shape[1:])),
        "time-shuffled": np.stack([random.permutation(x) for x in more[:400]]),
        "calm half": calm,
        "too volatile": 1.5 * more[:400],
        "copies": copies,
        "levels of noise": np.diff(levels, axis=1),
    }


@pytest.fixture(scope="module")
def card(real, wrong):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorecard, "QUICK", CHEAP)
        patch.setattr(scorecard.baselines, "ALL", {})  # no baseline is asked for here
        card = scorecard.scorecard(*real, wrong, quick=True, verbose=0)
    card["metric"] = card["metric"].str.removesuffix(" (quick)")
    return card.set_index(["metric", "candidate"])


REJECTS = {
    "AUC, boosting": ["noise", "time-shuffled", "calm half", "too volatile"],
    "AUC, LSTM": ["noise", "calm half", "too volatile"],
    "coverage": ["noise", "calm half"],
    "density": ["noise", "levels of noise"],
    "Fréchet": ["calm half", "too volatile", "levels of noise"],
    "MMD": ["noise", "calm half", "too volatile", "levels of noise"],
    "TSTR / TRTR, absolute": ["noise", "time-shuffled", "levels of noise"],
    "TSTR / TRTR, levels": ["levels of noise"],
    "fact, autocorrelation": ["levels of noise"],
    "fact, autocorrelation of sizes": ["noise", "time-shuffled"],
    "fact, kurtosis": ["noise"],
    "fact, tail index": ["noise"],
    "VaR 5%, single names": ["calm half", "too volatile"],
    "ES 1%, equal weight": ["calm half", "too volatile"],
    "nearest, median": ["copies"],
    "nearest, 1st percentile": ["copies"],
}


@pytest.mark.parametrize("metric", REJECTS)
def test_each_metric_rejects_what_it_should_and_accepts_the_real(card, metric):
    rows = card.loc[metric]
    assert rows.loc[FRESH, "at_floor"]
    assert rows.loc["more of the same", "at_floor"]
    accepted = [name for name in REJECTS[metric] if rows.loc[name, "at_floor"]]
    assert accepted == []


def test_every_metric_has_every_candidate_and_a_floor(card, wrong):
    for metric in card.index.unique("metric"):
        rows = card.loc[metric]
        assert set(rows.index) >= {FRESH, *wrong}, metric
        assert (rows["floor"] == rows.loc[FRESH, "value"]).all(), metric
        assert (rows["low"] <= rows["value"]).all(), metric
        assert (rows["value"] <= rows["high"]).all(), metric
    assert {"constant", "no change"} <= set(card.loc["TSTR / TRTR, absolute"].index)


@pytest.mark.nightly
def test_trainings_are_averaged_and_prices_are_judged_on_returns(real, monkeypatch):
    monkeypatch.setattr(scorecard, "QUICK", CHEAPEST)
    more = days(240 * LENGTH, seed=2).reshape(2, -1, LENGTH, len(TICKERS))
    options = {"quick": True, "verbose": 0}
    each = scorecard.scorecard(*real, {"one": more[0], "other": more[1]}, **options)

    def prices(changes):
        start = np.zeros((len(changes), 1, len(TICKERS)))
        return 50 * np.exp(np.concatenate([start, changes], axis=1).cumsum(axis=1))

    both = {"both": [prices(x) for x in more]}
    paths = scorecard.scorecard(*map(prices, real), both, values="prices", **options)
    each, paths = (c.set_index(["candidate", "metric"]) for c in (each, paths))
    for metric in ("fact, kurtosis (quick)", "nearest, median (quick)"):
        means = each["value"].unstack()[metric]
        assert paths.loc[("both", metric), "value"] == pytest.approx(
            (means["one"] + means["other"]) / 2
        )
        assert means["Gaussian"] == pytest.approx(
            paths.loc[("Gaussian", metric), "value"], rel=1e-3
        )
    ends = paths.loc["both", ["low", "high"]]
    assert np.isfinite(ends).all(axis=None)


def test_the_table_shows_value_interval_and_floor():
    card = pd.DataFrame(
        [
            ["AUC", FRESH, 0.5, 0.45, 0.55, "nearer floor", 0.5, True],
            ["AUC", "GAN", 0.6512, 0.6, 0.7, "nearer floor", 0.5, False],
            ["MMD", "GAN", 0.1, np.nan, np.nan, "lower", 0.0, False],
        ],
        columns=scorecard.COLUMNS,
    )
    shown = scorecard.table(card)
    assert shown.loc["AUC"].tolist() == ["0.5 [0.45, 0.55] *", "0.651 [0.6, 0.7]"]
    assert shown.loc["MMD"].tolist() == ["", "0.1"]


# At the door ----------------------------------------------------------------------


def dates(first, n):
    start = np.datetime64(first) + np.arange(n)
    return start[:, None] + np.arange(LENGTH)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"synthetic": np.zeros((200, 9, 3))},
            ValueError,
            r"synthetic: windows are \(9",
        ),
        (
            {"synthetic": np.zeros((200, 12))},
            ValueError,
            r"synthetic: shape \(200, 12\)",
        ),
        ({"synthetic": np.zeros((99, 12, 3))}, ValueError, "99 windows came, and 100"),
        (
            {"synthetic": {"a": [np.full((200, 12, 3), np.nan)]}},
            ValueError,
            "a: 200 of 200 windows have missing",
        ),
        ({"synthetic": {"a": []}}, ValueError, "'a' has no trainings"),
        (
            {"synthetic": {"GARCH": []}},
            ValueError,
            "'GARCH' is the name of a reference",
        ),
        ({"synthetic": "no.csv"}, FileNotFoundError, "there is no file no.csv"),
        ({"values": "logs"}, ValueError, "values: 'logs' is not one of"),
        ({"values": "prices"}, ValueError, "real_train: some values are zero or less"),
        (
            {"real_test": np.zeros((20, 12, 3))},
            ValueError,
            "real_test: 20 windows came",
        ),
        ({"real_train": np.zeros((150, 12, 3))}, ValueError, "real_train: 150 windows"),
        (
            {
                "train_dates": dates("2020-01-01", 9),
                "test_dates": dates("2020-01-20", 9),
            },
            ValueError,
            "test_dates: they begin on 2020-01-20, and the training period ends on "
            "2020-01-20",
        ),
    ],
)
def test_bad_input_is_named_before_any_work(real, change, error, message, monkeypatch):
    monkeypatch.setattr(scorecard, "tqdm", None)  # work would begin here
    data = {"real_train": real[0], "real_test": real[1]}
    data |= {"synthetic": np.zeros((200, LENGTH, 3))}
    with pytest.raises(error, match=message):
        scorecard.scorecard(**{**data, **change})


def test_columns_in_another_order_are_named(real, tmp_path):
    path = tmp_path / "w.parquet"
    write_windows(np.zeros((200, LENGTH, 3)), path, TICKERS)
    with pytest.raises(ValueError, match="columns KO, GE, JPM, the real data GE, KO"):
        scorecard.scorecard(*real, path, tickers=["GE", "KO", "JPM"])


# The command ----------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """A table of prices, and windows of returns for it."""
    index = pd.bdate_range("2000-01-03", periods=2501, name="date")
    path = np.cumsum(days(2500, seed=1), axis=0)
    prices = 50 * np.exp(np.vstack([np.zeros(3), path]))
    frame = pd.DataFrame(prices, index=index, columns=TICKERS)
    frame.to_csv(tmp_path / "prices.csv")
    more = days(200 * LENGTH, seed=2).reshape(-1, LENGTH, 3)
    write_windows(more, tmp_path / "more.csv", TICKERS)
    return tmp_path


def test_score_writes_the_card(files, capsys, monkeypatch):
    monkeypatch.setattr(scorecard, "QUICK", CHEAPEST)
    command = ["score", str(files / "more.csv"), "--real", str(files / "prices.csv")]
    assert __main__.main([*command, "--quick", "--output", str(files / "out")]) == 0
    card = pd.read_csv(files / "out" / "scorecard.csv")
    assert list(card) == scorecard.COLUMNS
    assert card["metric"].str.endswith(" (quick)").all()
    for metric, rows in card.groupby("metric"):
        assert {FRESH, "more", *ALL} <= set(rows["candidate"]), metric
    stored = pd.read_parquet(files / "out" / "scorecard.parquet")
    pd.testing.assert_frame_equal(card, stored)
    assert "more" in (files / "out" / "scorecard.html").read_text(encoding="utf-8")
    assert "AUC, boosting (quick)" in capsys.readouterr().out
    assert __main__.main([*command, "--quick", "--output", str(files / "again")]) == 0
    again = pd.read_csv(files / "again" / "scorecard.csv")
    pd.testing.assert_frame_equal(card, again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["more.csv", "--tickers", "GE,KO,JPM"],
            "columns KO, GE, JPM, the real data GE",
        ),
        (["none.csv"], "synthetic: there is no file"),
        (["prices.csv"], "prices.csv has no column 'window'"),
    ],
)
def test_score_refuses_in_one_line(files, capsys, arguments, message):
    name, *rest = arguments
    real = ["--real", str(files / "prices.csv"), "--output", str(files / "out")]
    assert __main__.main(["score", str(files / name), *real, *rest]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.nightly
def test_ten_thousand_windows_fit_in_four_gigabytes():
    """In a process of its own, whose largest memory is asked behind."""
    script = """
import resource
import numpy as np
from gan_notes.evaluation.scorecard import scorecard
random = np.random.default_rng(0)
days = 0.01 * random.standard_t(5, size=(8_000, 6)).astype("float32")
windows = np.lib.stride_tricks.sliding_window_view(days, 24, axis=0).swapaxes(1, 2)
scorecard(windows[:6_000], windows[6_100:], random.permutation(
    np.concatenate([windows, windows])[:10_000]), quick=True, verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1]) < 4 * 1024**2
