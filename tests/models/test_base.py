"""What GAN, TimeGAN and every later model share, told once, on a small GAN."""

import json
import signal
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import after

from gan_notes.data.toys import gaussian_ring
from gan_notes.models.gan import GAN

RING = gaussian_ring(512, seed=0)  # 16 steps of 32 are an epoch
FILE = "small.weights.h5"


def make(
    seed=0, name="small", activation="relu", policy="float32", dropout=0.2, **options
):
    keras.utils.clear_session()  # equal names, hence equal graphs and sums
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, activation),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(16, activation),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(1),
        ]
    )
    return GAN(generator, discriminator, seed=seed, name=name, **options)


def fit(model, steps, x=RING, **options):
    return model.fit(x, steps=steps, **{"batch_size": 32, "verbose": 0, **options})


def test_resume_equals_no_stop_with_batch_norm_and_dropout(tmp_path):
    whole = make()
    expected = fit(whole, 40)
    fit(make(), 20, checkpoint_dir=tmp_path)
    resumed = make()
    history = fit(resumed, 40, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, expected)
    np.testing.assert_array_equal(
        resumed.generate(20, seed=1), whole.generate(20, seed=1)
    )


def test_saved_and_loaded_it_goes_on_as_if_it_had_not_stopped(tmp_path):
    whole = make(loss="hinge", discriminator_steps=2)
    rates = keras.optimizers.Adam(1e-3, beta_1=0.0), keras.optimizers.RMSprop(2e-3)
    whole.compile(*rates, steps_per_execution=5)
    fit(whole, 20)
    whole.save(tmp_path / "small.keras")
    expected = fit(whole, 40)
    loaded = GAN.load(tmp_path / "small.keras")
    assert (loaded.step, loaded.seed, loaded.name) == (20, 0, "small")
    assert type(loaded.d_optimizer) is keras.optimizers.RMSprop
    assert loaded.g_optimizer.get_config()["beta_1"] == 0.0
    pd.testing.assert_frame_equal(fit(loaded, 40), expected)
    np.testing.assert_array_equal(loaded.generate(9, seed=1), whole.generate(9, seed=1))


def test_a_loaded_model_knows_its_data_and_its_steps(tmp_path):
    model = make()
    fit(model, 20)
    model.save(tmp_path / "small.keras")
    loaded = GAN.load(tmp_path / "small.keras")
    with pytest.raises(ValueError, match="20 steps of another training: data was"):
        fit(loaded, 40, x=RING + 1)
    with pytest.warns(UserWarning, match="nothing to do: 20 steps are done"):
        fit(loaded, 5)
    pd.testing.assert_frame_equal(loaded.loss_history, model.loss_history)


def test_saved_before_any_training(tmp_path):
    model = make()
    model.save(tmp_path / "small.keras")
    loaded = GAN.load(tmp_path / "small.keras")
    np.testing.assert_array_equal(loaded.generate(3, seed=1), model.generate(3, seed=1))
    pd.testing.assert_frame_equal(fit(loaded, 10), fit(model, 10))


def test_a_model_is_made_again_from_its_config_as_json():
    model = make()
    fit(model, 10)
    again = GAN.from_config(json.loads(json.dumps(model.get_config())))
    assert again.settings == model.settings
    pd.testing.assert_frame_equal(again.loss_history, model.loss_history)
    assert again.generator.count_params() == model.generator.count_params()


def changed_rate():
    model = make()
    model.compile(keras.optimizers.Adam(1e-5, beta_1=0.5))
    return model


