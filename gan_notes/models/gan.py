"""GAN: a generator and a discriminator in one Keras model; chapters 01 to 04."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import keras
import tensorflow as tf

from gan_notes.models import losses
from gan_notes.models.base import StepModel
from gan_notes.training import checkpoint, draws

LOSSES = {
    "minimax": losses.minimax,
    "non_saturating": losses.non_saturating,
    "wasserstein": losses.wasserstein,
    "hinge": losses.hinge,
    "relativistic": losses.relativistic,
}
PENALTIES = ("gradient", "r1", "r1_r2")
PENALTY_STREAM = 1000  # its draws share no key with those of the updates


@keras.saving.register_keras_serializable("gan_notes")
class GAN(StepModel):
    """Two players, trained by ``fit`` with Algorithm 1 of Goodfellow et al. (2014).

    A step is `discriminator_steps` updates of the discriminator, then one of the
    generator.

    Parameters
    ----------
    generator : keras.Model
        Maps noise (n, latent_dim), drawn from N(0, I), to samples (n, ...).
    discriminator : keras.Model
        Maps samples (n, ...) to logits (n, 1): no sigmoid at its end.
    loss : str or callable
        "minimax", "non_saturating", "wasserstein", "hinge" or "relativistic", see
        `losses`; or a function of (real_logits, synthetic_logits), float32 tensors
        (n, 1), that returns the two scalars which D and G minimise. ``GAN.load``
        wants it registered (``keras.saving.register_keras_serializable``) or within a
        ``keras.saving.custom_object_scope``.
    penalty : str or None
        Added to d_loss. "gradient" is
        :func:`gan_notes.models.losses.gradient_penalty`; with ``loss="wasserstein"``
        this is WGAN-GP. "r1" is
        :func:`gan_notes.models.losses.zero_centred_penalty` on real samples, "r1_r2"
        on real and on synthetic ones; with ``loss="relativistic"`` this is R3GAN's.
    penalty_weight : float
        Lambda of "gradient", 10 in its paper; gamma of the others.
    discriminator_steps : int
        Updates of the discriminator before each of the generator: k in Algorithm 1.
    seed : int
        Fixes every minibatch and all noise.
    name : str
        Also names its checkpoint.

    Raises
    ------
    ValueError
        An unknown loss or penalty, fewer than one discriminator step, networks whose
        shapes do not fit together, or a discriminator that gives not one number.

    Warns
    -----
    UserWarning
        The discriminator ends in a sigmoid (the losses take logits), or
        "wasserstein" comes without a penalty (nothing then bounds the critic's slope).

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
        loss: str | Callable = "non_saturating",
        penalty: str | None = None,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 1,
        seed: int = 0,
        name: str = "gan",
    ):
        if not callable(loss) and loss not in LOSSES:
            raise ValueError(
                f"loss: {loss!r} is unknown; choose from {[*LOSSES]}, or give a "
                f"function of real and synthetic logits."
            )
        try:
            keras.saving.serialize_keras_object(loss)
        except TypeError as error:
            raise ValueError(
                f"loss: {loss!r} cannot be saved with the model; give a function, or "
                f"an object with get_config."
            ) from error
        if penalty not in (None, *PENALTIES):
            raise ValueError(
                f"penalty: {penalty!r} is unknown; choose from {[*PENALTIES]} or None."
            )
        if discriminator_steps < 1:
            raise ValueError(
                f"discriminator_steps: {discriminator_steps} is too few; at least 1."
            )
        made = tf.TensorShape(generator.output_shape[1:])  # None fits any length
        if not made.is_compatible_with(discriminator.input_shape[1:]):
            raise ValueError(
                f"generator makes samples of shape {generator.output_shape[1:]}, but "
                f"discriminator takes {discriminator.input_shape[1:]}; make them equal."
            )
        if discriminator.output_shape[1:] != (1,):
            raise ValueError(
                f"discriminator gives {discriminator.output_shape[1:]} for a sample; "
                f"it must give one logit, (1,): end it in Dense(1)."
            )
        last = getattr(discriminator.layers[-1], "activation", None)
        if last is keras.activations.sigmoid:
            warnings.warn(
                "discriminator ends in a sigmoid, but the losses take logits: its "
                "probabilities would be squashed twice. Leave the activation out.",
                stacklevel=2,
            )
        if loss == "wasserstein" and penalty is None:
            warnings.warn(
                "loss='wasserstein' without a penalty: nothing bounds the slope of the "
                "critic. Add penalty='gradient'.",
                stacklevel=2,
            )
        super().__init__(seed=seed, name=name)
        self.generator, self.discriminator = generator, discriminator
        self.loss_name, self.penalty_name = loss, penalty
        self.penalty_weight = penalty_weight
        self.discriminator_steps = discriminator_steps
        self.latent_dim = generator.input_shape[-1]
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
        default = {"learning_rate": 2e-4, "beta_1": 0.5}
        self.set_optimizers(
            {
                "generator": g_optimizer or keras.optimizers.Adam(**default),
                "discriminator": d_optimizer or keras.optimizers.Adam(**default),
            },
            at_once=steps_per_execution,
        )

    @property
    def g_optimizer(self) -> keras.optimizers.Optimizer:
        """The generator's optimizer."""
        return self.optimizers["generator"]

    @property
    def d_optimizer(self) -> keras.optimizers.Optimizer:
        """The discriminator's optimizer."""
        return self.optimizers["discriminator"]

    def networks(self) -> dict[str, keras.Model]:
        """Return the two players."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def moved(self) -> dict[str, list[keras.Variable]]:
        """Return the weights of each player."""
        return {
            role: network.trainable_variables
            for role, network in self.networks().items()
        }

    def sample_shape(self) -> tuple[int, ...]:
        """Return what the discriminator takes."""
        return self.discriminator.input_shape[1:]

    def noise(self, n: int, seed: tf.Tensor) -> tf.Tensor:
        """Draw z (n, latent_dim) from N(0, I)."""
        return tf.random.stateless_normal([n, self.latent_dim], seed)

    def own_settings(self) -> dict:
        """Return the rules of the game."""
        return {
            "loss": checkpoint.of_function(self.loss_name),
            "penalty": self.penalty_name and [self.penalty_name, self.penalty_weight],
            "discriminator_steps": self.discriminator_steps,
        }

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
        loss = LOSSES.get(self.loss_name, self.loss_name)
        comparing = self.loss_name == "relativistic" or callable(self.loss_name)

        def logits(x):  # in float32, whatever precision D computes in
            return tf.cast(D(x, training=True), tf.float32)

        for update in range(self.discriminator_steps):
            real, z = self.draw(step, update)
            with tf.GradientTape() as tape:
                synthetic = G(z, training=True)
                d_real, d_synthetic = logits(real), logits(synthetic)
                d_loss, _ = loss(d_real, d_synthetic)
                d_loss += self._penalty(logits, real, synthetic, step, update)
                scaled = self.d_optimizer.scale_loss(d_loss)
            self._descend("discriminator", scaled, tape)

        real, z = self.draw(step, self.discriminator_steps)
        with tf.GradientTape() as tape:
            synthetic = G(z, training=True)
            facing = self.facing(logits, real, synthetic)
            # Only a loss that compares the two needs D's answers as it is by now.
            of_real = facing(real) if comparing else d_real
            _, g_loss = loss(of_real, facing(synthetic))
            scaled = self.g_optimizer.scale_loss(g_loss)
        self._descend("generator", scaled, tape)

        self.counter.assign_add(1)
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": self._opinion(d_real),
            "d_synthetic": self._opinion(d_synthetic),
        }

    def facing(self, logits: Callable, real: tf.Tensor, synthetic: tf.Tensor):
        """Return the D that G meets in its update, (n, ...) to (n, 1): as it is now."""
        return logits

    def _penalty(self, critic, real, synthetic, step, update) -> tf.Tensor:
        if self.penalty_name is None:
            return tf.constant(0.0)
        synthetic, weight = tf.cast(synthetic, real.dtype), self.penalty_weight
        if self.penalty_name == "gradient":
            key = draws.key(self.seed, step, stream=PENALTY_STREAM + update)
            return losses.gradient_penalty(
                critic, real, synthetic, weight=weight, seed=key
            )
        ends = (real, synthetic) if self.penalty_name == "r1_r2" else (real,)
        return sum(losses.zero_centred_penalty(critic, x, weight=weight) for x in ends)

    def _opinion(self, logits: tf.Tensor) -> tf.Tensor:
        """Return the mean probability; the mean score where D is a critic."""
        probability = self.loss_name in ("minimax", "non_saturating")
        return tf.reduce_mean(tf.sigmoid(logits) if probability else logits)

    def call(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map noise (n, latent_dim) to samples."""
        return self.generator(z, training=training)

    def get_config(self) -> dict:
        """Return what the constructor needs to make this GAN again."""
        keep = keras.saving.serialize_keras_object
        named = isinstance(self.loss_name, str)
        return {
            **super().get_config(),
            "generator": keep(self.generator),
            "discriminator": keep(self.discriminator),
            "loss": self.loss_name if named else keep(self.loss_name),
            "penalty": self.penalty_name,
            "penalty_weight": self.penalty_weight,
            "discriminator_steps": self.discriminator_steps,
        }

    @classmethod
    def from_config(cls, config: dict) -> GAN:
        """Make a GAN again, its networks first."""
        config = dict(config)
        for part in ("generator", "discriminator"):
            if isinstance(config.get(part), dict):
                config[part] = keras.saving.deserialize_keras_object(config[part])
        if isinstance(config.get("loss"), dict):
            config["loss"] = _known_loss(config["loss"])
        return super().from_config(config)


def _known_loss(saved: dict) -> Callable:
    """Return the reader's own loss from what Keras keeps of it, mostly its name."""
    try:
        return keras.saving.deserialize_keras_object(saved)
    except (TypeError, ValueError) as error:
        kind = saved["class_name"]
        if kind == "__lambda__":
            raise ValueError(
                "loss: a lambda was saved, and Keras runs no code from a file; if you "
                "trust it, call keras.config.enable_unsafe_deserialization() first."
            ) from error
        name = saved["config"] if kind == "function" else saved["registered_name"]
        raise ValueError(
            f"loss: {name!r}, which this GAN was saved with, is not known here; load "
            f"it inside `with keras.saving.custom_object_scope({{{name!r}: ...}}):`, "
            f"with the loss itself in place of the dots."
        ) from error
