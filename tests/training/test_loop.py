import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import after, dead_mount

from gan_notes.training import checkpoint, loop

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
FILE = "regression.weights.h5"


def regression(name="regression", learning_rate=0.01, activation=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, activation)], name=name
    )
    model.compile(
        keras.optimizers.Adam(learning_rate),
        "mse",
        steps_per_execution=5,
        jit_compile=False,
    )
    return model


def fit(model, steps, **options):
    """An epoch is 4 steps of 16 rows."""
    y = X.sum(axis=1, keepdims=True)
    options = {"batch_size": 16, "verbose": 0, **options}
    return loop.fit(model, X, y, steps=steps, **options)


def test_fit_learns_and_counts():
    model = regression(learning_rate=0.05)
    history = fit(model, 400)
    assert list(history.index[:2]) == [5, 10]
    assert history.index[-1] == int(model.optimizer.iterations) == 400
    assert history.loss.iloc[-1] < 0.01 * history.loss.iloc[0]


@pytest.mark.parametrize("kept", [False, True])
def test_a_training_in_parts_equals_one_in_whole(tmp_path, kept):
    whole, parts = regression(), regression()
    expected = fit(whole, 40)
    for steps in (10, np.int64(25), np.int32(40)):
        history = fit(parts, steps, checkpoint_dir=tmp_path if kept else "")
    np.testing.assert_array_equal(parts.get_weights()[0], whole.get_weights()[0])
    pd.testing.assert_frame_equal(history, expected)


def test_no_thread_tunes_the_step_numbers(monkeypatch):
    """It sleeps for seconds, and every fit would wait at its end until it wakes."""
    given = []
    keras_fit = keras.Model.fit

    def watched(self, x, **options):
        given.append(x.options().autotune.enabled)
        return keras_fit(self, x, **options)

    monkeypatch.setattr(keras.Model, "fit", watched)
    fit(regression(), 5)
    assert given == [False]


def test_nothing_to_do_is_said():
    model = regression()
    fit(model, 10)
    before = model.get_weights()[0].copy()
    with pytest.warns(UserWarning, match="nothing to do: 10 steps are done"):
        fit(model, 10)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_the_warning_stands_at_the_readers_line():
    """Elsewhere Python shows it once, and the second call would be silent."""
    model = regression()
    fit(model, 10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, 10)
    assert [each.filename for each in caught] == [__file__]


@pytest.mark.parametrize("rows", [0, 32])
def test_as_many_targets_as_inputs(rows):
    with pytest.raises(ValueError, match=f"x has 64 rows and y {rows}; give as many"):
        loop.fit(regression(), X, X[:rows, :1], steps=5, verbose=0)


@pytest.mark.parametrize("batch_size", [0, 2.5])
def test_what_is_no_size_of_a_batch_is_refused(batch_size):
    with pytest.raises(ValueError, match=r"batch_size: .* is no whole number"):
        fit(regression(), 5, batch_size=batch_size)


def test_integers_of_numpy_are_the_same_training(tmp_path):
    expected = fit(regression(), 20)
    options = {"seed": np.int64(0), "batch_size": np.int32(16)}
    fit(regression(), 10, checkpoint_dir=tmp_path, **options)
    history = fit(regression(), 20, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(gradient_accumulation_steps=2),
        keras.optimizers.Adam(use_ema=True),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    ],
)
def test_optimizers_whose_updates_are_not_the_steps_are_refused(optimizer):
    model = regression()
    model.compile(optimizer, "mse", jit_compile=False)
    with pytest.raises(ValueError, match="updates count the steps"):
        fit(model, 20)


def test_a_distribution_scope_is_refused():
    scope = tf.distribute.MirroredStrategy(["/cpu:0"]).scope
    outside = regression()
    with scope(), pytest.raises(ValueError, match=r"tf\.distribute scope"):
        fit(outside, 10)
    with scope():
        inside = regression()
    with pytest.raises(ValueError, match=r"tf\.distribute scope"):
        fit(inside, 10)


def test_it_goes_on_after_a_fit_of_keras():
    model = regression()
    model.fit(X, X[:, :1], batch_size=64, epochs=7, verbose=0)
    assert list(fit(model, 17).index) == [12, 17]


