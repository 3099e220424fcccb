import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from gan_notes.models import losses

logits = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=8).map(
    lambda values: tf.constant(values, tf.float32)[:, None]
)


def binary_cross_entropy(real, synthetic):
    """Sum of the two terms, written from probabilities in float64."""
    p = 1 / (1 + np.exp(-real.numpy().astype("float64")))
    q = 1 / (1 + np.exp(-synthetic.numpy().astype("float64")))
    return -np.log(p).mean() - np.log1p(-q).mean()


@given(logits, logits)
def test_discriminator_minimises_binary_cross_entropy(real, synthetic):
    expected = binary_cross_entropy(real, synthetic)
    for loss in (losses.minimax, losses.non_saturating):
        np.testing.assert_allclose(loss(real, synthetic)[0], expected, rtol=1e-4)


@given(logits, logits)
def test_minimax_is_zero_sum_in_what_the_generator_moves(real, synthetic):
    d_loss, g_loss = losses.minimax(real, synthetic)
    of_real = tf.reduce_mean(tf.nn.softplus(-real))
    np.testing.assert_allclose(d_loss + g_loss, of_real, rtol=1e-4, atol=1e-5)


def test_non_saturating_is_not_zero_sum():
    real = tf.zeros([4, 1])
    sums = [
        float(sum(losses.non_saturating(real, tf.fill([4, 1], x)))) for x in (0.0, 3.0)
    ]
    assert abs(sums[0] - sums[1]) > 1


def test_an_undecided_discriminator_costs_two_log_two():
    d_loss, g_loss = losses.minimax(tf.zeros([8, 1]), tf.zeros([8, 1]))
    np.testing.assert_allclose([d_loss, g_loss], [2 * np.log(2), -np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(
        losses.non_saturating(tf.zeros([8, 1]), tf.zeros([8, 1]))[1],
        np.log(2),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("loss", "rejected"), [(losses.minimax, 0.0), (losses.non_saturating, 1.0)]
)
def test_gradient_where_the_discriminator_rejects(loss, rejected):
    """At D(G(z)) near 0 the minimax slope is D(G(z)), the other 1 - D(G(z))."""
    logit = tf.Variable([[-12.0]])
    with tf.GradientTape() as tape:
        g_loss = loss(tf.zeros([1, 1]), logit)[1]
    assert abs(abs(float(tape.gradient(g_loss, logit)[0, 0])) - rejected) < 1e-4


def test_hinge_is_zero_beyond_its_margins():
    d_loss, g_loss = losses.hinge(tf.constant([[1.5]]), tf.constant([[-1.0]]))
    assert (float(d_loss), float(g_loss)) == (0.0, 1.0)
    d_loss, _ = losses.hinge(tf.constant([[0.5]]), tf.constant([[0.0]]))
    assert float(d_loss) == 1.5


def test_wasserstein_is_the_difference_of_mean_scores():
    d_loss, g_loss = losses.wasserstein(
        tf.constant([[3.0], [5.0]]), tf.constant([[1.0], [2.0]])
    )
    assert (float(d_loss), float(g_loss)) == (-2.5, -1.5)


def test_relativistic_losses_of_a_pair():
    """A lead of log 3 is a probability of 3/4 for the right order."""
    lead = float(np.log(3))
    d_loss, g_loss = losses.relativistic(tf.constant([[lead]]), tf.zeros([1, 1]))
    np.testing.assert_allclose([d_loss, g_loss], np.log([4 / 3, 4]), rtol=1e-6)
    # Pair by pair, not mean by mean: leads of 2 and -2 average the losses.
    d_loss, g_loss = losses.relativistic(
        tf.constant([[3.0], [0.0]]), tf.constant([[1.0], [2.0]])
    )
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 2
    np.testing.assert_allclose([d_loss, g_loss], [expected, expected], rtol=1e-6)


@given(logits, st.floats(-10, 10, width=32))
def test_relativistic_losses_see_only_differences(synthetic, shift):
    real = tf.reverse(synthetic, [0]) + 0.5
    moved = losses.relativistic(real + shift, synthetic + shift)
    np.testing.assert_allclose(
        moved, losses.relativistic(real, synthetic), rtol=1e-4, atol=1e-4
    )


def test_relativistic_players_swap_their_losses():
    """The generator plays the critic's game with the two batches swapped."""
    real, synthetic = tf.random.normal([2, 16, 1], seed=3)
    d_loss, g_loss = losses.relativistic(real, synthetic)
    np.testing.assert_allclose(
        losses.relativistic(synthetic, real), [g_loss, d_loss], rtol=1e-6
    )


def test_relativistic_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(1, 1\)"):
        losses.relativistic(tf.zeros([3, 1]), tf.zeros([1, 1]))


@given(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))
def test_penalty_of_a_linear_critic(a, b):
    """Its slope is |(a, b)| everywhere, so the penalty is known."""
    slope = tf.constant([[a], [b]], tf.float32)
    real, synthetic = tf.random.normal([2, 16, 2], seed=1)
    penalty = losses.gradient_penalty(
        lambda x: x @ slope, real, synthetic, weight=10.0, seed=[0, 1]
    )
    expected = 10 * (np.hypot(a, b) - 1) ** 2
    np.testing.assert_allclose(penalty, expected, rtol=1e-3, atol=1e-4)


@given(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))
def test_zero_centred_penalty_of_a_linear_critic(a, b):
    """Its squared slope is a^2 + b^2 at every point: gamma / 2 of that."""
    slope = tf.constant([[a], [b]], tf.float32)
    penalty = losses.zero_centred_penalty(
        lambda x: x @ slope, tf.random.normal([16, 2], seed=1), weight=6.0
    )
    np.testing.assert_allclose(penalty, 3 * (a**2 + b**2), rtol=1e-5, atol=1e-6)


