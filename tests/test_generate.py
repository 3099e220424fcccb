"""``python -m gan_notes generate``: samples of a shipped generator in a file."""

import numpy as np
import pandas as pd
import pytest

import gan_notes
from gan_notes.__main__ import main
from gan_notes.data import exchange
from gan_notes.models import pretrained

SERIES = [
    name
    for name in pretrained.generators()
    if pretrained.provenance(name)["model"]["class_name"] in ("ReturnsGAN", "TimeGAN")
]


def test_the_generators_are_listed(capsys):
    assert main(["generate", "--list"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == pretrained.generators()
    assert (
        {"dcgan2016-mnist-0", "gan_ring_0"} <= set(listed) < set(gan_notes.pretrained())
    )
    assert SERIES


# One of each family; the others are the same code.
FAMILIES = {name.rpartition("-")[0] or name: name for name in SERIES}


@pytest.mark.parametrize("name", FAMILIES.values())
def test_prices_and_returns_of_one_draw_agree(name, tmp_path, capsys):
    drawn = {}
    for values in ("returns", "prices"):
        path = tmp_path / f"{values}.parquet"
        options = ["--n", "3", "--seed", "5", "--values", values]
        assert main(["generate", name, *options, "--output", str(path)]) == 0
        assert str(path) in capsys.readouterr().out
        drawn[values] = pd.read_parquet(path).set_index(["window", "day"])
    prices, returns = (drawn[v].astype(float) for v in ("prices", "returns"))
    transform = gan_notes.pretrained(name).transform
    assert list(prices.columns) == transform.tickers
    # Windows of levels have a change less than prices, those of returns as many.
    levels = not transform.holds_returns and (transform.lowest <= 0).any()  # sines
    logs = (prices if levels else np.log(prices)).groupby("window").diff().dropna()
    last = returns.groupby("window").tail(len(logs) // 3)
    np.testing.assert_allclose(logs.to_numpy(), last.to_numpy(), atol=2e-5)
    again = tmp_path / "again.csv"
    assert (
        main(["generate", name, "--n", "3", "--seed", "5", "--output", str(again)]) == 0
    )
    np.testing.assert_allclose(
        exchange.read_windows(again, list(returns.columns)).reshape(len(returns), -1),
        returns,
        rtol=1e-6,
    )


def test_images_go_into_an_array(tmp_path):
    path = tmp_path / "digits.npy"
    assert (
        main(["generate", "dcgan2016-mnist-0", "--n", "2", "--output", str(path)]) == 0
    )
    digits = np.load(path)
    assert (digits.shape, digits.dtype) == ((2, 28, 28, 1), "float32")
    assert abs(digits).max() <= 1
    np.testing.assert_array_equal(
        digits, pretrained.load("dcgan2016-mnist-0").generate(2, seed=0)
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nobody", "--output", "x.npy"], "'nobody' is no shipped generator"),
        (["toolbox_gru", "--output", "x.npy"], "is no shipped generator"),
        (["dcgan2016-mnist-0"], "--output FILE"),
        (["--output", "x.npy"], "give a NAME"),
        (["dcgan2016-mnist-0", "--output", "x.txt"], "ends in none of"),
        (["dcgan2016-mnist-0", "--output", "none/x.npy"], "there is no folder"),
        (
            ["dcgan2016-mnist-0", "--n", "0", "--output", "x.npy"],
            "n: 0 is no whole number",
        ),
        (["dcgan2016-mnist-0", "--output", "x.csv"], "write .npy"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", *options]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("gan_notes: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
