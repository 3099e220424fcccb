"""Shipping weights: what trained them is known before anything is trained."""

import functools
import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_notebook

from gan_notes.data.images import load_images
from gan_notes.evaluation import images
from gan_notes.models import pretrained
from gan_notes.models.gan import GAN
from gan_notes.training import loop

sys.path.insert(0, str(ROOT / "book"))
import ship
import train

CELLS = [
    "import keras, numpy as np\nfrom gan_notes import notebooks\n"
    "from gan_notes.training import loop",
    "seed = 0  # type: int  draws\nsteps = 5  # type: int  updates\n"
    "train = False  # type: bool  or load\n"
    "checkpoint_dir = ''  # type: str  folder\noutput_dir = ''  # type: str  results",
    "chapter = notebooks.begin('x', globals(), cpu_minutes=1, gpu_minutes=1)",
    "x = np.ones((8, 1), 'float32')\n"
    "for name in ('first', 'second'):\n"
    "    layers = [keras.Input((1,)), keras.layers.Dense(1)]\n"
    "    model = keras.Sequential(layers, name=name)\n"
    "    model.compile('adam', 'mse', jit_compile=False)\n"
    "    if train:\n"
    "        loop.fit(model, x, steps=steps, checkpoint_dir=checkpoint_dir, verbose=0)",
]