@pytest.mark.parametrize("steps", [0, -3, 2.0, True, "7"])
def test_what_is_no_number_of_steps_is_refused(steps):
    with pytest.raises(ValueError, match=r"steps: .* is no whole number of at least 1"):
        fit(regression(), steps)


def test_resume_equals_no_stop(tmp_path):
    whole = regression()
    expected = fit(whole, 40)
    fit(regression(), 20, checkpoint_dir=tmp_path)
    resumed = regression()
    history = fit(resumed, 40, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)
    for a, b in zip(
        resumed.optimizer.variables, whole.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert os.listdir(tmp_path) == [FILE]


def stop(model):
    model.stop_training = True


def fail(model):
    raise RuntimeError("of a callback")


def interrupt(model):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("act", "error"),
    [(stop, None), (fail, RuntimeError), (interrupt, KeyboardInterrupt)],
)
def test_however_it_ends_the_state_is_kept_and_the_rest_follows(tmp_path, act, error):
    expected = fit(regression(), 40)
    stopped = regression()
    if error:
        with pytest.raises(error):
            fit(stopped, 40, checkpoint_dir=tmp_path, callbacks=[after(20, act)])
    else:
        fit(stopped, 40, checkpoint_dir=tmp_path, callbacks=[after(20, act)])
    pd.testing.assert_frame_equal(stopped.loss_history, expected.loc[:20])
    resumed = regression()
    history = fit(resumed, 40, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)


@pytest.mark.long
def test_a_mount_that_vanishes_costs_no_more_than_the_steps_since_then(tmp_path):
    """As Drive does on Colab; what comes later lands in the folder below."""
    drive, folder = tmp_path / "drive", tmp_path / "folder"
    drive.mkdir()
    folder.mkdir()

    def mounted(*command):
        return subprocess.run([*command, folder], capture_output=True).returncode == 0

    def vanish(model):
        assert mounted("umount", "--lazy")

    if not mounted("mount", "--bind", drive):
        pytest.skip("only root may mount, on Linux")
    try:
        fit(regression(), 20, checkpoint_dir=folder)
        fit(regression(), 40, checkpoint_dir=folder, callbacks=[after(30, vanish)])
        assert [path.name for path in drive.iterdir()] == [FILE]
        assert mounted("mount", "--bind", drive)
        history = fit(regression(), 40, checkpoint_dir=folder)
        assert history.index[-1] == 40
    finally:
        mounted("umount")
    pd.testing.assert_frame_equal(history, fit(regression(), 40))


def test_a_mount_that_dies_is_named_and_the_model_goes_on_elsewhere(tmp_path):
    """As a Drive whose server is gone: every access fails, also that of the end."""
    drive, other = tmp_path / "drive", tmp_path / "other"
    drive.mkdir()
    model = regression()
    with contextlib.ExitStack() as dead:

        def die(model):
            dead.enter_context(dead_mount(drive))

        with pytest.raises(OSError, match="Transport endpoint is not conn") as caught:
            fit(model, 40, checkpoint_dir=drive, callbacks=[after(30, die)])
    assert str(caught.value).startswith(f"checkpoint_dir: {drive} cannot be")
    assert "the same model goes on from step 40" in str(caught.value)
    history = fit(model, 60, checkpoint_dir=other)
    pd.testing.assert_frame_equal(history, fit(regression(), 60))
    assert checkpoint.read(other / FILE)["history"]["index"][-1] == 60


def test_a_slow_folder_takes_no_more_than_one_save_in_half_a_minute(
    tmp_path, monkeypatch
):
    """Half a minute of training, that is: the minute that a write takes is not in it.

    An execution of five steps takes a second here.
    """
    now, writes, replace = [0.0], [], os.replace

    def slow(*paths):
        now[0] += 60
        writes.append(now[0])
        replace(*paths)

    def second(batch, logs):
        now[0] += 1

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(checkpoint.os, "replace", slow)
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=second)
    history = fit(regression(), 350, checkpoint_dir=tmp_path, callbacks=[watch])
    assert writes == [31 + 60, 31 + 60 + 31 + 60, 70 + 3 * 60]
    pd.testing.assert_frame_equal(history, fit(regression(), 350))


