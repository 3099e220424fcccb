"""Files that nobody meant to write: refused in our words, and without filling memory.

`make test` tries some hundreds, `make fuzz` (every night) more than ten thousand.
"""

import bz2
import gzip
import io
import lzma
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import gan_notes
from gan_notes.data import files
from gan_notes.data.exchange import read_windows
from gan_notes.data.prices import load_prices

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ", "100")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OURS = Path(gan_notes.__file__).parent
TABLE = pd.DataFrame(
    {"KO": np.arange(1.0, 9), "GE": np.arange(11.0, 19)},
    index=pd.bdate_range("2020-01-02", periods=8, name="date"),
)
LONG = pd.DataFrame(
    {"window": [0, 0, 1, 1], "day": [0, 1, 0, 1], "KO": [0.1, 0.2, 0.3, 0.4]}
)


def content(frame, kind):
    """Return a frame as the bytes of a file."""
    file = io.BytesIO()
    if kind == ".npy":
        np.save(file, frame.to_numpy())
    elif kind == ".parquet":
        frame.to_parquet(file)
    else:
        file.write(frame.to_csv(index=frame.index.name is not None).encode())
        if kind == ".csv.gz":
            return gzip.compress(file.getvalue())
    return file.getvalue()


@st.composite
def damaged(draw, kinds, frame):
    """Draw the ending and the bytes of a file that was good before."""
    kind = draw(st.sampled_from(kinds))
    data = bytearray(content(frame, kind))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(["cut", "flip", "put", "copy", "drop"]))
        if how == "cut":
            del data[place:]
        elif how == "drop":
            del data[place : place + draw(st.integers(1, 40))]
        elif how == "copy":
            data[place:place] = data[: draw(st.integers(0, 200))]
        elif how == "put":
            data[place:place] = draw(st.binary(max_size=8))
        elif data:
            data[place] ^= 1 << draw(st.integers(0, 7))
    return kind, bytes(data)


DATES = st.sampled_from(
    ["2020-01-02", "01/02/2020", "99999-01-01", "0000-00-00", "12:30", "20200102"]
)
WORDS = st.sampled_from(
    ["\x00", '"', "''", "\ufeff", "Unnamed: 0", "ticker", "open", "9" * 400]
)
CELLS = (
    DATES
    | WORDS
    | st.sampled_from(
        ["", "date", "Close", "KO", "1", "-1", "1e309", "nan", "inf", "NA", "0", "1,5"]
    )
    | st.text(max_size=6)
)
TABLES = st.tuples(
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.lists(st.lists(CELLS, max_size=5), max_size=8),
).map(lambda t: t[1].join(t[0].join(row) for row in t[2]))


def ours(error, path):
    """Hold that an error is raised in our code, in one line that says which file."""
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    raised = Path(frame.tb_frame.f_code.co_filename)
    assert OURS in raised.parents, f"{type(error).__name__} of {raised}: {error}"
    assert str(error).count("\n") == 0
    assert str(error)


def try_to(read, path, data):
    path.write_bytes(data)
    try:
        return read(path)
    except (ValueError, FileNotFoundError) as error:
        ours(error, path)
    return None


def prices(path):
    found = load_prices(source=str(path), positive=False)
    assert len(found)
    assert np.isfinite(found.to_numpy()).all()


def windows(path):
    assert read_windows(path).dtype.kind in "fiub"


@fuzz
@given(st.sampled_from([".csv", ".csv.gz", ".parquet", ".pq", ".zip"]), st.binary())
@example(".csv", b"")
@example(".csv", b"\x00")
@example(".csv.gz", b"\x1f\x8b")
@example(".zst", b"\x28\xb5\x2f\xfd")
def test_bytes_are_no_prices(tmp_path, kind, data):
    try_to(prices, tmp_path / f"prices{kind}", data)


@fuzz
@given(TABLES)
@example("date,KO\n2020-01-02,1\n2020-01-03,1e309")
@example("\r,")
@example('",2020-01-02\n2020-01-02,"\n99999-01-01')
def test_cells_of_any_kind(tmp_path, text):
    data = text.encode("utf-8", "surrogatepass")
    try_to(prices, tmp_path / "prices.csv", data)


@fuzz
@given(damaged([".csv", ".csv.gz", ".parquet"], TABLE))
def test_prices_that_were_good_before(tmp_path, file):
    try_to(prices, tmp_path / f"prices{file[0]}", file[1])


@fuzz
@given(damaged([".csv", ".parquet", ".npy"], LONG))
def test_windows_that_were_good_before(tmp_path, file):
    try_to(windows, tmp_path / f"windows{file[0]}", file[1])


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "windows.npy"
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"windows\.npy cannot be read as npy"):
        read_windows(path)
    assert not Bomb.went_off


class Bomb:
    """Says so when it is unpickled."""

    went_off = False

    def __reduce__(self):
        return setattr, (Bomb, "went_off", True)


def packed(kind, data):
    """Return what a bomb is packed into: little on the disk, much in memory."""
    if kind == ".zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("prices.csv", data)
        return file.getvalue()
    return {".gz": gzip, ".bz2": bz2, ".xz": lzma}[kind].compress(data)


@pytest.mark.parametrize("kind", [".gz", ".bz2", ".xz", ".zip"])
def test_a_bomb_is_refused_before_it_is_in_memory(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(files, "MAX_BYTES", 5_000_000)
    path = tmp_path / f"prices.csv{kind}"
    path.write_bytes(packed(kind, bytes(20_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"more than 0\.005 GB when it is unpacked"):
        load_prices(source=str(path))
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["prices.csv", "prices.parquet"])
def test_a_file_larger_than_memory_is_refused_unread(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole, of which nothing is on the disk
    with pytest.raises(ValueError, match=rf"{name} has more than 0\.5 GB"):
        load_prices(source=str(path))


def test_a_parquet_of_few_bytes_and_many_rows_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "prices.parquet"
    pd.DataFrame({"KO": np.ones(1_000_000)}).to_parquet(path)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(files, "MAX_BYTES", 5_000_000)
    with pytest.raises(ValueError, match=r"prices\.parquet has more than 0\.005 GB"):
        load_prices(source=str(path))


def test_an_array_that_says_it_is_larger_than_its_file(tmp_path):
    path = tmp_path / "windows.npy"
    np.save(path, np.zeros((2, 3, 1)))
    data = path.read_bytes()
    shape = data.replace(b"(2, 3, 1), }             ", b"(99999999, 999999999), } ", 1)
    assert len(shape) == len(data)
    assert shape != data
    path.write_bytes(shape)
    with pytest.raises(ValueError, match=r"windows\.npy cannot be read"):
        read_windows(path)
