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
POINTS = 20_000  # real ones
DRAWN = 4_000  # synthetic ones that are judged
# How points are drawn, the centres, and the width of each mode. The grid's are wider:
# 25 narrow ones are more than networks this small find within minutes.
TOYS = {
    "ring": (toys.gaussian_ring, toys.ring_centres(), 0.05),
    "grid": (toys.gaussian_grid, toys.grid_centres(), 0.07),
}


def data(toy: str) -> np.ndarray:
    """Return the real points of one of the toys.

    Parameters
    ----------
    toy : "ring" or "grid"
        8 Gaussians of width 0.05 at radius 2, or 25 of width 0.07 at distances of 1.

    Returns
    -------
    float32 array (20,000, 2), always the same

    Raises
    ------
    ValueError
        Another name.
    """
    draw, _, std = _known(toy)
    return draw(POINTS, std=std)


def score(toy: str, points: np.ndarray) -> dict:
    """Judge points by :func:`gan_notes.evaluation.distances.mode_scores`.

    Parameters
    ----------
    toy : str
        As for :func:`data`.
    points : float array (n, 2)

    Returns
    -------
    dict of "modes", "high quality" and "spread"
    """
    _, centres, std = _known(toy)
    return mode_scores(points, centres=centres, std=std)


def _known(toy: str) -> tuple:
    if toy not in TOYS:
        raise ValueError(f"toy: {toy!r} is unknown; choose from {[*TOYS]}.")
    return TOYS[toy]


def train(
    candidate: str, toy: str, *, seed: int, at: Sequence[int]
) -> list[dict[str, float]]:
    """Train one candidate on one toy and judge it on the way.

    Parameters
    ----------
    candidate : str
        One of ``gan_notes.models.cures.CANDIDATES``.
    toy : str
        As for :func:`data`.
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
    points, gan, rows = data(toy), cures.build(candidate, seed=seed), []
    for steps in sorted(set(at)):
        gan.fit(points, steps=steps, batch_size=cures.BATCH, verbose=0)
        scores = score(toy, gan.generate(DRAWN, seed=seed))
        loss = float(gan.loss_history["d_loss"].iloc[-1])
        rows.append({"steps": steps, **scores, "d_loss": loss})
    return rows


def stored() -> tuple[pd.DataFrame, dict]:
    """Return the table of all candidates over five seeds, computed before.

    Returns
    -------
    rows : DataFrame
        A row for each training and each time it was judged: "toy", "candidate",
        "seed", "budget" ("updates", "seconds", or "" in between), "steps", "modes",
        "high quality", "spread", "d_loss".
    about : dict
        Its command, commit, versions, hardware and date; "milliseconds" of a step by
        candidate, on one thread, and "seconds", the second budget.
    """
    about = json.loads(STORED.read_text(encoding="utf-8"))
    return pd.DataFrame(about.pop("rows"), columns=about.pop("columns")), about