def test_ctrl_c_after_the_last_batch_is_not_swallowed(tmp_path):
    class Late(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            interrupt(self.model)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(regression(), 20, checkpoint_dir=tmp_path, callbacks=[Late()])
    assert checkpoint.read(tmp_path / FILE)["history"]["index"][-1] == 20
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait():
    went_on = []

    def twice(model):
        interrupt(model)
        went_on.append("after the first")
        interrupt(model)
        went_on.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        fit(regression(), 40, callbacks=[after(10, twice)])
    assert went_on == ["after the first"]


@pytest.mark.parametrize(("patience", "kept"), [(0.0, [5, 10]), (60.0, None)])
def test_an_update_that_fails_leaves_the_last_whole_state(
    tmp_path, monkeypatch, patience, kept
):
    monkeypatch.setattr(loop, "SAVE_SECONDS", patience)
    model = regression()

    def break_graph(model):
        model.train_function = lambda iterator: 1 / 0

    with pytest.raises(ZeroDivisionError):
        fit(model, 40, checkpoint_dir=tmp_path, callbacks=[after(10, break_graph)])
    if kept:
        assert checkpoint.read(tmp_path / FILE)["history"]["index"] == kept
    else:
        assert not (tmp_path / FILE).exists()
    assert list(model.loss_history.index) == [5, 10]


@pytest.mark.long
def test_interrupt_of_a_process_saves_a_step_and_the_rest_follows(tmp_path):
    """Ctrl-C in a real process; then the training goes on to the same weights."""
    here = os.path.dirname(__file__)
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {[here, os.path.dirname(here)]!r}
        from test_loop import after, fit, regression
        told = after(50, lambda model: print("trains", flush=True))
        fit(regression(), 10**7, checkpoint_dir={str(tmp_path)!r}, callbacks=[told])
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"trains\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors
    stopped_at = checkpoint.read(tmp_path / FILE)["history"]["index"][-1]
    assert 50 <= stopped_at < 10**7
    expected = fit(regression(), stopped_at + 10)
    resumed = fit(regression(), stopped_at + 10, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(resumed, expected)


@pytest.mark.parametrize(
    ("other", "options", "difference"),
    [
        (regression(), {"seed": 1}, "seed was 0, now it is 1"),
        (regression(), {"batch_size": 8}, "batch_size was 16, now it is 8"),
        (regression(learning_rate=0.5), {}, r"learning_rate was 0\.0099.*is 0\.5"),
        (regression(activation="tanh"), {}, "activation was 'linear'.*'tanh'"),
    ],
)
def test_another_training_is_refused_and_its_file_left(
    tmp_path, other, options, difference
):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ValueError, match=difference):
        fit(other, 20, checkpoint_dir=tmp_path, **options)
    assert (tmp_path / FILE).read_bytes() == before


def test_other_data_are_refused(tmp_path):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="data was"):
        loop.fit(
            regression(),
            X + 1,
            X[:, :1],
            steps=20,
            batch_size=16,
            checkpoint_dir=tmp_path,
            verbose=0,
        )


@pytest.mark.parametrize(
    ("options", "difference"),
    [({"x": X + 1}, "data was"), ({"batch_size": 8}, "batch_size was 16, now it is 8")],
)
def test_a_trained_model_refuses_another_training(options, difference):
    model = regression()
    fit(model, 10)
    options = {"x": X, "y": X.sum(axis=1, keepdims=True), "batch_size": 16, **options}
    told = f"done 10 steps of another training: {difference}"
    with pytest.raises(ValueError, match=told):
        loop.fit(model, **options, steps=20, verbose=0)
    assert int(model.optimizer.iterations) == 10
    assert list(fit(model, 20).index) == [5, 10, 15, 20]


def test_a_new_optimizer_begins_a_new_training():
    model = regression()
    fit(model, 10)
    model.compile(keras.optimizers.SGD(0.01), "mse", steps_per_execution=5)
    history = loop.fit(model, X + 1, X[:, :1], steps=10, batch_size=16, verbose=0)
    assert list(history.index) == [5, 10]


