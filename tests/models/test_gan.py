import functools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.data.toys import gaussian_ring
from gan_notes.models import losses
from gan_notes.models.gan import (
    GAN,
    LOSSES,
    PENALTIES,
    PENALTY_STREAM,
    TRANSLATION_STREAM,
)
from gan_notes.training import draws

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
        {"loss": "non_saturating"},
        *(
            pytest.param(options, marks=pytest.mark.long)
            for options in (
                {"loss": "minimax"},
                {"loss": "hinge"},
                {
                    "loss": "wasserstein",
                    "penalty": "gradient",
                    "discriminator_steps": 3,
                },
                {"loss": "non_saturating", "penalty": "r1"},
                {"loss": "relativistic", "penalty": "r1_r2"},
            )
        ),
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
    synthetic = gan.generate(4000, seed=0)
    assert abs(synthetic.mean() - 3) < 0.3
    assert 0.2 < synthetic.std() < 0.9


def slopes_at(D, x):
    """The length of D's gradient at each of the points."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = D(x)
    return tf.norm(tape.gradient(score, x), axis=1)


def by_hand(gan, loss, penalty, penalty_weight):
    """One step of Algorithm 1, written out; return what ``fit`` reports of it."""
    G, D, step = gan.generator, gan.discriminator, tf.constant(0, tf.int64)
    for update in range(gan.discriminator_steps):
        real, z = gan.draw(step, update)
        with tf.GradientTape() as tape:
            d_real, d_synthetic = D(real), D(G(z))
            d_loss = loss(d_real, d_synthetic)[0]
            if penalty == "gradient":
                key = draws.key(gan.seed, step, stream=PENALTY_STREAM + update)
                mix = tf.random.stateless_uniform([len(real), 1], key)
                slopes = slopes_at(D, mix * real + (1 - mix) * G(z))
                d_loss += penalty_weight * tf.reduce_mean((slopes - 1) ** 2)
            elif penalty:
                where = [real] if penalty == "r1" else [real, G(z)]
                for x in where:
                    slopes = slopes_at(D, x)
                    d_loss += penalty_weight / 2 * tf.reduce_mean(slopes**2)
        weights = D.trainable_variables
        gan.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
    real, z = gan.draw(step, gan.discriminator_steps)
    with tf.GradientTape() as tape:
        g_loss = loss(D(real), D(G(z)))[1]  # both by the D that has just moved
    weights = G.trainable_variables
    gan.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
    return d_loss, g_loss, d_real, d_synthetic


@pytest.mark.parametrize(
    ("options", "opinion"),
    [
        ({"loss": "non_saturating", "discriminator_steps": 2}, tf.sigmoid),
        ({"loss": "minimax", "penalty": "gradient"}, tf.sigmoid),
        (
            {
                "loss": "wasserstein",
                "penalty": "gradient",
                "penalty_weight": 3.0,
                "discriminator_steps": 2,
            },
            tf.identity,
        ),
        ({"loss": "hinge"}, tf.identity),
        ({"loss": "non_saturating", "penalty": "r1"}, tf.sigmoid),
        (
            {
                "loss": "relativistic",
                "penalty": "r1_r2",
                "penalty_weight": 3.0,
                "discriminator_steps": 2,
            },
            tf.identity,
        ),
    ],
)
def test_one_step_is_algorithm_1(options, opinion):
    """By hand, from the same weights, minibatches and noise."""
    gan, hand = plain(**options), plain(**options)
    hand.set_data(RING, 32)
    penalty, weight = options.get("penalty"), options.get("penalty_weight", 10.0)
    expected = by_hand(hand, LOSSES[options["loss"]], penalty, weight)
    history = gan.fit(RING, steps=1, batch_size=32, verbose=0)
    (row,) = history.to_dict("records")
    d_loss, g_loss, d_real, d_synthetic = expected
    reported = {
        "d_loss": d_loss,
        "g_loss": g_loss,
        "d_real": tf.reduce_mean(opinion(d_real)),
        "d_synthetic": tf.reduce_mean(opinion(d_synthetic)),
    }
    assert row == pytest.approx({k: float(v) for k, v in reported.items()}, rel=1e-4)
    for a, b in zip(gan.trainable_variables, hand.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_loss_may_be_a_function():
    def doubled(real, synthetic):
        assert real.dtype == synthetic.dtype == tf.float32
        return [2 * each for each in losses.hinge(real, synthetic)]

    ours, named = plain(loss=doubled), plain(loss="hinge")
    rows = [g.fit(RING, steps=1, batch_size=32, verbose=0) for g in (ours, named)]
    np.testing.assert_allclose(rows[0].d_loss, 2 * rows[1].d_loss, rtol=1e-5)


def test_a_function_that_compares_sees_the_critic_that_has_just_moved():
    def paired(real, synthetic):
        return losses.relativistic(real, synthetic)

    ours, named = plain(loss=paired), plain(loss="relativistic")
    rows = [g.fit(RING, steps=3, batch_size=32, verbose=0) for g in (ours, named)]
    pd.testing.assert_frame_equal(*rows)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalty_and_weight_survive_saving(tmp_path, penalty):
    gan = plain(loss="relativistic", penalty=penalty, penalty_weight=2.5)
    gan.fit(RING, steps=5, batch_size=32, verbose=0)
    gan.save(tmp_path / "small.keras")
    loaded = GAN.load(tmp_path / "small.keras")
    assert loaded.own_settings() == gan.own_settings()
    assert loaded.own_settings()["penalty"] == [penalty, 2.5]
    rows = [g.fit(RING, steps=10, batch_size=32, verbose=0) for g in (loaded, gan)]
    pd.testing.assert_frame_equal(*rows)


@pytest.mark.long
def test_penalties_hold_the_slope_down():
    """The heavier, the flatter the critic at the real samples."""
    slopes = []
    for weight in (0.0, 1.0, 100.0):
        gan = plain(loss="relativistic", penalty="r1", penalty_weight=weight)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.01))
        gan.fit(RING, steps=200, batch_size=32, verbose=0)
        slopes.append(float(tf.reduce_mean(slopes_at(gan.discriminator, RING))))
    assert slopes[0] > 1.5 * slopes[1] > 3 * slopes[2], slopes


def margin(size):
    def loss(real, synthetic):
        return [tf.reduce_mean(size - each) for each in (real, synthetic)]

    return loss


def test_another_function_is_another_training(tmp_path):
    options = {"steps": 10, "verbose": 0, "checkpoint_dir": tmp_path}
    plain(loss=margin(1.0)).fit(RING, **options)
    with pytest.warns(UserWarning, match="nothing to do"):
        plain(loss=margin(1.0)).fit(RING, **options)
    with pytest.raises(ValueError, match=r"another training: loss\[1\] was"):
        plain(loss=margin(2.0)).fit(RING, **options)


def halved(real, synthetic):
    return [each / 2 for each in losses.hinge(real, synthetic)]


class Halved:
    def __call__(self, real, synthetic):
        return halved(real, synthetic)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


@pytest.mark.parametrize(
    ("loss", "name"),
    [(halved, "halved"), (Halved(), "Halved")],
    ids=["function", "object"],
)
def test_a_loss_of_ones_own_is_named_where_it_is_not_known(tmp_path, loss, name):
    path = tmp_path / "own.keras"
    gan = plain(loss=loss)
    gan.save(path)
    with pytest.raises(ValueError, match=f"loss: '{name}'.* is not known") as caught:
        GAN.load(path)
    assert len(str(caught.value)) < 300
    assert f"custom_object_scope({{'{name}': ...}})" in str(caught.value)
    own = halved if loss is halved else Halved
    with keras.saving.custom_object_scope({name: own}):
        loaded = GAN.load(path)
    told = [g.fit(RING, steps=1, batch_size=32, verbose=0) for g in (loaded, gan)]
    pd.testing.assert_frame_equal(*told)


def test_a_registered_loss_needs_no_scope(tmp_path):
    @keras.saving.register_keras_serializable("gan_notes_tests")
    def third(real, synthetic):
        return [each / 3 for each in losses.hinge(real, synthetic)]

    path = tmp_path / "own.keras"
    plain(loss=third).save(path)
    assert GAN.load(path).loss_name is third


def test_a_lambda_is_not_loaded_unasked(tmp_path):
    with pytest.warns(UserWarning, match="includes a `lambda`"):  # says Keras
        gan = plain(loss=lambda real, synthetic: losses.hinge(real, synthetic))
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        gan.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="a lambda was saved"):
        GAN.load(tmp_path / "own.keras")


def test_a_loss_that_cannot_be_saved_is_refused_at_the_door():
    with pytest.raises(ValueError, match="cannot be saved with the model"):
        plain(loss=functools.partial(losses.hinge))


def test_a_discriminator_gives_one_number():
    G = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    D = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=r"gives \(3,\) for a sample.*Dense\(1\)"):
        GAN(G, D)


def test_a_sigmoid_at_the_end_is_a_warning():
    G = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for end in (
        [keras.layers.Dense(1, "sigmoid")],
        [keras.layers.Dense(1), keras.layers.Activation("sigmoid")],
    ):
        D = keras.Sequential([keras.Input((2,)), *end])
        with pytest.warns(UserWarning, match="ends in a sigmoid"):
            GAN(G, D)


def test_wasserstein_without_a_penalty_is_a_warning():
    with pytest.warns(UserWarning, match="without a penalty"):
        plain(loss="wasserstein")


def test_each_player_moves_only_itself():
    gan = plain()
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
    before = [w.copy() for w in gan.generator.get_weights()]
    d_before = gan.discriminator.get_weights()[0].copy()
    gan.fit(RING, steps=5, verbose=0)
    for a, b in zip(gan.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(gan.discriminator.get_weights()[0], d_before)


def test_noise_is_standard_normal():
    gan = plain()
    gan.set_data(RING, 4096)
    _, z = gan.draw(tf.constant(0, tf.int64), 0)
    assert abs(float(tf.reduce_mean(z))) < 0.05
    assert abs(float(tf.math.reduce_std(z)) - 1) < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "wgan"}, "loss: 'wgan' is unknown.*wasserstein"),
        ({"penalty": "r3"}, r"penalty: 'r3' is unknown; .*'r1_r2'\] or None"),
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


def conditional(classes=3, translation=0, **options):
    """A GAN of images of 4 x 4 pixels that takes labels."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    generator = keras.Sequential(
        [
            keras.Input((5 + classes,)),
            keras.layers.Dense(16, "tanh"),
            keras.layers.Reshape((4, 4, 1)),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, "tanh"),
            keras.layers.Dense(classes or 1),
        ]
    )
    options = {"classes": classes, "translation": translation, **options}
    return GAN(generator, discriminator, **options)


