"""GAN: a generator and a discriminator in one Keras model; chapters 01 to 04."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
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
TRANSLATION_STREAM = 2000  # nor do these


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
    classes : int
        Of a conditional GAN, whose ``fit`` takes labels; 0 for any other. The generator
        then takes the label as `classes` more numbers, one of them 1, at the end of its
        noise; the discriminator gives a logit for each class, of which that of the
        label counts (Mescheder et al. 2018).
    translation : int
        Pixels by which images, real and synthetic, are moved at random before the
        discriminator sees them: :func:`gan_notes.training.draws.moved`. It then cannot
        know a small training set by heart (Zhao et al. 2020).
    seed : int
        Fixes every minibatch and all noise.
    name : str
        Also names its checkpoint.

    Raises
    ------
    ValueError
        An unknown loss or penalty, fewer than one discriminator step, networks whose
        shapes do not fit together, a discriminator that gives not one number (for each
        class), or a translation of what is no image.

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
        classes: int = 0,
        translation: int = 0,
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
        logits = classes or 1
        if discriminator.output_shape[1:] != (logits,):
            each = "one logit for each class" if classes else "one logit"
            raise ValueError(
                f"discriminator gives {discriminator.output_shape[1:]} for a sample; "
                f"it must give {each}, ({logits},): end it in Dense({logits})."
            )
        if generator.input_shape[-1] <= classes:
            raise ValueError(
                f"generator takes {generator.input_shape[-1]} numbers, of which "
                f"{classes} are the label; give it more, for noise."
            )
        if translation < 0 or (translation and len(discriminator.input_shape) != 4):
            raise ValueError(
                f"translation: {translation} came for samples of shape "
                f"{discriminator.input_shape[1:]}; a number of pixels, for images "
                f"(height, width, channels) only."
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
        self.classes, self.translation = classes, translation
        self.labels = None
        self.latent_dim = generator.input_shape[-1] - classes
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

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None, **options):
        """Train until `steps` steps have been done in all.

        Parameters
        ----------
        x : float array (n, ...)
            Real samples.
        labels : integer array (n,)
            Their classes, from 0, for a conditional GAN and for no other.
        **options
            `steps`, `batch_size`, `checkpoint_dir`, `callbacks` and `verbose`, as
            :meth:`gan_notes.models.base.StepModel.fit` takes them.

        Returns
        -------
        DataFrame indexed by step, the losses at the end of each execution.

        Raises
        ------
        ValueError
            Labels are missing, out of range, or not asked for; or as the other.
        """
        if labels is not None or self.classes:
            labels = self._checked(labels, len(x))
            self.labels = tf.one_hot(labels, self.classes)
        return super().fit(x, **options)

    def _checked(self, labels: np.ndarray | None, n: int) -> np.ndarray:
        """Return labels of `n` samples if they fit this GAN."""
        if labels is None or not self.classes:
            came, takes = ("none", "takes") if labels is None else ("some", "takes no")
            raise ValueError(
                f"labels: {came} came, but {self.name}, with classes={self.classes}, "
                f"{takes} labels."
            )
        labels = np.asarray(labels)
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels: {labels.dtype} of shape {labels.shape} came; give {n} whole "
                f"numbers, one for each sample."
            )
        if labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(
                f"labels: {labels.min()} to {labels.max()} came; with "
                f"classes={self.classes} they go from 0 to {self.classes - 1}."
            )
        return labels

    def draw(self, step: tf.Tensor, update: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return minibatch and noise; a conditional GAN's ends in the batch's labels.

        So the i-th real and the i-th synthetic sample are of one class.
        """
        real, z = super().draw(step, update)
        if self.classes:
            keys = tf.random.split(draws.key(self.seed, step, stream=update), 2)
            labels = draws.minibatch(self.labels, self.batch_size, keys[0])
            z = tf.concat([z[:, : self.latent_dim], labels], axis=1)
        return real, z

    def noise(
        self, n: int, seed: tf.Tensor, labels: np.ndarray | None = None
    ) -> tf.Tensor:
        """Draw z (n, latent_dim) from N(0, I), and labels beside it, see `generate`."""
        z = tf.random.stateless_normal([n, self.latent_dim], seed)
        if labels is None and self.classes:  # all equally often, up to one
            labels = np.arange(n) % self.classes
        if labels is None:
            return z
        return tf.concat([z, tf.one_hot(self._checked(labels, n), self.classes)], 1)

    def generate(
        self, n: int, *, seed: int | None = None, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw synthetic samples.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            The same seed draws the same noise; None draws anew each time.
        labels : integer array (n,)
            The class of each, for a conditional GAN. None: 0, 1, 2 and so on in turn.

        Returns
        -------
        float32 array (n, ...), in the scale the model was trained on.
        """
        return self.drawn(n, seed, labels=labels)

    def own_settings(self) -> dict:
        """Return the rules of the game."""
        more = {"classes": self.classes, "translation": self.translation}
        if self.classes and self.labels is not None:
            more["labels"] = checkpoint.fingerprint(self.labels.numpy())
        return {
            "loss": checkpoint.of_function(self.loss_name),
            "penalty": self.penalty_name and [self.penalty_name, self.penalty_weight],
            "discriminator_steps": self.discriminator_steps,
            **{name: value for name, value in more.items() if value},
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
        G, step = self.generator, tf.reshape(step, [])
        loss = LOSSES.get(self.loss_name, self.loss_name)
        comparing = self.loss_name == "relativistic" or callable(self.loss_name)

        for update in range(self.discriminator_steps):
            real, z = self.draw(step, update)
            D = partial(self._logits, z=z)
            with tf.GradientTape() as tape:
                pair = self._moved(step, update, real, G(z, training=True))
                with tf.GradientTape(persistent=True) as slopes:  # for a penalty
                    slopes.watch(pair)
                    d_real, d_synthetic = scores = [D(x) for x in pair]
                d_loss, _ = loss(d_real, d_synthetic)
                d_loss += self._penalty(D, pair, scores, slopes, step, update)
                scaled = self.d_optimizer.scale_loss(d_loss)
            self._descend("discriminator", scaled, tape)

        update = self.discriminator_steps
        real, z = self.draw(step, update)
        D = partial(self._logits, z=z)
        with tf.GradientTape() as tape:
            real, synthetic = self._moved(step, update, real, G(z, training=True))
            facing = self.facing(D, real, synthetic)
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

    def _logits(self, x: tf.Tensor, z: tf.Tensor, D: Callable | None = None):
        """Return D's logits, in float32 whatever it computes in; of z's labels.

        `D` may be another than the discriminator as it is: a function of x.
        """
        D = D or partial(self.discriminator, training=True)
        logits = tf.cast(D(x), tf.float32)
        if not self.classes:
            return logits
        return tf.reduce_sum(logits * z[:, self.latent_dim :], axis=1, keepdims=True)

    def _moved(self, step, update, real, synthetic) -> list[tf.Tensor]:
        """Return what D is shown; of images, each is moved by its own few pixels."""
        pair = [real, tf.cast(synthetic, real.dtype)]
        if not self.translation:
            return pair
        key = draws.key(self.seed, step, stream=TRANSLATION_STREAM + update)
        keys = tf.unstack(tf.random.split(key, 2))
        return [
            draws.moved(x, self.translation, key)
            for x, key in zip(pair, keys, strict=True)
        ]

    def _penalty(self, critic, pair, scores, tape, step, update) -> tf.Tensor:
        """Return the penalty on D's slopes at real and synthetic samples, or between.

        `tape` has watched the samples as D scored them, so R1 and R2 score none anew.
        """
        weight = self.penalty_weight
        if self.penalty_name is None:
            return tf.constant(0.0)
        if self.penalty_name == "gradient":
            key = draws.key(self.seed, step, stream=PENALTY_STREAM + update)
            return losses.gradient_penalty(critic, *pair, weight=weight, seed=key)
        ends = 2 if self.penalty_name == "r1_r2" else 1
        return sum(
            losses.zero_centred(tape.gradient(score, x), weight=weight)
            for x, score in list(zip(pair, scores, strict=True))[:ends]
        )

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
            "classes": self.classes,
            "translation": self.translation,
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
