import numpy as np
import tensorflow as tf

from gan_notes.training import draws


def test_draws_are_a_function_of_seed_and_step():
    step = tf.constant(3, tf.int64)
    key = draws.key(1, step)
    for other in (
        draws.key(2, step),
        draws.key(1, step + 1),
        draws.key(1, step, 5),
    ):
        assert not np.array_equal(key, other)
    np.testing.assert_array_equal(key, draws.key(1, step))


def test_minibatches_are_drawn_from_everywhere():
    """Windows in order of time would train on one era at a time."""
    data = tf.range(1000)
    batch = draws.minibatch(data, 256, draws.key(0, tf.constant(0))).numpy()
    assert batch.min() < 50
    assert batch.max() > 950
    assert not (np.diff(batch) > 0).all()


def test_parts_are_joined_in_order_and_none_is_larger():
    sizes = []

    def network(z):
        sizes.append(len(z))
        return z + 1

    z = np.arange(25.0)
    np.testing.assert_array_equal(draws.in_parts(network, z, size=10), z + 1)
    assert sizes == [10, 10, 5]
