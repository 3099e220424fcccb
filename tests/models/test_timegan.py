import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.data.windows import make_windows
from gan_notes.models import timegan
from gan_notes.models.timegan import PHASES, TimeGAN

LENGTH, FEATURES = 8, 2


def prices(days=400):
    rng = np.random.default_rng(0)
    paths = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (days, FEATURES)), axis=0))
    index = pd.bdate_range("2020-01-01", periods=days, name="date")
    return pd.DataFrame(paths, index, ["AA", "BB"])


WINDOWS = make_windows(prices(), sequence_length=LENGTH)
X = WINDOWS.train


def make(seed=0, **options):
    return TimeGAN(LENGTH, FEATURES, hidden_dim=6, num_layers=2, seed=seed, **options)


def fit(model, steps, **options):
    return model.fit(X, steps=steps, batch_size=16, verbose=0, **options)


def test_the_seed_fixes_the_first_weights_and_differs_between_networks():
    first, again, other = make(), make(), make(seed=1)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [w.tobytes() for w in first.get_weights() if w.ndim == 2]
    assert len(set(kernels)) == len(kernels)
    assert kernels[0] != other.get_weights()[0].tobytes()


@pytest.fixture(scope="module")
def trained():
    model = make(transform=WINDOWS.transform)
    history = fit(model, (20, 20, 20))
    return model, history


def moved(model, phase):
    """Names of the networks that one step of a phase moves."""
    names = ("embedder", "recovery", "generator", "supervisor", "discriminator")
    model.adapt(X, (1, 1, 1), 16)
    before = {n: [w.copy() for w in getattr(model, n).get_weights()] for n in names}
    getattr(model, f"{phase}_step")(tf.constant(0, tf.int64))
    return {
        n
        for n in names
        if any(
            not np.array_equal(a, b)
            for a, b in zip(getattr(model, n).get_weights(), before[n], strict=True)
        )
    }


def test_each_phase_moves_its_networks_only():
    assert moved(make(), "embedding") == {"embedder", "recovery"}
    assert moved(make(), "supervised") == {"supervisor"}
    assert moved(make(), "joint") == {
        "embedder",
        "recovery",
        "generator",
        "supervisor",
        "discriminator",
    }


def test_the_supervised_loss_looks_one_step_ahead():
    """Zero for a perfect forecast, not for a copy of the present state."""
    h = tf.random.stateless_normal([3, LENGTH, 4], [0, 1])
    ahead = tf.concat([h[:, 1:], tf.zeros([3, 1, 4])], axis=1)
    assert float(timegan.supervised_loss(h, ahead)) == 0
    assert float(timegan.supervised_loss(h, h)) > 0.5
    slow = tf.zeros([1, LENGTH, 1]) + tf.range(float(LENGTH))[None, :, None]
    assert float(timegan.supervised_loss(slow, slow)) == 1


def test_the_generator_learns_through_the_supervisor():
    """D(S(G(z))) alone must give the generator a gradient, in the joint phase."""
    model = make()
    z = tf.random.stateless_uniform([4, LENGTH, FEATURES], [0, 1])
    with tf.GradientTape() as tape:
        logits = model.discriminator(model.supervisor(model.generator(z)))
        loss = timegan.adversarial_loss(logits, tf.zeros_like(logits))
    gradients = tape.gradient(loss, model.generator.trainable_variables)
    assert all(g is not None and float(tf.norm(g)) > 0 for g in gradients)


def test_joint_losses_reach_the_generator_through_the_supervisor(monkeypatch):
    """With D blind to G(z) itself, one joint step still moves the generator."""
    model = make()
    monkeypatch.setattr(timegan, "MOMENTS_WEIGHT", 0.0)
    monkeypatch.setattr(
        timegan, "adversarial_loss", lambda s, g: tf.reduce_mean(tf.nn.softplus(-s))
    )
    assert "generator" in moved(model, "joint")


def test_no_variable_is_twice_in_one_optimizer():
    model = make()
    for variables in model.variables_of.values():
        assert len({id(v) for v in variables}) == len(variables)
    every = {id(v) for vs in model.variables_of.values() for v in vs}
    assert every == {id(v) for v in model.trainable_variables}


def test_minibatches_come_from_all_of_the_training_period():
    model = make()
    model.adapt(
        np.arange(1000.0).reshape(-1, 1, 1) / 1000 + np.zeros_like(X[:1]),
        (1, 1, 1),
        512,
    )
    x, z = model.draw(tf.constant(0, tf.int64), 0)
    first = x[:, 0, 0].numpy()
    assert first.min() < 0.05
    assert first.max() > 0.95
    assert not (np.diff(first) > 0).all()
    assert z.shape == x.shape
    assert 0 <= float(tf.reduce_min(z)) < float(tf.reduce_max(z)) < 1


def test_moment_loss_is_zero_for_equal_moments_and_measures_a_shift():
    x = tf.random.stateless_normal([64, 3, 2], [0, 1])
    assert float(timegan.moment_loss(x, x[::-1])) < 1e-5
    np.testing.assert_allclose(timegan.moment_loss(x, x + 2.0), 2.0, rtol=1e-4)


