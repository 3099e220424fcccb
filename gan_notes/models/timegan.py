"""TimeGAN: five recurrent networks, trained in three phases; chapter 06.

Yoon, Jarrett and van der Schaar (2019), "Time-series generative adversarial
networks". Networks and phases are the paper's; the weights and the threshold below
stand only in the authors' code, which this module follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from gan_notes.data.transforms import Transform
from gan_notes.models import layers
from gan_notes.models.base import Priced, StepModel
from gan_notes.training import loop

PHASES = ("embedding", "supervised", "joint")
RECONSTRUCTION_WEIGHT = 10.0  # on the root of the embedder's squared error
SUPERVISED_WEIGHT_E = 0.1  # of the supervised loss in the embedder's joint loss
SUPERVISED_WEIGHT_G = 100.0  # on the root of the supervised loss; the paper: eta, 10
MOMENTS_WEIGHT = 100.0  # on the moment loss, in the authors' code only
DISCRIMINATOR_THRESHOLD = 0.15  # below it the discriminator skips its update
LOSSES = ("reconstruction", "supervised", "generator", "moments", "discriminator")
GENERATOR_UPDATES = 2  # of generator and embedder before one of the discriminator


def reconstruction_loss(x: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Return the root mean squared error between windows, in their scale."""
    return tf.sqrt(tf.reduce_mean((x - restored) ** 2))


