"""Windows in files: what `gan_notes` writes, and what another tool's output may be.

A long table has a column "window", a column "day", and one per ticker; an ``.npy`` file
holds the bare array (n, length, features).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

KEYS = ["window", "day"]


def write_windows(
    windows: np.ndarray, path: str | os.PathLike, tickers: Sequence[str]
) -> None:
    """Write windows as a long Parquet or CSV table, or as a bare ``.npy`` array.

    Parameters
    ----------
    windows : float array (n, length, features)
    path : path
        Its ending says which: ``.parquet``, ``.csv`` or ``.npy``.
    tickers : list of str
        Names of the features, in order.

    Raises
    ------
    ValueError
        Another ending, or not a name for each feature.
    """
    windows, path = np.asarray(windows), Path(path)
    if windows.ndim != 3 or windows.shape[2] != len(tickers):
        raise ValueError(
            f"windows: shape {windows.shape} is not (n, length, {len(tickers)}), a "
            f"column for each of {', '.join(tickers)}."
        )
    if _kind(path) == ".npy":
        np.save(path, windows)
        return
    n, length, features = windows.shape
    frame = pd.DataFrame(windows.reshape(-1, features), columns=list(tickers))
    frame.insert(0, "window", np.repeat(np.arange(n), length))
    frame.insert(1, "day", np.tile(np.arange(length), n))
    if _kind(path) == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)


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
        It cannot be read; columns are missing or in another order; windows differ in
        length; a day comes twice.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"synthetic: there is no file {path}; check the path.")
    kind = _kind(path)
    read = {".npy": np.load, ".csv": pd.read_csv, ".parquet": pd.read_parquet}[kind]
    try:
        found = read(path)
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{path.name} cannot be read as {kind[1:]} ({reason}); write it anew."
        ) from error
    if kind == ".npy":
        return found
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
    wrong = [name for name in columns if not pd.api.types.is_numeric_dtype(found[name])]
    if wrong:
        raise ValueError(f"{path.name}: {wrong[0]} holds text; give numbers.")
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


def _kind(path: Path) -> str:
    kind = {".pq": ".parquet"}.get(path.suffix.lower(), path.suffix.lower())
    if kind not in (".parquet", ".csv", ".npy"):
        raise ValueError(f"{path.name}: its ending is none of .parquet, .csv, .npy.")
    return kind