@pytest.mark.parametrize(
    ("build", "options", "difference"),
    [
        (changed_rate, {}, r"generator.config.learning_rate was 0\.000199"),
        (
            lambda: make(activation="tanh"),
            {},
            "activation was 'relu', now it is 'tanh'",
        ),
        (lambda: make(seed=1), {}, "seed was 0, now it is 1"),
        (make, {"batch_size": 64}, "batch_size was 32, now it is 64"),
        (make, {"x": RING + 1}, "data was"),
        (lambda: make(loss="hinge"), {}, "loss was 'non_saturating'"),
        (lambda: make(discriminator_steps=2), {}, "discriminator_steps was 1"),
        (lambda: make(penalty="gradient"), {}, "penalty was None"),
        (lambda: make(penalty="r1"), {}, "penalty was None"),
    ],
)
def test_another_training_is_refused_and_its_file_left(
    tmp_path, build, options, difference
):
    fit(make(), 10, checkpoint_dir=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ValueError, match=f"another training: .*{difference}"):
        fit(build(), 20, checkpoint_dir=tmp_path, **options)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("options", "difference"),
    [({"x": RING + 9}, "data was"), ({"batch_size": 64}, "batch_size was 32")],
)
def test_a_trained_model_refuses_another_training(options, difference):
    model = make()
    fit(model, 10)
    with pytest.raises(ValueError, match=f"10 steps of another training: {difference}"):
        fit(model, 20, **options)
    assert model.step == 10
    fit(model, 20)


def test_a_rate_set_by_hand_is_not_undone_by_an_old_file(tmp_path):
    fit(make(), 10, checkpoint_dir=tmp_path)
    model = make()
    model.g_optimizer.learning_rate = 1e-5
    with pytest.raises(ValueError, match=r"generator.config.learning_rate was"):
        fit(model, 20, checkpoint_dir=tmp_path)


@pytest.mark.long
def test_integers_of_numpy_are_the_same_training(tmp_path):
    networks = make().networks()
    model = GAN(
        **networks,
        seed=np.int64(0),
        discriminator_steps=np.int64(2),
        name="small",
    )
    fit(model, 10, batch_size=np.int64(32), checkpoint_dir=tmp_path)
    model.save(tmp_path / "small.keras")
    again = make(discriminator_steps=2)
    expected = fit(again, 20, checkpoint_dir=tmp_path)
    assert expected.index.tolist() == [10, 20]
    loaded = GAN.load(tmp_path / "small.keras")
    pd.testing.assert_frame_equal(fit(loaded, 20), expected)


@pytest.mark.long
def test_other_data_before_the_first_step_are_taken(tmp_path):
    """Back at its first weights; the compiled step must not hold the former samples."""
    model, fresh = make(dropout=0.0), make(dropout=0.0)
    model.save_weights(tmp_path / "first.weights.h5")
    fit(model, 10, x=RING + 9)
    model.load_weights(tmp_path / "first.weights.h5")
    assert model.step == 0
    pd.testing.assert_frame_equal(fit(model, 10), fit(fresh, 10))


def test_new_optimizers_may_follow_in_memory_but_not_in_the_old_file(tmp_path):
    model = make()
    fit(model, 10, checkpoint_dir=tmp_path)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    before = model.generator.get_weights()[0].copy()
    with pytest.raises(ValueError, match="'Adam', now it is 'SGD'"):
        fit(model, 20, checkpoint_dir=tmp_path)
    fit(model, 20)
    np.testing.assert_array_equal(model.generator.get_weights()[0], before)


def stop(model):
    model.stop_training = True


def interrupt(model):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("act", "error"), [(stop, None), (interrupt, KeyboardInterrupt)]
)
def test_a_stopped_training_is_kept_and_resumed(tmp_path, act, error):
    expected = fit(make(), 40)
    stopped = make()
    options = {"checkpoint_dir": tmp_path, "callbacks": [after(20, act)]}
    if error:
        with pytest.raises(error):
            fit(stopped, 40, **options)
    else:
        fit(stopped, 40, **options)
    pd.testing.assert_frame_equal(stopped.loss_history, expected.loc[:20])
    pd.testing.assert_frame_equal(fit(make(), 40, checkpoint_dir=tmp_path), expected)


