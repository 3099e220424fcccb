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

    def network(z, *, training):
        assert training is False, "or Keras's layers move images"
        sizes.append(len(z))
        return z + 1

    z = np.arange(25.0)
    np.testing.assert_array_equal(draws.in_parts(network, z, size=10), z + 1)
    assert sizes == [10, 10, 5]


def test_images_are_moved_whole_and_what_comes_in_is_black():
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (600, 5, 6, 2)).astype("float32")
    images[:, 0, 0] = 1
    moved = draws.moved(tf.constant(images), 2, tf.constant([1, 2])).numpy()
    counts = np.zeros((5, 5), int)
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1)
    for image, found in zip(wide, moved, strict=True):
        same = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.allclose(image[i : i + 5, j : j + 6], found, atol=1e-6)
        ]
        assert len(same) == 1
        counts[same[0]] += 1
    # 25 moves, 24 images each: three deviations of a binomial are 14.
    assert np.abs(counts - 24).max() < 20
    again = draws.moved(tf.constant(images), 2, tf.constant([1, 2]))
    other = draws.moved(tf.constant(images), 2, tf.constant([1, 3]))
    np.testing.assert_array_equal(moved, again)
    assert (moved != other.numpy()).any()


def test_a_gradient_moves_back():
    images = tf.constant(np.random.default_rng(0).normal(size=(4, 5, 5, 1)), "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        moved = draws.moved(images, 1, tf.constant([0, 0]))
        total = tf.reduce_sum(moved**2) / 2
    slope = tape.gradient(total, images).numpy()
    kept = slope != 0
    np.testing.assert_allclose(slope[kept], images.numpy()[kept], atol=1e-6)
    assert kept[:, 1:-1, 1:-1].all()  # only an edge can leave the picture
