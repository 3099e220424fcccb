"""Each part of the 2016 recipe that is left out is left out, and nothing else is."""

import sys

import keras
import numpy as np
import pytest
from conftest import benchmark

from gan_notes import load_images
from gan_notes.evaluation import images
from gan_notes.models.gan import GAN

image_recipes = benchmark("image_recipes")


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def test_one_guideline_at_a_time_is_left_out():
    whole = image_recipes.of_2016(0)
    for name, roles in (
        ("2016, no normalisation in G", ["generator"]),
        ("2016, no normalisation in D", ["discriminator"]),
        ("2016, no normalisation", ["generator", "discriminator"]),
    ):
        gan = image_recipes.RECIPES[name](0)
        for role, network in gan.networks().items():
            expected = kinds(whole.networks()[role])
            if role in roles:
                expected = [kind for kind in expected if kind != "BatchNormalization"]
                convolutions = [x for x in network.layers if hasattr(x, "use_bias")]
                assert all(layer.use_bias for layer in convolutions)
            assert kinds(network) == expected
    leak = image_recipes.RECIPES["2016, no leak in D"](0).discriminator
    expected = [k.replace("LeakyReLU", "ReLU") for k in kinds(whole.discriminator)]
    assert kinds(leak) == expected
    leak = image_recipes.RECIPES["2016, a leak in G"](0).generator
    assert kinds(leak) == [
        k.replace("ReLU", "LeakyReLU") for k in kinds(whole.generator)
    ]
    wide = image_recipes.RECIPES["2016, kernels of 5"](0)
    for network in wide.networks().values():
        sides = {x.kernel_size for x in network.layers if hasattr(x, "kernel_size")}
        assert sides == {(5, 5)}


def test_pooling_shrinks_and_grows_as_strides_do():
    whole, pooled = (
        image_recipes.of_2016(0),
        image_recipes.RECIPES["2016, pooling"](0),
    )
    for ours, theirs in zip(
        pooled.networks().values(), whole.networks().values(), strict=True
    ):
        assert ours.output_shape == theirs.output_shape
        assert ours.input_shape == theirs.input_shape
        strides = [x.strides for x in ours.layers if hasattr(x, "kernel_size")]
        assert set(strides) == {(1, 1)}
    assert kinds(pooled.discriminator).count("AveragePooling2D") == 2
    assert kinds(pooled.generator).count("UpSampling2D") == 2


@pytest.mark.parametrize("name", image_recipes.RECIPES)
def test_same_seed_same_first_weights_another_seed_others(name):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return image_recipes.RECIPES[name](seed).generator.get_weights()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])


@pytest.mark.nightly
@pytest.mark.long
def test_runs_are_kept_and_not_done_again(tmp_path, monkeypatch):
    names = ["2016", "plain pair, hinge"]
    monkeypatch.setattr(image_recipes, "STEPS", dict.fromkeys(names, 20))
    monkeypatch.setattr(image_recipes, "PARTS", 2)
    monkeypatch.setattr(image_recipes, "DRAWN", images.COMPARED)
    monkeypatch.setattr(images, "STORED", tmp_path / "all.json")
    folder = str(tmp_path / "runs")
    command = ["x", "train", *names, "--folder", folder, "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", command)
    image_recipes.main()
    monkeypatch.setattr(image_recipes, "train", None)  # nothing is left to train
    image_recipes.main()
    monkeypatch.setattr(sys, "argv", ["x", "collect", "--folder", folder])
    image_recipes.main()
    rows, about = images.recipes()
    assert [run["name"] for run in about["trainings"]] == names
    for name in names:
        mine = rows[rows["recipe"] == name]
        assert mine["step"].to_list() == [10, 20]
        assert mine["minutes"].is_monotonic_increasing
        assert mine["coverage"].between(0, 1).all()
    assert about["versions"]["keras"]


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.parametrize("done", [20, 10])
def test_a_training_that_diverges_is_kept_as_a_failure(monkeypatch, done):
    """Behind the only time at which it is judged, or before it."""

    class Diverging(GAN):
        def fit(self, *arguments, steps, **options):
            super().fit(*arguments, steps=done, **options)
            raise FloatingPointError("d_loss is nan")

    whole = image_recipes.of_2016(0, kernel=2)
    diverging = Diverging(whole.generator, whole.discriminator)
    monkeypatch.setitem(image_recipes.RECIPES, "2016", lambda *_: diverging)
    monkeypatch.setitem(image_recipes.STEPS, "2016", 20)
    monkeypatch.setattr(image_recipes, "PARTS", 1)
    monkeypatch.setattr(image_recipes, "DRAWN", images.COMPARED)
    pixels = load_images()[0]
    parts, judge = (pixels[:4000], pixels[4000:]), images.load_judge()
    run = image_recipes.train("2016", 0, parts, judge)
    assert run["failed"] == "d_loss is nan"
    assert list(run["rows"]) == [20] * (done == 20)
    assert set(run["first"]) == {"d_loss", "g_loss"}