def test_zero_centred_penalty_of_a_quadratic_critic():
    """D(x) = |x|^2 / 2 has the slope x: the penalty is gamma / 2 E|x|^2."""
    samples = tf.constant([[[3.0], [4.0]], [[0.0], [1.0]]])
    penalty = losses.zero_centred_penalty(
        lambda x: tf.reduce_sum(x**2, axis=[1, 2])[:, None] / 2, samples, weight=2.0
    )
    assert float(penalty) == (25 + 1) / 2


def test_zero_centred_penalty_moves_the_critic_to_rest():
    """It can be derived once more, at a critic of no slope too."""
    for start, expected in ((2.0, 8.0), (0.0, 0.0)):
        slope = tf.Variable([[start]])
        with tf.GradientTape() as tape:
            penalty = losses.zero_centred_penalty(
                lambda x, w=slope: x @ w, tf.ones([4, 1]), weight=4.0
            )
        assert float(tape.gradient(penalty, slope)[0, 0]) == expected


def test_penalty_is_measured_between_the_two_batches_only():
    """A critic that is steep outside [0, 1] and of slope 1 inside costs nothing."""

    def critic(x):
        outside = tf.nn.relu(x - 1.0) + tf.nn.relu(-x)
        return x + 100.0 * outside**2

    penalty = losses.gradient_penalty(
        critic, tf.ones([4096, 1]), tf.zeros([4096, 1]), seed=[0, 1]
    )
    assert float(penalty) < 1e-6


def test_penalty_repeats_by_seed():
    real, synthetic = tf.ones([64, 1]), tf.zeros([64, 1])
    draws = [
        float(losses.gradient_penalty(lambda x: x**3, real, synthetic, seed=seed))
        for seed in ([0, 1], [0, 1], [0, 2])
    ]
    assert draws[0] == draws[1] != draws[2]


def test_penalty_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(4, 2\)"):
        losses.gradient_penalty(
            lambda x: x, tf.ones([3, 2]), tf.ones([4, 2]), seed=[0, 0]
        )
