"""Digits: shuffled, scaled, and each with its label."""

import numpy as np
import pytest

from gan_notes.data.images import load_images


def test_digits_are_shuffled_by_seed_and_scaled():
    images, labels = load_images()
    assert images.shape == (5000, 28, 28, 1)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert (images.min(), images.max()) == (-1.0, 1.0)
    assert np.bincount(labels).tolist() == [500] * 10
    assert np.bincount(labels[:1000]).min() > 70  # the file is sorted by digit
    again, _ = load_images()
    np.testing.assert_array_equal(images, again)
    other, other_labels = load_images(seed=1)
    assert (labels != other_labels).any()
    # an image keeps its label: digits differ in their amount of ink
    one, two = (i[n == 1].mean() for i, n in ((images, labels), (other, other_labels)))
    assert one == pytest.approx(two, abs=1e-6)
    assert one < images.mean() - 0.1


def test_unknown_images():
    with pytest.raises(
        ValueError, match="'mnst' is not a set of images here, nor a folder"
    ):
        load_images("mnst")
