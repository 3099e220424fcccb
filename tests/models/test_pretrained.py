"""Shipped weights: where they come from, and that a new training begins like them."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_notes.data.images import load_images
from gan_notes.data.prices import load_prices
from gan_notes.data.windows import make_windows
from gan_notes.evaluation import facts
from gan_notes.models import dcgan, pretrained
from gan_notes.models.gan import GAN
from gan_notes.models.returns import ReturnsGAN
from gan_notes.models.timegan import TimeGAN


@pytest.fixture(scope="module")
def windows():
    return make_windows(load_prices())


@pytest.mark.parametrize("name", pretrained.names())
def test_every_weight_tells_its_provenance_and_loads(name):
    about = pretrained.provenance(name)
    assert about["command"].startswith("python ")
    assert " book/" in about["command"]
    assert len(about["commit"]) == 40
    assert about["steps"] > 0
    assert {"seed", "batch_size", "data"} <= set(about["settings"])
    assert {"python", "tensorflow", "keras", "numpy"} <= set(about["versions"])
    assert about["hardware"]
    model = pretrained.load(name)
    assert model.name == name
    assert model.loss_history.index[-1] == about["steps"]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_weights_are_small():
    sizes = [path.stat().st_size for path in pretrained.FOLDER.iterdir()]
    assert sum(sizes) < 16e6


FILMS = [name for name in pretrained.names() if "film" in pretrained.provenance(name)]


@pytest.mark.parametrize("name", FILMS)
def test_a_film_ends_with_what_the_shipped_generator_draws(name):
    film = pretrained.film(name)
    assert list(film)[-1] == pretrained.provenance(name)["steps"]
    drawn, _ = pretrained.draw(name, 10, seed=pretrained.FILM_SEED)
    np.testing.assert_allclose(film[list(film)[-1]], drawn, atol=0.05)
    first = film[next(iter(film))]
    assert np.abs(first - drawn).mean() > 0.2


def test_weights_without_a_film_say_which_have_one():
    with pytest.raises(ValueError, match="'dcgan-mnist-0' kept no film"):
        pretrained.film("dcgan-mnist-0")


@pytest.mark.long
def test_a_new_training_begins_as_the_shipped_timegan_did(windows):
    """The first rows of the shipped history, trained again from the same seed."""
    model = TimeGAN(24, 6, transform=windows.transform)
    shipped = pretrained.load("timegan-offline-0", windows.train)
    model.first_phases = shipped.settings["first_phases"]
    model.set_data(windows.train)
    model.run_to(20, verbose=0)
    np.testing.assert_allclose(
        model.loss_history.reconstruction,
        shipped.loss_history.reconstruction.loc[[10, 20]],
        rtol=1e-3,  # other processors round otherwise
    )


RETURNS = [name for name in pretrained.names() if name.startswith("returns-offline")]


@pytest.mark.long
def test_a_new_training_begins_as_the_shipped_returns_did():
    windows = make_windows(load_prices(), transform="normal_scores")
    shipped = pretrained.load(RETURNS[0], windows.train)
    model = ReturnsGAN(24, 6, name=RETURNS[0], seed=shipped.seed)
    model.compile(decay_steps=shipped.step)
    history = model.fit(windows.train, steps=20, batch_size=256, verbose=0)
    np.testing.assert_allclose(
        history, shipped.loss_history.loc[[10, 20]], rtol=1e-2, atol=1e-2
    )
    np.testing.assert_allclose(model.sizes, shipped.sizes)


@pytest.mark.parametrize("name", RETURNS)
def test_shipped_returns_have_the_facts_of_their_training_period(name):
    windows = make_windows(load_prices(), transform="normal_scores")
    real = windows.changes(windows.train)
    drawn, tickers = pretrained.draw(name, 4000, seed=1)
    assert tickers == windows.tickers
    sizes = [
        np.mean([facts.autocorrelation(abs(x), lag).mean() for lag in range(1, 6)])
        for x in (real, drawn)
    ]
    assert 0.7 < sizes[1] / sizes[0] < 1.3
    loss = [np.quantile(x, 0.01, axis=(0, 1)) for x in (real, drawn)]
    np.testing.assert_allclose(loss[1], loss[0], rtol=0.15)
    np.testing.assert_allclose(
        facts.cross_correlation(drawn).mean(),
        facts.cross_correlation(real).mean(),
        atol=0.05,
    )


def test_the_level_steers_the_shipped_returns():
    model = pretrained.load(RETURNS[0])
    calm, stormy = (
        abs(model.generate(500, seed=0, level=level)).mean() for level in (-1.5, 1.5)
    )
    assert stormy > 2 * calm
    for level in (-1.0, 0.0, 1.0):  # what comes out is what was asked for
        drawn = model.generate(500, seed=0, level=level)
        assert np.median(model.levels(drawn)) == pytest.approx(level, abs=0.35)


TIMEGANS = [name for name in pretrained.names() if name.startswith("timegan-")]


@pytest.mark.parametrize("name", TIMEGANS)
def test_a_shipped_timegan_has_its_whole_training_behind_it(name):
    history = pretrained.load(name).phase_history()
    assert dict(history["phase"].value_counts()) == dict.fromkeys(
        ("embedding", "supervised", "joint"), 1000
    )


@pytest.mark.parametrize("name", [n for n in TIMEGANS if "offline" in n])
def test_the_shipped_timegan_restores_windows_as_its_history_ends(windows, name):
    model = pretrained.load(name, windows.train)
    restored = model.recovery(model.embedder(windows.train[::10]))
    error = float(np.sqrt(np.mean((restored - windows.train[::10]) ** 2)))
    last = model.loss_history.reconstruction.iloc[-50:].median()
    assert 0.5 * last < error < 2 * last


def test_the_shipped_timegan_gives_prices(windows):
    model = pretrained.load("timegan-offline-0", windows.train)
    (frame,) = model.prices(1, dates=windows.test_dates[0], seed=0)
    assert list(frame.columns) == windows.tickers


def test_the_shipped_sines_go_on_as_they_went():
    drawn, names = pretrained.draw("timegan-sines-0", 500, values="prices")
    assert names == [f"sine {i}" for i in range(1, 6)]
    steps, _ = pretrained.draw("timegan-sines-0", 500)
    np.testing.assert_allclose(np.diff(drawn, axis=1), steps, atol=1e-6)
    assert facts.autocorrelation(steps, 1).mean() > 0.7
    assert 0 < drawn.min() < drawn.max() < 1


def test_weights_load_with_their_own_gru_where_there_is_a_gpu(windows, monkeypatch):
    """The list of devices is faked, so Keras's loop runs in place of fused cells."""
    expected = pretrained.load("timegan-offline-0").generate(2, seed=0)
    monkeypatch.setattr(
        tf.config, "get_visible_devices", lambda kind=None: ["/device:GPU:0"]
    )
    assert TimeGAN(24, 6).reset_after is True
    model = pretrained.load("timegan-offline-0", windows.train)
    assert model.reset_after is False
    np.testing.assert_allclose(model.generate(2, seed=0), expected, atol=1e-5)


