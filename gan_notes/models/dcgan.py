"""Networks for small images: those of DCGAN, and a plain pair; chapter 04.

Chapter 04 explains each layer. `build_generator` and `build_discriminator` follow the
guidelines of Radford et al. (2016): strides instead of pooling, batch normalisation
except at the generator's output and the discriminator's input, no hidden dense layer,
ReLU and a tanh in the generator, LeakyReLU in the discriminator, weights drawn from
N(0, 0.02). Their sizes are arguments; the defaults depart from the paper in five
places, for 28 x 28 digits on two cores:

- images grow 7, 14, 28 (there 4, 8, 16, 32, 64), two strided layers instead of four;
- 64 and 32 channels (there up to 1,024), so that a chapter can train them;
- kernels of 4 (there 5): a multiple of the stride 2, so every pixel is painted by
  equally many kernel taps and no checkerboard is built in (Odena et al. 2016);
- z is normal with 64 entries (there uniform with 100), as everywhere in this book;
- the discriminator ends in a logit, not a sigmoid: our losses take logits.

`build_plain_generator` and `build_plain_discriminator` do without normalisation, which
a penalty on the discriminator's slope makes dispensable (Huang et al. 2024).
"""

from __future__ import annotations

import keras
import numpy as np

from gan_notes.models.gan import GAN

IMAGE_SHAPE = (28, 28, 1)
KERNEL = 4  # pixels; a multiple of STRIDE
STRIDE = 2
LEAK = 0.2  # slope of LeakyReLU below 0, the paper's
INITIAL_STD = 0.02  # of every kernel, the paper's
MOMENTUM = 0.9  # of the running statistics; Keras's 0.99 lags in a short run
SMALLEST = 7  # pixels; halving stops at this side or below
HIDDEN = 64  # units of the plain discriminator's dense layer
# Of the plain pair on digits. Prototypes with gamma 1 and half the rate learned the
# same in about twice as many updates.
GAMMA, RATE, DECAY, TRANSLATION = 0.2, 4e-4, 0.999, 3


def build_generator(
    *,
    shape: tuple[int, int, int] = IMAGE_SHAPE,
    latent_dim: int = 64,
    width: int = 32,
    kernel: int = KERNEL,
    seed: int = 0,
) -> keras.Model:
    """Build the generator: a vector z in, an image in [-1, 1] out.

    Parameters
    ----------
    shape : tuple
        Height, width and channels of an image, such as (28, 28, 1), (32, 32, 3) or
        (64, 64, 3).
    latent_dim : int
        Entries of z.
    width : int
        Channels of the last hidden layer; each before it has twice as many.
    kernel : int
        Side of the transposed convolutions' kernels, in pixels.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, latent_dim) to (n, *shape).

    Raises
    ------
    ValueError
        Images that are not square, or whose side cannot be halved often enough.

    Notes
    -----
    Radford et al. (2016), figure 1, cut to as many transposed convolutions as `shape`
    asks for; 64 x 64 pixels, width 128 and 100 entries of z are the paper's. Where
    batch normalisation follows, a bias would be subtracted again, so there is none.

    Examples
    --------
    >>> build_generator().output_shape
    (None, 28, 28, 1)
    """
    side, doublings = halvings(shape)
    layers, draw = keras.layers, _normal_kernels(seed)

    def grow(channels, **options):
        return layers.Conv2DTranspose(
            channels, kernel, STRIDE, "same", kernel_initializer=draw(), **options
        )

    def normalise():
        return layers.BatchNormalization(momentum=MOMENTUM), layers.ReLU()

    first, *rest = (width * 2**i for i in reversed(range(doublings)))
    project = layers.Dense(
        side * side * first, use_bias=False, kernel_initializer=draw()
    )
    stack = [
        keras.Input((latent_dim,), name="z"),
        project,
        layers.Reshape((side, side, first)),
        *normalise(),
    ]
    for channels in rest:
        stack += [grow(channels, use_bias=False), *normalise()]
    stack += [grow(shape[-1], activation="tanh")]
    return keras.Sequential(stack, name="generator")


