"""A reader's own CSV or Parquet file as a table of cells, names still to be judged.

`layouts` says which of the columns are prices. A CSV's cells stay text, so that a
ticker keeps its zeros and a price its decimal comma until they are asked for.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import os
import re
import tokenize
import zipfile
import zlib
from pathlib import Path

import pandas as pd

# What a table may take in memory, in bytes: twenty series of minutes for fifteen years.
MAX_BYTES = 500_000_000
PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# How files of these formats fail that are cut off, damaged or something else.
UNREADABLE = (
    *(ValueError, OSError, EOFError, ImportError, MemoryError, NotImplementedError),
    *(csv.Error, lzma.LZMAError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
SEPARATORS = ",;\t|"
WEB_PAGES = ("<!doctype", "<html", "<?xml")
LEVEL_WORDS = ("", "price", "ticker", "symbol", "attributes")
# What the columns of a download are called, best close first, as `price_word` has it.
CLOSES = (
    *("adjclose", "adjustedclose", "closeadjusted"),
    *("close", "closelast", "last", "settle", "price"),
)
BARS = ("open", "high", "low", "volume", "vol")
EVENTS = ("dividends", "stocksplits", "capitalgains", "repaired")


def read_table(source: str | os.PathLike) -> pd.DataFrame:
    """Read a file into a frame of named columns, in file order.

    Parameters
    ----------
    source : str or path
        CSV (also compressed; separated by commas, semicolons, tabs or bars) or
        Parquet.

    Returns
    -------
    DataFrame
        A column's name is text, "" where the file gives none, and may come twice. Two
        rows of names (price and ticker, as yfinance writes them) are joined to one,
        "Close KO". The rows are numbered; an index with names or dates is a column.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read as what its name says, is larger than `MAX_BYTES` (unpacked,
        where it is compressed), or holds no rows.
    """
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"source: there is no file {path.name} in {path.absolute().parent}; "
            "check the path, or use source='sample'."
        )
    read = _parquet if path.suffix.lower() in (".parquet", ".pq") else _csv
    try:
        check_size(path)
        names, frame = read(path)
    except TooLarge:
        raise
    except UNREADABLE as error:
        raise ValueError(
            f"{path.name} cannot be read ({reason(error)}); save it as comma-separated "
            "UTF-8 text or as Parquet."
        ) from error
    frame.columns = [_joined(*n) if isinstance(n, tuple) else _name(n) for n in names]
    if not len(frame):
        raise ValueError(f"{path.name} has names of columns but no rows below them.")
    return frame.reset_index(drop=True)


class TooLarge(ValueError):
    """A file whose content would fill the memory."""


def check_size(path: Path) -> None:
    """Refuse a file whose content would fill the memory, without reading it whole.

    Parameters
    ----------
    path : Path
        What is compressed is unpacked piece by piece, to count; of Parquet the cells
        are counted.

    Raises
    ------
    TooLarge
        There is more of it than `MAX_BYTES`. A file that is no such file raises errors
        of its format, which `UNREADABLE` lists.
    """
    kind, packed = path.suffix.lower(), ""
    size = path.stat().st_size
    if size <= MAX_BYTES and kind in (*PACKED, ".zip"):
        size, packed = _unpacked(path, kind), " when it is unpacked"
    elif size <= MAX_BYTES and kind in (".parquet", ".pq"):
        from pyarrow import parquet

        table = parquet.read_metadata(path)
        size = 8 * table.num_rows * table.num_columns
    if size > MAX_BYTES:
        raise TooLarge(
            f"{path.name} has more than {MAX_BYTES / 1e9:g} GB{packed}; give a shorter "
            "period, or fewer columns."
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """Read Parquet; where what pandas noted in it is damaged, raise a ValueError."""
    try:
        return pd.read_parquet(path)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"what it says of its columns is damaged: {error}") from error


def reason(error: BaseException) -> str:
    """Return the first line of an error, or its name where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unpacked(path: Path, kind: str) -> int:
    """Count the bytes of what is compressed, up to where it is too much."""
    if kind == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    size = 0
    with PACKED[kind](path) as file:
        while (piece := file.read(2**20)) and size <= MAX_BYTES:
            size += len(piece)
    return size


