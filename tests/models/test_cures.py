"""The cures of chapter 03: what each changes, and nothing else."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_notes.data.toys import gaussian_ring
from gan_notes.models import cures, losses
from gan_notes.models.gan import GAN

RING = gaussian_ring(512, std=0.05)


OWN_CODE = ("spectral", "unrolled", "minibatch")  # the others are GAN's own settings


@pytest.mark.long
@pytest.mark.parametrize("candidate", OWN_CODE)
def test_a_candidate_with_code_of_its_own_trains(candidate):
    gan = cures.build(candidate, seed=3)
    before = gan.generate(8, seed=0)
    log = gan.fit(RING, steps=10, batch_size=32, verbose=0)
    assert np.isfinite(log.to_numpy()).all()
    assert (gan.generate(8, seed=0) != before).any()


@pytest.mark.parametrize("candidate", cures.CANDIDATES)
def test_every_candidate_is_built_from_its_seed(candidate):
    first, again, other = (
        cures.build(candidate, seed=seed).generate(8, seed=0) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_an_unknown_candidate_is_named():
    with pytest.raises(ValueError, match=r"candidate: 'R7' is unknown.*'R1'"):
        cures.build("R7", seed=0)


def test_candidates_differ_in_their_rules_alone():
    gans = [cures.build(name, seed=1) for name in ("5 updates", "R1", "unrolled")]
    for role in ("generator", "discriminator"):
        first, *others = ([w.numpy() for w in gan.networks()[role].weights]
                          for gan in gans)  # fmt: skip
        for other in others:
            for a, b in zip(first, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_batch_deviation_is_the_deviation_of_each_feature():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    out = cures.BatchDeviation()(x).numpy()
    np.testing.assert_array_equal(out[:, :3], x)
    np.testing.assert_allclose(out[:, 3:], np.tile(x.std(axis=0), (50, 1)), rtol=1e-5)
    alike = cures.BatchDeviation()(np.ones((4, 2), "float32")).numpy()
    assert (alike[:, 2:] < 1e-3).all()


def slopes(network, x):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = network(x)
    return tf.norm(tape.gradient(y, x), axis=1).numpy()


def test_spectral_normalisation_bounds_every_slope():
    points = np.random.default_rng(0).uniform(-4, 4, (500, 2)).astype("float32")
    steep = cures.network(2, 1)
    steep.set_weights([3 * w for w in steep.get_weights()])
    assert slopes(steep, points).max() > 1
    bounded = cures.network(2, 1, spectral=True)
    bounded.set_weights([3 * w for w in bounded.get_weights()])
    for _ in range(50):  # a power iteration each
        bounded(points, training=True)
    assert slopes(bounded, points).max() <= 1.001


def unrolled(**options):
    """An unrolled Dirac-GAN: G puts all points at theta, D has logit psi x."""
    keras.utils.clear_session()
    dense = keras.layers.Dense
    G = keras.Sequential([keras.Input((1,)), dense(1, kernel_initializer="zeros")])
    D = keras.Sequential([keras.Input((1,)), dense(1, use_bias=False)])
    return cures.Unrolled(G, D, loss="minimax", **options)


def g_velocity(gan, theta, psi):
    """Minus the gradient of G's loss in theta, as the training step takes it."""
    gan.generator.layers[-1].bias.assign([theta])
    gan.discriminator.set_weights([np.array([[psi]])])
    real, z = tf.zeros((4, 1)), tf.ones((4, 1))
    with tf.GradientTape() as tape:
        synthetic = gan.generator(z)
        facing = gan.facing(partial(gan._logits, z=z), real, synthetic)
        loss = losses.minimax(facing(real), facing(synthetic))[1]
    return -float(tape.gradient(loss, gan.generator.layers[-1].bias)[0])


@pytest.mark.parametrize(("ahead", "rate"), [(0, 0.3), (1, 0.4), (5, 0.1)])
def test_looking_ahead_is_friction_on_the_generator(ahead, rate):
    """Near the equilibrium of the Dirac-GAN: psi / 2 - (ahead rate / 2) theta."""
    gan = unrolled(ahead=ahead, ahead_rate=rate)
    assert g_velocity(gan, 0.0, 1e-3) == pytest.approx(5e-4, rel=1e-3)
    friction = -g_velocity(gan, 1e-3, 0.0) / 1e-3
    assert friction == pytest.approx(ahead * rate / 2, abs=1e-4)
    np.testing.assert_array_equal(gan.discriminator.get_weights()[0], [[0.0]])


def test_looking_ahead_agrees_with_updates_that_are_made():
    """D some plain updates later, by a copy that really makes them."""
    gan = cures.build("unrolled", seed=0)
    copy = keras.models.clone_model(gan.discriminator)
    copy.set_weights(gan.discriminator.get_weights())
    points = gan.generate(16, seed=1)
    facing = gan.facing(partial(gan._logits, z=None), RING[:16], tf.constant(points))
    sgd = keras.optimizers.SGD(gan.ahead_rate)
    for _ in range(gan.ahead):
        with tf.GradientTape() as tape:
            loss, _ = losses.non_saturating(copy(RING[:16]), copy(points))
        weights = copy.trainable_variables
        sgd.apply(tape.gradient(loss, weights), weights)
    np.testing.assert_allclose(facing(points), copy(points), rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("classes", [0, 3])
def test_no_look_ahead_is_a_gan(classes):
    """Also of a conditional one, whose D has a logit for each class."""
    labels = np.arange(len(RING)) % 3 if classes else None
    runs = []
    for kind, options in ((GAN, {}), (cures.Unrolled, {"ahead": 0})):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        players = cures.network(4 + classes, 2), cures.network(2, classes or 1)
        gan = kind(*players, classes=classes, **options)
        gan.fit(RING, labels, steps=20, batch_size=32, verbose=0)
        runs.append(gan.generate(8, seed=0))
    np.testing.assert_allclose(*runs, rtol=1e-5, atol=1e-6)


def test_unrolled_is_saved_with_its_rules(tmp_path):
    gan = cures.build("unrolled", seed=0, name="ahead")
    gan.save(tmp_path / "ahead.keras")
    loaded = cures.Unrolled.load(tmp_path / "ahead.keras")
    assert loaded.own_settings() == gan.own_settings()
    assert loaded.own_settings()["ahead"] == [gan.ahead, gan.ahead_rate]
    with pytest.raises(ValueError, match="ahead: -1 is below 0"):
        unrolled(ahead=-1)