def test_a_scheduler_moves_both_rates_in_their_ratio(tmp_path):
    model = make()
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(4e-3))
    seen = []

    def schedule(epoch, rate):
        seen.append((epoch, model.step))
        return rate / 2

    fit(model, 60, callbacks=[keras.callbacks.LearningRateScheduler(schedule)])
    # 16 steps, up to the end of an execution of 10
    assert seen == [(0, 0), (1, 20), (2, 40), (3, 50)]
    assert float(model.g_optimizer.learning_rate) == pytest.approx(1e-3 / 16)
    assert float(model.d_optimizer.learning_rate) == pytest.approx(4e-3 / 16)


@pytest.mark.long
def test_a_rate_that_a_callback_moved_is_still_the_same_training(tmp_path):
    """A training is known by the rate that it began with."""
    model = make()
    halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    fit(model, 20, checkpoint_dir=tmp_path, callbacks=[halving])
    fit(model, 30, checkpoint_dir=tmp_path)
    assert fit(make(), 40, checkpoint_dir=tmp_path).index[-1] == 40


def test_an_epoch_is_rounded_up():
    """Two minibatches of 300 for 512 points."""
    model, seen = make(), []
    model.compile(steps_per_execution=1)
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append((epoch, model.step))
    )
    fit(model, 5, batch_size=300, callbacks=[watch])
    assert seen == [(0, 0), (1, 2), (2, 4)]


def test_early_stopping_and_checkpoints_of_keras_work(tmp_path):
    model = make()
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    stopping = keras.callbacks.EarlyStopping("d_loss", patience=3, mode="min")
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="d_loss", mode="min", save_best_only=True
    )
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = fit(model, 4_000, callbacks=[stopping, best, log])
    assert 60 <= history.index[-1] < 4_000
    rows = pd.read_csv(tmp_path / "log.csv")
    assert {"epoch", *history.columns} <= set(rows.columns)
    loaded = GAN.load(tmp_path / "best.keras")
    first, last = 20 * int(rows.d_loss.argmin()), 20 * int(rows.d_loss.argmin() + 1)
    assert first < loaded.step <= last


@pytest.mark.long
def test_steps_after_the_best_weights_are_done_anew(tmp_path):
    """The step is among the weights that Keras puts back."""
    model = make()
    stopping = keras.callbacks.EarlyStopping(
        "g_loss", patience=2, mode="max", restore_best_weights=True
    )
    fit(model, 400, callbacks=[stopping], checkpoint_dir=tmp_path)
    best = model.step
    assert best < model.loss_history.index[-1]
    history = fit(model, best + 30, checkpoint_dir=tmp_path)
    assert history.index.tolist() == list(range(10, best + 31, 10))
    resumed = make()
    fit(resumed, best + 40, checkpoint_dir=tmp_path)
    assert resumed.loss_history.index.tolist() == list(range(10, best + 41, 10))


@pytest.mark.long
def test_it_goes_on_from_weights_alone(tmp_path):
    """In the middle of an epoch whose losses are not known."""
    model = make()
    fit(model, 20)
    model.save_weights(tmp_path / "kept.weights.h5")
    other = make()
    other.load_weights(tmp_path / "kept.weights.h5")
    assert fit(other, 40).index.tolist() == [30, 40]


