"""GAN: a generator and a discriminator in one Keras model; chapters 01 to 04."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from gan_notes.models import losses
from gan_notes.training import loop

LOSSES = {
    "minimax": losses.minimax,
    "non_saturating": losses.non_saturating,
    "wasserstein": losses.wasserstein,
    "hinge": losses.hinge,
}


class GAN(keras.Model):
    """Two players, trained by ``fit`` with Algorithm 1 of Goodfellow et al. (2014).

    Parameters
    ----------
    generator : keras.Model
        Maps noise (n, latent_dim), drawn from N(0, I), to samples (n, ...).
    discriminator : keras.Model
        Maps samples (n, ...) to logits (n, 1): no sigmoid at its end.
    loss : str
        "minimax", "non_saturating", "wasserstein" or "hinge"; see `losses`.
    penalty : str or None
        "gradient" adds :func:`gan_notes.losses.gradient_penalty` to d_loss; with
        ``loss="wasserstein"`` this is WGAN-GP.
    penalty_weight : float
        Lambda of the penalty; the paper's 10.
    discriminator_steps : int
        Updates of the discriminator before each of the generator: k in Algorithm 1.
    seed : int
        Fixes every minibatch and all noise.
    name : str
        Also names its checkpoint.

    Raises
    ------
    ValueError
        An unknown loss or penalty, fewer than one discriminator step, or networks
        whose shapes do not fit together.

    Examples
    --------
    >>> import keras, numpy as np
    >>> G = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> D = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> gan = GAN(G, D)
    >>> history = gan.fit(np.ones((64, 1), "float32"), steps=20, verbose=0)
    >>> gan.step, list(history.columns)
    (20, ['d_loss', 'd_real', 'd_synthetic', 'g_loss'])
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: str = "non_saturating",
        penalty: str | None = None,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 1,
        seed: int = 0,
        name: str = "gan",
    ):
        if loss not in LOSSES:
            raise ValueError(f"loss: {loss!r} is unknown; choose from {[*LOSSES]}.")
        if penalty not in (None, "gradient"):
            raise ValueError(f"penalty: {penalty!r} is unknown; 'gradient' or None.")
        if discriminator_steps < 1:
            raise ValueError(
                f"discriminator_steps: {discriminator_steps} is too few; at least 1."
            )
        if generator.output_shape[1:] != discriminator.input_shape[1:]:
            raise ValueError(
                f"generator makes samples of shape {generator.output_shape[1:]}, but "
                f"discriminator takes {discriminator.input_shape[1:]}; make them equal."
            )
        super().__init__(name=name)
        self.generator, self.discriminator = generator, discriminator
        self.loss_name, self.penalty_name = loss, penalty
        self.penalty_weight = penalty_weight
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self.latent_dim = generator.input_shape[-1]
        self.counter = self.add_weight(
            name="step", shape=(), dtype="int64", trainable=False, initializer="zeros"
        )
        self.data = None
        self.built = True
        self.compile()

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer | None = None,
        d_optimizer: keras.optimizers.Optimizer | None = None,
        *,
        steps_per_execution: int = 10,
    ) -> None:
        """Set the two optimizers; by default Adam(2e-4, beta_1=0.5) for each.

        Parameters
        ----------
        g_optimizer, d_optimizer : keras.optimizers.Optimizer
            One each: two networks with two losses need two optimizers. The default
            rates are those of Radford et al. (2016), section 4. A learning-rate
            schedule counts the updates of its own optimizer: the discriminator's
            makes `discriminator_steps` of them a step.
        steps_per_execution : int
            Steps in one call of the compiled graph.
        """
        super().compile(
            optimizer=None, steps_per_execution=steps_per_execution, jit_compile=False
        )
        default = {"learning_rate": 2e-4, "beta_1": 0.5}
        self.g_optimizer = g_optimizer or keras.optimizers.Adam(**default)
        self.d_optimizer = d_optimizer or keras.optimizers.Adam(**default)
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)

    @property
    def step(self) -> int:
        """Generator updates done so far."""
        return int(self.counter)

    def adapt(self, x: np.ndarray, batch_size: int = 128) -> None:
        """Set the real samples (n, ...) and the size of the minibatches.

        Raises
        ------
        ValueError
            Samples of another shape than the networks', none, or not finite.
        """
        x = np.asarray(x, dtype="float32")
        shape = self.discriminator.input_shape[1:]
        if x.shape[1:] != shape or not len(x):
            raise ValueError(
                f"x has shape {x.shape}, but the discriminator takes (n, "
                f"{', '.join(map(str, shape))}) with n of at least 1."
            )
        if not np.isfinite(x).all():
            raise ValueError("x holds NaN or infinite values; remove them first.")
        settings = {
            "seed": self.seed,
            "batch_size": batch_size,
            "data": loop.fingerprint(x),
            "loss": self.loss_name,
            "penalty": self.penalty_name and [self.penalty_name, self.penalty_weight],
            "discriminator_steps": self.discriminator_steps,
        }
        if self.data is None or settings != self.settings:
            self.data, self.batch_size, self.settings = (
                tf.constant(x),
                batch_size,
                settings,
            )
            self.train_function = None  # its graph holds the former samples

    def draw(self, step: tf.Tensor, update: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the minibatch and noise of one update, a function of seed and step.

        Parameters
        ----------
        step : integer scalar
        update : int
            0 to ``discriminator_steps - 1`` for D's updates, then one for G's.

        Returns
        -------
        real (batch_size, ...) and z (batch_size, latent_dim), z from N(0, I).
        """
        keys = tf.random.split(loop.key(self.seed, step, stream=update), 2)
        real = loop.minibatch(self.data, self.batch_size, keys[0])
        z = tf.random.stateless_normal([self.batch_size, self.latent_dim], keys[1])
        return real, z

    def train_step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Update D `discriminator_steps` times, then G once.

        Parameters
        ----------
        step : integer tensor of one element
            The number of the step, from 0.

        Returns
        -------
        The losses of the last update of each player, and D's mean probability (the
        mean score, for a critic) on real and on synthetic samples.
        """
        G, D, step = self.generator, self.discriminator, tf.reshape(step, [])
        loss = LOSSES[self.loss_name]
        for update in range(self.discriminator_steps):
            real, z = self.draw(step, update)
            with tf.GradientTape() as tape:
                synthetic = G(z, training=True)
                d_real = D(real, training=True)
                d_synthetic = D(synthetic, training=True)
                d_loss, _ = loss(d_real, d_synthetic)
                d_loss += self.penalty(real, synthetic, step, update)
            weights = D.trainable_variables
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)

        _, z = self.draw(step, self.discriminator_steps)
        with tf.GradientTape() as tape:
            _, g_loss = loss(d_real, D(G(z, training=True), training=True))
        weights = G.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)

        self.counter.assign_add(1)
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": self.opinion(d_real),
            "d_synthetic": self.opinion(d_synthetic),
        }

    def penalty(self, real, synthetic, step, update) -> tf.Tensor:
        """Return the penalty of one update of D, 0 where there is none."""
        if self.penalty_name is None:
            return tf.constant(0.0)
        drawn = loop.key(self.seed, step, stream=1000 + update)
        return losses.gradient_penalty(
            lambda x: self.discriminator(x, training=True),
            real,
            synthetic,
            weight=self.penalty_weight,
            seed=drawn,
        )

    def opinion(self, logits: tf.Tensor) -> tf.Tensor:
        """Return the mean probability; the mean score where D is a critic."""
        critic = self.loss_name in ("wasserstein", "hinge")
        return tf.reduce_mean(logits if critic else tf.sigmoid(logits))

    def fit(
        self,
        x: np.ndarray,
        *,
        steps: int,
        batch_size: int = 128,
        checkpoint_dir: str | Path = "",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ) -> pd.DataFrame:
        """Train until `steps` generator updates have been done in all.

        Called again with more steps it goes on; with no more it does nothing.

        Parameters
        ----------
        x : float array (n, ...)
            Real samples, in the range of the generator's output.
        steps : int
            Generator updates in all, at least 1.
        batch_size : int
            Real samples and noise vectors in each update.
        checkpoint_dir : path
            Where ``<name>.npz`` is kept, to go on from after a stop; empty: nowhere.
        callbacks : list of keras.callbacks.Callback
            Passed to Keras's own fit.
        verbose : int
            0 hides the progress bar.

        Returns
        -------
        DataFrame indexed by step: d_loss, g_loss, d_real, d_synthetic.

        Raises
        ------
        ValueError
            Samples that do not fit, or a checkpoint of another training.
        FloatingPointError
            A loss is no longer finite.
        """
        self.adapt(x, batch_size)
        return loop.run(
            self,
            loop.step_numbers,
            counter=self.counter,
            optimizers=[self.g_optimizer, self.d_optimizer],
            steps=steps,
            settings=self.settings,
            checkpoint_dir=checkpoint_dir,
            callbacks=callbacks,
            verbose=verbose,
        )

    def call(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map noise (n, latent_dim) to samples."""
        return self.generator(z, training=training)

    def generate(self, n: int, *, seed: int = 0) -> np.ndarray:
        """Draw synthetic samples.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            The same seed draws the same noise.

        Returns
        -------
        float32 array (n, ...).
        """
        z = tf.random.stateless_normal([n, self.latent_dim], [seed, 2**30])
        return loop.in_parts(self, z)
