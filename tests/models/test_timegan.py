import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import after

from gan_notes.data.windows import make_windows
from gan_notes.models import layers, timegan
from gan_notes.models.timegan import PHASES, TimeGAN

LENGTH, FEATURES = 3, 2


def prices(days=400):
    rng = np.random.default_rng(0)
    paths = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (days, FEATURES)), axis=0))
    index = pd.bdate_range("2020-01-01", periods=days, name="date")
    return pd.DataFrame(paths, index, ["AA", "BB"])


WINDOWS = make_windows(prices(), sequence_length=LENGTH)
X = WINDOWS.train


NAMES = ("embedder", "recovery", "generator", "supervisor", "discriminator")


def make(seed=0, **options):
    return TimeGAN(LENGTH, FEATURES, hidden_dim=4, num_layers=2, seed=seed, **options)


def fit(model, steps, **options):
    options = {"batch_size": 16, "verbose": 0, **options}
    return model.fit(X, steps=steps, **options)


@pytest.fixture(scope="module")
def trained():
    """One compiled training, shared: tracing the three phases takes longest."""
    model = make(transform=WINDOWS.transform)
    history = fit(model, (300, 20, 20))
    return model, history


@pytest.fixture
def eager():
    """Run steps without tracing them: the same numbers to rounding, much sooner."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def set_data(model):
    model.first_phases = [1, 1]
    model.set_data(X, 16)


def test_the_seed_fixes_the_first_weights_and_differs_between_networks():
    first, again, other = make(), make(), make(seed=1)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # What cuDNN runs has biases of two rows, which begin at 0.
    kernels = [w.tobytes() for w in first.get_weights() if w.ndim == 2 and w.any()]
    assert len(kernels) == len({w.path for w in first.weights if "kernel" in w.path})
    assert len(set(kernels)) == len(kernels)
    assert kernels[0] != other.embedder.get_weights()[0].tobytes()


def moved(model, phase):
    """Names of the networks that one step of a phase moves."""
    set_data(model)
    before = {n: [w.copy() for w in getattr(model, n).get_weights()] for n in NAMES}
    getattr(model, f"{phase}_step")(tf.constant(0, tf.int64))
    return {
        n
        for n in NAMES
        if any(
            not np.array_equal(a, b)
            for a, b in zip(getattr(model, n).get_weights(), before[n], strict=True)
        )
    }


def test_each_phase_moves_its_networks_only():
    assert moved(make(), "embedding") == {"embedder", "recovery"}
    assert moved(make(), "supervised") == {"supervisor"}
    assert moved(make(), "joint") == set(NAMES)


def joint_step_by_hand(model):
    """The third phase as the authors' code has it, its numbers written out."""
    E, R, G, S, D = (getattr(model, name) for name in NAMES)
    bce = tf.nn.sigmoid_cross_entropy_with_logits
    step = tf.constant(0, tf.int64)

    def cross_entropy(logits, label):
        return tf.reduce_mean(bce(label * tf.ones_like(logits), logits))

    def deviation(x):
        return tf.sqrt(tf.math.reduce_variance(x, axis=0) + 1e-6)

    def update(optimizer, loss, tape, *networks):
        weights = [w for network in networks for w in network.trainable_variables]
        model.optimizers[optimizer].apply(tape.gradient(loss, weights), weights)

    for number in range(2):
        x, z = model.draw(step, number)
        with tf.GradientTape() as tape:
            h, e = E(x), G(z)
            made = S(e)
            adversarial = cross_entropy(D(made), 1.0) + cross_entropy(D(e), 1.0)
            supervised = tf.sqrt(tf.reduce_mean((h[:, 1:] - S(h)[:, :-1]) ** 2))
            x_hat = R(made)
            moments = tf.reduce_mean(tf.abs(deviation(x_hat) - deviation(x)))
            moments += tf.reduce_mean(
                tf.abs(tf.reduce_mean(x_hat, axis=0) - tf.reduce_mean(x, axis=0))
            )
            loss = adversarial + 100 * supervised + 100 * moments
        update("generator", loss, tape, G, S)
        with tf.GradientTape() as tape:
            h = E(x)
            error = tf.sqrt(tf.reduce_mean((x - R(h)) ** 2))
            ahead = tf.reduce_mean((h[:, 1:] - S(h)[:, :-1]) ** 2)
            loss = 10 * error + 0.1 * ahead
        update("embedder", loss, tape, E, R)
    x, z = model.draw(step, 2)
    with tf.GradientTape() as tape:
        d_loss = cross_entropy(D(E(x)), 1.0) + cross_entropy(D(S(G(z))), 0.0)
        d_loss += cross_entropy(D(G(z)), 0.0)
    assert d_loss > 0.15
    update("discriminator", d_loss, tape, D)
    return {
        "generator": adversarial,
        "supervised": supervised,
        "moments": moments,
        "reconstruction": error,
        "discriminator": d_loss,
    }