def weighted(size):
    def loss(y, predicted):
        return size * keras.ops.square(y - predicted)

    return loss


def test_a_loss_is_known_by_what_it_computes(tmp_path):
    """Both functions are called `loss`, and Keras keeps the name alone."""

    def train(size, steps):
        model = regression()
        model.compile(keras.optimizers.Adam(0.01), weighted(size), jit_compile=False)
        return fit(model, steps, checkpoint_dir=tmp_path)

    train(1.0, 10)
    with pytest.raises(ValueError, match=r"another training: loss\[1\] was"):
        train(2.0, 20)
    assert train(1.0, 20).index[-1] == 20


def test_a_foreign_file_is_never_overwritten(tmp_path):
    """A model that kept a checkpoint in one folder meets a file in another."""
    fit(regression(), 30, checkpoint_dir=tmp_path / "theirs")
    foreign = (tmp_path / "theirs" / FILE).read_bytes()
    model = regression()
    fit(model, 10, checkpoint_dir=tmp_path / "ours")
    with pytest.raises(ValueError, match=r"this model has done 10 steps of its own"):
        fit(model, 20, checkpoint_dir=tmp_path / "theirs")
    assert (tmp_path / "theirs" / FILE).read_bytes() == foreign


def test_a_file_replaced_behind_its_back_is_not_overwritten(tmp_path):
    model = regression()
    fit(model, 10, checkpoint_dir=tmp_path)
    fit(regression(), 30, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="of its own"):
        fit(model, 20, checkpoint_dir=tmp_path)


def test_a_file_that_another_wrote_meanwhile_is_not_overwritten(tmp_path):
    """Two trainings began in one folder when it was empty."""
    model = regression()

    def another(_):
        fit(regression(), 5, seed=1, checkpoint_dir=tmp_path)

    with pytest.raises(ValueError, match="written by another training meanwhile"):
        fit(model, 20, checkpoint_dir=tmp_path, callbacks=[after(10, another)])
    assert checkpoint.read(tmp_path / FILE)["settings"]["seed"] == 1
    assert model.loss_history.index[-1] == 20


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fit(regression(), 5, checkpoint_dir="~/kept")
    assert (tmp_path / "kept" / FILE).exists()


def test_divergence_keeps_the_rows_and_the_last_good_checkpoint(tmp_path):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    model = regression()

    def ruin(model):
        model.layers[-1].kernel.assign(np.full((3, 1), np.nan))

    with pytest.raises(FloatingPointError, match="loss is nan at step 20") as caught:
        fit(model, 40, checkpoint_dir=tmp_path, callbacks=[after(15, ruin)])
    assert (tmp_path / FILE).read_bytes() == before
    assert list(model.loss_history.index) == [5, 10, 15, 20]
    assert "regression-diverged.csv" in str(caught.value)
    rows = pd.read_csv(tmp_path / "regression-diverged.csv", index_col="step")
    np.testing.assert_allclose(rows.loss, model.loss_history.loss)


# Callbacks: Keras's own work, told of epochs.


class Epochs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.logs = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(("begin", epoch, int(self.model.optimizer.iterations)))

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(("end", epoch, int(self.model.optimizer.iterations)))
        self.logs.append(logs)


def test_an_epoch_draws_as_many_rows_as_there_are():
    """4 steps of 16 rows for 64; it ends with the execution of 5 in which they lie."""
    watch = Epochs()
    history = fit(regression(), 15, callbacks=[watch])
    assert watch.seen == [
        ("begin", 0, 0),
        ("end", 0, 5),
        ("begin", 1, 5),
        ("end", 1, 10),
        ("begin", 2, 10),
        ("end", 2, 15),
    ]
    np.testing.assert_allclose([logs["loss"] for logs in watch.logs], history.loss)


def test_an_epoch_is_rounded_up():
    """3 steps of 24 rows for 64, so an execution ends after 5, 10 and 15 of them."""
    watch = Epochs()
    fit(regression(), 15, batch_size=24, callbacks=[watch])
    assert [event[1:] for event in watch.seen if event[0] == "end"] == [
        (0, 5),
        (1, 10),
        (3, 15),
    ]


