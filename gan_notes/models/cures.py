"""The candidates of chapter 03: a GAN that collapses, and what is said to cure it.

All have the same two small networks, rates, minibatches and noise, so that one row of
a table differs from the next by what its name says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf

from gan_notes.models.gan import GAN, LOSSES

LATENT = 16  # more than the plane has directions, so that a thin prior is no excuse
BATCH = 128
# Adam as Radford et al. (2016) set it, but for the rate: networks this small bear more.
ADAM = {"learning_rate": 1e-3, "beta_1": 0.5}
# What is judged is the average of the generator's last hundred or so states.
AVERAGE = {"use_ema": True, "ema_momentum": 0.99}


@keras.saving.register_keras_serializable("gan_notes")
class BatchDeviation(keras.layers.Layer):
    """Give each sample, as further features, how much each feature varies in its batch.

    One point says nothing of diversity, a minibatch does: points that are all alike
    have deviations of 0.

    Notes
    -----
    Karras et al. (2018), section 3, without the mean over features that they take:
    (n, k) becomes (n, 2 k). Salimans et al. (2016) have the idea.
    """

    def call(self, x):
        """Map features (n, k) to (n, 2 k)."""
        spread = tf.sqrt(tf.math.reduce_variance(x, axis=0, keepdims=True) + 1e-8)
        return tf.concat([x, tf.ones_like(x) * spread], axis=1)

    def compute_output_shape(self, shape):
        """Tell Keras that the features double."""
        return (*shape[:-1], 2 * shape[-1])


@keras.saving.register_keras_serializable("gan_notes")
class Unrolled(GAN):
    """A GAN whose generator looks some updates of the discriminator ahead.

    Before the generator moves, the discriminator makes `ahead` updates that are taken
    back afterwards. The generator's loss is asked of the discriminator at their end,
    and its gradient runs through all of them: what D would answer to a move of G counts
    before the move is made.

    Parameters
    ----------
    generator, discriminator, **options
        As for :class:`gan_notes.models.gan.GAN`.
    ahead : int
        Updates to look ahead; 0 is a GAN.
    ahead_rate : float
        Their learning rate: plain gradient steps, without Adam.

    Raises
    ------
    ValueError
        `ahead` is below 0, or as for a GAN.

    Notes
    -----
    Metz et al. (2017), equations 6 to 10: the steps of equation 7, plain ones, where
    their experiments unroll Adam; the penalty, where there is one, is not unrolled.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        ahead: int = 5,
        ahead_rate: float = 0.01,
        **options,
    ):
        if ahead < 0:
            raise ValueError(f"ahead: {ahead} is below 0, which makes a GAN.")
        super().__init__(generator, discriminator, **options)
        self.ahead, self.ahead_rate = ahead, ahead_rate

    def own_settings(self) -> dict:
        """Return the rules of the game."""
        return {**super().own_settings(), "ahead": [self.ahead, self.ahead_rate]}

    def facing(self, logits: Callable, real: tf.Tensor, synthetic: tf.Tensor):
        """Return D as it would be `ahead` updates later."""
        D, fixed = self.discriminator, self.discriminator.non_trainable_variables
        loss = LOSSES.get(self.loss_name, self.loss_name)
        weights = [tf.convert_to_tensor(w.value) for w in D.trainable_variables]

        def answer(x, weights):
            ahead = partial(D.stateless_call, weights, fixed, training=True)
            return logits(x, D=lambda x: ahead(x)[0])

        for _ in range(self.ahead):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                d_loss, _ = loss(answer(real, weights), answer(synthetic, weights))
            slopes = tape.gradient(d_loss, weights)
            weights = [
                w - self.ahead_rate * slope
                for w, slope in zip(weights, slopes, strict=True)
            ]
        return lambda x: answer(x, weights)

    def get_config(self) -> dict:
        """Return what the constructor needs to make this GAN again."""
        own = {"ahead": self.ahead, "ahead_rate": self.ahead_rate}
        return {**super().get_config(), **own}


def network(inputs: int, outputs: int, *, spectral=False, deviation=False):
    """Build two layers of 64 rectified units and an output without activation.

    Parameters
    ----------
    inputs, outputs : int
    spectral : bool
        Divide each kernel by its largest singular value, as Keras's layer does it: it
        overwrites the kernel, where Miyato et al. (2018) differentiate through.
    deviation : bool
        Put :class:`BatchDeviation` behind the first layer.

    Returns
    -------
    keras.Sequential
    """

    def dense(units, activation=None):
        layer = keras.layers.Dense(units, activation)
        return keras.layers.SpectralNormalization(layer) if spectral else layer

    layers = [keras.Input((inputs,)), dense(64, "relu")]
    layers += [BatchDeviation()] * deviation
    return keras.Sequential([*layers, dense(64, "relu"), dense(outputs)])


FIVE = {"discriminator_steps": 5}
# Networks and toys are small, and so are the slopes that a penalty has to hold.
PENALTY = {"penalty": "gradient", "penalty_weight": 0.1}
CANDIDATES = {
    "1 update": {},
    "5 updates": FIVE,
    "1 update, penalty": PENALTY,
    "5 updates, penalty": FIVE | PENALTY,
    "R1": FIVE | PENALTY | {"penalty": "r1"},
    "WGAN-GP": FIVE | PENALTY | {"loss": "wasserstein"},
    "spectral": FIVE | {"spectral": True},
    "unrolled": {"ahead": 5},
    "relativistic": FIVE | PENALTY | {"penalty": "r1_r2", "loss": "relativistic"},
    "minibatch": FIVE | {"deviation": True},
}


def build(candidate: str, *, seed: int, name: str = "gan") -> GAN:
    """Make a candidate of the table of chapter 03, ready to be trained.

    Parameters
    ----------
    candidate : str
        One of CANDIDATES.
    seed : int
        Fixes the first weights, every minibatch and all noise.
    name : str
        Of its checkpoint.

    Returns
    -------
    GAN of the plane; ``generate`` uses the average of the generator's last states.

    Raises
    ------
    ValueError
        No such candidate; the message lists them.
    """
    if candidate not in CANDIDATES:
        raise ValueError(
            f"candidate: {candidate!r} is unknown; choose from {[*CANDIDATES]}."
        )
    rules = dict(CANDIDATES[candidate])
    layers = {key: rules.pop(key) for key in ("spectral", "deviation") if key in rules}
    keras.utils.set_random_seed(seed)
    players = network(LATENT, 2), network(2, 1, **layers)
    kind = Unrolled if "ahead" in rules else GAN
    gan = kind(*players, seed=seed, name=name, **rules)
    adam = keras.optimizers.Adam
    gan.compile(adam(**ADAM, **AVERAGE), adam(**ADAM), steps_per_execution=50)
    return gan
