"""Promises of the stylised facts: closed forms, their intervals, and what they see."""

import numpy as np
import pytest
from scipy import stats

from gan_notes import load_prices, make_windows
from gan_notes.evaluation import baselines, facts


def normal(n, *, length=24, features=1, seed=0):
    """Independent standard normal days."""
    return np.random.default_rng(seed).normal(size=(n, length, features))


def autoregression(n, weight, *, seed=0, length=24):
    """AR(1) paths, stationary."""
    noise = normal(n, length=length, seed=seed)
    noise[:, 0] /= np.sqrt(1 - weight**2)
    for day in range(1, length):
        noise[:, day] += weight * noise[:, day - 1]
    return noise


def market(n, *, seed, length=24, features=3, volatility=0.01):
    """Windows with a market factor, leverage, heavy tails and volatility clusters."""
    random = np.random.default_rng(seed)
    log_size = 0.5 * random.normal(size=n)
    days = []
    for _ in range(length):
        own, shared = random.normal(size=(n, features)), random.normal(size=(n, 1))
        shock = np.sqrt(0.6) * own + np.sqrt(0.4) * shared
        days.append(volatility * np.exp(log_size)[:, None] * shock)
        surprise = -0.6 * shared[:, 0] + 0.8 * random.normal(size=n)
        log_size = 0.95 * log_size + 0.5 * np.sqrt(1 - 0.95**2) * surprise
    return np.stack(days, axis=1)


def shuffled(windows, *, seed=0):
    """The same windows, their days in random order."""
    random = np.random.default_rng(seed)
    order = random.permuted(np.tile(np.arange(24), (len(windows), 1)), axis=1)
    return np.take_along_axis(windows, order[..., None], axis=1)


def iid(windows, n, *, seed=0):
    """Days drawn one by one."""
    days = windows.reshape(-1, windows.shape[2])
    rows = np.random.default_rng(seed).integers(len(days), size=(n, windows.shape[1]))
    return days[rows]


# Closed forms ---------------------------------------------------------------------


def test_noise_has_no_memory_and_kurtosis_three():
    x = normal(4000, features=2)
    for lag in (1, 5, 20):  # standard error of a correlation: at most 1 / sqrt(16,000)
        assert abs(facts.autocorrelation(x, lag)).max() < 0.04
        assert abs(facts.leverage(x, lag)).max() < 0.04
    assert abs(facts.cross_correlation(x)).max() < 0.02
    # sqrt(24 / 96,000) = .016; sums of five overlap, so five times the variance
    np.testing.assert_allclose(facts.kurtosis(x), 3, atol=0.07)
    np.testing.assert_allclose(facts.kurtosis(x, 5), 3, atol=0.15)


def test_short_windows_do_not_bias_the_autocorrelation():
    """Centred within windows of six days, .8 at lag 1 would read about .3."""
    paths = autoregression(20_000, 0.8, length=6)
    for lag in (1, 2, 4):
        assert facts.autocorrelation(paths, lag)[0, 0] == pytest.approx(
            0.8**lag, abs=0.02
        )


def test_overlapping_windows_tell_what_the_long_series_has():
    series = autoregression(1, 0.6, length=40_000)[0]
    cut = np.lib.stride_tricks.sliding_window_view(series, 24, axis=0)
    windows = cut.transpose(0, 2, 1)
    long = np.corrcoef(series[:-3, 0], series[3:, 0])[0, 1]
    assert facts.autocorrelation(windows, 3)[0, 0] == pytest.approx(long, abs=1e-3)


def test_kurtosis_of_sums_of_independent_days_nears_three():
    """Excess kurtosis of a sum of k independent days is one k-th of a day's."""
    x = np.random.default_rng(1).laplace(size=(20_000, 20, 2))
    np.testing.assert_allclose(facts.kurtosis(x), 6, atol=0.2)
    np.testing.assert_allclose(facts.kurtosis(x, 5), 3 + 3 / 5, atol=0.15)


