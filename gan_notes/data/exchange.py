"""Windows in files: what `gan_notes` writes, and what another tool's output may be.

A long table has a column "window", a column "day", and one per ticker; an ``.npy`` file
holds the bare array (n, length, features). What chapter 06 writes is read as well:
there "window" and "date" are the index.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gan_notes.data import files

KEYS = ["window", "day"]
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


def write_windows(
    x: np.ndarray, path: str | os.PathLike, tickers: Sequence[str] = ()
) -> None:
    """Write windows to a file, all or nothing.

    Parameters
    ----------
    x : float array (n, L, d); in .npy any shape, such as images
    path : path
        Ending in .parquet, .csv or .npy.
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


def read_windows(
    path: str | os.PathLike, tickers: Sequence[str] | None = None
) -> np.ndarray:
    """Read windows from a long Parquet or CSV table, or from an ``.npy`` array.

    Parameters
    ----------
    path : path
    tickers : list of str
        What the columns must be, in this order; None takes them as they are. An
        ``.npy`` file has no names to check.

    Returns
    -------
    float array (n, length, features), windows and days in the order of their numbers

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read; columns are missing or in another order; windows, days or
        values are no numbers; windows differ in length; a day comes twice.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"synthetic: there is no file {path}; check the path.")
    kind = _kind(path)
    readers = {".npy": _array, ".csv": pd.read_csv, ".parquet": files.read_parquet}
    try:
        files.check_size(path)
        found = readers[kind](path)
    except files.TooLarge:
        raise
    except files.UNREADABLE as error:
        reason = files.reason(error)
        raise ValueError(
            f"{path.name} cannot be read as {kind[1:]} ({reason}); write it anew."
        ) from error
    if kind == ".npy":
        return found
    if list(found.index.names) == ["window", "date"]:
        found = found.sort_index().reset_index("date", drop=True)
        found.insert(0, "day", found.groupby("window").cumcount())
        found = found.reset_index()
    names = [str(c) for c in found.columns]
    if missing := [key for key in KEYS if key not in names]:
        raise ValueError(
            f"{path.name} has no column {missing[0]!r}; it needs 'window', 'day' and "
            f"one per ticker, and has {', '.join(names[:20])}."
        )
    columns = [name for name in names if name not in KEYS]
    if tickers is not None and columns != list(tickers):
        raise ValueError(
            f"{path.name} has the columns {', '.join(columns)}, the real data "
            f"{', '.join(tickers)}; give both the same tickers in the same order."
        )
    wrong = [name for name in names if not pd.api.types.is_numeric_dtype(found[name])]
    if wrong:
        raise ValueError(f"{path.name}: {wrong[0]} holds text; give numbers.")
    for key in KEYS:
        if (blank := found[key].isna()).any():
            raise ValueError(
                f"{path.name}: data row {int(blank.argmax()) + 1} has no {key}; number "
                f"the windows, and the days of each, from 0."
            )
    if found.duplicated(KEYS).any():
        window, day = found.loc[found.duplicated(KEYS), KEYS].iloc[0]
        raise ValueError(f"{path.name}: window {window} has day {day} twice; keep one.")
    found = found.sort_values(KEYS)
    lengths = found.groupby("window").size()
    if lengths.nunique() > 1:
        raise ValueError(
            f"{path.name}: windows have {lengths.min()} to {lengths.max()} days; give "
            "all the same length."
        )
    shape = (len(lengths), int(lengths.iloc[0]) if len(lengths) else 0, len(columns))
    return found[columns].to_numpy("float64").reshape(shape)


def _array(path: Path) -> np.ndarray:
    # A map of a file is no larger than it is, whatever shape it says it has.
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False))


def _kind(path: Path) -> str:
    kind = {".pq": ".parquet"}.get(path.suffix.lower(), path.suffix.lower())
    if kind not in SUFFIXES:
        raise ValueError(f"{path.name}: its ending is none of .parquet, .csv, .npy.")
    return kind
