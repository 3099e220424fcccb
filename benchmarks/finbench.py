"""FinBench v1, a public leaderboard of path generators, beside the floors it lacks.

    python benchmarks/finbench.py --panel panel.parquet --real real_paths.npy \
        [--trainings 5 --checkpoint-dir FOLDER] [--submission NAME=FILE.npy ...] \
        [--finval PYTHON] [--newer-finval PYTHON] [--output FILE]

Protocol (BENCHMARK.md of the repository sablier-it/finbench): seven daily series,
trained on 2010 to 2019, judged on 2020 to 2023; five draws of 200 paths of 60 changes,
which are log-returns, or first differences of VIX and TNX. Scores: finval 0.1.0
(fourteen metrics and a score from 0 to 1, higher is better), and 24 trading strategies,
whose Sharpe ratios on synthetic and real paths are compared by Spearman's rho and the
mean absolute difference. The score adds up grades (excellent 1, good .75, acceptable
.5, poor 0), so it moves in steps: the metrics stand beside it in the JSON.

Floors, which the leaderboard does not print: real training windows (the perfect
generator of the past), a stationary bootstrap, filtered historical simulation, GARCH,
one Gaussian. With them stands how near the paths come to the training windows.

--trainings adds the returns generator, trained as often, seeds 0, 1, ...; a training
that was stopped goes on from the folder. --submission adds a row for arrays (draws,
200, 60, 7), several files of one NAME being several trainings. --finval is the Python
of an environment with finval 0.1.0, --newer-finval one with a later finval, whose
classifier test (C2ST) is a second opinion. The last line is JSON; the same goes to
--output, for chapter 07 gan_notes/evaluation/stored/finbench.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import record
from scipy import stats

from gan_notes import notebooks
from gan_notes.data import transforms
from gan_notes.data.transforms import Transform
from gan_notes.evaluation import baselines, facts

SERIES = ["IWM", "QQQ", "SPY", "TLT", "VIX", "TNX", "DXY"]
DIFFERENCED = ["VIX", "TNX"]  # not log-returns
TRAINING = slice("2010-01-01", "2019-12-31")
DAYS, PATHS, DRAWS = 60, 200, 5
STEPS = 6_000  # of the returns generator; windows of 24 days have 10,000
LAGS = (1, 2, 5, 10)  # of the autocovariances that its critic sees
BLOCK = 20  # days, of the bootstrap
DECAY = 0.94  # of the variance in filtered historical simulation, RiskMetrics' for days
LOOKBACKS = (3, 5, 10, 20)
THRESHOLDS = (0.5, 1.0, 1.5)

# LEADERBOARD.md of the benchmark's repository, commit 0e0aeec; finval 0.1.0.
PUBLISHED = {
    "Sablier-Flow (closed)": {"score": 0.794, "rho": 0.850, "sharpe_gap": 0.361},
    "KoVAE": {"score": 0.616, "rho": 0.860, "sharpe_gap": 0.308},
    "Diffusion-TS": {"score": 0.521, "rho": -0.724, "sharpe_gap": 93.6},
    "TimeVAE": {"score": 0.403, "rho": -0.788, "sharpe_gap": 6.26},
    "TimeGAN": {"score": 0.388, "rho": 0.535, "sharpe_gap": 4.91},
}


def training_panel(panel):
    """Return the seven series of the training period, float64 (days, 7)."""
    panel = panel[SERIES].astype("float64").loc[TRAINING]
    Transform.check(panel, "normal_scores", DIFFERENCED)
    return panel


def changes_of(panel):
    """Return log-returns, and first differences where those are due, (days - 1, 7)."""
    signed = [name in DIFFERENCED for name in panel]
    return transforms.changes(panel.to_numpy(), signed)


def windows_of(days, length=DAYS):
    """Return all windows (n, length, 7) of rows (days, 7)."""
    view = np.lib.stride_tricks.sliding_window_view(days, length, axis=0)
    return np.ascontiguousarray(view.transpose(0, 2, 1))


def filtered_simulation(changes, n, *, length=DAYS, seed=0):
    """Draw days of shocks, and give them a volatility that moves on with them.

    Filtered historical simulation: each series is divided by its exponentially
    weighted deviation; whole days of these shocks are drawn, one by one, and the
    variance goes on from that of a random training day, the same for all series.
    """
    variance = np.empty((len(changes) + 1, changes.shape[1]))
    variance[0] = changes.var(axis=0)
    for day, change in enumerate(changes):
        variance[day + 1] = DECAY * variance[day] + (1 - DECAY) * change**2
    shocks = changes / np.sqrt(variance[:-1])
    random = np.random.default_rng(seed)
    now = variance[random.integers(len(variance), size=n)]
    drawn = shocks[random.integers(len(shocks), size=(n, length))]
    paths = np.empty_like(drawn)
    for day in range(length):
        paths[:, day] = np.sqrt(now) * drawn[:, day]
        now = DECAY * now + (1 - DECAY) * paths[:, day] ** 2
    return paths


def floors(changes):
    """Return what to beat: names and functions of the seed that draw 200 paths."""
    windows = windows_of(changes)
    # One column's unit must not outweigh another's in what fits them together.
    unit = changes.std(axis=0)

    def scaled(baseline, **options):
        return lambda seed: unit * baseline(windows / unit, PATHS, seed=seed, **options)

    return {
        "real training windows": scaled(baselines.copycat),
        "stationary bootstrap, 20 days": scaled(baselines.bootstrap, block=BLOCK),
        "filtered historical simulation": lambda seed: filtered_simulation(
            changes, PATHS, seed=seed
        ),
        "GARCH, Gaussian copula": scaled(baselines.garch),
        "one Gaussian": scaled(baselines.gaussian),
    }


def train(panel, seed, *, steps, checkpoint_dir):
    """Train the returns generator; return a function of the seed that draws 200 paths.

    The only place that knows which generator of ours competes. Its settings are those
    of windows of 24 days, but for the steps and the longest lag, and untuned here.
    """
    from gan_notes.models.returns import ReturnsGAN

    transform = Transform.fit(panel, "normal_scores", DIFFERENCED)
    windows = transform.apply(windows_of(panel.to_numpy(), DAYS + 1))
    name = f"finbench-{seed}"
    model = ReturnsGAN(DAYS, len(SERIES), lags=LAGS, seed=seed, name=name)
    model.compile(decay_steps=steps)
    model.fit(windows, steps=steps, batch_size=256, checkpoint_dir=checkpoint_dir)
    return lambda draw: transform.unscale(model.generate(PATHS, seed=draw))


def sharpes(paths):
    """Return the mean annual Sharpe ratio of each of the 24 strategies, (24,).

    Parameters
    ----------
    paths : float array (n, days, series)
        A strategy decides at the end of day t and earns the changes of day t + 1.
    """
    paths = np.asarray(paths, dtype="float64")
    half = paths.shape[2] // 2
    tomorrow = paths[:, 1:]
    found = []
    for lookback in LOOKBACKS:
        # From day `lookback` to the last but one.
        earned = tomorrow[:, lookback:]
        sums = np.cumsum(paths, axis=1)
        past = (sums[:, lookback:] - sums[:, :-lookback])[:, :-1]
        rank = past.argsort(axis=2).argsort(axis=2)
        cross = (np.where(rank >= half, 1, -1) / half * earned).sum(axis=2)
        profits = [cross, -cross, (np.sign(past) * earned).mean(axis=2)]
        view = np.lib.stride_tricks.sliding_window_view(paths, lookback, axis=1)
        before = view[:, : earned.shape[1]]  # the days before day t
        today = paths[:, lookback:-1]
        z = (today - before.mean(axis=3)) / (before.std(axis=3) + 1e-9)
        for threshold in THRESHOLDS:
            side = np.where(z < -threshold, 1.0, np.where(z > threshold, -1.0, 0.0))
            profits.append((side * earned).mean(axis=2))
        for profit in profits:
            ratio = profit.mean(axis=1) / (profit.std(axis=1) + 1e-12)
            found.append(ratio.mean() * np.sqrt(252))
    return np.array(found)


def strategy_scores(real, draws):
    """Compare Sharpe ratios on real paths with their means over draws."""
    truth = sharpes(real)
    synthetic = np.mean([sharpes(draw) for draw in draws], axis=0)
    return {
        "rho": float(stats.spearmanr(truth, synthetic).statistic),
        "sharpe_gap": float(np.abs(truth - synthetic).mean()),
    }


def nearness(windows, paths, unit):
    """Return how near paths come to training windows: median and 1st percentile."""
    apart = facts.nearest(windows / unit, paths / unit)
    median, low = np.percentile(apart, [50, 1])
    return {"nearest_median": float(median), "nearest_low": float(low)}


def finval_scores(python, real, draws, *metrics):
    """Score draws with the finval of another environment, by all metrics or some."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "paths.npz")
        np.savez(
            file, real=real.astype("float32"), synthetic=np.float32(np.stack(draws))
        )
        script = Path(__file__).with_name("finval_scores.py")
        done = subprocess.run(
            [python, script, file, *metrics],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode:
        sys.exit(f"finbench: finval failed in {python}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def score(real, trainings, windows, unit, options):
    """Return a row: every figure a mean over draws and trainings."""
    rows = []
    for draws in trainings:
        row = strategy_scores(real, draws)
        row |= nearness(windows, np.concatenate(draws), unit)
        if options.finval:
            report = finval_scores(options.finval, real, draws)
            draw = pd.DataFrame(report["draws"])
            row |= {"score": draw["score"].mean(), "score_std": draw["score"].std()}
            row["metrics"] = pd.DataFrame(list(draw["metrics"])).mean().to_dict()
            row["finval"] = report["finval"]
        if options.newer_finval:
            report = finval_scores(options.newer_finval, real, draws, "c2st")
            draw = pd.DataFrame(report["draws"])
            row["c2st_accuracy"] = draw["c2st_accuracy"].mean()
            row["newer_finval"] = report["finval"]
        rows.append(row)
    mean = pd.DataFrame(rows).drop(columns="metrics", errors="ignore")
    mean = mean.agg(lambda c: c.mean() if c.dtype.kind == "f" else c[0]).to_dict()
    if options.finval:
        mean["metrics"] = pd.DataFrame([r["metrics"] for r in rows]).mean().to_dict()
    if len(rows) > 1:
        mean["trainings"] = rows
    return mean


def read_submissions(given):
    """Return names and lists of arrays (draws, 200, 60, 7), a training each."""
    found = {}
    for one in given:
        name, _, path = one.partition("=")
        array = np.load(path) if path else None
        if array is None or array.shape[1:] != (PATHS, DAYS, len(SERIES)):
            sys.exit(
                f"finbench: --submission {one} came; give NAME=FILE.npy with an array "
                f"(draws, {PATHS}, {DAYS}, {len(SERIES)})."
            )
        found.setdefault(name, []).append(list(array))
    return found


def main(arguments=None):
    """Score floors and submissions, print a table, and write JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--panel", required=True)
    parser.add_argument("--real", required=True)
    parser.add_argument("--finval", help="a Python with finval 0.1.0")
    parser.add_argument("--newer-finval", help="a Python with a later finval")
    parser.add_argument("--trainings", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--checkpoint-dir", default="")
    parser.add_argument("--submission", action="append", default=[])
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    if options.trainings:
        notebooks.threads(recurrent=True)
        notebooks.repeatable(0)

    panel = training_panel(pd.read_parquet(options.panel))
    changes, real = changes_of(panel), np.load(options.real)
    submissions = read_submissions(options.submission)
    windows, unit = windows_of(changes), changes.std(axis=0)
    candidates = {
        name: [[draw(seed) for seed in range(DRAWS)]]
        for name, draw in floors(changes).items()
    }
    if options.trainings:
        settings = {"steps": options.steps, "checkpoint_dir": options.checkpoint_dir}
        ours = (train(panel, seed, **settings) for seed in range(options.trainings))
        candidates["ReturnsGAN"] = [
            [draw(seed) for seed in range(DRAWS)] for draw in ours
        ]
    candidates |= submissions
    rows = {
        name: score(real, trainings, windows, unit, options)
        for name, trainings in candidates.items()
    }
    rows["held-out windows"] = nearness(windows, real, unit)

    shown = ["score", "rho", "sharpe_gap", "c2st_accuracy"]
    shown += ["nearest_median", "nearest_low"]
    table = pd.DataFrame.from_dict(PUBLISHED | rows, orient="index")
    table = table.reindex(columns=shown)
    print(table.to_string(float_format="%.3f", na_rep="-"))
    result = {
        "commit": record.commit(),
        "trainings": options.trainings,
        "steps": options.steps,
        "panel_sha256": record.sha256(options.panel),
        "real_sha256": record.sha256(options.real),
        "draws": DRAWS,
        "published": PUBLISHED,
        "rows": rows,
        "seconds": round(time.perf_counter() - began),
        **notebooks.provenance(),
    }
    if options.output:
        record.keep(options.output, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