def test_kurtosis_is_that_of_scipy():
    x = np.random.default_rng(2).gamma(2.0, size=(50, 8, 2)) + 5
    days = x.reshape(-1, 2)
    expected = stats.kurtosis(days, fisher=False)
    np.testing.assert_allclose(facts.kurtosis(x)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("index", [2.0, 3.0, 5.0])
def test_tail_index_of_a_pareto_law(index):
    x = np.random.default_rng(0).pareto(index, size=(4000, 24, 1)) + 1
    # standard error: index / sqrt(4,800 days of the tail)
    assert facts.tail_index(-x)[0, 0] == pytest.approx(index, rel=0.06)


def test_tail_index_of_student_t_and_of_a_normal_law():
    x = np.random.default_rng(0).standard_t(3, size=(8000, 24, 1))
    # The tail is exact only far out: within its outer hundredth the bias is small.
    assert facts.tail_index(x, share=0.002)[0, 0] == pytest.approx(3, rel=0.12)
    assert facts.tail_index(x)[0, 0] < 3.2
    assert facts.tail_index(normal(8000))[0, 0] > 4.5


def test_correlation_of_two_tickers_and_order_of_pairs():
    own, shared = normal(4000, features=3), normal(4000, seed=1)
    x = own.copy()
    x[..., [0, 2]] = np.sqrt(0.5) * own[..., [0, 2]] + np.sqrt(0.5) * shared
    pairs = facts.cross_correlation(x)[0]  # (0, 1), (0, 2), (1, 2)
    np.testing.assert_allclose(pairs, [0, 0.5, 0], atol=0.015)


def test_volatility_clusters_and_leverage_have_their_signs():
    x = market(8000, seed=0)
    assert abs(facts.autocorrelation(x, 1)).max() < 0.03
    sizes = [facts.autocorrelation(np.abs(x), lag).mean() for lag in (1, 5, 15)]
    assert sizes[0] > sizes[1] > sizes[2] > 0.02
    assert sizes[0] > 0.1
    assert facts.leverage(x, 1).max() < -0.03
    assert facts.leverage(-x, 1).min() > 0.03


def test_losses_of_normal_days_are_the_closed_forms():
    x = normal(20_000, features=4)
    values = facts.losses(x)[0]  # 4 tickers, equal weight, long-short
    level = np.array(facts.LEVELS)
    quantile = stats.norm.ppf(level)
    expected = np.stack([-quantile, stats.norm.pdf(quantile) / level], axis=1)
    for i in range(4):
        np.testing.assert_allclose(values[i], expected, rtol=0.03)
    np.testing.assert_allclose(values[4], expected / 2, rtol=0.03)  # four independent
    np.testing.assert_allclose(values[5], expected, rtol=0.03)  # variance 1/2 + 1/2


def test_the_shortfall_takes_exactly_its_share():
    days = np.arange(1.0, 41.0).reshape(1, 40, 1)  # 5 %: two of forty, 1 %: .4 of one
    shortfall = facts.losses(-days)[0, 0, :, 1]
    np.testing.assert_allclose(shortfall, [40, 39.5])
    at_risk = facts.losses(-days)[0, 0, :, 0]
    np.testing.assert_allclose(at_risk, [40, 39])


def test_one_ticker_has_no_long_short_position():
    assert facts.losses(normal(10)).shape == (1, 2, 2, 2)
    table = facts.risk(normal(50), normal(50, seed=1), block=1, draws=20)
    assert set(table["position"]) == {"single names", "equal weight"}


# Weights and intervals ------------------------------------------------------------


def test_weights_are_counts_of_blocks():
    weights = facts.block_weights(50, block=10, draws=30)
    assert weights.shape == (31, 50)
    np.testing.assert_array_equal(weights[0], 1)
    np.testing.assert_array_equal(weights.sum(axis=1), 50)
    # The last of a whole block is drawn with it: its counts differ little from theirs.
    singles = facts.block_weights(50, block=1, draws=30)
    steps = [np.abs(np.diff(w[1:], axis=1)).mean() for w in (weights, singles)]
    assert steps[0] < 0.4 * steps[1]


@pytest.mark.parametrize("block", [0, 51])
def test_a_block_that_does_not_fit_is_refused(block):
    with pytest.raises(ValueError, match="not between 1 and 50 windows"):
        facts.block_weights(50, block=block)


def functions():
    """Every fact as a function of windows and weights."""
    return {
        "autocorrelation": lambda x, w: facts.autocorrelation(x, 2, w),
        "leverage": lambda x, w: facts.leverage(x, 2, w),
        "cross": facts.cross_correlation,
        "kurtosis": lambda x, w: facts.kurtosis(x, 3, w),
        "tail": facts.tail_index,
        "losses": facts.losses,
    }


@pytest.mark.parametrize("name", functions())
def test_a_weight_is_a_window_that_comes_so_often(name):
    x, counts = market(40, seed=1), np.random.default_rng(0).integers(0, 3, size=40)
    weighted = functions()[name](x, counts[None].astype(float))
    repeated = functions()[name](np.repeat(x, counts, axis=0), None)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-7)


@pytest.mark.parametrize("name", functions())
def test_a_constant_generator_gives_numbers(name):
    assert np.isfinite(functions()[name](np.full((30, 24, 2), 0.1), None)).all()


