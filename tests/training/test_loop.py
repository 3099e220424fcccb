import os
import signal
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.training import loop

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")


def regression(name="regression", learning_rate=0.01):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name=name)
    model.compile(
        keras.optimizers.Adam(learning_rate),
        "mse",
        steps_per_execution=5,
        jit_compile=False,
    )
    return model


def fit(model, steps, **options):
    y = X.sum(axis=1, keepdims=True)
    return loop.fit(model, X, y, steps=steps, batch_size=16, verbose=0, **options)


def test_draws_are_a_function_of_seed_and_step():
    step = tf.constant(3, tf.int64)
    key = loop.key(1, step)
    for other in (
        loop.key(2, step),
        loop.key(1, step + 1),
        loop.key(1, step, 5),
    ):
        assert not np.array_equal(key, other)
    np.testing.assert_array_equal(key, loop.key(1, step))


def test_minibatches_are_drawn_from_everywhere():
    """Windows in order of time would train on one era at a time."""
    data = tf.range(1000)
    batch = loop.minibatch(data, 256, loop.key(0, tf.constant(0))).numpy()
    assert batch.min() < 50
    assert batch.max() > 950
    assert not (np.diff(batch) > 0).all()


def test_fit_learns_and_counts():
    model = regression(learning_rate=0.05)
    history = fit(model, 400)
    assert list(history.index[:2]) == [5, 10]
    assert history.index[-1] == int(model.optimizer.iterations) == 400
    assert history.loss.iloc[-1] < 0.01 * history.loss.iloc[0]


def test_a_training_in_parts_equals_one_in_whole():
    whole, parts = regression(), regression()
    expected = fit(whole, 40)
    for steps in (10, 10, 25, 40):
        history = fit(parts, steps)
    np.testing.assert_array_equal(parts.get_weights()[0], whole.get_weights()[0])
    pd.testing.assert_frame_equal(history, expected)


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
    assert os.listdir(tmp_path) == ["regression.npz"]


def test_interrupt_saves_a_step_and_the_rest_follows(tmp_path):
    """Ctrl-C in a real process; then the training goes on to the same weights."""
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(os.path.dirname(__file__))!r})
        from test_training import fit, regression
        print("ready", flush=True)
        fit(regression(), 10**6, checkpoint_dir={str(tmp_path)!r})
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    timer = threading.Timer(4, process.send_signal, [signal.SIGINT])
    timer.start()
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors
    resumed = regression()
    with np.load(tmp_path / "regression.npz") as file:
        stopped_at = int(file["history_steps"][-1])
    assert 0 < stopped_at < 10**6
    whole = regression()
    expected = fit(whole, stopped_at + 10)
    history = fit(resumed, stopped_at + 10, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="seed was 0, now it is 1"):
        fit(regression(), 20, checkpoint_dir=tmp_path, seed=1)
    with pytest.raises(ValueError, match="data was"):
        loop.fit(
            regression(), X + 1, X[:, :1], steps=20, checkpoint_dir=tmp_path, verbose=0
        )


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    other = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)],
        name="regression",
    )
    other.compile("adam", "mse", jit_compile=False)
    with pytest.raises(ValueError, match="another network"):
        fit(other, 20, checkpoint_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04half"])
def test_an_unreadable_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "regression.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"regression\.npz is not a readable"):
        fit(regression(), 10, checkpoint_dir=tmp_path)
    assert path.read_bytes() == content


def test_divergence_is_an_error_and_keeps_the_last_good_checkpoint(tmp_path):
    fit(regression(), 10, checkpoint_dir=tmp_path)
    before = (tmp_path / "regression.npz").read_bytes()
    model = regression()
    fit(model, 10, checkpoint_dir=tmp_path)
    model.layers[-1].kernel.assign(np.full((3, 1), np.nan))
    with pytest.raises(FloatingPointError, match="loss is nan at step 15"):
        fit(model, 20, checkpoint_dir=tmp_path)
    assert (tmp_path / "regression.npz").read_bytes() == before


def test_zero_steps_are_refused():
    with pytest.raises(ValueError, match="steps: 0"):
        fit(regression(), 0)


def test_fingerprint_sees_values_and_shape():
    marks = {loop.fingerprint(a) for a in (X, X + 1, X.reshape(3, 64), X.astype(float))}
    assert len(marks) == 4
    assert loop.fingerprint(X) == loop.fingerprint(X.copy())