def test_the_warning_of_nothing_to_do_stands_at_the_readers_line():
    model = make()
    model.fit(RING, steps=10, verbose=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(RING, steps=10, verbose=0)
    assert [each.filename for each in caught] == [__file__]


def test_averages_draw_the_samples_and_are_not_trained_on():
    model, whole = make(), make()
    for each in (model, whole):
        pair = [keras.optimizers.Adam(1e-2, use_ema=True) for _ in range(2)]
        each.compile(*pair)
    expected = fit(whole, 40)
    fit(model, 20)
    before = model.generator.get_weights()
    drawn = model.generate(5, seed=1)
    for a, b in zip(model.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    z = model.noise(5, tf.constant([1, 2**30]))
    assert not np.allclose(model.generator(z), drawn)
    with model.averaged():
        np.testing.assert_allclose(model.generator(z), drawn, rtol=1e-5)
    pd.testing.assert_frame_equal(fit(model, 40), expected)


def test_averages_that_nobody_would_use_are_refused():
    adam = keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=10)
    with pytest.raises(ValueError, match="ema_overwrite_frequency"):
        make().compile(adam)


def test_mixed_precision_goes_on_where_the_process_has_none(tmp_path):
    try:
        model = make(policy="mixed_float16")
    finally:
        keras.config.set_dtype_policy("float32")
    fit(model, 10)
    model.save(tmp_path / "small.keras")
    loaded = GAN.load(tmp_path / "small.keras")
    assert loaded.generator.layers[0].compute_dtype == "float16"
    pd.testing.assert_frame_equal(fit(loaded, 20), fit(model, 20))


def test_tensorboard_counts_steps_a_second(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path, write_steps_per_second=True)
    with warnings.catch_warnings():
        # Of the protocol files that TensorBoard's writer was generated from.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        fit(make(), 40, callbacks=[board])
    assert list(tmp_path.glob("**/*tfevents*"))


def test_samples_repeat_by_seed_and_are_drawn_anew_without():
    model = make()
    np.testing.assert_array_equal(model.generate(5, seed=1), model.generate(5, seed=1))
    assert not np.array_equal(model.generate(5, seed=1), model.generate(5, seed=2))
    assert not np.array_equal(model.generate(5), model.generate(5))
    keras.utils.set_random_seed(3)
    once = model.generate(5)
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(model.generate(5), once)
    assert model.generate(2500, seed=0).shape == (2500, 2)
    assert model.generate(1, seed=0).dtype == np.float32


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_wrong_numbers_of_samples_are_named(n):
    with pytest.raises(ValueError, match=f"n: {n} is no whole number"):
        make().generate(n)


def test_noise_and_minibatches_differ_between_updates_and_steps():
    model = make()
    model.set_data(RING, 16)
    pairs = [
        model.draw(tf.constant(step, tf.int64), update)
        for step in range(3)
        for update in range(2)
    ]
    assert len({real.numpy().tobytes() for real, _ in pairs}) == 6
    assert len({z.numpy().tobytes() for _, z in pairs}) == 6


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((8, 3)), r"x has shape \(8, 3\)"),
        (np.zeros((0, 2)), r"x has shape \(0, 2\)"),
        (np.full((8, 2), np.nan), "NaN"),
        (tf.data.Dataset.from_tensors(RING), "a Dataset came; give an array"),
    ],
)
def test_samples_that_do_not_fit_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        fit(make(), 1, x=x)


def test_one_optimizer_for_two_players_is_refused():
    one = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="one optimizer came for two losses"):
        make().compile(one, one)


def test_a_distribution_scope_is_refused():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    networks = make().networks()
    with strategy.scope(), pytest.raises(ValueError, match=r"tf\.distribute scope"):
        GAN(**networks)
    model = make()
    with strategy.scope(), pytest.raises(ValueError, match=r"tf\.distribute scope"):
        fit(model, 10)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="GAN"),
        pytest.param(
            {"loss": "wasserstein", "penalty": "gradient"},
            id="WGAN",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"loss": "relativistic", "penalty": "r1_r2"},
            id="R3GAN",
            marks=pytest.mark.long,
        ),
    ],
)
def test_mixed_precision_trains_with_losses_in_float32(options):
    options = {**options, "dropout": 0.0}  # it draws otherwise in float16
    expected = fit(make(**options), 1)
    try:
        model = make(policy="mixed_float16", **options)
        first = fit(model, 1)
        before = model.generator.get_weights()[0].copy()
        history = fit(model, 30)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.d_optimizer, keras.optimizers.LossScaleOptimizer)
    assert model.generator.layers[0].compute_dtype == "float16"
    assert model.generate(3, seed=0).dtype == np.float32
    # Before any update; half precision keeps three digits.
    np.testing.assert_allclose(first.d_loss, expected.d_loss, rtol=5e-3)
    assert np.isfinite(history.to_numpy()).all()
    assert not np.array_equal(model.generator.get_weights()[0], before)