def test_intervals_hold_the_truth():
    """95 % each; 40 samples, so three standard deviations below are 84 %."""
    held = 0
    for seed in range(40):
        table = facts.facts(autoregression(200, 0.5, seed=seed), draws=100)
        row = table[(table["fact"] == "autocorrelation") & (table["days"] == 2)]
        held += (row["low"] < 0.25).item() and (row["high"] > 0.25).item()
    assert held >= 34


def test_blocks_widen_the_interval_of_dependent_windows():
    windows = np.repeat(market(60, seed=0), 10, axis=0)  # neighbours are copies
    wide, narrow = (facts.facts(windows, block=b) for b in (10, 1))
    width = [(t["high"] - t["low"]).mean() for t in (wide, narrow)]
    assert width[0] > 2 * width[1]


def test_tables_are_tidy_and_repeatable():
    real, synthetic = market(80, seed=0), market(60, seed=1)
    table = facts.facts(real, block=5, draws=20, seed=3)
    assert list(table) == ["fact", "days", "value", "low", "high"]
    assert (table["low"] <= table["high"]).all()
    assert not table.isna().any(axis=None)
    assert table.groupby("fact").size()["leverage"] == facts.LAGS
    for function in (facts.distances, facts.risk):
        first, again = (
            function(real, synthetic, block=5, draws=20, seed=3) for _ in range(2)
        )
        assert first.equals(again)
        assert not first.equals(function(real, synthetic, block=5, draws=20, seed=4))


def test_short_windows_have_fewer_lags():
    table = facts.facts(normal(30, length=4, features=2), draws=5)
    assert table.groupby("fact")["days"].max().to_dict() == {
        **dict.fromkeys(("autocorrelation", "autocorrelation of sizes"), 3),
        **{"cross-correlation": 1, "kurtosis": 1, "kurtosis of sums": 4},
        **{"leverage": 3, "tail index": 1},
    }


# What they see, and where they are silent -------------------------------------------


REAL, FRESH = market(1500, seed=1), market(1500, seed=2)


def seen(bad, real=REAL, fresh=FRESH):
    """Facts whose distance from `real` is beyond that of fresh windows."""
    floor, table = (
        facts.distances(real, x, block=1, draws=100).set_index("fact")
        for x in (fresh, bad)
    )
    return set(table.index[table["low"] > floor["high"]])


@pytest.mark.long
def test_more_of_the_same_is_at_the_floor():
    for seed in (3, 4, 5):
        assert not seen(market(1500, seed=seed))


def test_days_one_by_one_lack_what_joins_days():
    found = seen(iid(REAL, 1500))
    assert {"autocorrelation of sizes", "leverage"} <= found
    assert not {"kurtosis", "tail index", "cross-correlation"} & found


def test_windows_with_shuffled_days_lack_the_order():
    assert "leverage" in seen(shuffled(REAL))
    # Calm and stormy windows are left: sizes are alike, but at lag 10 as much as at 1.
    decay = [
        facts.autocorrelation(np.abs(x), 1) - facts.autocorrelation(np.abs(x), 10)
        for x in (REAL, shuffled(REAL))
    ]
    assert decay[0].min() > 0.05
    assert abs(decay[1]).max() < 0.02


def test_a_gaussian_lacks_tails_and_clusters_and_here_correlation():
    expected = {"autocorrelation of sizes", "leverage", "cross-correlation"}
    expected |= set(facts.RATIOS)
    assert expected <= seen(normal(1500, features=3) * 0.01)


def test_tickers_made_one_by_one_lack_their_correlation():
    alone = np.stack([market(1500, seed=s)[..., 0] for s in (3, 4, 5)], axis=2)
    assert seen(alone) == {"cross-correlation"}


def test_a_trend_is_seen_as_autocorrelation():
    trend = REAL[:, 1:] + 0.3 * REAL[:, :-1]
    assert "autocorrelation" in seen(trend, REAL[:, 1:], FRESH[:, 1:])


def test_the_distance_does_not_see_what_is_no_fact():
    """Facts are free of scale: a wrong volatility is the business of `risk`."""
    assert not seen(2 * FRESH)


def test_risk_sees_a_wrong_volatility_and_accepts_the_right_one():
    right = facts.risk(REAL, FRESH, block=1)
    assert (right["low"] < 1).all()
    assert (right["high"] > 1).all()
    wrong = facts.risk(REAL, 1.3 * FRESH, block=1)
    assert (wrong["low"] > 1).all()
    np.testing.assert_allclose(wrong["ratio"], 1.3 * right["ratio"])
    np.testing.assert_allclose(wrong["real"], right["real"])