@pytest.mark.nightly
@pytest.mark.long
def test_of_stacked_digits_modes_are_counted(monkeypatch):
    name = "plain pair, hinge"
    monkeypatch.setitem(image_recipes.STEPS, name, 20)
    monkeypatch.setattr(image_recipes.stacked_digits, "DRAWN", 300)
    parts = image_recipes.parts_of("stacks")
    assert parts[0].shape == (300, 28, 28, 3)
    run = image_recipes.train(name, 0, parts, images.load_judge())
    (row,) = run["rows"].values()
    assert 1 <= row["modes"] <= 300
    assert row["KL to uniform"] > np.log(1000 / 300)


@pytest.mark.parametrize("data", image_recipes.DATA)
def test_the_stored_tables_have_every_training_to_its_end(data):
    rows, about = images.recipes(data)
    trained = {(run["name"], run["seed"]): run for run in about["trainings"]}
    expected = [name for name in image_recipes.RECIPES if name.startswith("2016")]
    if data != "mnist":
        longer = ("2016, three times as long", "WGAN-GP", "hinge", "R1 + R2")
        expected = [name for name in image_recipes.RECIPES if name.endswith(longer)]
        assert len(expected) == len(longer)
    assert {(name, seed) for name in expected for seed in range(3)} <= {*trained}
    assert {name for name, _ in trained} <= set(about["steps"])
    for (name, seed), run in rows.groupby(["recipe", "seed"]):
        ended = run["step"].iloc[-1] == about["steps"][name]
        assert ended != ("failed" in trained[name, seed]), name
        assert run["minutes"].is_monotonic_increasing
    assert rows.notna().all(axis=None)


def test_a_recipe_keeps_nine_tenths_of_the_modes():
    """As chapter 04 says, in the mean of three trainings of two minutes."""
    rows, _ = images.recipes("stacks")
    modes = rows.loc[rows["recipe"] == "2016, three times as long", "modes"]
    assert len(modes) == 3
    assert modes.mean() >= 900


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("mnist", "2016"),
        ("mnist", "2016, no normalisation"),
        ("mnist", "2016, pooling"),
        ("stacks", "2016, three times as long"),
        ("stacks", "plain pair, relativistic, R1 + R2"),
    ],
)
def test_the_first_steps_are_what_is_stored(data, name):
    """Long trainings part on other processors; the first losses do not."""
    _, about = images.recipes(data)
    (run,) = [x for x in about["trainings"] if (x["name"], x["seed"]) == (name, 1)]
    pixels = image_recipes.parts_of(data)[0]
    keras.utils.set_random_seed(1)
    gan = image_recipes.RECIPES[name](1, pixels.shape[1:])
    history = gan.fit(
        pixels, steps=image_recipes.FIRST, batch_size=image_recipes.BATCH, verbose=0
    )
    found = history.loc[image_recipes.FIRST, ["d_loss", "g_loss"]].to_dict()
    assert found == pytest.approx(run["first"], rel=0.01, abs=0.01)
