"""Promises of windows in files: what is written comes back, what is wrong is named."""

import numpy as np
import pandas as pd
import pytest

from gan_notes.data.exchange import read_windows, write_windows

TICKERS = ["KO", "GE"]
WINDOWS = np.random.default_rng(0).normal(size=(5, 4, 2))


@pytest.mark.parametrize("ending", ["parquet", "csv", "npy"])
def test_what_is_written_comes_back(tmp_path, ending):
    path = tmp_path / f"w.{ending}"
    write_windows(WINDOWS, path, TICKERS)
    np.testing.assert_allclose(read_windows(path, TICKERS), WINDOWS, rtol=1e-12)


def test_rows_may_come_in_any_order(tmp_path):
    path = tmp_path / "w.csv"
    write_windows(WINDOWS, path, TICKERS)
    pd.read_csv(path).sample(frac=1, random_state=0).to_csv(path, index=False)
    np.testing.assert_allclose(read_windows(path), WINDOWS)


def table(**columns):
    plain = {"window": [0, 0, 1, 1], "day": [0, 1, 0, 1], "KO": [1.0, 2, 3, 4]}
    return {k: v for k, v in {**plain, **columns}.items() if v is not None}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (table(window=None), "w.csv has no column 'window'; it needs .* has day, KO"),
        (table(GE=[1, 2, 3, 4]), "w.csv has the columns KO, GE, the real data KO;"),
        (table(day=[0, 0, 0, 1]), "w.csv: window 0 has day 0 twice; keep one"),
        (table(window=[0, 0, 0, 1], day=[0, 1, 2, 0]), "windows have 1 to 3 days"),
        (table(KO=["1", "2", "3", "x"]), "w.csv: KO holds text"),
        (table(day=["30/01", "31/01"] * 2), "w.csv: day holds text"),
        (table(window=[0, 0, None, 1]), "w.csv: data row 3 has no window; number"),
    ],
)
def test_a_wrong_table_is_named(tmp_path, columns, message):
    path = tmp_path / "w.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        read_windows(path, ["KO"])


def test_another_order_of_the_columns_is_refused(tmp_path):
    path = tmp_path / "w.parquet"
    write_windows(WINDOWS, path, TICKERS)
    with pytest.raises(ValueError, match="columns KO, GE, the real data GE, KO"):
        read_windows(path, TICKERS[::-1])


@pytest.mark.parametrize("name", ["w.parquet", "w.npy", "w.csv"])
def test_a_damaged_file_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"{name} cannot be read as"):
        read_windows(path)


def test_other_endings_and_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*w\.csv"):
        read_windows(tmp_path / "w.csv")
    (tmp_path / "w.xlsx").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"w.xlsx: its ending is none of"):
        read_windows(tmp_path / "w.xlsx")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("x.txt", "ends in none of"),
        ("none/x.csv", "there is no folder"),
        ("d.csv", "is a folder"),
        ("x.csv", "a table holds windows"),
    ],
)
def test_where_nothing_can_be_written_is_named(tmp_path, name, named):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ValueError, match=named):
        write_windows(WINDOWS, tmp_path / name, ["KO"])
    assert [each.name for each in tmp_path.iterdir()] == ["d.csv"]


def test_what_chapter_06_writes_is_read(tmp_path):
    dates = pd.date_range("2020-01-01", periods=3, name="date")
    frames = {
        window: pd.DataFrame({"KO": [1.0, 2.0, 3.0], "GE": 10.0 * window}, index=dates)
        for window in (0, 1)
    }
    path = tmp_path / "synthetic.parquet"
    pd.concat(frames, names=["window", "date"]).to_parquet(path)
    x = read_windows(path, ["KO", "GE"])
    assert x.tolist() == [
        [[1, 0], [2, 0], [3, 0]],
        [[1, 10], [2, 10], [3, 10]],
    ]


def test_images_go_into_an_array(tmp_path):
    write_windows(np.zeros((2, 8, 8, 1)), tmp_path / "x.npy")
    assert np.load(tmp_path / "x.npy").shape == (2, 8, 8, 1)
