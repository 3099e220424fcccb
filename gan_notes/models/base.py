"""What the models share that are trained by the number of the step; chapters 01 to 07.

A model of ours says how a step learns (``train_step``), what noise it takes and which
data fit. Counter, draws, ``fit``, ``generate``, ``save`` and ``load`` stand here once.
"""

from __future__ import annotations

import contextlib
import operator
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from gan_notes.data.transforms import Transform
from gan_notes.training import checkpoint, draws, loop


class StepModel(keras.Model):
    """A generator that is trained by the number of the step.

    A subclass makes its networks, then compiles. It defines ``train_step``
    (which counts by ``self.counter.assign_add(1)``), :meth:`noise`, `call` and
    ``get_config``; ``own_settings`` where more than networks and optimizers make one
    training another.

    Parameters
    ----------
    seed : int
        Fixes every minibatch and all noise of the training.
    name : str
        Also names its checkpoint.

    Attributes
    ----------
    optimizers : dict of keras.optimizers.Optimizer
        One for each loss, by the name of what it moves.
    loss_history : DataFrame
        The losses so far, indexed by step.

    Raises
    ------
    ValueError
        It is made inside a ``tf.distribute`` scope: every replica would draw the same
        minibatch.
    """

    def __init__(self, *, seed: int, name: str):
        if tf.distribute.has_strategy():
            raise ValueError(
                f"{name}: a tf.distribute scope came; its replicas would all draw the "
                f"same minibatch. Make the model outside, on one device."
            )
        super().__init__(name=name)
        self.seed = operator.index(seed)
        self.counter = self.add_weight(
            name="step", shape=(), dtype="int64", trainable=False, initializer="zeros"
        )
        self.data = self.settings = self.loss_history = None
        self.built = True

    # What a subclass may define

    def moved(self) -> dict[str, list[keras.Variable]]:
        """Return the variables that each optimizer moves."""
        raise NotImplementedError

    def networks(self) -> dict[str, keras.Model]:
        """Return the networks by their roles."""
        raise NotImplementedError

    def noise(self, n: int, seed: tf.Tensor) -> tf.Tensor:
        """Draw the input of the generator for `n` samples."""
        raise NotImplementedError

    def sample_shape(self) -> tuple[int, ...]:
        """Return the shape of one sample."""
        raise NotImplementedError

    def own_settings(self) -> dict:
        """Return what else makes one training another, JSON-able."""
        return {}

    def architecture(self) -> dict:
        """Return the description of each network, as a checkpoint compares it."""
        return {
            role: checkpoint.describe(network)
            for role, network in self.networks().items()
        }

    # Compiling

    def set_optimizers(
        self, optimizers: Mapping[str, keras.optimizers.Optimizer], *, at_once: int
    ) -> None:
        """Take an optimizer for each loss, built on the variables it moves.

        Parameters
        ----------
        optimizers : mapping
            The names of :meth:`moved`.
        at_once : int
            Steps in one call of the compiled graph: ``steps_per_execution``.
        """
        super().compile(optimizer=None, steps_per_execution=at_once, jit_compile=False)
        if len({id(one) for one in optimizers.values()}) < len(optimizers):
            raise ValueError(
                f"{self.name}: one optimizer came for two losses; its memory of past "
                f"gradients would be mixed. Make one for each."
            )
        for name, one in optimizers.items():
            inner = getattr(one, "inner_optimizer", one)
            if inner.use_ema and inner.ema_overwrite_frequency:
                raise ValueError(
                    f"{self.name}: the optimizer of {name!r} has an "
                    f"ema_overwrite_frequency, which would train on from the averages; "
                    f"leave it out: generate uses the averages as it is."
                )
        # Half precision loses small gradients; scaling the loss keeps them.
        policies = {
            layer.dtype_policy.name
            for network in self.networks().values()
            for layer in network.layers
        }
        scaled = "mixed_float16" in policies
        self.optimizers = {}
        for name, variables in self.moved().items():
            one = optimizers[name]
            if scaled and not isinstance(one, keras.optimizers.LossScaleOptimizer):
                one = keras.optimizers.LossScaleOptimizer(one)
            one.build(variables)
            self.optimizers[name] = one
        self.optimizer = _Rates(self.optimizers)
        self.compiled_with = None

    def get_compile_config(self) -> dict:
        """Return what :meth:`compile_from_config` needs; Keras saves it."""
        return {
            "optimizers": {
                name: keras.saving.serialize_keras_object(one)
                for name, one in self.optimizers.items()
            },
            "at_once": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict) -> None:
        """Take up the optimizers of a saved model."""
        optimizers = {
            name: keras.saving.deserialize_keras_object(one)
            for name, one in config["optimizers"].items()
        }
        self.set_optimizers(optimizers, at_once=config["at_once"])

    def _descend(self, name: str, scaled: tf.Tensor, tape: tf.GradientTape) -> None:
        """Let one optimizer update its variables; `scaled` is its ``scale_loss``."""
        weights = self.moved()[name]
        self.optimizers[name].apply(tape.gradient(scaled, weights), weights)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averages of ``use_ema`` into the networks, for a while.

        Keras's optimizer keeps them beside the weights. Without ``use_ema``, nothing
        changes.
        """
        held = []
        try:
            for name, variables in self.moved().items():
                one = self.optimizers[name]
                one = getattr(one, "inner_optimizer", one)
                if one.use_ema and int(one.iterations):
                    averages = one._model_variables_moving_average
                    for variable, average in zip(variables, averages, strict=True):
                        held.append((variable, variable.numpy()))
                        variable.assign(average)
            yield
        finally:
            for variable, value in reversed(held):  # two may move one variable
                variable.assign(value)

    # Training

    @property
    def step(self) -> int:
        """Steps done so far."""
        return int(self.counter)

    def set_data(self, x: np.ndarray, batch_size: int = 128) -> None:
        """Set the real samples and the size of the minibatches; ``fit`` does it.

        Parameters
        ----------
        x : float array (n, ...)
            Held in the memory of the device.
        batch_size : int

        Raises
        ------
        ValueError
            Samples of another shape than the networks', none, or not finite; or others
            than those that this model has been trained on.
        """
        if isinstance(x, tf.data.Dataset):
            raise ValueError(
                f"x: a Dataset came; give an array. {self.name} draws its minibatches "
                f"itself, by the number of the step."
            )
        x = np.asarray(x, dtype="float32")
        shape = self.sample_shape()
        if x.shape[1:] != shape or not len(x):
            raise ValueError(
                f"x has shape {x.shape}, but {self.name} takes (n, "
                f"{', '.join(map(str, shape))}) with n of at least 1."
            )
        if not np.isfinite(x).all():
            raise ValueError("x holds NaN or infinite values; remove them first.")
        self.check_data(x)
        if self.compiled_with is None:  # before any callback moves a rate
            self.compiled_with = {
                name: checkpoint.describe(one) for name, one in self.optimizers.items()
            }
        settings = checkpoint.plain(
            {
                "seed": self.seed,
                "batch_size": loop.whole(batch_size, "batch_size"),
                "data": checkpoint.fingerprint(x),
                **self.own_settings(),
                "optimizers": self.compiled_with,
                "architecture": self.architecture(),
            }
        )
        if self.settings:  # new optimizers may follow
            was = {**self.settings, "optimizers": settings["optimizers"]}
            loop.refuse_another(self, self.step, was, settings)
        if self.data is None or settings != self.settings:
            self.data, self.batch_size = tf.constant(x), batch_size
            self.forget_graphs()  # the former ones hold the former samples
        self.settings = settings

    def check_data(self, x: np.ndarray) -> None:
        """Refuse samples that this model cannot make; a subclass may."""

    def forget_graphs(self) -> None:
        """Let the next ``fit`` trace the training step anew."""
        self.train_function = None

    def draw(self, step: tf.Tensor, update: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the minibatch and noise of one update, a function of seed and step.

        Parameters
        ----------
        step : integer scalar
        update : int
            Number of the update within the step, from 0.

        Returns
        -------
        real (batch_size, ...) and z, see :meth:`noise`.
        """
        keys = tf.random.split(draws.key(self.seed, step, stream=update), 2)
        real = draws.minibatch(self.data, self.batch_size, keys[0])
        return real, self.noise(self.batch_size, keys[1])

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
        """Train until `steps` steps have been done in all.

        Called again with more steps it goes on; with no more it warns and does nothing.

        Parameters
        ----------
        x : float array (n, ...)
            Real samples, in the range of the generator's output. They are held in the
            memory of the device.
        steps : int
            Steps in all, at least 1.
        batch_size : int
            Real samples and noise vectors in each update.
        checkpoint_dir : path
            Where ``<name>.weights.h5`` is kept, to go on from after a stop; empty:
            nowhere. A file of another training is refused, never overwritten.
        callbacks : list of keras.callbacks.Callback
            Keras's own work too. An epoch is what it takes to draw as many samples as
            `x` has, ceil(n / batch_size) steps, up to the end of an execution of
            ``steps_per_execution`` steps; its logs are the means over its executions.
            ``model.optimizer.learning_rate`` is the first optimizer's; setting it moves
            all rates, in the ratio that ``compile`` gave them.
        verbose : int
            0 hides the progress bar.

        Returns
        -------
        DataFrame indexed by step, the losses at the end of each execution.

        Raises
        ------
        ValueError
            Samples that do not fit, or a checkpoint of another training: the message
            says in what they differ.
        FloatingPointError
            A loss is no longer finite.
        OSError
            The disk fails.
        """
        self.set_data(x, batch_size)
        self.run_to(
            loop.whole(steps),
            checkpoint_dir=checkpoint_dir,
            callbacks=callbacks,
            verbose=verbose,
        )
        return self.loss_history

    def run_to(self, steps: int, **options) -> None:
        """Go on to a number of steps with the data that are set; see `loop.run`."""
        loop.run(
            self,
            lambda start, stop: tf.data.Dataset.range(start, stop).batch(1),
            counter=self.counter,
            epoch=-(-len(self.data) // self.batch_size),
            steps=steps,
            settings=self.settings,
            **options,
        )

    # Using

    def generate(self, n: int, *, seed: int | None = None) -> np.ndarray:
        """Draw synthetic samples.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            The same seed draws the same noise. None draws anew each time (from
            Python's ``random``, which ``keras.utils.set_random_seed`` sets).

        Returns
        -------
        float32 array (n, ...), in the scale the model was trained on.
        """
        return self.drawn(n, seed)

    def drawn(self, n: int, seed: int | None, **options) -> np.ndarray:
        """Return what the averaged networks make of noise; :meth:`generate` does.

        `options` are those that a subclass's :meth:`noise` takes.
        """
        seed = random.getrandbits(31) if seed is None else seed
        key = tf.constant([seed % 2**31, 2**30], tf.int32)
        z = self.noise(loop.whole(n, "n"), key, **options)
        with self.averaged():
            return draws.in_parts(self, z).astype("float32")

    def get_config(self) -> dict:
        """Return the state of the training; a subclass adds its arguments."""
        training = checkpoint.state(self, self.settings)
        return {"seed": self.seed, "name": self.name, "training": training}

    @classmethod
    def from_config(cls, config: dict) -> StepModel:
        """Make a model again, with the losses and the identity of its training."""
        config = dict(config)
        training = config.pop("training", None)
        model = cls(**config)
        if training:
            model.settings = training["settings"]
            checkpoint.put_back(model, training)
        return model

    @classmethod
    def load(cls, path: str | Path) -> StepModel:
        """Load what ``save("name.keras")`` wrote, optimizers and all.

        Training goes on from there with the same data: ``fit(x, steps=more)``.
        """
        return keras.saving.load_model(path)


class Priced:
    """What generators of series have beside: their scale, and the way to prices.

    Attributes
    ----------
    transform : Transform or None
        Of the windows that the model is trained on.
    """

    transform: Transform | None = None

    def set_transform(self, transform: Transform | dict | None) -> None:
        """Take the transform of the windows, or its configuration."""
        if isinstance(transform, dict):
            transform = Transform.from_config(transform)
        self.transform = transform

    def prices(
        self,
        n: int,
        *,
        dates: Sequence,
        start_prices: Sequence[float] | None = None,
        **options,
    ) -> list[pd.DataFrame]:
        """Draw synthetic windows as prices with dates.

        Parameters
        ----------
        n : int
            How many.
        dates, start_prices
            As ``Transform.prices`` takes them: a date for each day of a window, for
            all or for each window, and where returns start from.
        **options
            As ``generate`` takes them, such as ``seed``.

        Returns
        -------
        list of n DataFrames (days, features), a column per ticker.

        Raises
        ------
        ValueError
            The model was made without a transform; or as ``Transform.prices``.
        """
        if self.transform is None:
            raise ValueError(
                f"{self.name} was made without transform=, so it knows no prices; "
                f"pass windows.transform when making it."
            )
        return self.transform.prices(self.generate(n, **options), dates, start_prices)


class _Rates:
    """The learning rates of all optimizers as one, for callbacks that set a rate."""

    def __init__(self, optimizers: Mapping[str, keras.optimizers.Optimizer]):
        self.all = list(optimizers.values())
        rates = [float(one.learning_rate) for one in self.all]
        self.ratios = [rate / rates[0] if rates[0] else 1.0 for rate in rates]

    @property
    def iterations(self):
        return self.all[0].iterations

    @property
    def learning_rate(self):
        return self.all[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for one, ratio in zip(self.all, self.ratios, strict=True):
            one.learning_rate = float(rate) * ratio