def test_risk_of_positions_sees_lost_correlation():
    alone = np.stack([market(1500, seed=s)[..., 0] for s in (3, 4, 5)], axis=2)
    table = facts.risk(REAL, alone, block=1).set_index("position")
    assert (table.loc["equal weight", "high"] < 1).all()  # too diversified
    assert (table.loc["long-short", "low"] > 1).all()  # its legs no longer cancel
    assert (table.loc["single names", "low"] < 1).all()


def test_risk_intervals_hold_one_where_nothing_differs():
    held = []
    for seed in range(0, 60, 2):
        pair = market(300, seed=seed), market(300, seed=seed + 1)
        table = facts.risk(*pair, block=1, draws=100)
        held.append((table["low"] < 1) & (table["high"] > 1))
    assert np.mean(held) > 0.88  # 95 % asked of each; the positions move together


# Memorisation -----------------------------------------------------------------------


def test_copies_are_found_and_fresh_windows_lie_where_held_out_ones_do():
    train, held_out, fresh = (market(400, seed=s) for s in (1, 2, 3))
    value = {
        name: facts.memorisation(train, x).set_index("statistic")["value"]
        for name, x in {
            "held out": held_out,
            "fresh": fresh,
            "copies": 3 * train[:200],
            "one in fifty": np.concatenate([fresh[:392], train[:8]]),
        }.items()
    }
    assert value["copies"].to_list() == pytest.approx([0, 0], abs=1e-6)
    np.testing.assert_allclose(value["fresh"], value["held out"], rtol=0.05)
    # A few copies do not move the median: that is what the percentile is for.
    assert value["one in fifty"]["median"] > 0.98 * value["held out"]["median"]
    assert value["one in fifty"]["1st percentile"] < 1e-6


def test_nearest_is_the_nearest_of_windows_of_unit_deviation():
    train, windows = market(30, seed=1), market(7, seed=2)
    divided = [x / x.std(axis=(1, 2), keepdims=True) for x in (train, windows)]
    gaps = np.linalg.norm((divided[1][:, None] - divided[0]).reshape(7, 30, -1), axis=2)
    np.testing.assert_allclose(facts.nearest(train, windows), gaps.min(axis=1))


# At the door ------------------------------------------------------------------------


def test_what_are_no_windows_is_refused():
    good, gap = normal(20), normal(20)
    gap[3, 2, 0] = np.nan
    for bad, match in (
        (good[0], r"shape \(24, 1\) is not"),
        (good[:0], "at least one window"),
        (gap, "missing or infinite"),
    ):
        with pytest.raises(ValueError, match=match):
            facts.facts(bad)
        with pytest.raises(ValueError, match=match):
            facts.nearest(good, bad)
    other = normal(20, features=2)
    for function in (facts.distances, facts.risk):
        with pytest.raises(ValueError, match=r"windows of \(24, 2\) came for .*24, 1"):
            function(good, other, block=1)
    with pytest.raises(ValueError, match=r"windows of \(24, 2\) came for .*24, 1"):
        facts.memorisation(good, other)
    for lag in (0, 24):
        with pytest.raises(ValueError, match=f"lag: {lag} came for windows of 24"):
            facts.autocorrelation(good, lag)
    with pytest.raises(ValueError, match="days: sums over 25 came"):
        facts.kurtosis(good, 25)


# The sample ------------------------------------------------------------------------


def test_on_the_sample_bootstraps_remember_and_held_out_windows_do_not():
    data = make_windows(load_prices(), transform="log_returns")
    train, test = data.changes(data.train), data.changes(data.test)
    drawn = baselines.bootstrap(train, 500, block=12)
    held_out, copied = (
        facts.memorisation(train, x, draws=5)["value"].to_list() for x in (test, drawn)
    )
    assert held_out == pytest.approx([13.3, 11.4], abs=0.1)
    assert copied[0] < 10.5
    assert copied[1] == pytest.approx(0, abs=1e-3)  # whole windows


def test_on_the_sample_the_facts_are_those_of_shares():
    data = make_windows(load_prices(), transform="log_returns")
    x = data.changes(data.train)
    assert facts.kurtosis(x).mean() == pytest.approx(10.4, abs=0.1)
    assert facts.kurtosis(x, 5).mean() < 8
    assert 2 < facts.tail_index(x).mean() < 5
    assert abs(facts.autocorrelation(x, 1)).max() < 0.1
    assert facts.autocorrelation(np.abs(x), 1).mean() == pytest.approx(0.265, abs=0.01)
    assert facts.leverage(x, 1).mean() < -0.03
    assert facts.cross_correlation(x).mean() == pytest.approx(0.37, abs=0.01)