def build_discriminator(
    *,
    shape: tuple[int, int, int] = IMAGE_SHAPE,
    width: int = 32,
    kernel: int = KERNEL,
    seed: int = 0,
) -> keras.Model:
    """Build the discriminator: an image in, one logit out.

    Parameters
    ----------
    shape : tuple
        As for `build_generator`.
    width : int
        Channels of the first layer; each after it has twice as many.
    kernel : int
        Side of the convolutions' kernels, in pixels.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, *shape) to (n, 1). Its sigmoid is the probability that the
    image is real.

    Raises
    ------
    ValueError
        As `build_generator`.

    Notes
    -----
    The mirror of `build_generator`. The dense layer at the end is the output, not a
    hidden layer, so the guidelines allow it.

    Examples
    --------
    >>> build_discriminator().output_shape
    (None, 1)
    """
    _, doublings = halvings(shape)
    layers, draw = keras.layers, _normal_kernels(seed + 1)

    def shrink(channels, **options):
        return layers.Conv2D(
            channels, kernel, STRIDE, "same", kernel_initializer=draw(), **options
        )

    stack = [keras.Input(shape, name="image"), shrink(width), layers.LeakyReLU(LEAK)]
    for i in range(1, doublings):
        stack += [
            shrink(width * 2**i, use_bias=False),
            layers.BatchNormalization(momentum=MOMENTUM),
            layers.LeakyReLU(LEAK),
        ]
    stack += [layers.Flatten(), layers.Dense(1, kernel_initializer=draw())]
    return keras.Sequential(stack, name="discriminator")


def build_plain_generator(
    *,
    shape: tuple[int, int, int] = IMAGE_SHAPE,
    latent_dim: int = 64,
    classes: int = 0,
    width: int = 16,
    seed: int = 0,
) -> keras.Model:
    """Build a generator without normalisation: dense, then transposed convolutions.

    Parameters
    ----------
    shape : tuple
        As for `build_generator`.
    latent_dim : int
        Entries of z.
    classes : int
        How many more entries hold the label, see :class:`gan_notes.models.gan.GAN`.
    width : int
        Channels at full size; with each halving of the side twice as many.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, latent_dim + classes) to (n, *shape), in [-1, 1].

    Raises
    ------
    ValueError
        As `build_generator`.

    Notes
    -----
    A plain convolution of side 3 at the smallest size and one at full size, kernels of
    4 and stride 2 between. He et al. (2015) give the spread of the initial weights.

    Examples
    --------
    >>> build_plain_generator().count_params()
    281921
    """
    side, doublings = halvings(shape)
    layers, draw = keras.layers, kernels(keras.initializers.HeNormal, seed)
    first, *rest = (width * 2**i for i in reversed(range(doublings + 1)))

    def grow(channels):
        return layers.Conv2DTranspose(
            channels, KERNEL, STRIDE, "same", kernel_initializer=draw()
        )

    def look(channels, **options):
        return layers.Conv2D(
            channels, 3, padding="same", kernel_initializer=draw(), **options
        )

    stack = [
        keras.Input((latent_dim + classes,), name="z"),
        layers.Dense(side * side * first, kernel_initializer=draw()),
        layers.LeakyReLU(LEAK),
        layers.Reshape((side, side, first)),
        look(first),
        layers.LeakyReLU(LEAK),
    ]
    for channels in rest:
        stack += [grow(channels), layers.LeakyReLU(LEAK)]
    stack += [look(shape[-1], activation="tanh")]
    return keras.Sequential(stack, name="generator")


