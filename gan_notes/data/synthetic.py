"""Synthetic windows in a file: written here, or by another tool; chapter 07 reads them.

A table has a row per window and day: columns ``window`` and ``day``, both from 0, then
one per ticker. An array in ``.npy`` is (n, L, d), the tickers in the order of the data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gan_notes.data import files

SUFFIXES = (".parquet", ".csv", ".npy")


def check_path(path: str | os.PathLike) -> Path:
    """Return where windows can be written, before long work; ValueError otherwise."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"output: {path.name!r} ends in none of {', '.join(SUFFIXES)}; choose one."
        )
    if path.is_dir():
        raise ValueError(f"output: {path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise ValueError(f"output: there is no folder {path.parent}; make it first.")
    return path


def write(path: str | os.PathLike, x: np.ndarray, tickers: Sequence[str] = ()) -> None:
    """Write windows to a file, all or nothing.

    Parameters
    ----------
    path : path
        Ending in .parquet, .csv or .npy.
    x : float array (n, L, d); in .npy any shape, such as images
    tickers : sequence of str (d,)
        Names of the columns of a table.

    Raises
    ------
    ValueError
        The ending is another one, or a table cannot hold the shape.
    OSError
        The disk fails.
    """
    path, kind = check_path(path), Path(path).suffix.lower()
    if kind != ".npy" and (x.ndim != 3 or x.shape[2] != len(tickers)):
        raise ValueError(
            f"output: a table holds windows (n, L, d) of {len(tickers)} tickers, not "
            f"shape {x.shape}; write .npy."
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        partial = Path(folder, path.name)
        if kind == ".npy":
            np.save(partial, x)
        else:
            frame = pd.DataFrame(x.reshape(-1, x.shape[2]), columns=list(tickers))
            window, day = np.divmod(np.arange(len(frame)), x.shape[1])
            frame.insert(0, "window", window)
            frame.insert(1, "day", day)
            if kind == ".csv":
                frame.to_csv(partial, index=False)
            else:
                frame.to_parquet(partial, index=False)
        os.replace(partial, path)


def read(path: str | os.PathLike, tickers: Sequence[str]) -> np.ndarray:
    """Read windows from a file, whoever wrote it.

    Parameters
    ----------
    path : path
        A table as CSV or Parquet, or an array in .npy (never pickled objects).
    tickers : sequence of str
        The columns wanted, in this order; a table may have them in any.

    Returns
    -------
    float64 array (n, L, d)

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no such table or array: the message says what is missing.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/x.csv", np.arange(12.0).reshape(2, 3, 2), ["KO", "GE"])
    ...     read(f"{folder}/x.csv", ["GE", "KO"])[0, :, 0].tolist()
    [1.0, 3.0, 5.0]
    """
    path, tickers = Path(path).expanduser(), list(tickers)
    if path.suffix.lower() == ".npy":
        return _array(path, len(tickers))
    frame = files.read_table(path)
    missing = [c for c in ["window", "day", *tickers] if c not in frame.columns]
    if missing:
        raise ValueError(
            f"{path.name} has no column {missing[0]!r}; a table of windows has columns "
            f"window, day and one per ticker: {', '.join(tickers)}."
        )
    try:
        frame = frame[["window", "day", *tickers]].astype("float64")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name} holds what is no number: {error}") from error
    frame = frame.sort_values(["window", "day"], kind="stable")
    lengths = frame.groupby("window").size()
    if lengths.nunique() > 1 or frame.duplicated(["window", "day"]).any():
        raise ValueError(
            f"{path.name}: window {lengths.idxmin():g} has {lengths.min()} days and "
            f"another {lengths.max()}, or a day comes twice; all windows need the same "
            f"days, each once."
        )
    return frame[tickers].to_numpy().reshape(len(lengths), -1, len(tickers))


def _array(path: Path, features: int) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path.name} in {path.absolute().parent}."
        )
    try:
        x = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path.name} is no array of numbers ({error}).") from error
    if x.ndim != 3 or x.shape[2] != features or x.dtype.kind not in "fiu":
        raise ValueError(
            f"{path.name} has shape {x.shape} of {x.dtype}; windows have (n, L, "
            f"{features}), numbers, the tickers in the order of the data."
        )
    return x.astype("float64")
