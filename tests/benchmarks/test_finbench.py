"""The leaderboard's protocol as benchmarks/finbench.py has it."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, benchmark

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def finbench():
    """Return the script as a module."""
    return benchmark("finbench")


@pytest.fixture(scope="module")
def panel():
    """Return prices, and levels of two series that are differenced."""
    days = pd.bdate_range("2009-12-28", "2020-01-15", name="date")
    random = np.random.default_rng(0)
    steps = 0.01 * random.standard_t(5, size=(len(days), 7))
    values = 50 * np.exp(steps.cumsum(axis=0))
    return pd.DataFrame(
        values, index=days, columns=["VIX", "QQQ", "SPY", "TLT", "IWM", "TNX", "DXY"]
    )


def test_training_changes_end_with_2019_and_know_their_kind(finbench, panel):
    changes = finbench.changes_of(finbench.training_panel(panel))
    inside = panel.loc["2010-01-01":"2019-12-31"]
    assert changes.shape == (len(inside) - 1, 7)
    spy, vix = (finbench.SERIES.index(name) for name in ("SPY", "VIX"))
    np.testing.assert_allclose(changes[:, spy], np.diff(np.log(inside["SPY"])))
    np.testing.assert_allclose(changes[:, vix], np.diff(inside["VIX"]))
    other = panel.copy()
    other.loc["2020-01-01":] *= 7
    after = finbench.changes_of(finbench.training_panel(other))
    np.testing.assert_array_equal(changes, after)


def by_hand(path):
    """Say what each strategy earns on one path (days, series), day by day."""
    days, series = path.shape
    profits = []
    for lookback in (3, 5, 10, 20):
        cross, momentum = [], []
        reversion = {0.5: [], 1.0: [], 1.5: []}
        for t in range(lookback, days - 1):
            past = path[t - lookback + 1 : t + 1].sum(axis=0)
            long = sorted(range(series), key=lambda i: past[i])[series // 2 :]
            weight = [1 / 3 if i in long else -1 / 3 for i in range(series)]
            cross.append(sum(w * x for w, x in zip(weight, path[t + 1], strict=True)))
            momentum.append(np.mean(np.sign(past) * path[t + 1]))
            before = path[t - lookback : t]
            z = (path[t] - before.mean(axis=0)) / (before.std(axis=0) + 1e-9)
            for threshold, earned in reversion.items():
                side = [(-1 if s > threshold else s < -threshold) for s in z]
                earned.append(np.mean(np.array(side, float) * path[t + 1]))
        profits += [cross, [-x for x in cross], momentum, *reversion.values()]
    return [np.mean(p) / (np.std(p) + 1e-12) * np.sqrt(252) for p in profits]


def test_strategies_earn_what_the_protocol_says(finbench):
    paths = np.random.default_rng(1).normal(size=(3, 60, 7))
    expected = np.mean([by_hand(path) for path in paths], axis=0)
    np.testing.assert_allclose(finbench.sharpes(paths), expected, rtol=1e-6)


def test_paths_are_ranked_as_themselves_and_against_their_mirror(finbench):
    noise = np.random.default_rng(2).normal(size=(50, 61, 7))
    trending = noise[:, 1:] + 0.5 * noise[:, :-1]
    turning = noise[:, 1:] - 0.5 * noise[:, :-1]
    same = finbench.strategy_scores(trending, [trending, trending])
    assert same == {"rho": pytest.approx(1), "sharpe_gap": pytest.approx(0)}
    other = finbench.strategy_scores(trending, [turning])
    assert other["rho"] < -0.7
    assert other["sharpe_gap"] > 1


def test_draws_are_averaged_before_they_are_compared(finbench):
    paths = np.random.default_rng(3).normal(size=(3, 40, 60, 7))
    truth, *each = [finbench.sharpes(x) for x in paths]
    gap = finbench.strategy_scores(paths[0], list(paths[1:]))["sharpe_gap"]
    assert gap == pytest.approx(np.abs(truth - np.mean(each, axis=0)).mean())


def test_filtered_simulation_has_the_scale_and_clusters_of_its_input(finbench):
    random = np.random.default_rng(0)
    calm = np.repeat(np.exp(0.6 * random.normal(size=40)), 60)[:, None]
    changes = calm * random.normal(size=(2400, 2)) * [1.0, 0.01]
    paths = finbench.filtered_simulation(changes, 2000, seed=1)
    assert paths.shape == (2000, 60, 2)
    np.testing.assert_allclose(paths.std(axis=(0, 1)), changes.std(axis=0), rtol=0.25)
    size = np.abs(paths)
    facts = finbench.facts
    assert facts.autocorrelation(size, 1).min() > 0.1
    assert abs(facts.autocorrelation(paths, 1)).max() < 0.05
    again = finbench.filtered_simulation(changes, 2000, seed=1)
    np.testing.assert_array_equal(paths, again)


def test_floors_draw_paths_in_the_units_of_the_changes(finbench, panel):
    changes = finbench.changes_of(finbench.training_panel(panel))[:400]
    for name, draw in finbench.floors(changes).items():
        paths = draw(0)
        assert paths.shape == (200, 60, 7), name
        ratio = paths.std(axis=(0, 1)) / changes.std(axis=0)
        assert ratio.min() > 0.6, name
        assert ratio.max() < 1.6, name
        assert (draw(1) != paths).any(), name


@pytest.mark.nightly
def test_training_ends_in_paths_of_changes(finbench, panel, tmp_path):
    few = finbench.training_panel(panel)[:200]
    settings = {"steps": 2, "checkpoint_dir": tmp_path}
    draw = finbench.train(few, 3, **settings)
    paths = draw(0)
    assert paths.shape == (200, 60, 7)
    assert (tmp_path / "finbench-3.weights.h5").exists()
    # Calibrated by ranks, so that the scale is right after any number of steps.
    ratio = paths.std(axis=(0, 1)) / finbench.changes_of(few).std(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.35)
    with pytest.warns(UserWarning, match="nothing to do"):
        again = finbench.train(few, 3, **settings)(0)
    np.testing.assert_allclose(again, paths)


def test_submissions_are_trainings_of_a_name(finbench, tmp_path):
    good, bad = tmp_path / "good.npy", tmp_path / "bad.npy"
    np.save(good, np.zeros((2, 200, 60, 7)))
    np.save(bad, np.zeros((2, 60, 7)))
    found = finbench.read_submissions([f"ours={good}", f"ours={good}", f"b={good}"])
    assert [(name, len(files)) for name, files in found.items()] == [
        ("ours", 2),
        ("b", 1),
    ]
    for wrong in (f"ours={bad}", str(good)):
        with pytest.raises(SystemExit, match=r"give NAME=FILE.npy with an array"):
            finbench.read_submissions([wrong])


@pytest.mark.nightly
def test_a_whole_run_writes_what_it_prints(finbench, panel, tmp_path, capsys):
    real, file = tmp_path / "real.npy", tmp_path / "panel.parquet"
    np.save(real, np.random.default_rng(5).normal(size=(200, 60, 7)))
    panel.to_parquet(file)
    output = tmp_path / "finbench.json"
    finbench.main(["--panel", str(file), "--real", str(real), "--output", str(output)])
    printed = capsys.readouterr().out.splitlines()
    result = json.loads(output.read_text(encoding="utf-8"))
    assert json.loads(printed[-1]) == result
    assert set(finbench.PUBLISHED) <= {line.split("  ")[0] for line in printed[1:-1]}
    assert len(result["panel_sha256"]) == 64
    assert result["rows"]["real training windows"]["nearest_median"] < 1e-3
    assert result["rows"]["held-out windows"]["nearest_low"] > 1


def test_a_python_without_finval_is_an_error_of_one_line(finbench):
    paths = np.zeros((2, 3, 60, 7))
    with pytest.raises(SystemExit, match="finbench: finval failed in"):
        finbench.finval_scores(sys.executable, paths[0], list(paths))


def test_the_stored_table_has_fourteen_metrics_of_every_floor(finbench, panel):
    path = ROOT / "gan_notes" / "evaluation" / "stored" / "finbench.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    floors = finbench.floors(finbench.changes_of(finbench.training_panel(panel)))
    for name in floors:
        row = result["rows"][name]
        assert len(row["metrics"]) == 14
        assert row["finval"] == "0.1.0"
        assert 0 < row["score"] < 1
    real = result["rows"]["real training windows"]
    # What a perfect generator of the past scores, over draws: .01, .02 and .03.
    assert real["score"] == pytest.approx(0.796, abs=0.02)
    assert real["rho"] == pytest.approx(0.88, abs=0.04)
    assert real["sharpe_gap"] == pytest.approx(0.26, abs=0.06)


def test_the_returns_generator_holds_on_the_leaderboard(finbench):
    """Mean of five trainings, five draws each, with nothing tuned on 2020 to 2023."""
    path = ROOT / "gan_notes" / "evaluation" / "stored" / "finbench.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    row, held_out = (result["rows"][n] for n in ("ReturnsGAN", "held-out windows"))
    assert len(row["trainings"]) == 5
    assert (result["steps"], result["draws"]) == (finbench.STEPS, finbench.DRAWS)
    means = {k: np.mean([each[k] for each in row["trainings"]]) for k in held_out}
    for name in ("score", "rho", "sharpe_gap", "c2st_accuracy"):
        means[name] = np.mean([each[name] for each in row["trainings"]])
    for name, mean in means.items():
        assert row[name] == pytest.approx(mean), name
    assert means["score"] >= 0.78
    assert means["rho"] >= 0.82
    assert means["sharpe_gap"] <= 0.48
    for near in held_out:
        assert means[near] >= 0.95 * held_out[near]
    assert len(row["metrics"]) == 14
