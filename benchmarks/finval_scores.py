"""Score arrays with finval, in whatever environment has it: see finbench.py.

    python benchmarks/finval_scores.py FILE.npz [METRIC ...]

The file holds "real" (n, days, series) and "synthetic" (draws, n, days, series), both
changes. Prints JSON: finval's version, and for each draw its overall score, its metrics
and their grades, and the accuracy of the classifier test where that is among them. With
METRICs only those are computed. Needs nothing of gan_notes.
"""

import importlib.metadata
import json
import sys

import finval
import numpy as np


def score(real, synthetic, metrics):
    """Return finval's verdict on one draw."""
    report = finval.validate_paths(synthetic, real, metrics=metrics or "all")
    found = {
        "score": report.overall_score,
        "metrics": {name: one.value for name, one in report.metrics.items()},
        "grades": {name: one.quality for name, one in report.metrics.items()},
    }
    if "c2st" in report.metrics:
        found["c2st_accuracy"] = report.metrics["c2st"].metadata["accuracy"]
    return found


if __name__ == "__main__":
    arrays = np.load(sys.argv[1])
    draws = [score(arrays["real"], x, sys.argv[2:]) for x in arrays["synthetic"]]
    result = {"finval": importlib.metadata.version("finval"), "draws": draws}
    print(json.dumps(result, default=float))
