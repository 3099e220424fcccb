"""Shipped weights: where they come from, and that a new training begins like them."""

import keras
import numpy as np
import pytest

from gan_notes.data.images import load_images
from gan_notes.data.prices import load_prices
from gan_notes.data.windows import make_windows
from gan_notes.models import dcgan
from gan_notes.models.gan import GAN
from gan_notes.models.timegan import TimeGAN
from gan_notes.training import pretrained


@pytest.fixture(scope="module")
def windows():
    return make_windows(load_prices())


def timegan(windows, **options):
    return TimeGAN(24, 6, transform=windows.transform, **options)


@pytest.mark.parametrize("name", pretrained.names())
def test_every_weight_tells_its_provenance(name):
    about = pretrained.provenance(name)
    assert about["command"].startswith("python -m gan_notes ship book/")
    assert len(about["commit"]) == 40
    assert about["steps"] > 0
    assert {"seed", "batch_size", "data"} <= set(about["settings"])
    assert {"python", "tensorflow", "keras", "numpy"} <= set(about["versions"])
    assert about["hardware"]


def test_a_new_training_begins_as_the_shipped_timegan_did(windows):
    """The first rows of the shipped history, trained again from the same seed."""
    model = timegan(windows)
    again = model.fit(windows.train, steps=(20, 1, 1), verbose=0)
    shipped = pretrained.load(timegan(windows), windows.train)
    np.testing.assert_allclose(
        again.reconstruction.loc[[10, 20]],
        shipped.reconstruction.loc[[10, 20]],
        rtol=1e-3,  # other processors round otherwise
    )


def test_the_shipped_timegan_restores_windows_as_its_history_ends(windows):
    model = timegan(windows)
    history = pretrained.load(model, windows.train)
    restored = model.recovery(model.embedder(windows.train[::10]))
    error = float(np.sqrt(np.mean((restored - windows.train[::10]) ** 2)))
    last = history.reconstruction.iloc[-50:].median()
    assert 0.5 * last < error < 2 * last


def test_shipped_weights_are_for_their_data_only(windows):
    with pytest.raises(ValueError, match=r"trained on other data.*Set train=True"):
        pretrained.load(timegan(windows), windows.train[:-1])


def test_shipped_weights_are_for_their_network_only(windows):
    with pytest.raises(ValueError, match=r"do not fit the network.*Set train=True"):
        pretrained.load(timegan(windows, hidden_dim=8), windows.train)


def test_unknown_weights_are_named_with_those_that_ship():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="mine")
    with pytest.raises(ValueError, match=r"'mine' has no shipped.*timegan.*train=True"):
        pretrained.load(model)


def test_the_shipped_dcgan_makes_images():
    gan = GAN(dcgan.build_generator(), dcgan.build_discriminator(), name="dcgan")
    images, _ = load_images("mnist")
    history = pretrained.load(gan, images[:4000])
    synthetic = gan.generate(64)
    assert len(history)
    assert synthetic.shape == (64, 28, 28, 1)
    assert abs(synthetic.mean() - images.mean()) < 0.2
    assert synthetic.std(axis=0).mean() > 0.3  # not one image again and again
