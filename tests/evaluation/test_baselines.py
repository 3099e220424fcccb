"""Promises of the generators that learn little or nothing."""

import sys

import numpy as np
import pytest

from gan_notes.evaluation import baselines

GENERATORS = list(baselines.ALL.values())
FROM_DAYS = [baselines.bootstrap, baselines.garch, baselines.iid]
LENGTH = 6


def cut(days):
    """All windows of LENGTH days, one day apart."""
    view = np.lib.stride_tricks.sliding_window_view(days, LENGTH, axis=0)
    return view.transpose(0, 2, 1).astype("float32")


def market(n, *, seed=0):
    """Days of two tickers whose GARCH(1,1) shocks have a correlation of .6."""
    random = np.random.default_rng(seed)
    shocks = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=n)
    days, variance = np.empty((n, 2)), np.ones(2)
    for day, shock in enumerate(shocks):
        days[day] = shock * np.sqrt(variance)
        variance = 0.05 + 0.15 * days[day] ** 2 + 0.8 * variance
    return days


def memory(windows, lag=1):
    """Autocorrelation of the sizes of changes, over all windows."""
    size = np.abs(windows) - np.abs(windows).mean()
    return (size[:, lag:] * size[:, :-lag]).mean() / (size**2).mean()


@pytest.fixture(scope="module")
def past():
    """Windows with heavy tails and correlated features."""
    days = np.random.default_rng(0).standard_t(3, size=(400 + LENGTH - 1, 2))
    days[:, 1] += 0.8 * days[:, 0] + 0.5
    return cut(days)


@pytest.fixture(scope="module")
def stormy():
    """Windows of a market that remembers its volatility."""
    return cut(market(4000))


@pytest.mark.parametrize("generator", GENERATORS)
def test_shape_and_type_are_those_of_the_windows(generator, past):
    draw = generator(past, 7)
    assert draw.shape == (7, 6, 2)
    assert draw.dtype == np.float32


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_seed_decides(generator, past):
    np.testing.assert_array_equal(
        generator(past, 50, seed=3), generator(past, 50, seed=3)
    )
    assert not np.array_equal(generator(past, 50, seed=3), generator(past, 50, seed=4))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(
    ("windows", "n", "message"),
    [
        (np.zeros((3, 4)), 1, "windows: shape"),
        (np.zeros((0, 4, 2)), 1, "at least one window"),
        (np.full((3, 4, 2), np.nan), 1, "missing or infinite"),
        (np.zeros((3, 4, 2)), 0, "n: 0"),
    ],
)
def test_bad_input_is_named(generator, windows, n, message):
    with pytest.raises(ValueError, match=message):
        generator(windows, n)


def test_copycat_returns_training_windows_each_once(past):
    draw = baselines.copycat(past, len(past))
    as_rows = {window.tobytes() for window in draw}
    assert as_rows == {window.tobytes() for window in past}


def test_copycat_repeats_only_when_it_must(past):
    assert len(baselines.copycat(past, 3 * len(past))) == 3 * len(past)


def test_gaussian_has_the_moments_of_the_windows(past):
    flat = past.reshape(len(past), -1)
    draw = baselines.gaussian(past, 60_000, seed=1).reshape(60_000, -1)
    scale = flat.std(axis=0)
    # Standard error of a mean is scale / sqrt(60,000) = .004 scale: five of them.
    np.testing.assert_array_less(abs(draw.mean(0) - flat.mean(0)), 0.02 * scale)
    np.testing.assert_allclose(
        np.cov(draw / scale, rowvar=False),
        np.cov(flat / scale, rowvar=False),
        atol=0.03,
    )


def test_gaussian_loses_the_heavy_tails(past):
    def kurtosis(x):
        z = (x - x.mean()) / x.std()
        return (z**4).mean()

    assert kurtosis(past[..., 0]) > 6
    draw = baselines.gaussian(past, 20_000)[..., 0]
    assert kurtosis(draw) < kurtosis(past[..., 0]) / 2


def test_gaussian_of_few_windows_stays_in_their_span():
    few = np.random.default_rng(0).normal(size=(3, 10, 1)).astype("float32")
    flat = few.reshape(3, -1)
    draw = baselines.gaussian(few, 20).reshape(20, -1) - flat.mean(axis=0)
    assert np.isfinite(draw).all()
    assert np.linalg.matrix_rank(draw, tol=1e-4) <= 2