PICTURES = np.random.default_rng(0).uniform(-1, 1, (40, 4, 4, 1)).astype("float32")
LABELS = np.arange(40) % 3


def test_one_conditional_step_on_moved_images_by_hand():
    options = {"loss": "relativistic", "penalty": "r1_r2", "penalty_weight": 2.0}
    gan, hand = (conditional(translation=1, **options) for _ in range(2))
    history = gan.fit(PICTURES, LABELS, steps=1, batch_size=8, verbose=0)

    G, D, step = hand.generator, hand.discriminator, tf.constant(0, tf.int64)

    def drawn(update):
        """The minibatch with the labels that lie beside it, noise, and both moved."""
        keys = tf.random.split(draws.key(0, step, stream=update), 2)
        real = draws.minibatch(tf.constant(PICTURES), 8, keys[0])
        labels = draws.minibatch(tf.constant(LABELS), 8, keys[0])
        noise = tf.random.stateless_normal([8, 5], keys[1])
        z = tf.concat([noise, tf.one_hot(labels, 3)], axis=1)
        key = draws.key(0, step, stream=TRANSLATION_STREAM + update)
        keys = tf.random.split(key, 2)
        return labels, z, lambda x, i: draws.moved(x, 1, keys[i]), real

    def asked(x, labels):
        return tf.gather(D(x), labels, axis=1, batch_dims=1)[:, None]

    labels, z, move, real = drawn(0)
    with tf.GradientTape() as tape:
        pair = [move(real, 0), move(G(z), 1)]
        scores = [asked(x, labels) for x in pair]
        d_loss = losses.relativistic(*scores)[0]
        for x in pair:
            d_loss += losses.zero_centred_penalty(
                lambda x, labels=labels: asked(x, labels), x, weight=2.0
            )
    weights = D.trainable_variables
    hand.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
    labels, z, move, real = drawn(1)
    with tf.GradientTape() as tape:
        pair = asked(move(real, 0), labels), asked(move(G(z), 1), labels)
        g_loss = losses.relativistic(*pair)[1]
    weights = G.trainable_variables
    hand.g_optimizer.apply(tape.gradient(g_loss, weights), weights)

    assert history.d_loss[1] == pytest.approx(float(d_loss), rel=1e-4)
    assert history.g_loss[1] == pytest.approx(float(g_loss), rel=1e-4)
    for a, b in zip(gan.trainable_variables, hand.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_label_steers_what_comes_out():
    """Three classes of bright, grey and dark pictures."""
    levels = np.array([-0.8, 0.0, 0.8], "float32")
    x = PICTURES * 0.1 + levels[LABELS][:, None, None, None]
    gan = conditional(loss="relativistic", penalty="r1_r2", penalty_weight=0.1)
    rates = [keras.optimizers.Adam(0.01, 0.0) for _ in range(2)]
    gan.compile(*rates)
    gan.fit(x, LABELS, steps=400, batch_size=32, verbose=0)
    for label, level in enumerate(levels):
        made = gan.generate(100, seed=0, labels=np.full(100, label))
        assert made.mean() == pytest.approx(level, abs=0.2)
    # In turn, where none are asked for.
    made = gan.generate(99, seed=0).reshape(33, 3, 16).mean(axis=(0, 2))
    assert made == pytest.approx(levels, abs=0.2)


def test_labels_are_part_of_a_training(tmp_path):
    gan = conditional()
    gan.fit(PICTURES, LABELS, steps=2, batch_size=8, verbose=0, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="labels"):
        conditional().fit(
            PICTURES,
            LABELS[::-1],
            steps=4,
            batch_size=8,
            verbose=0,
            checkpoint_dir=tmp_path,
        )
    gan.save(tmp_path / "gan.keras")
    loaded = GAN.load(tmp_path / "gan.keras")
    rows = [
        g.fit(PICTURES, LABELS, steps=6, batch_size=8, verbose=0) for g in (loaded, gan)
    ]
    pd.testing.assert_frame_equal(*rows)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "none came, but gan, with classes=3, takes labels"),
        (LABELS[:5], r"of shape \(5,\) came; give 40 whole numbers"),
        (LABELS.astype(float), "float64 of shape"),
        (LABELS + 1, "1 to 3 came; with classes=3 they go from 0 to 2"),
    ],
)
def test_labels_that_do_not_fit(labels, message):
    with pytest.raises(ValueError, match=message):
        conditional().fit(PICTURES, labels, steps=1, verbose=0)