@pytest.fixture
def page(tmp_path):
    """Write a notebook that trains two tiny models."""
    return write_notebook(tmp_path / "page.ipynb", CELLS)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a checkout of one commit, in which weights are shipped."""
    root = tmp_path / "repository"
    weights = root / "weights"
    weights.mkdir(parents=True)
    (root / "code.py").write_text("1\n", encoding="utf-8")
    (weights / "old.weights.h5").write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(ship, "ROOT", root)
    monkeypatch.setattr(pretrained, "FOLDER", weights)
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "One"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    (weights / "old.weights.h5").unlink()
    return root


def test_outside_a_checkout_nothing_is_trained(page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ship, "ROOT", tmp_path)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(ship.notebooks, "run", lambda *_: pytest.fail("it trained"))
    assert ship.main([str(page)]) == 1
    error = capsys.readouterr().err
    assert f"ship: {tmp_path} is no git checkout" in error
    assert error.count("\n") == 1


def test_a_commit_names_the_code_and_says_whether_it_moved(repository):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True
    ).stdout.strip()
    # A weight is missing by now, which is no other code.
    assert ship.commit() == {"commit": head, "uncommitted": False}
    (repository / "code.py").write_text("2\n", encoding="utf-8")
    assert ship.commit() == {"commit": head, "uncommitted": True}


@pytest.mark.long
def test_weights_are_shipped_with_where_they_come_from(
    page, repository, tmp_path, capsys
):
    folder = tmp_path / "checkpoints"
    given_ = ["-p", "steps", "7", "-p", "checkpoint_dir", str(folder)]
    for _ in range(2):  # what was trained before a stop is shipped as well
        assert ship.main([str(page), *given_]) == 0
        assert capsys.readouterr().out.split()[-2:] == ["first", "second"]
        assert pretrained.names() == ["first", "second"]
        (pretrained.FOLDER / "first.weights.h5").unlink()
    about = pretrained.provenance("second")
    assert about["command"] == "python book/ship.py book/page.ipynb -p steps 7"
    assert len(about["commit"]) == 40
    assert about["uncommitted"] is False
    assert (about["parameters"], about["steps"]) == ({"steps": "7"}, 7)
    assert {"python", "tensorflow", "keras", "numpy"} <= set(about["versions"])
    assert about["settings"]["seed"] == 0
    assert about["hardware"]
    # Other code, or other parameters: nothing of that folder is theirs.
    (repository / "code.py").write_text("2\n", encoding="utf-8")
    assert ship.main([str(page), *given_]) == 1
    said = capsys.readouterr().err
    assert "holds the training of" in said
    assert f"(git worktree add OTHER {about['commit']})" in said


def test_files_of_something_else_are_not_shipped(page, repository, tmp_path, capsys):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "gan.weights.h5").write_text("", encoding="utf-8")
    given_ = ["-p", "checkpoint_dir", str(tmp_path / "used")]
    assert ship.main([str(page), *given_]) == 1
    assert "holds files of something else" in capsys.readouterr().err
    assert pretrained.names() == []


def test_a_wrong_parameter_is_one_line(page, repository, capsys):
    assert ship.main([str(page), "-p", "stepz", "3"]) == 1
    assert capsys.readouterr().err.startswith("ship: stepz: page.ipynb has no such")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train a tiny model with a checkpoint; return the model and its data."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    x = np.random.default_rng(0).normal(size=(64, 1)).astype("float32")

    def make():
        layers = [keras.Input((1,)), keras.layers.Dense(1)]
        model = keras.Sequential(layers, name="tiny")
        model.compile("adam", "mse", jit_compile=False)
        return model

    model = make()
    loop.fit(model, x, steps=10, checkpoint_dir=tmp_path, verbose=0, seed=3)
    return model, x


def test_keep_drops_the_optimizers_and_load_finds_it(trained, tmp_path):
    model, x = trained
    assert ship.keep(tmp_path / "tiny.weights.h5", {"parameters": {}}) == "tiny"
    assert pretrained.names() == ["tiny"]
    with h5py.File(tmp_path / "weights" / "tiny.weights.h5") as file:
        assert not [group for group in file if "optimizer" in group]
    about = json.loads((tmp_path / "weights" / "tiny.json").read_text(encoding="utf-8"))
    assert (about["steps"], about["settings"]["seed"]) == (10, 3)
    loaded = pretrained.load("tiny", x)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    pd.testing.assert_frame_equal(loaded.loss_history, model.loss_history)


def test_half_of_the_bytes_are_kept_and_computed_with_in_full(trained, tmp_path):
    model, x = trained
    ship.keep(tmp_path / "tiny.weights.h5", {"parameters": {}}, half="")
    kinds = []
    with h5py.File(tmp_path / "weights" / "tiny.weights.h5") as file:
        file.visititems(
            lambda name, item: (
                kinds.append(item.dtype)
                if isinstance(item, h5py.Dataset) and name.startswith("layers")
                else None
            )
        )
    assert kinds
    assert set(kinds) == {np.dtype("float16")}
    loaded = pretrained.load("tiny", x)
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        assert ours.dtype == "float32"
        rounded = theirs.numpy().astype("float16")
        np.testing.assert_array_equal(ours.numpy(), rounded.astype("float32"))


def test_a_part_that_only_judged_is_rounded_and_what_draws_is_not(tmp_path):
    path = tmp_path / "wide.weights.h5"
    dense = [keras.layers.Dense(100) for _ in range(2)]
    wide = keras.Sequential([keras.Input((300,)), *dense])
    wide.save_weights(path)
    before = path.stat().st_size
    exact = [w.numpy() for w in wide.weights]
    ship.pack(path, "layers/dense_1")
    assert path.stat().st_size < 0.8 * before
    wide.load_weights(path)
    for i, (ours, theirs) in enumerate(zip(wide.weights, exact, strict=True)):
        expected = theirs.astype("float16").astype("float32") if i > 1 else theirs
        np.testing.assert_array_equal(ours.numpy(), expected)


def test_keep_leaves_the_old_pair_where_it_cannot_write_the_new(trained, tmp_path):
    model, x = trained
    ship.keep(tmp_path / "tiny.weights.h5", {"parameters": {}})
    loop.fit(model, x, steps=20, checkpoint_dir=tmp_path, verbose=0, seed=3)
    before = {p.name: p.read_bytes() for p in (tmp_path / "weights").iterdir()}
    with pytest.raises(TypeError, match="not JSON serializable"):
        ship.keep(tmp_path / "tiny.weights.h5", {"parameters": object()})
    assert {p.name: p.read_bytes() for p in (tmp_path / "weights").iterdir()} == before


@pytest.mark.nightly
@pytest.mark.long
def test_a_recipe_ships_a_generator_that_draws(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "RETURNS_STEPS", 10)
    monkeypatch.setattr(train, "RETURNS_BATCH", 16)
    for pool in ("INTRAOP", "INTEROP"):
        monkeypatch.setenv(f"TF_NUM_{pool}_THREADS", "1")
    name = "returns-offline-3"
    assert train.main([name, "--checkpoint-dir", str(tmp_path / "kept")]) == 0
    about = pretrained.provenance(name)
    assert about["command"] == f"python book/train.py {name}"
    assert (about["settings"]["seed"], about["steps"]) == (3, 10)
    drawn, tickers = pretrained.draw(name, 2)
    assert (drawn.shape, tickers[0]) == ((2, 24, 6), "GE")
    # The averages ship: they are what the training's own generate uses.
    model = keras.saving.deserialize_keras_object(about["model"])
    model.load_weights(tmp_path / "kept" / name / f"{name}.weights.h5")
    own = model.transform.changes(model.generate(2, seed=0))
    np.testing.assert_allclose(drawn, own, atol=1e-6)


def test_annealing_ends_at_rest_and_leaves_what_was_before_as_it_was():
    rate = functools.partial(train.annealed, epoch_steps=29, total=32_500, more=2_500)
    epochs = range(-(-32_500 // 29))
    rates = [rate(epoch) for epoch in epochs]
    assert [r == 1e-3 for r in rates] == [29 * epoch <= 30_000 for epoch in epochs]
    assert 0 <= rates[-1] < 2e-5
    assert rate(31_250 / 29) == pytest.approx(5e-4)


def test_a_recipe_says_what_is_wrong(repository, tmp_path, capsys):
    given_ = ["--checkpoint-dir", str(tmp_path), "--prices", "none.csv"]
    assert train.main(["returns-djia-0", *given_]) == 1
    assert "train: source: there is no file none.csv" in capsys.readouterr().err


@pytest.mark.parametrize("averaged", [False, True])
def test_what_generate_uses_is_what_ships(averaged, repository, tmp_path):
    keras.utils.set_random_seed(0)
    players = (
        keras.Sequential([keras.Input((n,)), keras.layers.Dense(1)]) for n in (2, 1)
    )
    model = GAN(*players, name="small")
    rate = keras.optimizers.schedules.CosineDecay(0.1, 50)
    model.compile(
        keras.optimizers.Adam(rate, use_ema=averaged), keras.optimizers.Adam(0.1)
    )
    x = np.random.default_rng(0).normal(3, 1, (64, 1))
    model.fit(x, steps=50, batch_size=16, checkpoint_dir=tmp_path, verbose=0)
    about = {"command": "a test", "parameters": {}}
    assert ship.keep(tmp_path / "small.weights.h5", about) == "small"
    drawn = pretrained.load("small").generate(5, seed=0)
    np.testing.assert_allclose(drawn, model.generate(5, seed=0), rtol=1e-6)
    raw = model(model.noise(5, np.array([0, 2**30], "int32")))
    assert np.allclose(drawn, raw) is not averaged


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.parametrize("name", ["dcgan-mnist-1", "dcgan-mnist-labels-0"])
def test_a_recipe_ships_a_generator_of_images(name, repository, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "IMAGE_STEPS", 10)
    monkeypatch.setattr(train, "IMAGE_BATCH", 8)
    for pool in ("INTRAOP", "INTEROP"):
        monkeypatch.setenv(f"TF_NUM_{pool}_THREADS", "1")
    assert train.main([name, "--checkpoint-dir", str(tmp_path / "kept")]) == 0
    about = pretrained.provenance(name)
    assert (about["settings"]["seed"], about["steps"]) == ("labels" not in name, 10)
    assert ("labels" in about["settings"]) == ("labels" in name)
    drawn, columns = pretrained.draw(name, 20, seed=1)
    assert (drawn.shape, drawn.dtype, columns) == ((20, 28, 28, 1), np.float32, [])
    assert np.abs(drawn).max() <= 1
    film = pretrained.film(name)
    assert list(film) == about["film"] == [10]
    last, _ = pretrained.draw(name, pretrained.FILM, seed=pretrained.FILM_SEED)
    np.testing.assert_allclose(film[10], last, atol=2 / 255)
    generator = pretrained.load(name).generator
    halves = [w.numpy().astype("float16").astype("float32") for w in generator.weights]
    for half, weight in zip(halves, generator.weights, strict=True):
        np.testing.assert_array_equal(half, weight.numpy())


@pytest.mark.nightly
@pytest.mark.long
def test_a_judge_ships_with_its_accuracy(repository, tmp_path, monkeypatch):
    monkeypatch.setitem(train.TRAIN, "mnist", 640)
    for pool in ("INTRAOP", "INTEROP"):
        monkeypatch.setenv(f"TF_NUM_{pool}_THREADS", "1")
    short = functools.partial(train.judge, data="mnist", epochs=4, rotation=0)
    monkeypatch.setitem(train.RECIPES, "judge-mnist", short)
    folder = str(tmp_path / "kept")
    assert train.main(["judge-mnist", "--checkpoint-dir", folder]) == 0
    stored = pretrained.provenance("judge-mnist")["held_out_accuracy"]
    pixels, labels = load_images("mnist")
    judge = images.load_judge("mnist")
    right = images.classify(judge, pixels[640:]) == labels[640:]
    assert right.mean() == pytest.approx(stored, abs=0.002)  # float16
    assert stored > 0.6