def build_plain_discriminator(
    *,
    shape: tuple[int, int, int] = IMAGE_SHAPE,
    classes: int = 0,
    width: int = 32,
    seed: int = 0,
) -> keras.Model:
    """Build a discriminator without normalisation, alike `build_plain_generator`.

    Parameters
    ----------
    shape : tuple
        As for `build_generator`.
    classes : int
        It gives a logit for each, or one where there are none.
    width : int
        Channels of the first layer; with each halving of the side twice as many.
    seed : int
        The same seed builds the same weights.

    Returns
    -------
    Keras model, (n, *shape) to (n, 1), or (n, classes).

    Raises
    ------
    ValueError
        As `build_generator`.

    Examples
    --------
    >>> build_plain_discriminator().count_params()
    271137
    """
    _, doublings = halvings(shape)
    layers, draw = keras.layers, kernels(keras.initializers.HeNormal, seed + 1)

    def shrink(channels):
        return layers.Conv2D(
            channels, KERNEL, STRIDE, "same", kernel_initializer=draw()
        )

    stack = [keras.Input(shape, name="image")]
    for i in range(doublings):
        channels = width * 2**i
        stack += [shrink(channels), layers.LeakyReLU(LEAK)]
    stack += [
        layers.Conv2D(channels, 3, padding="same", kernel_initializer=draw()),
        layers.LeakyReLU(LEAK),
        layers.Flatten(),
        layers.Dense(HIDDEN, kernel_initializer=draw()),
        layers.LeakyReLU(LEAK),
        layers.Dense(classes or 1, kernel_initializer=draw()),
    ]
    return keras.Sequential(stack, name="discriminator")


def plain_gan(
    *,
    steps: int,
    shape: tuple[int, int, int] = IMAGE_SHAPE,
    classes: int = 0,
    gamma: float = GAMMA,
    rate: float = RATE,
    seed: int = 0,
    name: str = "plain",
) -> GAN:
    """Return the plain pair as it is trained: R3GAN's loss, moved images, averages.

    Parameters
    ----------
    steps : int
        Steps of the training, over which the rates fall to 0 along a cosine.
    shape, classes
        As for `build_plain_generator`.
    gamma : float
        Weight of the penalties R1 and R2.
    rate : float
        Learning rate at the start, of both players.
    seed, name
        As for :class:`gan_notes.models.gan.GAN`; the seed also draws first weights.

    Returns
    -------
    Compiled GAN. ``fit(images, steps=steps, batch_size=64)`` trains it, with `labels`
    where there are classes; it draws with averaged weights.

    Notes
    -----
    Huang et al. (2024) for loss, penalties and Adam without momentum; Zhao et al.
    (2020) for the moves.
    """
    gan = GAN(
        build_plain_generator(shape=shape, classes=classes, seed=seed),
        build_plain_discriminator(shape=shape, classes=classes, seed=seed),
        loss="relativistic",
        penalty="r1_r2",
        penalty_weight=gamma,
        classes=classes,
        translation=TRANSLATION,
        seed=seed,
        name=name,
    )

    def adam(**average):
        cosine = keras.optimizers.schedules.CosineDecay(rate, steps)
        return keras.optimizers.Adam(cosine, beta_1=0.0, beta_2=0.99, **average)

    gan.compile(adam(use_ema=True, ema_momentum=DECAY), adam())
    return gan


def halvings(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the side at which an image's network begins, and how often it doubles.

    Examples
    --------
    >>> halvings((28, 28, 1)), halvings((64, 64, 3))
    ((7, 2), (4, 4))
    """
    side, doublings = shape[0], 0
    while side > SMALLEST and side % STRIDE == 0:
        side, doublings = side // STRIDE, doublings + 1
    if shape[0] != shape[1] or side > SMALLEST or not doublings:
        raise ValueError(
            f"shape: {tuple(shape)} came; height and width must be equal, and halving "
            f"them must lead to at most {SMALLEST} pixels, as 28, 32 and 64 do."
        )
    return side, doublings


def _normal_kernels(seed):
    """Return a function that makes the next N(0, 0.02) initializer of this seed."""
    normal = keras.initializers.RandomNormal
    return kernels(lambda seed: normal(stddev=INITIAL_STD, seed=seed), seed)


def kernels(initializer, seed: int):
    """Return a function that makes the next initializer of this seed."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(16))
    return lambda: initializer(seed=int(next(seeds)))
