"""ReturnsGAN: a generator of returns that holds; chapter 06.

Returns are nearly white in their sign and clustered in their size, so no short code
per window can hold them, and a critic that sees bare returns takes long to find the
clusters. Here the critic is shown what finance measures, and the ranks of the output
are set right after training.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from gan_notes.data import transforms
from gan_notes.data.transforms import Transform
from gan_notes.models import layers
from gan_notes.models.base import Priced, StepModel
from gan_notes.models.gan import GAN
from gan_notes.training import checkpoint, loop

UNITS = 48  # of the generator's GRU
WIDTH, DEPTH = 256, 3  # of the critic's hidden layers
DAY_NOISE, WINDOW_NOISE = 16, 16  # the last of the window's is its level
LAGS = (1, 2, 5)  # of the autocovariances that the critic sees
RATE, DECAY = 2e-4, 0.999  # learning rate at the start, of the generator's average
GRID = np.linspace(-3.5, 3.5, 257)  # levels, in normal scores
CALIBRATION = 4096  # windows drawn for it


@keras.saving.register_keras_serializable("gan_notes")
class StylisedFacts(keras.layers.Layer):
    """What the critic sees of a window: its values, and what finance measures.

    Parameters
    ----------
    lags : sequence of int
        Of the autocovariances; those that a window is too short for are left out.
    **kwargs
        As for ``keras.layers.Layer``.

    Notes
    -----
    Maps x (n, L, d + 1), d normal scores of returns and the window's level, to
    (n, features): all values and their sizes; per ticker the mean, the root mean
    square, the mean size and the autocovariances of the size (clusters of volatility);
    per day the mean size, and the size of the mean, over the tickers (correlation); and
    the level.
    """

    def __init__(self, lags=LAGS, **kwargs):
        super().__init__(**kwargs)
        self.lags = tuple(lags)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the features, a row per window."""
        x, level = x[..., :-1], x[:, 0, -1:]
        size = tf.abs(x)
        calm = size - tf.reduce_mean(size, axis=1, keepdims=True)
        length = x.shape[1]
        seen = [
            tf.reshape(x, [-1, length * x.shape[2]]),
            tf.reshape(size, [-1, length * x.shape[2]]),
            tf.reduce_mean(x, axis=1),
            tf.sqrt(tf.reduce_mean(x**2, axis=1) + 1e-6),
            tf.reduce_mean(size, axis=1),
            tf.reduce_mean(size, axis=2),
            tf.abs(tf.reduce_mean(x, axis=2)),
            level,
        ]
        for lag in self.lags:
            if lag < length:
                product = calm[:, lag:] * calm[:, :-lag]
                seen.append(tf.reduce_mean(product, axis=1))
        return tf.concat(seen, axis=1)

    def get_config(self) -> dict:
        """Return what the constructor needs."""
        return {**super().get_config(), "lags": list(self.lags)}