def test_a_joint_step_is_the_authors():
    """Every loss weight shows in the weights: SGD, unlike Adam, sees their size."""
    ours, hand = make(), make()
    for model in (ours, hand):
        rates = {name: keras.optimizers.SGD(1e-2) for name in model.moved()}
        model.set_optimizers(rates, at_once=1)
        set_data(model)
    expected = joint_step_by_hand(hand)
    report = ours.joint_step(tf.constant(0, tf.int64))
    assert {k: float(v) for k, v in report.items()} == pytest.approx(
        {k: float(v) for k, v in expected.items()}, rel=1e-4
    )
    for name in NAMES:
        for a, b in zip(
            getattr(ours, name).get_weights(),
            getattr(hand, name).get_weights(),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6, err_msg=name)


def test_an_embedding_step_descends_ten_times_the_root_error():
    ours, hand = make(), make()
    for model in (ours, hand):
        rates = {name: keras.optimizers.SGD(1e-2) for name in model.moved()}
        model.set_optimizers(rates, at_once=1)
        set_data(model)
    x, _ = hand.draw(tf.constant(0, tf.int64), 0)
    weights = hand.embedder.trainable_variables + hand.recovery.trainable_variables
    with tf.GradientTape() as tape:
        loss = 10 * tf.sqrt(tf.reduce_mean((x - hand.recovery(hand.embedder(x))) ** 2))
    hand.optimizers["embedding"].apply(tape.gradient(loss, weights), weights)
    report = ours.embedding_step(tf.constant(0, tf.int64))
    assert float(report["reconstruction"]) == pytest.approx(float(loss) / 10, rel=1e-5)
    for a, b in zip(ours.recovery.weights, hand.recovery.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


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


def test_averages_of_a_network_that_two_losses_move_leave_it_as_it_was(eager):
    model = make()
    adams = {
        loss: keras.optimizers.Adam(0.1, use_ema=True, name=loss)
        for loss in model.moved()
    }
    model.set_optimizers(adams, at_once=1)
    fit(model, (2, 2, 3))
    before = model.get_weights()
    drawn = model.generate(3, seed=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    z = model.noise(3, tf.constant([0, 2**30]))
    assert np.abs(model(z) - drawn).max() > 1e-3
    with model.averaged():
        np.testing.assert_allclose(model(z), drawn, rtol=1e-5)


def test_every_variable_is_moved_by_one_loss_or_more_and_never_twice_by_one():
    model = make()
    for variables in model.moved().values():
        assert len({id(v) for v in variables}) == len(variables)
    every = {id(v) for vs in model.moved().values() for v in vs}
    assert every == {id(v) for v in model.trainable_variables}


def test_noise_is_uniform_and_new_every_day():
    z = make().noise(4096, tf.constant([0, 1])).numpy()
    assert z.shape == (4096, LENGTH, FEATURES)
    assert (z.min(), z.max()) == pytest.approx((0, 1), abs=1e-3)
    assert abs(np.corrcoef(z[:, 0, 0], z[:, 1, 0])[0, 1]) < 0.05


def test_moment_loss_is_zero_for_equal_moments_and_measures_a_shift():
    x = tf.random.stateless_normal([64, 3, 2], [0, 1])
    assert float(timegan.moment_loss(x, x[::-1])) < 1e-5
    np.testing.assert_allclose(timegan.moment_loss(x, x + 2.0), 2.0, rtol=1e-4)


def test_a_strong_discriminator_rests(monkeypatch):
    model = make()
    set_data(model)
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
    assert list(history.index) == list(range(10, 350, 10))
    seen = {
        phase: set(rows.dropna(axis=1).columns) - {"phase"}
        for phase, rows in history.groupby("phase")
    }
    assert seen["embedding"] == {"reconstruction"}
    assert seen["supervised"] == {"supervised"}
    assert seen["joint"] == set(history.columns) - {"phase"}


def test_the_embedding_phase_learns_to_restore(trained):
    _, history = trained
    errors = history.reconstruction[history.phase == "embedding"]
    assert errors.iloc[-3:].mean() < 0.9 * errors.iloc[:3].mean()


def stop(model):
    model.stop_training = True


def interrupt(model):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("at", "act"),
    [
        pytest.param(1, stop, marks=pytest.mark.long),
        pytest.param(3, stop, marks=pytest.mark.long),
        (5, interrupt),
    ],
    ids=PHASES,
)
@pytest.mark.usefixtures("eager")
def test_a_stop_in_any_phase_ends_there_and_is_resumed(tmp_path, at, act):
    steps, options = (2, 2, 2), {"checkpoint_dir": tmp_path}

    def build():
        model = make()
        model.compile(steps_per_execution=1)
        return model

    whole = build()
    expected = fit(whole, steps)
    stopped = build()
    if act is interrupt:
        with pytest.raises(KeyboardInterrupt):
            fit(stopped, steps, callbacks=[after(at, act)], **options)
    else:
        fit(stopped, steps, callbacks=[after(at, act)], **options)
    assert stopped.step == at
    assert list(stopped.phase_history().index) == list(range(1, at + 1))
    pd.testing.assert_series_equal(
        stopped.phase_history().phase, expected.phase.loc[:at]
    )
    resumed = build()
    pd.testing.assert_frame_equal(fit(resumed, steps, **options), expected)
    np.testing.assert_array_equal(
        resumed.generate(9, seed=1), whole.generate(9, seed=1)
    )


@pytest.mark.usefixtures("eager")
def test_a_stopped_training_goes_on_in_memory():
    whole, stopped = make(), make()
    for model in (whole, stopped):
        model.compile(steps_per_execution=1)
    expected = fit(whole, (2, 1, 1))
    fit(stopped, (2, 1, 1), callbacks=[after(1, stop)])
    pd.testing.assert_frame_equal(fit(stopped, (2, 1, 1)), expected)
    with pytest.warns(UserWarning, match="nothing to do: 4 steps are done"):
        fit(stopped, (2, 1, 1))


class Told(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_begin(self, logs=None):
        self.seen.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(f"{epoch} begins at {self.model.step}")

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(f"{epoch} ends at {self.model.step}: {len(logs)}")

    def on_train_end(self, logs=None):
        self.seen.append("train ends")


def by_step():
    model = make()
    model.compile(steps_per_execution=1)
    return model


EPOCHS = {"batch_size": 128}  # of 3 steps


@pytest.mark.usefixtures("eager")
def test_to_callbacks_the_phases_are_one_training(tmp_path):
    """The second epoch is met by phase 2, the third by phase 3."""
    told, log = Told(), keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = fit(by_step(), (4, 3, 3), callbacks=[log, told], **EPOCHS)
    assert told.seen == [
        "train begins",
        *("0 begins at 0", "0 ends at 3: 1", "1 begins at 3", "1 ends at 6: 1"),
        *("2 begins at 6", "2 ends at 9: 5", "3 begins at 9", "3 ends at 10: 5"),
        "train ends",
    ]
    rows = pd.read_csv(tmp_path / "log.csv", index_col="epoch")
    assert list(rows.columns) == list(timegan.LOSSES)
    losses = history[list(timegan.LOSSES)]
    expected = [losses.loc[a:b].mean() for a, b in ((1, 3), (5, 6), (8, 9), (10, 10))]
    np.testing.assert_allclose(rows, pd.DataFrame(expected), rtol=1e-5)


@pytest.mark.long
@pytest.mark.usefixtures("eager")
def test_a_log_that_is_appended_to_keeps_its_columns(tmp_path):
    options = {"checkpoint_dir": tmp_path, **EPOCHS}
    for stop_at in (6, 9):
        log = keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True)
        fit(by_step(), (3, 3, 3), callbacks=[log, after(stop_at, stop)], **options)
    rows = pd.read_csv(tmp_path / "log.csv", index_col="epoch")
    assert list(rows.columns) == list(timegan.LOSSES)
    assert rows.notna().sum(axis=1).to_dict() == {0: 1, 1: 1, 2: 5}


@pytest.mark.long
@pytest.mark.usefixtures("eager")
def test_the_best_weights_are_put_back_when_all_phases_are_done(tmp_path):
    """Of the first epoch, since no later one is better by 9."""
    stopping = keras.callbacks.EarlyStopping(
        "reconstruction", 9, patience=99, mode="min", restore_best_weights=True
    )
    model = by_step()
    with pytest.warns(UserWarning, match="`reconstruction` which is not available"):
        history = fit(model, (3, 3, 3), callbacks=[stopping], **EPOCHS)
    assert history.index[-1] == 9
    assert model.step == 3
    assert fit(model, (3, 3, 3), **EPOCHS).index.tolist() == list(range(1, 10))


@pytest.mark.long
@pytest.mark.usefixtures("eager")
def test_stopping_by_a_loss_of_the_joint_phase_acts_there(tmp_path):
    stopping = keras.callbacks.EarlyStopping(
        "discriminator", mode="min", min_delta=9, patience=1
    )
    model = by_step()
    with pytest.warns(UserWarning, match="`discriminator` which is not available"):
        history = fit(model, (3, 3, 30), callbacks=[stopping], **EPOCHS)
    assert history.index[-1] == model.step == 12


@pytest.mark.usefixtures("eager")
def test_a_stop_with_the_last_step_of_a_phase_does_not_start_the_next():
    model, whole = by_step(), by_step()
    expected = fit(whole, (2, 1, 1))
    told = Told()
    fit(model, (2, 1, 1), callbacks=[after(2, stop), told])
    assert model.step == 2
    assert told.seen[-1] == "train ends"
    pd.testing.assert_frame_equal(fit(model, (2, 1, 1)), expected)


def test_no_history_before_a_training():
    with pytest.raises(ValueError, match="has not been trained"):
        make().phase_history()


def test_other_first_phases_are_refused(trained):
    model, _ = trained
    with pytest.raises(ValueError, match=r"first_phases\[0\] was 300, now it is 30"):
        fit(model, 30)
    assert model.phase_history().phase.iloc[-1] == "joint"


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


def test_a_loaded_model_goes_on_where_it_was(trained, tmp_path):
    model, history = trained
    model.save(tmp_path / "stocks.keras")
    loaded = TimeGAN.load(tmp_path / "stocks.keras")
    pd.testing.assert_frame_equal(loaded.phase_history(), history)
    with pytest.raises(ValueError, match="data was"):
        loaded.fit(X[1:], steps=(300, 20, 30), batch_size=16, verbose=0)
    with pytest.warns(UserWarning, match="nothing to do"):
        fit(loaded, (300, 20, 20))
    a, b = (m.optimizers["generator"].variables for m in (loaded, model))
    for mine, theirs in zip(a, b, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_gru_variant_is_saved(tmp_path, reset_after):
    model = make(reset_after=reset_after)
    model.save(tmp_path / "stocks.keras")
    loaded = TimeGAN.load(tmp_path / "stocks.keras")
    assert loaded.embedder.layers[0].reset_after is reset_after
    np.testing.assert_array_equal(loaded.generate(3, seed=1), model.generate(3, seed=1))


def test_a_gpu_takes_the_variant_that_cudnn_runs(monkeypatch):
    found = {"GPU": []}
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: found[kind])
    assert make().embedder.layers[0].reset_after is False
    found["GPU"].append("one")
    assert make().embedder.layers[0].reset_after is True


def test_mixed_precision_is_refused():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(ValueError, match=r"float32.*'mixed_float16'"):
            make()
    finally:
        keras.config.set_dtype_policy("float32")


def test_prices_need_a_transform_and_dates_of_one_window(trained):
    with pytest.raises(ValueError, match="without transform"):
        make().prices(1, dates=WINDOWS.test_dates[0])
    with pytest.raises(ValueError, match="dates: "):
        trained[0].prices(1, dates=WINDOWS.test_dates[0][:2])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:, :2], r"x has shape"),
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


@pytest.mark.long
def test_windows_longer_than_the_fused_cells_take():
    model = TimeGAN(layers.MAX_UNROLLED + 1, 1, hidden_dim=2, num_layers=2)
    model.first_phases = [1, 1]
    x = np.random.default_rng(0).uniform(size=(20, layers.MAX_UNROLLED + 1, 1))
    model.set_data(x, 4)
    report = model.embedding_step(tf.constant(0, tf.int64))
    assert 0 < float(report["reconstruction"]) < 1
    assert model.generate(3).shape == (3, *x.shape[1:])
