"""Stored scorecards: what the project says of its generators, and whether it is so."""

import numpy as np
import pytest

from gan_notes import load_prices, make_windows
from gan_notes.evaluation import facts, scorecard
from gan_notes.models import pretrained

CARD, ABOUT = scorecard.stored("offline")
LONGER, ABOUT_LONGER = scorecard.stored("offline-120")
DJIA, ABOUT_DJIA = scorecard.stored("djia")
TRAININGS = [name for name in ABOUT["weights"] if name.startswith("returns-")]
OFFLINE = ("returns-offline-", "timegan-offline-", "timegan-returns-")


def of(metric, candidate="ReturnsGAN", card=CARD):
    (row,) = card[
        (card["metric"] == metric) & (card["candidate"] == candidate)
    ].itertuples()
    return row


def test_there_is_no_other():
    known = r"'online' is no stored scorecard.*djia, offline, offline-120"
    with pytest.raises(ValueError, match=known):
        scorecard.stored("online")


@pytest.mark.parametrize(
    ("about", "families"),
    [
        (ABOUT, OFFLINE),
        (ABOUT_LONGER, OFFLINE[:1]),
        (ABOUT_DJIA, ("returns-djia-", "timegan-djia-")),
    ],
    ids=["24 days", "120 days", "other stocks"],
)
def test_all_trainings_that_ship_are_judged(about, families):
    shipped = {n for n in pretrained.generators() if n.startswith(families)}
    assert set(about["weights"]) == shipped
    for name, commit in about["weights"].items():
        assert pretrained.provenance(name)["commit"] == commit


@pytest.mark.parametrize("candidate", ["TimeGAN", "TimeGAN, ranks"])
def test_timegan_is_told_apart_and_the_card_says_so(candidate):
    assert of("AUC, boosting", candidate).low > 0.9
    assert not of("AUC, boosting", candidate).at_floor
    assert not of("fact, autocorrelation of sizes", candidate).at_floor


def test_on_other_stocks_too_timegan_is_told_apart_and_the_generator_less_than_rivals():
    area = "AUC, boosting"
    ours = of(area, card=DJIA)
    assert ours.high < min(of(area, name, DJIA).low for name in ("bootstrap", "GARCH"))
    assert not ours.at_floor
    assert of(area, "TimeGAN", DJIA).low > 0.9


def test_a_quick_card_is_named_so():
    assert not CARD["metric"].str.contains("quick").any()
    assert LONGER["metric"].str.endswith(" (quick)").all()
    assert "--quick" in ABOUT_LONGER["command"]


def test_run_on_for_half_a_year_it_keeps_its_clusters_and_copies_nothing():
    assert ABOUT_LONGER["days"] == 120
    sizes = "fact, autocorrelation of sizes (quick)"
    ours, joined = (of(sizes, name, LONGER) for name in ("ReturnsGAN", "bootstrap"))
    assert ours.at_floor
    assert ours.value < joined.value
    for metric in ("nearest, median (quick)", "nearest, 1st percentile (quick)"):
        assert of(metric, card=LONGER).at_floor
        assert not of(metric, "bootstrap", LONGER).at_floor


@pytest.mark.parametrize(
    ("metric", "most"),
    [("AUC, boosting", 0.64), ("AUC, LSTM", 0.63), ("TSTR / TRTR, absolute", 1.03)],
)
def test_the_returns_generator_holds_what_is_promised(metric, most):
    assert of(metric).value <= most
    fresh = of(metric, scorecard.FRESH)
    assert fresh.low <= fresh.value <= fresh.high


def test_the_risk_is_right_and_no_training_window_comes_back():
    for position in ("single names", "equal weight", "long-short"):
        assert of(f"VaR 1%, {position}").value == pytest.approx(1, abs=0.15)
    for statistic in ("median", "1st percentile"):
        assert of(f"nearest, {statistic}").at_floor
        assert not of(f"nearest, {statistic}", "copycat").at_floor


@pytest.mark.long
def test_a_sample_of_the_card_is_what_its_weights_give():
    windows = make_windows(load_prices(), transform="levels")
    train = windows.changes(windows.train)
    days = ABOUT["days"]
    assert train.shape[1] == days
    drawn = [
        pretrained.draw(name, ABOUT["windows"])[0][:, -days:] for name in TRAININGS
    ]
    compare_risks(train, drawn, CARD)
    near = np.mean([np.median(facts.nearest(train, x[:500])) for x in drawn])
    assert near == pytest.approx(of("nearest, median").value, rel=0.02)
    assert np.mean([clusters(x) for x in drawn]) == pytest.approx(
        clusters(train), rel=0.3
    )
    real = facts.losses(train)[0, : train.shape[2], 0, 0]  # VaR 1 % of each ticker
    ours = np.mean([facts.losses(x)[0, : x.shape[2], 0, 0] for x in drawn], axis=0)
    np.testing.assert_allclose(ours, real, rtol=0.15)


@pytest.mark.long
def test_a_sample_of_the_longer_card_is_what_its_weights_give():
    days = ABOUT_LONGER["days"]
    windows = make_windows(load_prices(), sequence_length=days, transform="log_returns")
    train = windows.changes(windows.train)
    drawn = [
        pretrained.draw(name, ABOUT_LONGER["windows"], length=days)[0]
        for name in ABOUT_LONGER["weights"]
    ]
    compare_risks(train, drawn, LONGER, " (quick)")


def compare_risks(train, drawn, card, suffix=""):
    """Compare risks of the windows drawn of each training with those of a card."""
    risks = [facts.risk(train, x, block=1, draws=1, seed=0) for x in drawn]
    for number, row in risks[0].iterrows():
        mean = np.mean([frame.loc[number, "ratio"] for frame in risks])
        metric = f"{row['measure']} {row['level']:.0%}, {row['position']}{suffix}"
        assert mean == pytest.approx(of(metric, card=card).value, rel=2e-4)


def clusters(x):
    """Autocorrelation of absolute changes, mean of lags 1 to 5 and tickers."""
    return np.mean([facts.autocorrelation(np.abs(x), lag) for lag in range(1, 6)])