def test_shipped_weights_are_for_their_data_only(windows):
    with pytest.raises(ValueError, match=r"trained on other data.*train=True"):
        pretrained.load("timegan-offline-0", windows.train[:-1])


def test_unknown_weights_are_named_with_those_that_ship():
    with pytest.raises(ValueError, match=r"'mine' has no shipped.*timegan-offline-0"):
        pretrained.load("mine")


@pytest.mark.parametrize("content", [b"", b"half of", None])
def test_damaged_weights_are_named_with_the_remedy(tmp_path, monkeypatch, content):
    shutil.copy(pretrained.FOLDER / "gan_ring_0.json", tmp_path)
    if content is not None:
        (tmp_path / "gan_ring_0.weights.h5").write_bytes(content)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(
        ValueError,
        match=r"damaged.*pip install --force-reinstall --no-deps .gan-notes @ git",
    ):
        pretrained.load("gan_ring_0")


def test_steps_that_are_done_are_said():
    images, _ = load_images("mnist")
    gan = pretrained.load("dcgan2016-mnist-0", images[:4000])
    with pytest.warns(UserWarning, match="12,000 steps are done"):
        gan.fit(images[:4000], steps=100, batch_size=64, verbose=0)


def test_the_shipped_dcgan_makes_images():
    images, _ = load_images("mnist")
    gan = pretrained.load("dcgan2016-mnist-0", images[:4000])
    synthetic = gan.generate(64, seed=0)
    assert len(gan.loss_history)
    assert synthetic.shape == (64, 28, 28, 1)
    assert abs(synthetic.mean() - images.mean()) < 0.2
    assert synthetic.std(axis=0).mean() > 0.3  # not one image again and again


@pytest.mark.long
def test_a_new_training_begins_as_the_shipped_dcgan_did():
    images, _ = load_images("mnist")
    shipped = pretrained.load("dcgan2016-mnist-0", images[:4000])
    keras.utils.set_random_seed(0)
    gan = GAN(
        dcgan.build_generator(), dcgan.build_discriminator(), name="dcgan2016-mnist-0"
    )
    history = gan.fit(images[:4000], steps=20, batch_size=64, verbose=0)
    np.testing.assert_allclose(
        history, shipped.loss_history.loc[[10, 20]], rtol=1e-2, atol=1e-2
    )


def test_a_returns_generator_alone_draws_another_length():
    on, tickers = pretrained.draw("returns-offline-0", 3, seed=1, length=40)
    assert on.shape == (3, 40, len(tickers))
    again, _ = pretrained.draw("returns-offline-0", 3, seed=1, length=40)
    np.testing.assert_array_equal(on, again)
    with pytest.raises(ValueError, match=r"length: 28 .*dcgan-mnist-0 draws"):
        pretrained.draw("dcgan-mnist-0", 3, length=28)
