"""What a long training needs: draws by step number, exact checkpoints, progress.

The "data" of a training are step numbers. Whatever is random in a step (its
minibatch, its noise) is a pure function of the seed and the step, so a checkpoint
is weights, optimizer state and the step, and a resumed training goes on exactly
where it stopped. Chapter 01 uses it first; chapter 02 shows a whole step.
"""

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

SAVE_SECONDS = 30.0  # a killed training loses at most this much


def key(seed: int, step: tf.Tensor, stream: int = 0) -> tf.Tensor:
    """Return the random key of one step.

    Parameters
    ----------
    seed : int
        Fixes the whole training.
    step : integer scalar tensor
        Counts from 0.
    stream : int
        Separates uses that must not share draws, such as the phases of TimeGAN.

    Returns
    -------
    int32 tensor (2,), a seed for ``tf.random.stateless_*`` and ``tf.random.split``.
    """
    return tf.random.fold_in(tf.constant([seed % 2**31, stream], tf.int32), step)


def minibatch(data: tf.Tensor, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw `batch_size` rows of `data` uniformly, with replacement.

    Parameters
    ----------
    data : tensor (n, ...)
    batch_size : int
    seed : int32 tensor (2,)
        From :func:`key`; the same seed draws the same rows.

    Returns
    -------
    Tensor (batch_size, ...).
    """
    rows = tf.random.stateless_uniform(
        [batch_size], seed, maxval=data.shape[0], dtype=tf.int32
    )
    return tf.gather(data, rows)


def step_numbers(start: int, stop: int) -> tf.data.Dataset:
    """Return the "data" of a model that draws its own minibatches: its steps."""
    return tf.data.Dataset.range(start, stop).batch(1)


def in_parts(network, z: tf.Tensor, size: int = 1024) -> np.ndarray:
    """Apply a network to at most `size` rows of `z` at a time, and join the parts."""
    parts = [network(z[i : i + size]) for i in range(0, len(z), size)]
    return np.concatenate(parts)


def fingerprint(*arrays: np.ndarray) -> str:
    """Return 16 hexadecimal digits that change when any value or shape does."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    steps: int,
    batch_size: int = 128,
    seed: int = 0,
    checkpoint_dir: str | Path = "",
    verbose: int = 1,
) -> pd.DataFrame:
    """Train a compiled Keras model on minibatches drawn by step number.

    Parameters
    ----------
    model : compiled keras.Model
        Trained by its own ``fit``, until its optimizer has made `steps` updates.
    x, y : arrays (n, ...)
        Inputs and targets; without `y` the targets are `x` (an autoencoder).
    steps : int
        Updates in all. Calling again with more continues.
    batch_size : int
        Rows a step.
    seed : int
        Fixes the minibatches.
    checkpoint_dir : path
        Where ``<model name>.npz`` is kept; empty keeps none. A training that was
        stopped goes on from there.
    verbose : int
        0 hides the progress bar.

    Returns
    -------
    DataFrame indexed by step, a column per loss and metric of the model, each the
    mean over one execution of ``steps_per_execution`` steps.

    Raises
    ------
    ValueError
        The checkpoint belongs to another training.
    FloatingPointError
        A loss is no longer finite.
    """
    data = fingerprint(*(np.asarray(a) for a in (x, y) if a is not None))
    x = tf.constant(x)
    y = x if y is None else tf.constant(y)

    def batch(step):
        drawn = key(seed, step)
        return minibatch(x, batch_size, drawn), minibatch(y, batch_size, drawn)

    settings = {"seed": seed, "batch_size": batch_size, "data": data}
    if not model.built:
        model(x[:1])
    model.optimizer.build(model.trainable_variables)
    return run(
        model,
        lambda start, stop: tf.data.Dataset.range(start, stop).map(batch),
        counter=model.optimizer.iterations,
        optimizers=[model.optimizer],
        steps=steps,
        settings=settings,
        checkpoint_dir=checkpoint_dir,
        verbose=verbose,
    )


