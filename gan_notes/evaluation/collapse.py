"""Which cure keeps the modes? The experiment of chapter 03, and its stored table.

Every training of the table is a call of :func:`train`; ``benchmarks/dynamics.py``
makes all of them and stores what they scored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gan_notes.data import toys
from gan_notes.evaluation.distances import mode_scores
from gan_notes.models import cures

STORED = Path(__file__).parent / "stored" / "cures.json"
STD = 0.05  # of each mode
POINTS = 20_000  # real ones
DRAWN = 4_000  # synthetic ones that are judged
DATA = {
    "ring": (toys.gaussian_ring, toys.ring_centres),
    "grid": (toys.gaussian_grid, toys.grid_centres),
}


def data(name: str, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the points and the centres of one of the two toys.

    Parameters
    ----------
    name : "ring" or "grid"
        8 Gaussians at radius 2, or 25 at distances of 1; all of width STD.
    seed : int
        Of the points.

    Returns
    -------
    float32 arrays (20,000, 2) and (8, 2) or (25, 2)

    Raises
    ------
    ValueError
        Another name.
    """
    if name not in DATA:
        raise ValueError(f"name: {name!r} is unknown; choose from {[*DATA]}.")
    points, centres = DATA[name]
    return points(POINTS, std=STD, seed=seed), centres()


def train(
    candidate: str, name: str, *, seed: int, at: Sequence[int]
) -> list[dict[str, float]]:
    """Train one candidate on one toy and judge it on the way.

    Parameters
    ----------
    candidate : str
        One of :data:`gan_notes.models.cures.CANDIDATES`.
    name : str
        Of the toy, see :func:`data`.
    seed : int
        Of the training. The real points are always the same.
    at : list of int
        Generator updates after which 4,000 points are judged.

    Returns
    -------
    list of dict
        For each of `at`, ascending: "steps", the three scores of
        :func:`gan_notes.evaluation.distances.mode_scores`, and "d_loss" as trained.
    """
    points, centres = data(name)
    gan, rows = cures.build(candidate, seed=seed), []
    for steps in sorted(set(at)):
        gan.fit(points, steps=steps, batch_size=cures.BATCH, verbose=0)
        drawn = gan.generate(DRAWN, seed=seed)
        scores = mode_scores(drawn, centres=centres, std=STD)
        loss = float(gan.loss_history["d_loss"].iloc[-1])
        rows.append({"steps": steps, **scores, "d_loss": loss})
    return rows


def stored() -> tuple[pd.DataFrame, dict]:
    """Return the table of all candidates over five seeds, computed before.

    Returns
    -------
    rows : DataFrame
        A row for each training and each time it was judged: "data", "candidate",
        "seed", "budget" ("updates", "seconds", or "" in between), "steps", "modes",
        "high quality", "spread", "d_loss".
    about : dict
        Its command, commit, versions, hardware and date; "milliseconds" of a step by
        candidate, on one thread, and "seconds", the second budget.
    """
    about = json.loads(STORED.read_text(encoding="utf-8"))
    return pd.DataFrame(about.pop("rows"), columns=about.pop("columns")), about
