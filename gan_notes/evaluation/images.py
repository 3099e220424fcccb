"""A classifier of digits to count with, and histograms of classes; chapter 04."""

from __future__ import annotations

import keras
import numpy as np

from gan_notes.models.dcgan import IMAGE_SHAPE, MOMENTUM, STRIDE, kernels
from gan_notes.training import draws, loop

CLASSES = 10


def train_classifier(
    images: np.ndarray, labels: np.ndarray, *, epochs: int = 16, seed: int = 0
) -> keras.Model:
    """Train a small convolutional classifier of digits.

    Parameters
    ----------
    images : float array (n, 28, 28, 1)
        In [-1, 1].
    labels : integer array (n,)
        0 to 9.
    epochs : int
        The training draws as many images as that many passes have, each moved by up
        to a pixel.
    seed : int
        The same seed gives the same weights, draws and moves.

    Returns
    -------
    Keras model, images to logits (n, 10). Trained on 4,000 of the offline digits it
    is right on 97 % of the other 1,000; chapter 04 computes its own figure.

    Raises
    ------
    ValueError
        There are not as many labels as images.

    Notes
    -----
    After LeCun et al. (1998): strided convolutions, then a dense output.
    """
    if len(images) != len(labels):
        raise ValueError(
            f"labels: {len(labels)} came for {len(images)} images; give one an image."
        )
    layers, draw = keras.layers, kernels(keras.initializers.HeNormal, seed + 2)

    def block(channels):
        return (
            layers.Conv2D(
                channels, 5, STRIDE, "same", use_bias=False, kernel_initializer=draw()
            ),
            layers.BatchNormalization(momentum=MOMENTUM),
            layers.ReLU(),
        )

    classifier = keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE, name="image"),
            # By -1, 0 or 1 pixel each way, equally often, in training only.
            layers.RandomTranslation(
                1.5 / IMAGE_SHAPE[0],
                1.5 / IMAGE_SHAPE[1],
                fill_mode="constant",
                fill_value=-1.0,
                interpolation="nearest",
                seed=seed,
            ),
            *block(16),
            *block(32),
            layers.Flatten(),
            layers.Dense(CLASSES, kernel_initializer=draw()),
        ],
        name="classifier",
    )
    batch_size = 64
    updates = epochs * -(-len(images) // batch_size)
    classifier.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, updates)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=5,
        jit_compile=False,
    )
    loop.fit(
        classifier,
        images,
        labels,
        steps=updates,
        batch_size=batch_size,
        seed=seed,
        verbose=0,
    )
    return classifier


def probabilities(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the classifier's probability of each class, float32, (n, 10)."""
    return np.asarray(keras.ops.softmax(draws.in_parts(classifier, images)))


def classify(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the most probable class of each image, int64, (n,)."""
    return probabilities(classifier, images).argmax(axis=1)


def class_shares(classes: np.ndarray) -> np.ndarray:
    """Return the share of each of the ten classes, float64, (10,), summing to 1.

    Examples
    --------
    >>> class_shares(np.array([0, 0, 1, 9]))[[0, 1, 9]].tolist()
    [0.5, 0.25, 0.25]
    """
    return np.bincount(classes, minlength=CLASSES) / len(classes)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Return the total variation distance between two histograms of shares.

    Half the sum of absolute differences: 0 where they agree, 1 where they share no
    class. It is the largest difference that any set of classes can show.

    Examples
    --------
    >>> total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(0.5 * np.abs(p - q).sum())