def test_an_epoch_that_was_begun_goes_on_after_a_stop(tmp_path):
    """16 steps of 4 rows: a stop at 10 is in the middle of the first."""
    whole, first, rest = Epochs(), Epochs(), Epochs()
    fit(regression(), 40, batch_size=4, callbacks=[whole])
    options = {"batch_size": 4, "checkpoint_dir": tmp_path}
    fit(regression(), 40, callbacks=[first, after(10, stop)], **options)
    fit(regression(), 40, callbacks=[rest], **options)
    assert first.seen + rest.seen == [
        event for event in whole.seen if event != ("end", 0, 10)
    ]
    assert rest.logs[0] == pytest.approx(whole.logs[0])


def test_backup_and_restore_is_refused(tmp_path):
    """It would take up its own weights and then train nothing."""
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(ValueError, match="give checkpoint_dir instead"):
        fit(regression(), 10, callbacks=[backup])


def test_a_bar_of_keras_may_be_given():
    fit(regression(), 10, callbacks=[keras.callbacks.ProgbarLogger()])


@pytest.mark.parametrize("end", ["done", "stopped", "interrupted"])
@pytest.mark.parametrize("stop_at", [15, 20])
def test_learning_rate_scheduler_resumes_exactly(tmp_path, stop_at, end):
    """An epoch of 4 steps ends with an execution of 5: at 15 another has begun."""

    def halving():
        return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

    whole = regression()
    expected = fit(whole, 40, callbacks=[halving()])
    assert float(whole.optimizer.learning_rate) == pytest.approx(0.01 / 2**8)
    options = {"checkpoint_dir": tmp_path}
    if end == "done":
        fit(regression(), stop_at, callbacks=[halving()], **options)
    elif end == "stopped":
        fit(regression(), 40, callbacks=[halving(), after(stop_at, stop)], **options)
    else:
        told = [halving(), after(stop_at, interrupt)]
        with pytest.raises(KeyboardInterrupt):
            fit(regression(), 40, callbacks=told, **options)
    resumed = regression()
    history = fit(resumed, 40, checkpoint_dir=tmp_path, callbacks=[halving()])
    pd.testing.assert_frame_equal(history, expected)


def test_early_stopping_stops():
    stopping = keras.callbacks.EarlyStopping("loss", patience=2, mode="min")
    model = regression(learning_rate=0.0)
    history = fit(model, 400, callbacks=[stopping])
    assert 15 <= history.index[-1] < 200


def test_early_stopping_puts_the_best_weights_back_after_the_checkpoint(tmp_path):
    """The model has the best weights; the file has the last, to go on from."""
    stopping = keras.callbacks.EarlyStopping(
        "loss", patience=1, mode="max", restore_best_weights=True
    )
    model, whole, kept = (regression(learning_rate=0.05) for _ in range(3))
    fit(model, 400, checkpoint_dir=tmp_path, callbacks=[stopping])
    last = checkpoint.read(tmp_path / FILE)["history"]["index"][-1]
    fit(whole, last)
    kept.optimizer.build(kept.trainable_variables)
    kept.load_weights(tmp_path / FILE)
    for a, b in zip(kept.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(model.get_weights()[0], whole.get_weights()[0])


def test_csv_logger_and_model_checkpoint_and_tensorboard_write(tmp_path):
    saved = tmp_path / "{epoch:02d}.keras"
    with warnings.catch_warnings():
        # Of the protocol files that TensorBoard's writer was generated from.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        history = fit(
            regression(),
            15,
            callbacks=[
                keras.callbacks.CSVLogger(tmp_path / "log.csv"),
                keras.callbacks.ModelCheckpoint(saved),
                keras.callbacks.TensorBoard(tmp_path / "board"),
            ],
        )
    rows = pd.read_csv(tmp_path / "log.csv")
    np.testing.assert_allclose(rows.loss, history.loss)
    assert {path.name for path in tmp_path.glob("*.keras")} == {
        "01.keras",
        "02.keras",
        "03.keras",
    }
    assert list(tmp_path.glob("board/**/*tfevents*"))
