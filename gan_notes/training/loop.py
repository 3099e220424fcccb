"""The one training loop: Keras's ``fit``, counted in steps, checkpointed, resumable.

The "data" of a training are step numbers (see `draws`); what is done with them is the
model's own ``train_step``. Chapter 01 uses the loop first.
"""

from __future__ import annotations

import json
import numbers
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from gan_notes.training import checkpoint, draws

SAVE_SECONDS = 30.0  # a killed training loses at most this much


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    steps: int,
    batch_size: int = 128,
    seed: int = 0,
    checkpoint_dir: str | Path = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> pd.DataFrame:
    """Train a compiled Keras model on minibatches drawn by step number.

    Parameters
    ----------
    model : compiled keras.Model
        Trained by its own ``fit``, until its optimizer has made `steps` updates.
    x, y : arrays (n, ...)
        Inputs and targets; without `y` the targets are `x` (an autoencoder). They are
        held in the memory of the device.
    steps : int
        Updates in all. Calling again with more continues.
    batch_size : int
        Rows a step.
    seed : int
        Fixes the minibatches.
    checkpoint_dir, callbacks, verbose
        As in :func:`run`.

    Returns
    -------
    DataFrame indexed by step, a column per loss and metric of the model, each the
    mean over one execution of ``steps_per_execution`` steps.

    Raises
    ------
    ValueError, FloatingPointError, OSError
        As :func:`run`; also where the model's optimizer has made steps of another
        training, by other data for instance.
    """
    given = [np.asarray(a) for a in (x, y) if a is not None]
    if not len(given[0]) or len(given[0]) != len(given[-1]):
        raise ValueError(
            f"x has {len(given[0]):,} rows and y {len(given[-1]):,}; give as many of "
            f"both, at least one."
        )
    batch_size = whole(batch_size, "batch_size")
    _check_device(model)
    _check_updates(model)
    if not model.built:
        model(given[0][:1])
    model.optimizer.build(model.trainable_variables)
    if not hasattr(model.optimizer, "first_described"):
        # Before any callback moves its rate.
        model.optimizer.first_described = checkpoint.describe(model.optimizer)
    settings = checkpoint.plain(
        {
            "seed": seed,
            "batch_size": batch_size,
            "data": checkpoint.fingerprint(*given),
            "optimizer": model.optimizer.first_described,
            "loss": keras.tree.map_structure(checkpoint.of_function, model.loss),
            "architecture": checkpoint.describe(model),
        }
    )
    # Of the optimizer, whose updates are the steps: a new one begins anew. As text,
    # since Keras would wrap the inside of a dict.
    was = json.loads(getattr(model.optimizer, "trains", json.dumps(settings)))
    refuse_another(model, int(model.optimizer.iterations), was, settings)
    model.optimizer.trains = json.dumps(settings)
    x, y = tf.constant(given[0]), tf.constant(given[-1])

    def batch(step):
        drawn = draws.key(seed, step)
        return draws.minibatch(x, batch_size, drawn), draws.minibatch(
            y, batch_size, drawn
        )

    return run(
        model,
        lambda start, stop: tf.data.Dataset.range(start, stop).map(batch),
        counter=model.optimizer.iterations,
        epoch=-(-len(x) // batch_size),
        steps=steps,
        settings=settings,
        checkpoint_dir=checkpoint_dir,
        callbacks=callbacks,
        verbose=verbose,
    )


def run(
    model: keras.Model,
    batches: Callable[[int, int], tf.data.Dataset],
    *,
    counter: keras.Variable,
    epoch: int,
    steps: int,
    settings: dict,
    checkpoint_dir: str | Path = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
    label: str = "",
    first: bool = True,
    last: bool = True,
) -> pd.DataFrame:
    """Run ``keras.Model.fit`` from where the model is to `steps`, checkpointed.

    However it ends (done, ``stop_training``, Ctrl-C, an exception in a callback, a loss
    that is not finite), the losses up to there are in ``model.loss_history``, and the
    checkpoint holds the last state that was whole and finite.

    Parameters
    ----------
    model : compiled keras.Model
    batches : callable
        Maps (start, stop) to the dataset of those steps.
    counter : integer variable
        The steps done, counted by the training step itself.
    epoch : int
        Steps of an epoch, as callbacks see it: what it takes to draw as many rows as
        the data have. It ends with the execution in which they are reached; its logs
        are the means over its executions. An epoch that was begun before a stop is
        not begun again.
    steps : int
        Steps in all.
    settings : dict
        The identity of the training, see `checkpoint`.
    checkpoint_dir : path
        Where ``<model name>.weights.h5`` is kept; empty keeps none. A training that
        was stopped goes on from there.
    callbacks : list of keras.callbacks.Callback
        Keras's or the reader's own.
    verbose : int
        0 hides the progress bar.
    label : str
        Stands before the progress bar.
    first, last : bool
        False in the middle of a training that takes several runs: the callbacks are
        told of its begin in the first only, of its end in the last or where it is
        stopped, and an epoch may go on from run to run.

    Returns
    -------
    DataFrame indexed by step, the losses at the end of each execution of
    ``steps_per_execution`` steps.

    Raises
    ------
    ValueError
        `steps` is no whole number of at least 1; or the checkpoint belongs to another
        training, is damaged, or holds steps that this model has not done; or Keras's
        BackupAndRestore came, which counts epochs of its own; or the model is made or
        trained in a ``tf.distribute`` scope.
    FloatingPointError
        A loss is no longer finite.
    OSError
        The disk fails.

    Warns
    -----
    UserWarning
        `steps` are done already, so there is nothing to do.
    """
    steps = whole(steps)
    _check_device(model)
    callbacks = keras.tree.flatten(callbacks or [])
    if any(isinstance(one, keras.callbacks.BackupAndRestore) for one in callbacks):
        raise ValueError(
            "callbacks: BackupAndRestore came, which would skip whole epochs; give "
            "checkpoint_dir instead, which goes on from the very step."
        )
    path = checkpoint.path_of(checkpoint_dir, model)
    if getattr(model, "loss_history", None) is None:
        model.loss_history = pd.DataFrame(
            index=pd.Index([], dtype="int64", name="step")
        )
    resume(model, done=int(counter), settings=settings, checkpoint_dir=checkpoint_dir)
    start = int(counter)
    if start >= steps:
        warnings.warn(
            f"{model.name}: nothing to do: {start:,} steps are done, and steps="
            f"{steps:,} counts them all. Give more to go on.",
            stacklevel=_outside(),
        )
        return model.loss_history
    # Early stopping may have put back an earlier step: what followed is done anew.
    model.loss_history = model.loss_history[model.loss_history.index <= start]
    bar = tqdm(
        total=steps,
        initial=start,
        desc=label or model.name,
        disable=not verbose,
        mininterval=1.0,
    )
    driver = _Driver(callbacks, counter, epoch, steps, bar, path, settings, first, last)
    with driver:
        keras.Model.fit(
            model,
            batches(start, steps).with_options(_untuned()),
            epochs=1,  # ours are told by the driver, from the number of the step
            verbose=0,
            shuffle=False,  # the batches are drawn at random by their step
            callbacks=[driver],
        )
    return model.loss_history


def whole(value, name: str = "steps") -> int:
    """Return a count as an int; ValueError unless it is whole and at least 1."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: {value!r} is no whole number of at least 1.")
    return int(value)


def _untuned() -> tf.data.Options:
    """Return the options of a dataset of step numbers: there is nothing to tune.

    The thread that tunes sleeps up to five seconds at a time, and the end of a training
    waits until it wakes.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def refuse_another(model: keras.Model, done: int, was: dict, now: dict) -> None:
    """Raise ValueError where a model has done steps of another training.

    Parameters
    ----------
    model : keras.Model
    done : int
        Steps that it has done.
    was, now : dict
        The settings of these steps, and of those that are asked for.
    """
    if done and (difference := checkpoint.told(was, now)):
        raise ValueError(
            f"{model.name} has done {done:,} steps of another training: "
            f"{difference}. Make a new model for this one."
        )


def _outside() -> int:
    """Return how many calls up the reader's own line stands, for a warning there.

    Python shows a warning once a line, IPython once a run of the reader's cell.
    """
    package = __name__.partition(".")[0] + "."
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level


def _check_device(model: keras.Model) -> None:
    in_scope = tf.distribute.has_strategy()
    if in_scope or model.distribute_strategy is not tf.distribute.get_strategy():
        raise ValueError(
            f"{model.name}: a tf.distribute scope came; its replicas would all draw "
            f"the same minibatch. Make and train the model outside, on one device."
        )


def _check_updates(model: keras.Model) -> None:
    """Refuse optimizers whose updates are not the steps, one by one."""
    optimizer = model.optimizer
    skips = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if skips or optimizer.gradient_accumulation_steps or optimizer.use_ema:
        raise ValueError(
            f"{model.name}: its optimizer's updates count the steps and a stop must "
            f"not change them, but loss scaling (mixed_float16) skips some, "
            f"gradient_accumulation_steps delays them and use_ema replaces the weights "
            f"at every stop; compile it without."
        )


def resume(
    model: keras.Model, *, done: int, settings: dict, checkpoint_dir: str | Path
) -> None:
    """Take up a model's checkpoint where there is one; :func:`run` does it.

    Parameters
    ----------
    model, settings, checkpoint_dir
        As in :func:`run`.
    done : int
        Steps that the model has done.

    Raises
    ------
    ValueError, OSError
        As :func:`run`.
    """
    path = checkpoint.path_of(checkpoint_dir, model)
    if path is None or not path.exists():
        return
    about = checkpoint.read(path, settings=settings)
    if "mark" in about and getattr(model, "left", None) == about["mark"]:
        return
    if done:
        raise ValueError(
            f"{path} holds a training, and this model has done {done:,} steps of its "
            f"own. Make a new model to go on from the file, or choose another "
            f"checkpoint_dir to keep both."
        )
    model.load_weights(path)
    checkpoint.put_back(model, about)
    model.left = about.get("mark")


class _Driver(keras.callbacks.Callback):
    """Record losses, tell callbacks of epochs, save, and stop cleanly."""

    def __init__(
        self, callbacks, counter, epoch, steps, bar, path, settings, first, last
    ):
        super().__init__()
        self.first, self.last = first, last
        self.callbacks, self.counter, self.epoch = callbacks, counter, epoch
        self.steps, self.bar, self.path, self.settings = steps, bar, path, settings
        self.rows, self.since, self.saved_at = {}, [], time.monotonic()
        self.interrupted, self.unsaved = False, False

    def __enter__(self):
        # An interrupt between an update and its record would leave a state that is
        # no step of any training, so it waits for the end of the execution.
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.previous = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, number, frame):
        if self.interrupted:  # the second Ctrl-C does not wait
            signal.signal(signal.SIGINT, self.previous)
            raise KeyboardInterrupt
        self.interrupted = True

    def __exit__(self, kind, error, trace):
        self.bar.close()
        self._record()
        try:
            if self.unsaved:
                self._keep()
        finally:
            if self.main:
                signal.signal(signal.SIGINT, self.previous)
        if self.interrupted and kind is None:  # it came after the last execution
            raise KeyboardInterrupt

    def on_train_begin(self, logs=None):
        if self.first:  # later runs of the training go on with the same
            model = self.model
            model.told = keras.callbacks.CallbackList(self.callbacks, model=model)
        self.told = self.model.told
        epochs = -(-self.steps // self.epoch)
        self.told.set_params({"verbose": 0, "epochs": epochs, "steps": self.epoch})
        if self.first:
            self.told.on_train_begin()
        self.number = int(self.counter) // self.epoch
        history = self.model.loss_history
        before = np.r_[0, history.index][:-1] // self.epoch
        rows = history[before == self.number].to_dict("records")
        self.since = [{k: v for k, v in r.items() if v == v} for r in rows]
        self.begun = bool(rows)

    def on_train_batch_begin(self, batch, logs=None):
        if not self.begun:
            self.told.on_epoch_begin(self.number)
            self.begun = True
        self.told.on_train_batch_begin(batch)
        self.unsaved = False  # what an update that fails leaves is no whole state

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.counter)
        self.rows[step] = logs
        self.since.append(logs)
        for name, value in logs.items():
            if not np.isfinite(value):
                self._diverge(name, value, step)
        self.unsaved = True
        self.model.reset_metrics()  # so that a resumed history equals an unbroken one
        self.bar.update(step - self.bar.n)
        self.told.on_train_batch_end(batch, logs)
        if step // self.epoch > self.number or (self.last and step >= self.steps):
            self._end_epoch(step)
        if time.monotonic() - self.saved_at > SAVE_SECONDS:
            self._keep()
        if self.interrupted:
            raise KeyboardInterrupt

    def on_train_end(self, logs=None):
        self._keep()  # before a callback may put the best weights back
        if self.last or self.model.stop_training:
            self.told.on_train_end(logs)

    def _end_epoch(self, step):
        # Only executions of the last one's kind: a phase before had losses of its own.
        last = self.since[-1]
        rows = [row for row in self.since if row.keys() == last.keys()]
        means = {name: float(np.mean([row[name] for row in rows])) for name in last}
        self.since = []
        self.told.on_epoch_end(self.number, means)
        self.number, self.begun = step // self.epoch, False

    def _diverge(self, name, value, step):
        """Keep the rows; the state is lost, so the checkpoint stays as it was."""
        self._record()
        kept = ""
        if self.path:
            rows = self.path.with_name(f"{self.model.name}-diverged.csv")
            rows.parent.mkdir(parents=True, exist_ok=True)
            self.model.loss_history.to_csv(rows)
            kept = f" The losses up to there are in {rows.name}"
            kept += "; the checkpoint is from before." if self.path.exists() else "."
        raise FloatingPointError(
            f"{self.model.name}: {name} is {value} at step {step}. Lower the learning "
            f"rate or choose another loss.{kept}"
        )

    def _record(self):
        rows = pd.DataFrame.from_dict(self.rows, orient="index", dtype="float64")
        rows.index.name = "step"
        history = self.model.loss_history
        if len(rows):
            history = pd.concat([history, rows]) if len(history) else rows
        self.model.loss_history, self.rows = history, {}

    def _keep(self):
        self._record()
        if self.path:
            try:
                self.model.left = checkpoint.save(
                    self.path,
                    self.model,
                    settings=self.settings,
                    over=getattr(self.model, "left", None),
                )
            except OSError as error:
                raise OSError(
                    f"checkpoint_dir: {self.path.parent} cannot be written to "
                    f"({error}). Mend that, or choose another: the same model goes on "
                    f"from step {int(self.counter):,}, a new one from the last save."
                ) from error
        self.saved_at, self.unsaved = time.monotonic(), False
