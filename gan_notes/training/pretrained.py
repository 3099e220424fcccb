"""Weights that ship with the package, each with where it comes from.

``weights/<name>.npz`` is a checkpoint without the state of its optimizers, and
``weights/<name>.json`` tells its provenance: command, commit, seeds, versions, the
hash of its data, hardware. Chapters load them where ``train`` is False.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from gan_notes.training import loop

FOLDER = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Return the names of all shipped weights."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def provenance(name: str) -> dict:
    """Return where shipped weights come from.

    Raises
    ------
    ValueError
        No weights of that name ship; the message lists those that do.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        raise ValueError(
            f"{name!r} has no shipped weights. There are: {', '.join(names())}. "
            f"Set train=True to train it here."
        )
    return json.loads(path.read_text())


def load(model: keras.Model, *data: np.ndarray) -> pd.DataFrame:
    """Load the shipped weights that bear the model's name.

    Parameters
    ----------
    model : keras.Model
        A GAN, a TimeGAN, or a built Keras model, shaped as it was when trained.
    *data : arrays
        The reader's training data, as given to ``fit``, where weights for other data
        would mislead, as with prices. They must be what the weights were trained on.

    Returns
    -------
    DataFrame, the loss history of the training.

    Raises
    ------
    ValueError
        No such weights, another network, or other data. The message says to train.
    """
    about = provenance(model.name)
    settings = about["settings"]
    if data and settings["data"] != loop.fingerprint(*data):
        raise ValueError(
            f"train=False: the shipped weights {model.name!r} were trained on other "
            f"data ({about['parameters']}). Set train=True to train on yours."
        )
    try:
        history = loop.restore(FOLDER / f"{model.name}.npz", model, settings=settings)
    except ValueError as error:
        raise ValueError(
            f"train=False: the shipped weights {model.name!r} do not fit the network "
            f"of these parameters (they had {about['parameters']}). Set train=True."
        ) from error
    model.resumed, model.settings = True, settings
    if hasattr(model, "history_by_phase"):
        return model.history_by_phase()
    return history