def run(
    model: keras.Model,
    batches: Callable[[int, int], tf.data.Dataset],
    *,
    counter: keras.Variable,
    optimizers: Sequence[keras.optimizers.Optimizer],
    steps: int,
    settings: dict,
    checkpoint_dir: str | Path = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
    label: str = "",
) -> pd.DataFrame:
    """Run ``keras.Model.fit`` from where the model is to `steps`, checkpointed.

    Parameters
    ----------
    model : compiled keras.Model
        Its ``loss_history`` attribute is read, extended and returned.
    batches : callable
        Maps (start, stop) to the dataset of those steps.
    counter : integer variable
        The steps done, counted by the training step itself.
    optimizers : list of built optimizers
        Their state is saved beside the model's variables.
    steps : int
        Steps in all.
    settings : dict
        What must be equal for a checkpoint to be continued: seed, data and so on.
    checkpoint_dir, verbose
        As in :func:`fit`.
    callbacks : list of keras.callbacks.Callback
        Passed on to Keras.
    label : str
        Stands before the progress bar.

    Returns
    -------
    DataFrame indexed by step, the losses at the end of each execution of
    ``steps_per_execution`` steps.

    Raises
    ------
    ValueError, FloatingPointError
        As in :func:`fit`.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps} is too few; train for at least 1 step.")
    path = Path(checkpoint_dir) / f"{model.name}.npz" if checkpoint_dir else None
    if path and path.exists() and not getattr(model, "resumed", False):
        restore(path, model, optimizers, settings=settings)
    model.resumed = True
    if getattr(model, "loss_history", None) is None:
        model.loss_history = pd.DataFrame(index=pd.Index([], name="step"))
    start = int(counter)
    if start < steps:
        progress = _Progress(
            counter=counter,
            steps=steps,
            save=lambda: path and save(path, model, optimizers, settings=settings),
            bar=tqdm(
                total=steps,
                initial=start,
                desc=label or model.name,
                disable=not verbose,
                mininterval=1.0,
            ),
        )
        with progress:
            keras.Model.fit(
                model,
                batches(start, steps),
                epochs=1,
                verbose=0,
                shuffle=False,  # the batches are drawn at random by their step
                callbacks=[progress, *callbacks],
            )
    return model.loss_history


class _Progress(keras.callbacks.Callback):
    """Record losses, draw the bar, save, and turn Ctrl-C into a clean stop."""

    def __init__(self, *, counter, steps, save, bar):
        super().__init__()
        self.counter, self.steps, self.save, self.bar = counter, steps, save, bar
        self.rows, self.saved_at, self.interrupted = {}, time.monotonic(), False

    def __enter__(self):
        # An interrupt between an update and its record would leave a checkpoint
        # that is no step of any training, so it waits for the end of the execution.
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.previous = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, number, frame):
        if self.interrupted:  # the second Ctrl-C does not wait
            signal.signal(signal.SIGINT, self.previous)
            raise KeyboardInterrupt
        self.interrupted = True

    def __exit__(self, *error):
        self.bar.close()
        if self.main:
            signal.signal(signal.SIGINT, self.previous)

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.counter)
        for name, value in logs.items():
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"{self.model.name}: {name} is {value} at step {step}. Lower the "
                    f"learning rate or choose another loss; the checkpoint, if any, "
                    f"is from before."
                )
        self.rows[step] = logs
        self.model.reset_metrics()  # so that a resumed history equals an unbroken one
        self.bar.update(step - self.bar.n)
        done = step >= self.steps or self.interrupted
        if done or time.monotonic() - self.saved_at > SAVE_SECONDS:
            self._flush()
            self.save()
            self.saved_at = time.monotonic()
        if self.interrupted:
            raise KeyboardInterrupt

    def _flush(self):
        rows = pd.DataFrame.from_dict(self.rows, orient="index")
        rows.index.name = "step"
        history = self.model.loss_history
        self.model.loss_history = pd.concat([history, rows]) if len(history) else rows
        self.rows = {}


def save(
    path: str | Path,
    model: keras.Model,
    optimizers: Sequence[keras.optimizers.Optimizer] = (),
    *,
    settings: dict,
) -> None:
    """Write the state of a training to one file, atomically.

    Parameters
    ----------
    path : path ending in .npz
    model : keras.Model
        With its ``loss_history``.
    optimizers : list of built optimizers
        None for weights that are only to be used.
    settings : dict
        JSON-able; compared by :func:`restore`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    history = model.loss_history
    arrays = {
        f"{kind}_{i:04d}": np.asarray(variable)
        for kind, variables in _state(model, optimizers).items()
        for i, variable in enumerate(variables)
    }
    about = {"settings": settings, "columns": list(history.columns)}
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.savez(
            file,
            about=json.dumps(about),
            history=history.to_numpy(dtype=float),
            history_steps=history.index.to_numpy(),
            **arrays,
        )
    os.replace(partial, path)


def restore(
    path: str | Path,
    model: keras.Model,
    optimizers: Sequence[keras.optimizers.Optimizer] = (),
    *,
    settings: dict,
) -> pd.DataFrame:
    """Put a saved state back into a model of the same shape.

    Parameters
    ----------
    path, model, optimizers, settings
        As in :func:`save`. Without optimizers theirs is not read.

    Returns
    -------
    The loss history, which the model then holds as ``loss_history``.

    Raises
    ------
    ValueError
        The file cannot be read, or belongs to other settings or another network.
    """
    path = Path(path)
    remedy = "Choose another checkpoint_dir, or remove the file to start again."
    try:
        with open(path, "rb") as handle, np.load(handle) as file:
            stored = {name: file[name] for name in file.files}
        about = json.loads(str(stored["about"]))
    except Exception as error:  # zip, pickle, key and JSON errors alike
        raise ValueError(f"{path} is not a readable checkpoint. {remedy}") from error
    differing = [
        f"{name} was {about['settings'].get(name)!r}, now it is {settings.get(name)!r}"
        for name in sorted({*about["settings"], *settings})
        if about["settings"].get(name) != settings.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} is the checkpoint of another training: {'; '.join(differing)}. "
            f"{remedy}"
        )
    state = _state(model, optimizers)
    for kind, variables in state.items():
        found = sorted(name for name in stored if name.startswith(f"{kind}_0"))
        shapes = [stored[name].shape for name in found]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ValueError(
                f"{path} is the checkpoint of another network: {len(shapes)} arrays "
                f"where {model.name} has {len(variables)}, or other shapes. {remedy}"
            )
    for kind, variables in state.items():
        for i, variable in enumerate(variables):
            variable.assign(stored[f"{kind}_{i:04d}"])
    model.loss_history = pd.DataFrame(
        stored["history"],
        index=pd.Index(stored["history_steps"], name="step"),
        columns=about["columns"],
    )
    return model.loss_history


def _state(model, optimizers) -> dict[str, list]:
    state = {"model": list(model.variables)}
    if optimizers:
        state["optimizer"] = [v for o in optimizers for v in o.variables]
    return state
