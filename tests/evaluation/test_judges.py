"""Promises of the trained judges: what they must accept, and what reject."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gan_notes.evaluation import judges

LENGTH, FEATURES = 12, 2


def calm_and_storm(n, *, seed):
    """Windows whose volatility differs from window to window: heavy tails."""
    random = np.random.default_rng(seed)
    volatility = np.exp(random.normal(size=(n, 1, 1)))
    return volatility * random.normal(size=(n, LENGTH, FEATURES))


def steady(n, *, seed):
    """Windows with the overall standard deviation of `calm_and_storm`, Gaussian."""
    size = np.sqrt(np.exp(2))
    return size * np.random.default_rng(seed).normal(size=(n, LENGTH, FEATURES))


def autoregression(n, weight, *, seed, length=30):
    """AR(1) paths of changes, stationary, innovations of variance 1."""
    noise = np.random.default_rng(seed).normal(size=(n, length, 1))
    path = noise.copy()
    path[:, 0] /= np.sqrt(1 - weight**2)
    for day in range(1, length):
        path[:, day] += weight * path[:, day - 1]
    return path


# Fidelity -------------------------------------------------------------------------


def auc(known, taught, real, asked, **options):
    """Signed AUC on `real` and `asked` of a judge that learnt the other two."""
    score = judges.classify(
        np.concatenate([known, taught]),
        np.repeat([0, 1], [len(known), len(taught)]),
        np.concatenate([real, asked]),
        scale=judges.scale_of(known),
        **options,
    )
    return roc_auc_score(np.repeat([0, 1], [len(real), len(asked)]), score)


@pytest.mark.long
@pytest.mark.parametrize("judge", ["lstm", "boosting"])
def test_judge_tells_a_gaussian_and_not_more_of_the_same(judge):
    known, real = calm_and_storm(600, seed=1), calm_and_storm(400, seed=2)
    more = calm_and_storm(600, seed=3), calm_and_storm(400, seed=4)
    same = auc(known, more[0], real, more[1], judge=judge)
    # Twice the half-width that chance allows: one seed in some 10,000 goes beyond.
    assert abs(same - 0.5) < 2 * (judges.chance_limit(400, 400) - 0.5)
    calm = steady(600, seed=3), steady(400, seed=4)
    assert auc(known, calm[0], real, calm[1], judge=judge) > 0.85


@pytest.mark.long
def test_a_judge_that_learns_held_out_windows_holds_their_regime_against_all():
    past, later = calm_and_storm(600, seed=1), 3 * calm_and_storm(800, seed=2)
    honest, asked = calm_and_storm(600, seed=3), calm_and_storm(400, seed=4)
    # The size alone, read without an error, would give Phi(log 3 / sqrt(2)) = .78.
    assert auc(later[:400], honest, later[400:], asked) > 0.65
    # One judge of the past strays to either side; with its swap it is fair.
    pairs = (past, honest), (honest, past)
    fair = [auc(*pair, later[400:], asked) for pair in pairs]
    assert np.mean(fair) == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_verdicts():
    x = [calm_and_storm(80, seed=s) for s in range(3)]
    arguments = np.concatenate(x[:2]), np.repeat([0, 1], 80), x[2]
    options = {"scale": judges.scale_of(x[0]), "judge": "lstm", "steps": 4}
    first, again, other = (
        judges.classify(*arguments, seed=seed, **options) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_unknown_judge_is_named():
    few = calm_and_storm(8, seed=0)
    with pytest.raises(ValueError, match="judge: 'gru' is not one of"):
        judges.classify(few, np.repeat([0, 1], 4), few, scale=np.ones(2), judge="gru")


def test_chance_limit_holds_what_it_says():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], 60)
    beyond = 0
    for _ in range(400):
        area = roc_auc_score(label, random.normal(size=120))
        beyond += 0.5 + abs(area - 0.5) > judges.chance_limit(60, 60)
    assert 6 <= beyond <= 36  # 20 expected; binomial, three standard deviations


def test_overlap_widens_what_chance_allows():
    assert judges.chance_limit(1600, 1600, overlap=24) > judges.chance_limit(1600, 1600)
    assert judges.chance_limit(1, 1) == 1.0


def test_features_are_finite_even_for_constant_windows():
    features = judges.window_features(np.zeros((3, 8, 4)))
    assert features.shape == (3, 11 * 4 + 6 + 2)
    assert np.isfinite(features).all()
    assert judges.window_features(np.ones((2, 2, 1))).shape == (2, 13)


def test_features_show_volatility_clusters():
    random = np.random.default_rng(0)
    storm = np.where(np.arange(24) < 12, 0.1, 3.0)[:, None]
    clustered = storm * random.normal(size=(200, 24, 1))
    shuffled = random.permuted(clustered, axis=1)
    lag_1 = 8  # the first of the three autocorrelations of absolute changes
    assert judges.window_features(clustered)[:, lag_1].mean() > 0.25
    assert judges.window_features(shuffled)[:, lag_1].mean() < 0.05


# Utility --------------------------------------------------------------------------


def test_levels_are_paths_and_absolute_values_are_sizes():
    changes = np.array([[[1.0], [-2.0], [4.0]]])
    x, y = judges.forecasting_task(changes, np.array([2.0]), task="levels")
    np.testing.assert_array_equal(x[0, :, 0], [0, 0.5, -0.5])
    np.testing.assert_array_equal(y, [[1.5]])
    x, y = judges.forecasting_task(changes, np.array([1.0]), task="absolute")
    np.testing.assert_array_equal(x[0, :, 0], [1, 2])
    np.testing.assert_array_equal(y, [[4]])


def test_naive_forecasts():
    train = np.array([[[9.0], [1.0]], [[9.0], [2.0]], [[9.0], [60.0]]])
    test = np.array([[[5.0], [-3.0]]])
    naive = judges.naive_errors(train, test, scale=np.ones(1), task="absolute")
    assert naive["constant"] == pytest.approx(1)  # |3 - median(1, 2, 60)|
    assert naive["no change"] == pytest.approx(2)  # |3 - 5|


def test_forecaster_comes_near_the_best_error():
    train, test = (autoregression(800, 0.9, seed=s) for s in (1, 2))
    arguments = {"scale": np.ones(1), "task": "absolute", "steps": 300, "looks": 3}
    errors, curve = judges.utility(train, test, **arguments)
    naive = judges.naive_errors(train, test, scale=np.ones(1), task="absolute")
    assert errors.shape == (800,)
    assert len(curve) == 3
    assert curve[-1] == pytest.approx(errors.mean(), rel=1e-5)
    assert errors.mean() < naive["constant"].mean()
    # Knowing yesterday to the bit, |y| of N(.9 y', 1) errs by about sqrt(2 / pi) at
    # most; the forecaster may lose a tenth of that.
    assert errors.mean() < 1.1 * np.sqrt(2 / np.pi)


@pytest.mark.parametrize(("steps", "looks", "points"), [(5, 10, 5), (99, 10, 10)])
def test_the_forecaster_makes_as_many_updates_as_asked(
    monkeypatch, steps, looks, points
):
    made = []
    fit = judges.loop.fit

    def watched(model, *data, **options):
        history = fit(model, *data, **options)
        made.append(int(model.optimizer.iterations))
        return history

    monkeypatch.setattr(judges.loop, "fit", watched)
    paths = autoregression(50, 0.5, seed=1)
    _, curve = judges.utility(paths, paths, scale=np.ones(1), steps=steps, looks=looks)
    assert made == [steps]
    assert len(curve) == points


def test_windows_of_one_change_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 1, 2\) is not .* at least 2"):
        judges.window_features(np.zeros((5, 1, 2)))


@pytest.mark.long
def test_a_bad_source_has_a_price():
    test = autoregression(500, 0.9, seed=2)
    arguments = {"scale": np.ones(1), "task": "absolute", "steps": 300, "looks": 1}
    real, _ = judges.utility(autoregression(800, 0.9, seed=1), test, **arguments)
    size = 1 / np.sqrt(1 - 0.9**2)
    white = size * autoregression(800, 0.0, seed=3)
    poor, _ = judges.utility(white, test, **arguments)
    assert poor.mean() / real.mean() > 1.3


def test_unknown_task_is_named():
    with pytest.raises(ValueError, match="task: 'returns' is not one of"):
        judges.forecasting_task(np.zeros((2, 3, 1)), np.ones(1), task="returns")
