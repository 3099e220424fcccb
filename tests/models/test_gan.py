import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.data.toys import gaussian_ring
from gan_notes.models import losses
from gan_notes.models.gan import GAN

RING = gaussian_ring(512, seed=0)


def make(seed=0, name="small", **options):
    keras.utils.clear_session()  # equal names, hence equal graphs and sums
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ]
    )
    return GAN(generator, discriminator, seed=seed, name=name, **options)


def plain(seed=0, **options):
    """A GAN without layers that keep a state of their own."""
    keras.utils.clear_session()  # equal names, hence equal graphs and sums
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    )
    return GAN(generator, discriminator, seed=seed, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "minimax"},
        {"loss": "non_saturating"},
        {"loss": "hinge"},
        {"loss": "wasserstein", "penalty": "gradient", "discriminator_steps": 3},
    ],
)
def test_every_loss_trains_and_repeats(options):
    runs = [
        make(**options).fit(RING, steps=30, batch_size=32, verbose=0) for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*runs)
    assert set(runs[0].columns) == {"d_loss", "g_loss", "d_real", "d_synthetic"}
    assert np.isfinite(runs[0].to_numpy()).all()


def test_it_learns_a_gaussian():
    """Mean and deviation of N(3, 0.5) from noise of N(0, 1)."""
    x = np.random.default_rng(0).normal(3, 0.5, (4096, 1)).astype("float32")
    keras.utils.set_random_seed(0)
    gan = GAN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
        ),
    )
    gan.compile(keras.optimizers.Adam(0.01, 0.5), keras.optimizers.Adam(0.01, 0.5))
    gan.fit(x, steps=1500, verbose=0)
    synthetic = gan.generate(4000)
    assert abs(synthetic.mean() - 3) < 0.3
    assert 0.2 < synthetic.std() < 0.9


def test_one_step_is_algorithm_1():
    """By hand, from the same weights, minibatches and noise."""
    gan, hand = plain(discriminator_steps=2), plain(discriminator_steps=2)
    hand.adapt(RING, 32)
    G, D = hand.generator, hand.discriminator
    step = tf.constant(0, tf.int64)
    for update in range(2):
        real, z = hand.draw(step, update)
        with tf.GradientTape() as tape:
            d_loss = losses.non_saturating(D(real), D(G(z)))[0]
        weights = D.trainable_variables
        hand.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
    _, z = hand.draw(step, 2)
    with tf.GradientTape() as tape:
        g_loss = losses.non_saturating(D(real), D(G(z)))[1]
    weights = G.trainable_variables
    hand.g_optimizer.apply(tape.gradient(g_loss, weights), weights)

    history = gan.fit(RING, steps=1, batch_size=32, verbose=0)
    np.testing.assert_allclose(
        history[["d_loss", "g_loss"]].to_numpy()[0], [d_loss, g_loss], rtol=1e-5
    )
    for a, b in zip(gan.trainable_variables, hand.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_each_player_moves_only_itself():
    gan = plain()
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
    before = [w.copy() for w in gan.generator.get_weights()]
    d_before = gan.discriminator.get_weights()[0].copy()
    gan.fit(RING, steps=5, verbose=0)
    for a, b in zip(gan.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(gan.discriminator.get_weights()[0], d_before)


def test_noise_and_minibatches_differ_between_updates_and_steps():
    gan = plain()
    gan.adapt(RING, 16)
    seen = [
        gan.draw(tf.constant(step, tf.int64), update)[0].numpy().tobytes()
        for step in range(3)
        for update in range(2)
    ]
    assert len(set(seen)) == 6


def test_noise_is_standard_normal():
    gan = plain()
    gan.adapt(RING, 4096)
    _, z = gan.draw(tf.constant(0, tf.int64), 0)
    assert abs(float(tf.reduce_mean(z))) < 0.05
    assert abs(float(tf.math.reduce_std(z)) - 1) < 0.05


def test_resume_equals_no_stop_with_batch_norm_and_dropout(tmp_path):
    whole = make()
    expected = whole.fit(RING, steps=40, batch_size=32, verbose=0)
    make().fit(RING, steps=20, batch_size=32, checkpoint_dir=tmp_path, verbose=0)
    resumed = make()
    history = resumed.fit(
        RING, steps=40, batch_size=32, checkpoint_dir=tmp_path, verbose=0
    )
    pd.testing.assert_frame_equal(history, expected)
    np.testing.assert_array_equal(resumed.generate(20), whole.generate(20))


def test_more_steps_continue_and_no_more_do_nothing():
    gan = plain()
    gan.fit(RING, steps=20, verbose=0)
    before = gan.generate(4)
    gan.fit(RING, steps=20, verbose=0)
    np.testing.assert_array_equal(gan.generate(4), before)
    history = gan.fit(RING, steps=33, verbose=0)
    assert gan.step == history.index[-1] == 33


def test_other_data_are_used_after_the_first():
    """The compiled step must not go on with the samples of the first call."""
    gan, fresh = plain(), plain()
    gan.fit(RING, steps=10, verbose=0)
    fresh.set_weights(gan.get_weights())
    for kind in ("g_optimizer", "d_optimizer"):
        for a, b in zip(
            getattr(fresh, kind).variables, getattr(gan, kind).variables, strict=True
        ):
            a.assign(b)
    a = gan.fit(RING + 9, steps=20, verbose=0)
    b = fresh.fit(RING + 9, steps=20, verbose=0)
    np.testing.assert_allclose(a.iloc[-1], b.iloc[-1], rtol=1e-6)


def test_generate_repeats_by_seed_and_in_parts():
    gan = plain()
    np.testing.assert_array_equal(gan.generate(5, seed=1), gan.generate(5, seed=1))
    assert not np.array_equal(gan.generate(5, seed=1), gan.generate(5, seed=2))
    assert gan.generate(2500).shape == (2500, 2)
    assert gan.generate(1024).shape == (1024, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "wgan"}, "loss: 'wgan' is unknown.*wasserstein"),
        ({"penalty": "r1"}, "penalty: 'r1' is unknown"),
        ({"discriminator_steps": 0}, "discriminator_steps: 0"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        plain(**options)


def test_networks_that_do_not_fit_are_named():
    G = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    D = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        GAN(G, D)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((8, 3)), r"x has shape \(8, 3\)"),
        (np.zeros((0, 2)), r"x has shape \(0, 2\)"),
        (np.full((8, 2), np.nan), "NaN"),
    ],
)
def test_samples_that_do_not_fit_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        plain().fit(x, steps=1, verbose=0)
