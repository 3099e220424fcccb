import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_notes.models import layers


def pair(units=5, **options):
    """Return Keras's layer and ours with the same random weights."""
    theirs = keras.layers.GRU(units, reset_after=False, **options)
    ours = layers.GRU(units, **options)
    for layer in (theirs, ours):
        layer.build((None, 7, 3))
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.5, w.shape) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def outputs_and_gradients(layer, x, **call):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **call)
        # A weight of its own for every output, so that none can stand for another.
        weights = tf.reshape(tf.linspace(0.1, 1.0, tf.size(y)), y.shape)
        loss = tf.reduce_sum(tf.sin(3 * y) * weights + y**2 * weights[..., ::-1])
    return y, tape.gradient(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_same_outputs_and_gradients_as_keras(sequences, backwards):
    x = tf.random.stateless_normal([4, 7, 3], [0, 1])
    theirs, ours = pair(return_sequences=sequences, go_backwards=backwards)
    y, gradients = outputs_and_gradients(theirs, x)
    y_ours, gradients_ours = outputs_and_gradients(ours, x)
    np.testing.assert_allclose(y_ours, y, atol=1e-6)
    for a, b in zip(gradients_ours, gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4)


@pytest.fixture
def no_gpu(monkeypatch):
    """The fused cells run without a GPU, so hide one that this machine may have."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])


@pytest.mark.parametrize("backwards", [True, False])
def test_layers_above_each_other_are_those_of_keras(backwards, no_gpu):
    x = tf.random.stateless_normal([4, 7, 3], [0, 1])
    stacks = [
        keras.Sequential([keras.Input((7, 3)), first, second])
        for first, second in zip(
            pair(units=3, return_sequences=True, go_backwards=backwards),
            pair(units=3, return_sequences=True, go_backwards=backwards),
            strict=True,
        )
    ]
    stacks[1].set_weights(stacks[0].get_weights())
    run = [tf.function(outputs_and_gradients) for _ in stacks]
    (y, gradients), (y_ours, gradients_ours) = (
        f(stack, x) for f, stack in zip(run, stacks, strict=True)
    )
    np.testing.assert_allclose(y_ours, y, atol=1e-6)
    for a, b in zip(gradients_ours, gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-5, rtol=1e-4)
    # States go from layer to layer as they are: the input alone is cut into days.
    graph = tf.function(stacks[1]).get_concrete_function(x).graph
    cuts = [op for op in graph.get_operations() if op.type == "Unpack"]
    assert len(cuts) == 1


def test_initial_state_and_returned_state():
    x = tf.random.stateless_normal([4, 7, 3], [0, 1])
    state = tf.random.stateless_normal([4, 5], [0, 2])
    theirs, ours = pair(return_state=True)
    for a, b in zip(
        ours(x, initial_state=state), theirs(x, initial_state=state), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def fused(layer, x, **call):
    """Whether the layer's graph holds the fused cell."""
    graph = tf.function(lambda x: layer(x, **call)).get_concrete_function(x).graph
    return any(op.type == "GRUBlockCell" for op in graph.get_operations())


def test_fused_cells_run_where_they_apply_and_only_there(no_gpu):
    x = tf.zeros([2, 7, 3])
    assert fused(layers.GRU(4), x)
    assert not fused(layers.GRU(4, reset_after=True), x)
    assert not fused(layers.GRU(4), tf.zeros([2, layers.MAX_UNROLLED + 1, 3]))
    assert not fused(layers.GRU(4), x, mask=tf.ones([2, 7], bool))
    assert not fused(layers.GRU(4, activation="relu"), x)


def test_a_mask_gives_what_keras_gives():
    x = tf.random.stateless_normal([4, 7, 3], [0, 1])
    mask = tf.sequence_mask([7, 3, 1, 5], 7)
    theirs, ours = pair()
    np.testing.assert_allclose(ours(x, mask=mask), theirs(x, mask=mask), atol=1e-6)


def test_saved_and_loaded_with_keras(tmp_path):
    model = keras.Sequential([keras.Input((7, 3)), layers.GRU(4)])
    model.save(tmp_path / "gru.keras")
    loaded = keras.saving.load_model(tmp_path / "gru.keras")
    x = tf.random.stateless_normal([4, 7, 3], [0, 1])
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_gpu_that_is_hidden_does_not_count(monkeypatch, no_gpu):
    """Only what TensorFlow may use decides, not what is in the machine."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["one"])
    assert not layers.gpu()
    assert fused(layers.GRU(4), tf.zeros([2, 7, 3]))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["one"])
    assert layers.gpu()
    assert not fused(layers.GRU(4), tf.zeros([2, 7, 3]))