@keras.saving.register_keras_serializable("gan_notes")
class Repeat(keras.layers.Layer):
    """Append the last column of the noise, a window's level, to its returns."""

    def call(self, returns: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Map (n, L, d) and (n, L, k) to (n, L, d + 1)."""
        return tf.concat([returns, z[..., -1:]], axis=-1)


def build_generator(features: int, *, seed: int) -> keras.Model:
    """Build the generator: noise of any length (n, L, k) to (n, L, features + 1).

    A GRU reads the noise of each day beside the noise of the window, which stays; a
    small dense head makes returns of its state and of the day's noise.
    """
    noise = keras.Input((None, DAY_NOISE + WINDOW_NOISE))
    init = keras.initializers.GlorotUniform
    state = layers.GRU(
        UNITS,
        return_sequences=True,
        kernel_initializer=init(seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 1),
    )(noise)
    hidden = keras.layers.Dense(UNITS, "leaky_relu", kernel_initializer=init(seed + 2))(
        keras.layers.Concatenate()([state, noise])
    )
    returns = keras.layers.Dense(features, kernel_initializer=init(seed + 3))(hidden)
    return keras.Model(noise, Repeat()(returns, noise), name="generator")


def build_critic(length: int, features: int, *, lags, seed: int) -> keras.Model:
    """Build the critic: a residual MLP on :class:`StylisedFacts`."""
    window = keras.Input((length, features + 1))
    hidden = StylisedFacts(lags)(window)
    for i in range(DEPTH):
        new = keras.layers.Dense(
            WIDTH,
            "leaky_relu",
            kernel_initializer=keras.initializers.HeNormal(seed + 10 + i),
        )(hidden)
        hidden = keras.layers.Add()([hidden, new]) if i else new
    score = keras.layers.Dense(
        1, kernel_initializer=keras.initializers.GlorotUniform(seed + 20)
    )(hidden)
    return keras.Model(window, score, name="critic")


def optimizers(decay_steps: int, critic_steps: int, *, rate: float = RATE):
    """Return the generator's Adam, which keeps averages, and the critic's.

    Both rates fall to 0 along a cosine over `decay_steps` steps, of which the critic
    makes `critic_steps` updates each.
    """

    def adam(updates, **average):
        cosine = keras.optimizers.schedules.CosineDecay(rate, updates)
        return keras.optimizers.Adam(cosine, beta_1=0.0, beta_2=0.9, **average)

    return (
        adam(decay_steps, use_ema=True, ema_momentum=DECAY),
        adam(decay_steps * critic_steps),
    )


@keras.saving.register_keras_serializable("gan_notes")
class ReturnsGAN(Priced, GAN):
    """A WGAN-GP on windows of returns in normal scores, with a dial for volatility.

    The window's *level* is the rank of its mean absolute value among the training
    windows, as a normal score. The critic sees it beside the window, and the generator
    is given it as one number of its noise: drawn from N(0, 1) it gives the training
    period's mix of calm and storm, set by hand it gives the one that is asked for.

    Parameters
    ----------
    sequence_length : int
        Days of a training window, L.
    features : int
        Tickers, d.
    lags : sequence of int
        Of the autocovariances that the critic sees, see `StylisedFacts`.
    transform : Transform or its config
        Of the training windows; `prices` needs it.
    seed : int
        Fixes weights, minibatches and noise.
    name : str
        Also names its checkpoint.

    Notes
    -----
    Loss and penalty are those of Gulrajani et al. (2017): five critic steps, weight 10,
    Adam with beta_1 = 0. `generate` uses an exponential average of the generator's
    weights (Keras's ``use_ema``).

    Examples
    --------
    >>> model = ReturnsGAN(8, 2)
    >>> model.compile(decay_steps=500)  # then model.fit(windows, steps=500)
    >>> model.generate(5, length=20, seed=0).shape
    (5, 20, 2)
    """

    def __init__(
        self,
        sequence_length: int,
        features: int,
        *,
        lags: Sequence[int] = LAGS,
        transform: Transform | dict | None = None,
        seed: int = 0,
        name: str = "returns",
    ):
        self.lags = tuple(lags)
        self.sequence_length = loop.whole(sequence_length, "sequence_length")
        self.features = loop.whole(features, "features")
        super().__init__(
            build_generator(features, seed=seed),
            build_critic(sequence_length, features, lags=self.lags, seed=seed),
            loss="wasserstein",
            penalty="gradient",
            discriminator_steps=5,
            seed=seed,
            name=name,
        )
        # Known from the training windows, and kept with the weights.
        self.sizes = self.add_weight(
            name="sizes", shape=GRID.shape, trainable=False, initializer="ones"
        )
        self.persistence = self.add_weight(
            name="persistence", shape=(), trainable=False, initializer="zeros"
        )
        self._calibrated = None
        self.set_transform(transform)

    def compile(
        self, *, decay_steps: int = 10_000, rate: float = RATE,
        steps_per_execution: int = 10,
    ) -> None:  # fmt: skip
        """Set the two optimizers.

        Parameters
        ----------
        decay_steps : int
            Steps of the training, over which the rates fall to 0 along a cosine.
        rate : float
            Learning rate at the start.
        steps_per_execution : int
            Steps in one call of the compiled graph.
        """
        decay_steps = loop.whole(decay_steps, "decay_steps")
        pair = optimizers(decay_steps, self.discriminator_steps, rate=rate)
        super().compile(*pair, steps_per_execution=steps_per_execution)

    def sample_shape(self) -> tuple[int, int]:
        """Return (L, d): the level is no part of a sample."""
        return self.sequence_length, self.features

    def set_data(self, x: np.ndarray, batch_size: int = 128) -> None:
        """Set the windows, in the order of time; each gets its level beside it."""
        super().set_data(x, batch_size)
        if self.data.shape[-1] > self.features:
            return  # the same as before
        x = self.data.numpy()
        size = np.abs(x).mean(axis=(1, 2))
        self.sizes.assign(np.quantile(size, stats.norm.cdf(GRID)))
        level = self.levels(x)
        pairs = level[: -self.sequence_length], level[self.sequence_length :]
        enough = len(pairs[0]) > 1 and all(np.std(one) > 0 for one in pairs)
        self.persistence.assign(np.corrcoef(*pairs)[0, 1] if enough else 0.0)
        channel = np.broadcast_to(level[:, None, None], (*x.shape[:2], 1))
        self.data = tf.constant(np.concatenate([x, channel], axis=2))

    def levels(self, x: np.ndarray) -> np.ndarray:
        """Return the level of windows (n, any length, d), float32 (n,).

        0 is the median of the training windows, -1 and 1 their 16th and 84th
        percentile. Give a window's first days to go on from their volatility.
        """
        size = np.abs(np.asarray(x)).mean(axis=(1, 2))
        return np.interp(size, self.sizes.numpy(), GRID).astype("float32")

    def noise(
        self, n: int, seed: tf.Tensor, length: int | None = None,
        level: float | np.ndarray | None = None,
    ) -> tf.Tensor:  # fmt: skip
        """Draw noise (n, length, 32): for each day, and for each window.

        Beyond a window's length a new window begins, whose level follows the last one
        as those of neighbouring real windows do.
        """
        length = self.sequence_length if length is None else length
        windows = -(-length // self.sequence_length)
        keys = tf.random.split(seed, 2)
        days = tf.random.stateless_normal([n, length, DAY_NOISE], keys[0])
        held = tf.random.stateless_normal([n, windows, WINDOW_NOISE], keys[1])
        other, fresh = held[..., :-1], held[..., -1]
        path = [fresh[:, 0] if level is None else tf.broadcast_to(level, [n])]
        for i in range(1, windows):
            rho = tf.convert_to_tensor(self.persistence)
            path.append(rho * path[-1] + tf.sqrt(1.0 - rho**2) * fresh[:, i])
        held = tf.concat([other, tf.stack(path, axis=1)[..., None]], axis=2)
        held = tf.repeat(held, self.sequence_length, axis=1)[:, :length]
        return tf.concat([days, held], axis=2)

    def generate(
        self, n: int, *, seed: int | None = None, length: int | None = None,
        level: float | np.ndarray | None = None, calibrated: bool = True,
    ) -> np.ndarray:  # fmt: skip
        """Draw synthetic windows.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            The same seed draws the same noise; None draws anew each time.
        length : int
            Days of each; None means those of a training window. Longer ones run on
            with their state.
        level : float or array (n,)
            Volatility of the first L days, see :meth:`levels`. None draws it.
        calibrated : bool
            Whether each ticker's values are mapped, by the ranks of a large draw, to
            the standard normal that the scores of the training returns follow. The
            map is monotone, one for all windows; no day is copied.

        Returns
        -------
        float32 array (n, length, d), normal scores
        """
        n = loop.whole(n, "n")
        if length is not None:
            loop.whole(length, "length")
        if level is not None:
            level = np.asarray(level, "float32")
            if level.shape not in ((), (n,)) or not np.isfinite(level).all():
                raise ValueError(
                    f"level: {level!r} is neither a finite number nor {n} of them."
                )
        drawn = self.drawn(n, seed, length=length, level=level)
        x = drawn[..., : self.features]
        if calibrated:
            x = np.stack(
                [
                    transforms.to_scores(x[..., i], table)
                    for i, table in enumerate(self._calibration())
                ],
                axis=-1,
            )
        return x.astype("float32")

    def _calibration(self) -> list[dict]:
        """Return a rank table per ticker; it follows from the weights alone."""
        with self.averaged():
            drawing = [*self.generator.get_weights(), self.persistence.numpy()]
        weights = checkpoint.fingerprint(*drawing)
        if self._calibrated is None or self._calibrated[0] != weights:
            values = self.drawn(CALIBRATION, 0).astype(float)
            columns = values[..., : self.features].reshape(-1, self.features).T
            self._calibrated = (
                weights,
                [transforms.rank_table(column) for column in columns],
            )
        return self._calibrated[1]

    def get_config(self) -> dict:
        """Return what the constructor needs to make this model again."""
        return {
            **StepModel.get_config(self),
            "sequence_length": self.sequence_length,
            "features": self.features,
            "lags": list(self.lags),
            "transform": self.transform and self.transform.to_config(),
        }