def plain(name: str) -> str:
    """Give a name as it is compared: "Adj Close", "adj_close", "5. ADJCLOSE" are one.

    Examples
    --------
    >>> plain("5. Adj Close"), plain("삼성전자"), plain("$")
    ('adjclose', '삼성전자', '$')
    """
    name = name.casefold().strip()
    number, dot, rest = name.partition(". ")  # as Alpha Vantage numbers them
    name = rest if dot and number.isdecimal() else name
    return "".join(c for c in name if c.isalnum()) or name


def price_word(name: str) -> str:
    """Give which of `CLOSES`, `BARS` and `EVENTS` a name is, or ""."""
    name = plain(name)
    short = name.removesuffix("price")  # "Close Price"
    words = (*CLOSES, *BARS, *EVENTS)
    return next((n for n in (name, short) if n in words), "")


def _csv(path: Path) -> tuple[list, pd.DataFrame]:
    cells = {
        "header": None,
        "dtype": str,
        "keep_default_na": False,  # NA may be a ticker
        "encoding": "utf-8-sig",
    }
    # Whole lines first: no text holds the separator of units of ASCII.
    lines = pd.read_csv(path, sep="\x1f", quoting=csv.QUOTE_NONE, nrows=3, **cells)[0]
    if lines[0].lower().startswith(WEB_PAGES):
        raise ValueError("it is a web page")
    split = {s: list(csv.reader(lines, delimiter=s)) for s in SEPARATORS}
    separator = max(SEPARATORS, key=lambda s: min(len(row) for row in split[s][:2]))
    rows = split[separator]
    width = max(len(row) for row in rows)
    frame = pd.read_csv(path, sep=separator, names=range(width), **cells).fillna("")
    if frame.empty:
        raise ValueError("it has no lines with values")
    names, frame = list(frame.iloc[0]), frame.iloc[1:]
    extra = width - len(rows[0])
    if extra == 1 and frame[width - 1].eq("").all():  # each line ends in a separator
        names, frame = names[:-1], frame.iloc[:, :-1]
    elif extra == 1:  # names begin one column late: as R writes an index
        names = ["", *names[:-1]]
    elif extra:
        raise ValueError(
            f"names in the first line: {len(rows[0])}, values below: {width}"
        )
    if len(frame) and _is_second_header(names, list(frame.iloc[0])):
        level, *rest = zip(names, frame.iloc[0], strict=True)
        frame = frame.iloc[1:]
        names = ["" if plain(level[0]) in LEVEL_WORDS else level[0], *rest]
        third = frame.iloc[0] if len(frame) else [""]
        if third[0] and not any(third[1:]):
            names[0], frame = third[0], frame.iloc[1:]  # the name of the index, alone
    return names, frame


def _is_second_header(first: list[str], second: list[str]) -> bool:
    """Tell a row of names below the names from a row of values."""
    pairs = [(a, b) for a, b in zip(first[1:], second[1:], strict=True) if b.strip()]
    if plain(second[0]) not in LEVEL_WORDS or not pairs:
        return False
    return any(all(price_word(pair[i]) for pair in pairs) for i in (0, 1))


def _parquet(path: Path) -> tuple[list, pd.DataFrame]:
    frame = read_parquet(path)
    names, index = list(frame.columns), frame.index
    frame = frame.set_axis(range(len(names)), axis=1).reset_index(drop=True)
    dated = isinstance(index, pd.DatetimeIndex)
    if dated or index.nlevels > 1 or index.name is not None:
        names = [n or "date" * dated for n in index.names] + names
        before = index.to_frame(index=False, name=range(-index.nlevels, 0))
        frame = pd.concat([before, frame], axis=1)
    return names, frame


def _name(name: object) -> str:
    """Give a column's name as text; pandas calls an empty one "Unnamed: 0"."""
    name = "" if name is None else " ".join(str(name).split())  # in one line
    return "" if re.fullmatch(r"Unnamed: \d+(?:\.\d+)?", name) else name


def _joined(*parts: object) -> str:
    """Join a price and a ticker, whichever comes first, to "Close KO"."""
    parts = [p for p in map(_name, parts) if p]
    if len(parts) == 2 and price_word(parts[1]) and not price_word(parts[0]):
        parts.reverse()
    return " ".join(parts)
