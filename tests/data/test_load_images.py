"""Images from Keras's cache, folders and arrays, and what is said of bad ones."""

import gzip
import re

import numpy as np
import pytest
from keras.src.utils import file_utils
from PIL import Image

from gan_notes.data.images import load_images

GREY = np.arange(3 * 28 * 28, dtype="uint8").reshape(3, 28, 28)


def home(folder, monkeypatch):
    """Make a folder Keras's own; it asks the environment once, when it is imported."""
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(folder))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Fill Keras's cache with a Fashion-MNIST of ten images, four of them for tests."""
    folder = home(tmp_path / "keras", monkeypatch) / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    monkeypatch.setattr("gan_notes.data.images.TEST", 4)
    random = np.random.default_rng(0)
    for part, n, first in (("train", 6, 0), ("t10k", 4, 6)):
        images = random.integers(0, 256, (n, 28, 28), dtype="uint8")
        images[:, 0, 0] = labels = np.arange(first, first + n, dtype="uint8")
        for kind, head, array in (
            ("images-idx3", 16, images),
            ("labels-idx1", 8, labels),
        ):
            data = bytes(head) + array.tobytes()
            path = folder / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(data))
    return folder


@pytest.fixture
def folder(tmp_path):
    """Write two folders of pictures, with a note that is none."""
    for i, name in enumerate(["cats", "cats", "dogs"]):
        (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
        image = np.full((8, 8, 3), 100 * i, "uint8")
        Image.fromarray(image).save(tmp_path / "pets" / name / f"{i}.png")
    (tmp_path / "pets" / "readme.txt").write_text("no image", encoding="utf-8")
    return tmp_path / "pets"


def test_the_last_images_of_a_set_of_keras_are_its_test_set(cache):
    for seed in (0, 1):
        images, labels = load_images("fashion", seed=seed)
        assert images.shape == (10, 28, 28, 1)
        assert sorted(labels[:6]) == [0, 1, 2, 3, 4, 5]
        assert labels[6:].tolist() == [6, 7, 8, 9]
        # An image keeps its label, which its first pixel tells.
        np.testing.assert_allclose((images[:, 0, 0, 0] + 1) * 127.5, labels, atol=1e-4)
    assert labels[:6].tolist() != load_images("fashion")[1][:6].tolist()


def test_a_damaged_cache_is_named(cache):
    path = cache / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"a file of 'fashion' in .*; remove it"):
        load_images("fashion")


def test_without_a_network_the_offline_digits_are_offered(tmp_path, monkeypatch):
    home(tmp_path, monkeypatch)
    for name in ("http_proxy", "https_proxy"):  # nobody listens there
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match=r"'fashion' is not in .* 'mnist', which"):
        load_images("fashion")


def test_a_folder_is_read_with_its_classes(folder):
    images, labels = load_images(folder)
    assert images.shape == (3, 8, 8, 3)
    assert sorted(labels) == [0, 0, 1]
    grey = np.round((images[:, 0, 0, 0] + 1) * 127.5)
    assert sorted(zip(labels, grey, strict=True)) == [(0, 0), (0, 100), (1, 200)]
    cut, _ = load_images(str(folder), shape=(4, 4, 1))
    assert cut.shape == (3, 4, 4, 1)
    np.testing.assert_allclose(sorted(cut[:, 0, 0, 0]), sorted(images[:, 0, 0, 0]))


def test_images_of_two_shapes_are_named(folder):
    Image.fromarray(np.zeros((9, 8), "uint8")).save(folder / "dogs" / "tall.png")
    with pytest.raises(ValueError, match=r"tall.png has shape \(9, 8, 1\), but 0.png"):
        load_images(folder)
    assert load_images(folder, shape=(8, 8, 3))[0].shape == (4, 8, 8, 3)


def test_a_corrupt_image_is_named(folder):
    path = folder / "cats" / "0.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} cannot be read"):
        load_images(folder)


@pytest.mark.parametrize(("kind", "mode"), [("uint16", "I;16"), ("float32", "F")])
def test_images_of_more_than_eight_bits_are_refused(tmp_path, kind, mode):
    """Pillow would clip them: nearly all to white, or to black."""
    ramp = np.linspace(0, 65535 if kind == "uint16" else 1, 64).reshape(8, 8)
    path = tmp_path / "ramp.tif"
    Image.fromarray(ramp.astype(kind)).save(path)
    for shape in (None, (4, 4, 1)):
        with pytest.raises(ValueError, match=rf"ramp\.tif has more than 8.*{mode}\)"):
            load_images(tmp_path, shape=shape)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="holds no image"):
        load_images(tmp_path)


def test_arrays_are_scaled_and_checked():
    images, labels = load_images(GREY)
    assert images.shape == (3, 28, 28, 1)
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.tolist() == [0, 0, 0]
    again, _ = load_images(images)  # floats in [-1, 1] stay
    np.testing.assert_array_equal(np.sort(again, axis=0), np.sort(images, axis=0))
    colour, _ = load_images(np.zeros((2, 4, 4, 3)))
    assert colour.dtype == np.float32
    with pytest.raises(ValueError, match=r"values from 0\.0 to 255\.0"):
        load_images(GREY.astype(float))
    with pytest.raises(ValueError, match=r"values from nan to nan came"):
        load_images(np.full((2, 4, 4), np.nan))
    with pytest.raises(ValueError, match=r"an array of shape \(2, 4, 4, 5\) came"):
        load_images(np.zeros((2, 4, 4, 5)))


def test_only_a_folder_is_scaled():
    with pytest.raises(ValueError, match=r"\(32, 32, 3\) came, but these images have"):
        load_images("mnist", shape=(32, 32, 3))