def supervised_loss(h: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Return the mean squared error of the supervisor's one-step-ahead prediction.

    Parameters
    ----------
    h, predicted : tensors (n, length, hidden_dim)
        Latent states, and the supervisor's output on them. Its output at t is
        compared with the state at t + 1: without the shift it would learn identity.
    """
    return tf.reduce_mean((h[:, 1:] - predicted[:, :-1]) ** 2)


def moment_loss(x: tf.Tensor, synthetic: tf.Tensor) -> tf.Tensor:
    """Return how far two batches (n, length, d) differ in mean and deviation.

    Both are taken over the batch, for each day and feature, and averaged.
    """
    mean, variance = tf.nn.moments(x, axes=[0])
    mean_s, variance_s = tf.nn.moments(synthetic, axes=[0])
    deviations = tf.abs(tf.sqrt(variance_s + 1e-6) - tf.sqrt(variance + 1e-6))
    return tf.reduce_mean(deviations) + tf.reduce_mean(tf.abs(mean_s - mean))


def discriminator_loss(
    d_real: tf.Tensor, d_synthetic: tf.Tensor, d_generated: tf.Tensor
) -> tf.Tensor:
    """Return the cross-entropy of D on three batches of logits (n, length, 1).

    They stand for real latent states, for generated ones after the supervisor, and
    for generated ones before it.
    """
    return (
        tf.reduce_mean(tf.nn.softplus(-d_real))
        + tf.reduce_mean(tf.nn.softplus(d_synthetic))
        + tf.reduce_mean(tf.nn.softplus(d_generated))
    )


def adversarial_loss(d_synthetic: tf.Tensor, d_generated: tf.Tensor) -> tf.Tensor:
    """Return the generator's non-saturating loss, after and before the supervisor."""
    return tf.reduce_mean(tf.nn.softplus(-d_synthetic)) + tf.reduce_mean(
        tf.nn.softplus(-d_generated)
    )


@keras.saving.register_keras_serializable("gan_notes")
class TimeGAN(Priced, StepModel):
    """A generator of windows of a multivariate time series.

    Parameters
    ----------
    sequence_length, features : int
        Shape of a window: days and columns.
    hidden_dim : int
        Width of the latent space and of every recurrent layer. The authors used 24.
    num_layers : int
        Recurrent layers in each network; the supervisor has one fewer.
    output_activation : str
        Of the recovery: "sigmoid" for windows in [0, 1] (the authors'), "linear"
        for windows of any size, such as standardised returns.
    transform : Transform or its config
        Where the windows come from, kept so that a loaded model can give prices.
    reset_after : bool
        The GRU variant. False is the authors'; True lets a GPU run cuDNN. By default
        True where there is a GPU. The weights of one do not fit the other.
    seed : int
        Fixes the first weights, every minibatch and all noise.
    name : str
        Also names its checkpoint.

    Attributes
    ----------
    embedder, recovery, generator, supervisor, discriminator : keras.Sequential
        X to H, H to X, Z to H, H to the next H, H to logits; all (n, length, ...).

    Raises
    ------
    ValueError
        A size below what the networks need, or mixed precision: the fused cells
        compute in float32.
    """

    def __init__(
        self,
        sequence_length: int,
        features: int,
        *,
        hidden_dim: int = 24,
        num_layers: int = 3,
        output_activation: str = "sigmoid",
        transform: Transform | dict | None = None,
        reset_after: bool | None = None,
        seed: int = 0,
        name: str = "timegan",
    ):
        for label, value, least in (
            ("sequence_length", sequence_length, 2),
            ("features", features, 1),
            ("hidden_dim", hidden_dim, 1),
            ("num_layers", num_layers, 2),
        ):
            if value < least:
                raise ValueError(f"{label}: {value} is too small; at least {least}.")
        policy = keras.config.dtype_policy()
        if policy.compute_dtype != "float32":
            raise ValueError(
                f"TimeGAN computes in float32, but Keras's policy is {policy.name!r}; "
                f"call keras.config.set_dtype_policy('float32') before making it."
            )
        super().__init__(seed=seed, name=name)
        if reset_after is None:
            reset_after = layers.gpu()
        self.sequence_length, self.features = sequence_length, features
        self.hidden_dim, self.num_layers = hidden_dim, num_layers
        self.output_activation = output_activation
        self.set_transform(transform)
        self.reset_after = reset_after

        # A seed for each weight matrix, 5 (2 num_layers + 1) at the most.
        drawn = iter(
            np.random.SeedSequence(seed).generate_state(15 * num_layers).tolist()
        )

        def network(name, inputs, outputs, activation="sigmoid", depth=num_layers):
            stack = [keras.Input((sequence_length, inputs))]
            for _ in range(depth):
                stack.append(
                    layers.GRU(
                        hidden_dim,
                        reset_after=reset_after,
                        return_sequences=True,
                        kernel_initializer=keras.initializers.GlorotUniform(
                            next(drawn)
                        ),
                        recurrent_initializer=keras.initializers.Orthogonal(
                            seed=next(drawn)
                        ),
                    )
                )
            kernel = keras.initializers.GlorotUniform(next(drawn))
            stack.append(
                keras.layers.Dense(outputs, activation, kernel_initializer=kernel)
            )
            return keras.Sequential(stack, name=name)

        self.embedder = network("embedder", features, hidden_dim)
        self.recovery = network("recovery", hidden_dim, features, output_activation)
        self.generator = network("generator", features, hidden_dim)
        self.supervisor = network(
            "supervisor", hidden_dim, hidden_dim, depth=num_layers - 1
        )
        self.discriminator = network("discriminator", hidden_dim, 1, "linear")
        self.phase, self.first_phases = PHASES[0], None
        self.compile()

    def compile(
        self, learning_rate: float = 1e-3, *, steps_per_execution: int = 10
    ) -> None:
        """Give each of the five losses its own Adam, as the authors do.

        Parameters
        ----------
        learning_rate : float
            Of all five.
        steps_per_execution : int
            Steps in one call of the compiled graph.
        """
        self.set_optimizers(
            {loss: keras.optimizers.Adam(learning_rate) for loss in self.moved()},
            at_once=steps_per_execution,
        )
        self.forget_graphs()

    def networks(self) -> dict[str, keras.Model]:
        """Return the five networks."""
        names = ("embedder", "recovery", "generator", "supervisor", "discriminator")
        return {name: getattr(self, name) for name in names}

    def moved(self) -> dict[str, list[keras.Variable]]:
        """Return the variables that each of the five losses moves."""
        weights = {
            name: network.trainable_variables
            for name, network in self.networks().items()
        }
        autoencoder = weights["embedder"] + weights["recovery"]
        return {
            "embedding": autoencoder,
            "supervised": weights["supervisor"],
            "generator": weights["generator"] + weights["supervisor"],
            "embedder": autoencoder,
            "discriminator": weights["discriminator"],
        }

    def sample_shape(self) -> tuple[int, int]:
        """Return the shape of a window."""
        return self.sequence_length, self.features

    def noise(self, n: int, seed: tf.Tensor) -> tf.Tensor:
        """Draw z (n, length, features), uniform on [0, 1], each day by itself."""
        shape = [n, self.sequence_length, self.features]
        return tf.random.stateless_uniform(shape, seed)

    def own_settings(self) -> dict:
        """Return the steps of the first two phases: after them the third begins."""
        return {"first_phases": self.first_phases}

    def forget_graphs(self) -> None:
        """Let the next ``fit`` trace every phase anew; each is a graph of its own."""
        super().forget_graphs()
        self.graphs = {}

    def train_step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Do one step of the phase that ``fit`` is in; return its losses."""
        self.counter.assign_add(1)
        return getattr(self, f"{self.phase}_step")(tf.reshape(step, []))

    def embedding_step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Phase 1: embedder and recovery learn to restore real windows."""
        x, _ = self.draw(step, 0)
        with tf.GradientTape() as tape:
            error = reconstruction_loss(x, self.recovery(self.embedder(x)))
            loss = RECONSTRUCTION_WEIGHT * error
        self._descend("embedding", loss, tape)
        return {"reconstruction": error}

    def supervised_step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Phase 2: the supervisor alone learns the next latent state."""
        x, _ = self.draw(step, 0)
        h = self.embedder(x)
        with tf.GradientTape() as tape:
            loss = supervised_loss(h, self.supervisor(h))
        self._descend("supervised", loss, tape)
        return {"supervised": tf.sqrt(loss)}

    def joint_step(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Phase 3: twice generator and embedder, then the discriminator if it is weak.

        The embedder's forward pass serves both updates: nothing that the generator's
        update moves lies in it.
        """
        for update in range(GENERATOR_UPDATES):
            x, z = self.draw(step, update)
            with tf.GradientTape() as tape:
                h = self.embedder(x)
                with tape.stop_recording():
                    report = self._update_generator(x, h, z)
                error = reconstruction_loss(x, self.recovery(h))
                loss = RECONSTRUCTION_WEIGHT * error
                loss += SUPERVISED_WEIGHT_E * supervised_loss(h, self.supervisor(h))
            self._descend("embedder", loss, tape)

        x, z = self.draw(step, GENERATOR_UPDATES)
        h, generated = self.embedder(x), self.generator(z)
        synthetic = self.supervisor(generated)
        with tf.GradientTape() as tape:
            d_loss = discriminator_loss(
                self.discriminator(h),
                self.discriminator(synthetic),
                self.discriminator(generated),
            )
        weights = self.moved()["discriminator"]
        gradients = tape.gradient(d_loss, weights)
        tf.cond(
            d_loss > DISCRIMINATOR_THRESHOLD,
            lambda: self.optimizers["discriminator"].apply(gradients, weights),
            lambda: None,
        )
        return {**report, "reconstruction": error, "discriminator": d_loss}

    def _update_generator(
        self, x: tf.Tensor, h: tf.Tensor, z: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Update generator and supervisor: fool D, predict, match the moments.

        Gradients reach the generator through D(S(G(z))), the supervisor included.
        """
        with tf.GradientTape() as tape:
            generated = self.generator(z)
            synthetic = self.supervisor(generated)
            adversarial = adversarial_loss(
                self.discriminator(synthetic), self.discriminator(generated)
            )
            supervised = tf.sqrt(supervised_loss(h, self.supervisor(h)))
            moments = moment_loss(x, self.recovery(synthetic))
            loss = adversarial + SUPERVISED_WEIGHT_G * supervised
            loss += MOMENTS_WEIGHT * moments
        self._descend("generator", loss, tape)
        return {"generator": adversarial, "supervised": supervised, "moments": moments}

    def check_data(self, x: np.ndarray) -> None:
        """Refuse values outside [0, 1] before a sigmoid."""
        low, high = float(x.min()), float(x.max())
        if self.output_activation == "sigmoid" and (low < -1e-3 or high > 1 + 1e-3):
            raise ValueError(
                f"x runs from {low:.3g} to {high:.3g}, which a sigmoid cannot reach; "
                f"scale it to [0, 1] or set output_activation='linear'."
            )

    def fit(
        self,
        x: np.ndarray,
        *,
        steps: int | Sequence[int],
        batch_size: int = 128,
        checkpoint_dir: str | Path = "",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ) -> pd.DataFrame:
        """Train the three phases, from where the model or its checkpoint is.

        To callbacks the three phases are one training: it begins and ends once, and
        an epoch that a new phase meets goes on in it, with the losses of that phase. A
        callback that sets ``stop_training`` ends the training there, in whatever
        phase; the next call goes on. So EarlyStopping acts by a loss where a phase has
        it ("generator", "moments" and "discriminator": the third alone), and best
        weights are put back when the training ends, with the step they are of.
        CSVLogger has a column for each loss of :meth:`phase_history`.

        Parameters
        ----------
        x : float array (n, length, features)
            Real windows of the training period.
        steps : int or three ints
            Steps of each phase. A joint step has two updates of generator and
            embedder and at most one of the discriminator. The authors' code: 10,000.
            Over some more joint steps a ``keras.callbacks.LearningRateScheduler`` can
            let the rates fall to 0, as ``book/train.py`` does it; on the paper's stocks
            that made the scores of three trainings better on the average: chapter 07.
        batch_size, checkpoint_dir, callbacks, verbose
            As in ``StepModel.fit``.

        Returns
        -------
        DataFrame, see :meth:`phase_history`.

        Raises
        ------
        ValueError, FloatingPointError, OSError
            As ``StepModel.fit``; also other first two phases than the training
            began with.
        """
        three = (steps,) * 3 if np.ndim(steps) == 0 else tuple(steps)
        if len(three) != 3:
            raise ValueError(f"steps: {steps!r} is neither one number nor three.")
        three = [loop.whole(each) for each in three]
        self.first_phases = three[:2]
        self.set_data(x, batch_size)
        loop.resume(
            self,
            done=self.step,
            settings=self.settings,
            checkpoint_dir=checkpoint_dir,
        )
        callbacks = keras.tree.flatten(callbacks or [])
        callbacks.append(_Columns(callbacks))
        ends = np.cumsum(three).tolist()
        first = True
        for self.phase, end in zip(PHASES, ends, strict=True):
            if self.step >= end < ends[-1]:
                continue
            self.train_function = self.graphs.get(self.phase)
            self.run_to(
                end,
                checkpoint_dir=checkpoint_dir,
                callbacks=callbacks,
                verbose=verbose,
                label=f"{self.name}, {self.phase} phase",
                first=first,
                last=end == ends[-1],
            )
            self.graphs[self.phase] = self.train_function
            if self.stop_training:
                break
            first = False
        return self.phase_history()

    def phase_history(self) -> pd.DataFrame:
        """Return the losses so far, with the phase of each row.

        Returns
        -------
        DataFrame indexed by step over all phases: phase, reconstruction (root mean
        squared error), supervised (likewise), generator, moments, discriminator;
        NaN where a phase has no such loss.

        Raises
        ------
        ValueError
            It has not been trained.
        """
        if self.settings is None or self.loss_history is None:
            raise ValueError(f"{self.name} has not been trained; fit does it.")
        history = self.loss_history.reindex(columns=LOSSES)
        ends = np.cumsum(self.settings["first_phases"])
        phases = np.array(PHASES)[np.searchsorted(ends, history.index)]
        history.insert(0, "phase", phases)
        return history

    def call(self, z: tf.Tensor) -> tf.Tensor:
        """Map noise (n, length, features) to windows of that shape."""
        return self.recovery(self.supervisor(self.generator(z)))

    def get_config(self) -> dict:
        """Return what the constructor needs to make this model again."""
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "features": self.features,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "output_activation": self.output_activation,
            "transform": self.transform and self.transform.to_config(),
            "reset_after": self.reset_after,
        }


class _Columns(keras.callbacks.Callback):
    """Give CSVLogger the losses of all phases; it takes those of its first epoch."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]):
        super().__init__()
        self.loggers = [
            one for one in callbacks if isinstance(one, keras.callbacks.CSVLogger)
        ]

    def on_train_begin(self, logs=None):
        for one in self.loggers:
            one.keys = list(LOSSES)
