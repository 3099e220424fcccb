import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gan_notes.data import synthetic

X = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")


@pytest.mark.parametrize("kind", synthetic.SUFFIXES)
def test_windows_come_back(tmp_path, kind):
    path = tmp_path / f"x{kind}"
    synthetic.write(path, X, ["KO", "GE"])
    back = synthetic.read(path, ["KO", "GE"]).astype("float32")
    np.testing.assert_array_equal(back, X)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@given(
    hnp.arrays(
        "float64",
        st.tuples(*[st.integers(1, 4)] * 3),
        elements=st.floats(-1e9, 1e9, allow_subnormal=False),
    ),
    st.randoms(),
)
def test_a_table_in_any_order_is_read(tmp_path_factory, x, random):
    path = tmp_path_factory.mktemp("x") / "x.csv"
    tickers = [f"T{i}" for i in range(x.shape[2])]
    synthetic.write(path, x, tickers)
    frame = pd.read_csv(path)
    rows, columns = list(frame.index), list(frame.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    frame.loc[rows, columns].to_csv(path, index=False)
    np.testing.assert_allclose(synthetic.read(path, tickers), x, rtol=1e-12)


def test_what_cannot_be_read_is_named(tmp_path):
    frame = pd.DataFrame({"window": [0, 0, 1], "day": [0, 1, 0], "KO": [1.0, 2, 3]})
    frame.to_csv(tmp_path / "short.csv", index=False)
    with pytest.raises(ValueError, match="window 1 has 1 days and another 2"):
        synthetic.read(tmp_path / "short.csv", ["KO"])
    with pytest.raises(ValueError, match="no column 'GE'"):
        synthetic.read(tmp_path / "short.csv", ["KO", "GE"])
    frame.assign(KO=["a", "1", "2"]).to_csv(tmp_path / "text.csv", index=False)
    with pytest.raises(ValueError, match=r"text\.csv holds what is no number"):
        synthetic.read(tmp_path / "text.csv", ["KO"])
    np.save(tmp_path / "flat.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"has shape \(3, 2\)"):
        synthetic.read(tmp_path / "flat.npy", ["KO", "GE"])
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="is no array of numbers"):
        synthetic.read(tmp_path / "object.npy", ["KO"])
    for name in ("none.npy", "none.csv"):
        with pytest.raises(FileNotFoundError, match=name):
            synthetic.read(tmp_path / name, ["KO"])


def test_where_nothing_can_be_written_is_named(tmp_path):
    for path, named in [
        (tmp_path / "x.txt", "ends in none of"),
        (tmp_path / "none" / "x.csv", "there is no folder"),
        (tmp_path / "x.csv", "a table holds windows"),
    ]:
        with pytest.raises(ValueError, match=named):
            synthetic.write(path, np.ones((2, 8, 8, 1)), ["KO"])
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        synthetic.write(tmp_path / "d.csv", X, ["KO", "GE"])
    assert [each.name for each in tmp_path.iterdir()] == ["d.csv"]