def test_days_are_those_that_were_cut():
    days = market(50)
    np.testing.assert_array_equal(
        baselines.days_of(cut(days)), days.astype("float32"), strict=True
    )


@pytest.mark.parametrize("generator", FROM_DAYS)
def test_windows_out_of_order_are_refused(generator, stormy):
    with pytest.raises(ValueError, match="windows: number 2 is not number 1 one day"):
        generator(np.concatenate([stormy[:2], stormy[5:]]), 3)


def test_iid_draws_every_day_of_the_past_and_forgets_their_order(stormy):
    draw = baselines.iid(stormy, 20_000)
    days = {day.tobytes() for day in baselines.days_of(stormy)}
    assert {day.tobytes() for day in draw.reshape(-1, 2)} == days
    assert memory(stormy) > 0.15
    assert abs(memory(draw)) < 0.02  # standard error of 100,000 products: .003


def test_bootstrap_goes_on_to_the_next_day_or_jumps():
    days = np.arange(500.0)[:, None]
    draw = baselines.bootstrap(cut(days), 20_000, block=5)[..., 0]
    follows = (draw[:, 1:] - draw[:, :-1]) % 500 == 1
    # It ends with probability 1/5, and then begins on the next day by chance 1/500.
    assert follows.mean() == pytest.approx(0.8, abs=0.01)
    assert set(draw[:, 0]) == set(range(500))
    whole = baselines.bootstrap(cut(days), 1000, block=1e9)[..., 0]
    assert ((whole[:, 1:] - whole[:, :-1]) % 500 == 1).all()


def test_bootstrap_takes_the_block_that_is_optimal_for_the_mean(stormy):
    from arch.bootstrap import optimal_block_length

    block = optimal_block_length(baselines.days_of(stormy))["stationary"].mean()
    np.testing.assert_array_equal(
        baselines.bootstrap(stormy, 50), baselines.bootstrap(stormy, 50, block=block)
    )


def test_garch_has_the_memory_the_tails_and_the_correlation_of_the_market(stormy):
    draw = baselines.garch(stormy, 20_000)
    truth = cut(market(200_000, seed=1))[::LENGTH]
    np.testing.assert_allclose(draw.std(axis=(0, 1)), truth.std(axis=(0, 1)), rtol=0.1)
    for lag in (1, 5):
        assert memory(draw, lag) == pytest.approx(memory(truth, lag), abs=0.05)
    pair = np.corrcoef(draw.reshape(-1, 2).T)[0, 1]
    assert pair == pytest.approx(np.corrcoef(truth.reshape(-1, 2).T)[0, 1], abs=0.05)


def test_garch_invents_days(stormy):
    days = {day.tobytes() for day in baselines.days_of(stormy)}
    draw = baselines.garch(stormy, 100)
    assert not days & {day.tobytes() for day in draw.reshape(-1, 2)}


@pytest.mark.parametrize("freedom", [5.0, 30.0])
def test_student_recovers_its_degrees_of_freedom(freedom):
    random = np.random.default_rng(0)
    storm = np.sqrt(freedom / random.chisquare(freedom, size=(4000, 1, 1)))
    real = storm * random.normal(size=(4000, 12, 2))
    draw = baselines.student(real, 40_000)
    np.testing.assert_allclose(draw.std(axis=(0, 1)), real.std(axis=(0, 1)), rtol=0.05)

    def spread(windows):
        return np.log((windows**2).mean(axis=(1, 2))).std()

    assert spread(draw) == pytest.approx(spread(real), rel=0.05)
    assert spread(baselines.gaussian(real, 4000)) < 0.8 * spread(real)


def test_student_keeps_the_correlation(past):
    draw = baselines.student(past, 40_000).reshape(40_000, -1)
    flat = past.reshape(len(past), -1)
    scale = flat.std(axis=0)
    np.testing.assert_allclose(
        np.corrcoef(draw, rowvar=False), np.corrcoef(flat, rowvar=False), atol=0.1
    )
    np.testing.assert_array_less(abs(draw.mean(0) - flat.mean(0)), 0.05 * scale)


@pytest.mark.parametrize("generator", [baselines.bootstrap, baselines.garch])
def test_without_arch_the_extra_is_named(generator, stormy, monkeypatch):
    monkeypatch.setitem(sys.modules, "arch", None)
    monkeypatch.delitem(sys.modules, "arch.bootstrap", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"gan-notes\[finance\]"):
        generator(stormy, 3)
