"""The networks of DCGAN for 28 x 28 images; chapter 04.

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

IMAGE_SHAPE = (28, 28, 1)
KERNEL = 4  # pixels; a multiple of STRIDE
STRIDE = 2
LEAK = 0.2  # slope of LeakyReLU below 0, the paper's
INITIAL_STD = 0.02  # of every kernel, the paper's
MOMENTUM = 0.9  # of the running statistics; Keras's 0.99 lags in a short run


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


def _normal_kernels(seed):
    """Return a function that makes the next N(0, 0.02) initializer of this seed."""
    normal = keras.initializers.RandomNormal
    return kernels(lambda seed: normal(stddev=INITIAL_STD, seed=seed), seed)


def kernels(initializer, seed: int):
    """Return a function that makes the next initializer of this seed."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(16))
    return lambda: initializer(seed=int(next(seeds)))