def test_labels_where_none_are_asked_for():
    with pytest.raises(ValueError, match=r"some came, .*takes no labels"):
        conditional(classes=0).fit(PICTURES, LABELS, steps=1, verbose=0)
    with pytest.raises(ValueError, match=r"some came, .*takes no labels"):
        conditional(classes=0).generate(3, labels=[0, 1, 2])


def test_a_conditional_discriminator_gives_a_logit_for_each_class():
    gan = conditional()
    with pytest.raises(ValueError, match=r"one logit for each class, \(4,\)"):
        GAN(gan.generator, gan.discriminator, classes=4)
    with pytest.raises(ValueError, match="generator takes 8 numbers, of which 9"):
        GAN(gan.generator, conditional(classes=9).discriminator, classes=9)


@pytest.mark.parametrize("translation", [-1, 2])
def test_only_images_are_moved(translation):
    with pytest.raises(ValueError, match=f"translation: {translation} came"):
        plain(translation=translation)


@pytest.mark.parametrize("penalty", ["r1_r2", "gradient"])
def test_moved_images_train_in_half_precision(penalty):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        gan = conditional(translation=1, loss="relativistic", penalty=penalty)
        history = gan.fit(PICTURES, LABELS, steps=10, batch_size=8, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history.to_numpy()).all()
    assert gan.generate(2, seed=0).dtype == np.float32
