"""Weights that ship with the package, each with where it comes from.

``weights/<name>.weights.h5`` is a checkpoint without the state of its optimizers, and
``weights/<name>.json`` tells its provenance (command, commit, seeds, versions, the
hash of its data, hardware) and how to build the model. Chapters load them where
``train`` is False.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from gan_notes.models import gan, returns, timegan  # noqa: F401  Keras knows them then
from gan_notes.models.base import StepModel
from gan_notes.training import checkpoint

FOLDER = Path(__file__).parent / "weights"
SOURCE = "gan-notes @ git+https://github.com/gan-notes/gan_notes"
FILM, FILM_SEED = 10, 2  # images in a frame of a film, and the seed of their noise


def pretrained(name: str | None = None, *data: np.ndarray):
    """Return a shipped model, see :func:`load`; without a name, the names of all."""
    return names() if name is None else load(name, *data)


def names() -> list[str]:
    """Return the names of all shipped weights."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


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
            f"{name!r} has no shipped weights. There are: {', '.join(names())}."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def load(name: str, *data: np.ndarray) -> keras.Model:
    """Return a shipped model, ready for use.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    *data : arrays
        The reader's training data, as given to ``fit``, where weights for other data
        would mislead, as with prices. They must be what the weights were trained on.

    Returns
    -------
    keras.Model
        A GAN, a TimeGAN or a Keras model, built as it was when it was trained (the GRU
        variant included), with its ``loss_history``. Its optimizers are new: to train
        it on gives other numbers than a training that never stopped.

    Raises
    ------
    ValueError
        No such weights, other data, or a damaged installation.
    """
    about = provenance(name)
    if data and about["settings"]["data"] != checkpoint.fingerprint(*data):
        raise ValueError(
            f"the shipped weights {name!r} were trained on other data "
            f"({about['parameters'] or 'the default parameters'}); train on yours "
            f"(in a chapter: train=True)."
        )
    path = FOLDER / f"{name}{checkpoint.ENDING}"
    try:
        training = checkpoint.read(path)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(
            f"the shipped weights {name!r} are damaged ({path}); install again: pip "
            f"install --force-reinstall --no-deps '{SOURCE}'"
        ) from error
    model = keras.saving.deserialize_keras_object(about["model"])
    with checkpoint.without_optimizers(model):
        model.load_weights(path)
    checkpoint.put_back(model, training)
    model.settings = training["settings"]
    if isinstance(model, StepModel):  # it was built from what ships with the weights
        model.settings = {**model.settings, "architecture": model.architecture()}
    return model


def film(name: str) -> dict[int, np.ndarray]:
    """Return what ten vectors of noise became while shipped weights were trained.

    Parameters
    ----------
    name : str
        A generator of images that kept a film, such as "dcgan-mnist-2".

    Returns
    -------
    By the number of updates, float32 arrays (FILM, height, width, 1) in [-1, 1]: what
    ``generate(FILM, seed=FILM_SEED)`` drew then. They are kept in 256 greys.

    Raises
    ------
    ValueError
        No such weights, or they kept no film.
    """
    if "film" not in (about := provenance(name)):
        kept = [n for n in names() if "film" in provenance(n)]
        raise ValueError(f"{name!r} kept no film. There are: {', '.join(kept)}.")
    steps = about["film"]
    with Image.open(FOLDER / f"{name}.png") as picture:
        greys = np.array(picture, "float32") / 127.5 - 1
    frames = np.stack(np.split(greys, len(steps)))
    frames = np.stack(np.split(frames, FILM, axis=2), axis=1)[..., None]
    return dict(zip(steps, frames, strict=True))


def generators() -> list[str]:
    """Return the names of those shipped weights that draw samples."""
    kinds = ("GAN", "ReturnsGAN", "TimeGAN")
    return [n for n in names() if provenance(n)["model"]["class_name"] in kinds]


def draw(
    name: str,
    n: int,
    *,
    seed: int = 0,
    values: str = "returns",
    length: int | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Draw from a shipped generator, out of its own scale.

    Parameters
    ----------
    name : str
        One of :func:`generators`.
    n : int
    seed : int
        The same seed draws the same samples.
    values : "returns" or "prices"
        For generators of prices: day-to-day changes, or prices that start from the
        last training day.
    length : int, optional
        Days; None: those of the training windows. A ReturnsGAN alone runs on.

    Returns
    -------
    float32 array (n, ...), and the names of its columns; none for what is no series.

    Raises
    ------
    ValueError
        No such generator, or one that has a length of its own.
    """
    if name not in (known := generators()):
        raise ValueError(
            f"{name!r} is no shipped generator. There are: {', '.join(known)}."
        )
    kind = provenance(name)["model"]["class_name"]
    if length is not None and kind != "ReturnsGAN":
        raise ValueError(
            f"length: {length} was given, but {name} draws what it learnt; a returns "
            "generator alone runs on."
        )
    model = load(name)
    runs_on = {} if length is None else {"length": length}
    x = model.generate(n, seed=seed, **runs_on)
    transform = getattr(model, "transform", None)
    if transform is None:
        return x, []
    x = transform.inverse(x) if values == "prices" else transform.changes(x)
    return x.astype("float32"), list(transform.tickers)