def test_a_strong_discriminator_rests(monkeypatch):
    model = make()
    model.adapt(X, (1, 1, 1), 16)
    updates = model.optimizers["discriminator"].iterations
    model.joint_step(tf.constant(0, tf.int64))
    assert int(updates) == 1  # an untrained one loses about 3 log 2
    monkeypatch.setattr(timegan, "DISCRIMINATOR_THRESHOLD", 10.0)
    model.joint_step(tf.constant(1, tf.int64))
    assert int(updates) == 1
    assert int(model.optimizers["generator"].iterations) == 4


def test_history_has_the_losses_of_each_phase(trained):
    _, history = trained
    assert list(history.phase.unique()) == list(PHASES)
    assert list(history.index) == [10, 20, 30, 40, 50, 60]
    seen = {
        phase: set(rows.dropna(axis=1).columns) - {"phase"}
        for phase, rows in history.groupby("phase")
    }
    assert seen["embedding"] == {"reconstruction"}
    assert seen["supervised"] == {"supervised"}
    assert seen["joint"] == set(history.columns) - {"phase"}


def test_the_embedding_phase_learns_to_restore():
    history = fit(make(), (300, 1, 1))
    errors = history.reconstruction[history.phase == "embedding"]
    assert errors.iloc[-1] < 0.6 * errors.iloc[0]


@pytest.mark.parametrize("stop", [(20, 20, 20), (20, 20, 30)])
def test_resume_equals_no_stop(tmp_path, stop):
    whole = make()
    expected = fit(whole, (20, 20, 40))
    fit(make(), stop, checkpoint_dir=tmp_path)
    resumed = make()
    history = fit(resumed, (20, 20, 40), checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)
    np.testing.assert_array_equal(resumed.generate(9), whole.generate(9))


def test_a_stop_in_an_early_phase_is_resumed_too(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.step == 30:  # in the middle of the second phase
                raise KeyboardInterrupt

    whole = make()
    expected = fit(whole, (20, 20, 20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan_notes.training.loop.SAVE_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            fit(make(), (20, 20, 20), checkpoint_dir=tmp_path, callbacks=[Stop()])
    resumed = make()
    pd.testing.assert_frame_equal(
        fit(resumed, (20, 20, 20), checkpoint_dir=tmp_path), expected
    )
    np.testing.assert_array_equal(resumed.generate(9), whole.generate(9))


def test_other_first_phases_are_refused(trained):
    model, _ = trained
    with pytest.raises(ValueError, match="keep the data and the first two phases"):
        fit(model, 30)


def test_saved_and_loaded_with_its_prices(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "stocks.keras")
    loaded = TimeGAN.load(tmp_path / "stocks.keras")
    np.testing.assert_array_equal(loaded.generate(5, seed=2), model.generate(5, seed=2))
    dates = WINDOWS.test_dates[0]
    (frame,) = loaded.prices(1, dates=dates, seed=2)
    assert list(frame.columns) == ["AA", "BB"]
    assert (frame.index == dates).all()
    low, high = prices().iloc[:320].min(), prices().iloc[:320].max()
    assert ((frame >= low - 1e-6) & (frame <= high + 1e-6)).all(axis=None)


def test_a_loaded_model_goes_on_training(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "stocks.keras")
    loaded = TimeGAN.load(tmp_path / "stocks.keras")
    fit(loaded, (20, 20, 25))
    assert loaded.step == 65


def test_prices_need_a_transform_and_dates_of_one_window(trained):
    with pytest.raises(ValueError, match="without transform"):
        make().prices(1, dates=WINDOWS.test_dates[0])
    with pytest.raises(ValueError, match="dates: 3 days"):
        trained[0].prices(1, dates=WINDOWS.test_dates[0][:3])


def test_config_is_json(trained):
    config = trained[0].get_config()
    assert json.loads(json.dumps(config)) == config


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:, :5], r"x has shape"),
        (X * np.nan, "NaN"),
        (X * 3 - 1, "sigmoid cannot reach"),
    ],
)
def test_windows_that_do_not_fit_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        make().fit(x, steps=1, verbose=0)


@pytest.mark.parametrize("steps", [0, (1, 2), (5, 0, 5)])
def test_wrong_steps_are_named(steps):
    with pytest.raises(ValueError, match="steps"):
        fit(make(), steps)


@pytest.mark.parametrize(
    ("arguments", "name"), [((1, 2), "sequence_length"), ((8, 0), "features")]
)
def test_wrong_sizes_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        TimeGAN(*arguments)


def test_windows_longer_than_the_fused_cells_take():
    model = TimeGAN(70, 1, hidden_dim=4, num_layers=2)
    x = np.random.default_rng(0).uniform(size=(20, 70, 1))
    model.fit(x, steps=2, batch_size=4, verbose=0)
    assert model.generate(3).shape == (3, 70, 1)
