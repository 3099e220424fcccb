"""A training that is killed outright goes on from its checkpoint, bit for bit."""

import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.models.gan import GAN
from gan_notes.models.returns import ReturnsGAN
from gan_notes.models.timegan import PHASES, TimeGAN
from gan_notes.training import loop

pytestmark = pytest.mark.long
X = np.random.default_rng(0).uniform(0, 1, (60, 4, 2)).astype("float32")


first = keras.initializers.GlorotUniform


def gan(folder, callbacks=()):
    generator, discriminator = (
        keras.Sequential(
            [
                keras.Input((size,)),
                keras.layers.Dense(n, kernel_initializer=first(seed)),
            ]
        )
        for seed, (size, n) in enumerate([(2, 8), (8, 1)])
    )
    model = GAN(generator, discriminator, seed=0)
    model.compile(steps_per_execution=1)
    return model, model.fit(X.reshape(60, 8), steps=6, **options(folder, callbacks))


def timegan(folder, callbacks=()):
    model = TimeGAN(4, 2, hidden_dim=3, num_layers=2, seed=0)
    model.compile(steps_per_execution=1)
    return model, model.fit(X, steps=(2, 2, 2), **options(folder, callbacks))


def returns(folder, callbacks=()):
    model = ReturnsGAN(4, 2, seed=0)
    model.compile(decay_steps=6, steps_per_execution=1)
    return model, model.fit(X - 0.5, steps=6, **options(folder, callbacks))


def options(folder, callbacks):
    return {
        "batch_size": 16,
        "verbose": 0,
        "checkpoint_dir": folder,
        "callbacks": callbacks,
    }


KINDS = {"gan": gan, "timegan": timegan, "returns": returns}
CASES = [("gan", 4), ("returns", 4), *zip(["timegan"] * 3, (2, 4, 6), strict=True)]


class Killed(keras.callbacks.Callback):
    """Kill this process after a step, before that step is kept."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("kind", "at"), CASES, ids=["gan", "returns", *(f"timegan-{p}" for p in PHASES)]
)
def test_a_killed_training_goes_on_bit_for_bit(tmp_path, kind, at):
    child = subprocess.run(
        [sys.executable, __file__, kind, str(at), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert list(tmp_path.iterdir()), "a checkpoint is left"
    again, history = KINDS[kind](tmp_path)
    whole, expected = KINDS[kind]("")
    pd.testing.assert_frame_equal(history, expected)
    assert list(history.index) == [1, 2, 3, 4, 5, 6]
    pairs = zip(again.trainable_variables, whole.trainable_variables, strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


if __name__ == "__main__":
    from gan_notes import notebooks

    notebooks.repeatable(0)
    tf.config.run_functions_eagerly(True)
    loop.SAVE_SECONDS = 0.0  # after every step
    name, step, place = sys.argv[1:]
    KINDS[name](place, [Killed(int(step))])
    raise SystemExit("it was not killed")
