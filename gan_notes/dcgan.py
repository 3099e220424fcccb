"""The networks of DCGAN for 28 x 28 images, and a classifier of digits to count with.

Chapter 04 explains each layer. The guidelines are those of Radford et al. (2016):
strides instead of pooling, batch normalisation except at the generator's output and
the discriminator's input, no hidden dense layer, ReLU and a tanh in the generator,
LeakyReLU in the discriminator, weights drawn from N(0, 0.02).

We depart from the paper in five places, for 28 x 28 digits on two cores:

- images grow 7, 14, 28 (there 4, 8, 16, 32, 64), two strided layers instead of four;
- 64 and 32 channels (there up to 1,024), so that a chapter can train them;
- kernels of 4 (there 5): a multiple of the stride 2, so every pixel is painted by
  equally many kernel taps and no checkerboard is built in (Odena et al. 2016);
- z is normal with 64 entries (there uniform with 100), as everywhere in this book;
- the discriminator ends in a logit, not a sigmoid: our losses take logits.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

IMAGE_SHAPE = (28, 28, 1)
KERNEL = 4  # pixels; a multiple of STRIDE
STRIDE = 2
LEAK = 0.2  # slope of LeakyReLU below 0, the paper's
INITIAL_STD = 0.02  # of every kernel, the paper's
MOMENTUM = 0.9  # of the running statistics; Keras's 0.99 lags in a short run
CLASSES = 10


def build_generator(
    *, latent_dim: int = 64, width: int = 32, kernel: int = KERNEL, seed: int = 0
) -> keras.Model:
    """Build the generator: a vector z in, an image in [-1, 1] out.

    Parameters
    ----------
    latent_dim : int
        Entries of z.
    width : int
        Channels of the last hidden layer; the first has twice as many.
    kernel : int
        Side of the transposed convolutions' kernels, in pixels.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, latent_dim) to (n, 28, 28, 1).

    Notes
    -----
    Radford et al. (2016), figure 1, cut to two transposed convolutions. Where batch
    normalisation follows, a bias would be subtracted again, so there is none.

    Examples
    --------
    >>> build_generator().output_shape
    (None, 28, 28, 1)
    """
    layers, draw = keras.layers, _normal_kernels(seed)

    def grow(channels, **options):
        return layers.Conv2DTranspose(
            channels, kernel, STRIDE, "same", kernel_initializer=draw(), **options
        )

    project = layers.Dense(7 * 7 * 2 * width, use_bias=False, kernel_initializer=draw())
    return keras.Sequential(
        [
            keras.Input((latent_dim,), name="z"),
            project,
            layers.Reshape((7, 7, 2 * width)),
            layers.BatchNormalization(momentum=MOMENTUM),
            layers.ReLU(),
            grow(width, use_bias=False),
            layers.BatchNormalization(momentum=MOMENTUM),
            layers.ReLU(),
            grow(1, activation="tanh"),
        ],
        name="generator",
    )


def build_discriminator(
    *, width: int = 32, kernel: int = KERNEL, seed: int = 0
) -> keras.Model:
    """Build the discriminator: an image in, one logit out.

    Parameters
    ----------
    width : int
        Channels of the first layer; the second has twice as many.
    kernel : int
        Side of the convolutions' kernels, in pixels.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, 28, 28, 1) to (n, 1). Its sigmoid is the probability that the
    image is real.

    Notes
    -----
    The mirror of `build_generator`. The dense layer at the end is the output, not a
    hidden layer, so the guidelines allow it.

    Examples
    --------
    >>> build_discriminator().output_shape
    (None, 1)
    """
    layers, draw = keras.layers, _normal_kernels(seed + 1)

    def shrink(channels, **options):
        return layers.Conv2D(
            channels, kernel, STRIDE, "same", kernel_initializer=draw(), **options
        )

    return keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE, name="image"),
            shrink(width),
            layers.LeakyReLU(LEAK),
            shrink(2 * width, use_bias=False),
            layers.BatchNormalization(momentum=MOMENTUM),
            layers.LeakyReLU(LEAK),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=draw()),
        ],
        name="discriminator",
    )


def train_classifier(
    images: np.ndarray, labels: np.ndarray, *, epochs: int = 12, seed: int = 0
) -> keras.Model:
    """Train a small convolutional classifier of digits.

    Parameters
    ----------
    images : float array (n, 28, 28, 1)
        In [-1, 1].
    labels : integer array (n,)
        0 to 9.
    epochs : int
        Passes over the images, each time moved by up to a pixel.
    seed : int
        The same seed gives the same weights, order and moves.

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
    layers, draw = keras.layers, _kernels(keras.initializers.HeNormal, seed + 2)

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
    # Order and moves are drawn here, so that they depend on `seed` alone.
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        epoch = (_moved(images[order], rng), labels[order])
        batches = tf.data.Dataset.from_tensor_slices(epoch).batch(batch_size)
        classifier.fit(batches, shuffle=False, verbose=0)
    return classifier


def probabilities(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the classifier's probability of each class, float32, (n, 10)."""
    parts = np.array_split(images, -(-len(images) // 1000))
    logits = [classifier(part, training=False) for part in parts]
    return np.asarray(keras.ops.softmax(np.concatenate(logits)))


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


def _normal_kernels(seed):
    """Return a function that makes the next N(0, 0.02) initializer of this seed."""
    normal = keras.initializers.RandomNormal
    return _kernels(lambda seed: normal(stddev=INITIAL_STD, seed=seed), seed)


def _kernels(initializer, seed):
    seeds = iter(np.random.SeedSequence(seed).generate_state(16))
    return lambda: initializer(seed=int(next(seeds)))


def _moved(images, rng):
    """Move each image by -1, 0 or 1 pixel along both sides."""
    n, height, width = images.shape[:3]
    down, right = rng.integers(-1, 2, size=(2, n, 1))
    rows = (np.arange(height) + down) % height
    columns = (np.arange(width) + right) % width
    return images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
