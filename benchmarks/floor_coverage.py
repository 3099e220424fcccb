"""Does the floor of the fidelity judges hold what it should? A simulated market says.

    python benchmarks/floor_coverage.py [--runs 100]

Each run draws a new market of independent windows whose volatility wanders, and a
held-out period that is 1.3 or 1.6 times as volatile. Fresh real days are then what a
perfect generator would give, so the interval of their signed AUC should cover .5 in 95
of 100 runs. Beside them, in the first runs: one Gaussian, days in random order across
windows, and days in random order within each window, which must be told apart.

The settings are cheap (boosting, 8 splits, 30 trees), so that a test can recompute a
sample. The last line is JSON; the same goes to benchmarks/floor_coverage.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import record

from gan_notes import notebooks
from gan_notes.evaluation import baselines, fidelity
from gan_notes.evaluation.distances import mean_interval

LENGTH, FEATURES, TRAIN, TEST = 24, 2, 600, 200
VOLATILITIES = (1.3, 1.6)
CHEAP = {"splits": 8, "steps": 30, "stride": LENGTH}
APART = 5  # runs in which others than fresh real days are judged as well


def market(n, *, seed, volatility=1.0):
    """Independent windows of two tickers whose common volatility wanders by the day."""
    random = np.random.default_rng(seed)
    mood = random.normal(size=(n, LENGTH))
    for day in range(1, LENGTH):
        mood[:, day] = 0.9 * mood[:, day - 1] + np.sqrt(1 - 0.9**2) * mood[:, day]
    common = random.normal(size=(n, LENGTH, 1))
    own = random.normal(size=(n, LENGTH, FEATURES))
    return volatility * np.exp(0.7 * mood)[..., None] * (0.6 * common + 0.8 * own)


def run(number, volatility, candidate="fresh real"):
    """Judge one candidate in one market; return value, low, high."""
    train = market(TRAIN, seed=[number, 0])
    test = market(TEST, seed=[number, 1], volatility=volatility)
    random = np.random.default_rng([number, 2])
    synthetic = {
        "fresh real": lambda: None,
        "more of the same": lambda: market(TRAIN, seed=[number, 3]),
        "Gaussian": lambda: baselines.gaussian(train, TRAIN, seed=number),
        "iid days": lambda: random.permutation(train.reshape(-1, FEATURES)).reshape(
            train.shape
        ),
        "time-shuffled": lambda: np.stack([random.permutation(x) for x in train]),
    }[candidate]()
    areas = fidelity.signed_auc(train, test, synthetic, seed=number, **CHEAP)
    return mean_interval(areas)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    result = {"runs": runs, "fresh real": {}, "told apart": {}}
    for volatility in VOLATILITIES:
        found = [run(number, volatility) for number in range(runs)]
        covered = sum(low <= 0.5 <= high for _, low, high in found)
        result["fresh real"][str(volatility)] = {
            "covers .5": covered,
            "mean": float(np.mean([value for value, _, _ in found])),
            "intervals": found,
        }
        print(f"{volatility} times: fresh real covers .5 in {covered} of {runs} runs")
        for candidate in ("more of the same", "Gaussian", "iid days", "time-shuffled"):
            found = [run(number, volatility, candidate) for number in range(APART)]
            values = ", ".join(f"{v:.2f} [{a:.2f}, {b:.2f}]" for v, a, b in found)
            print(f"  {candidate}: {values}")
            result["told apart"].setdefault(candidate, {})[str(volatility)] = found
    result |= notebooks.provenance()
    record.keep(Path(__file__).with_suffix(".json"), result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
