import errno
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest

from gan_notes.training import checkpoint

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")


def network(units=4, activation="relu"):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units, activation),
            keras.layers.Dense(1),
        ]
    )


def test_fingerprint_sees_values_and_shape():
    arrays = X, X + 1, X.reshape(3, 64), X.astype(float)
    assert len({checkpoint.fingerprint(a) for a in arrays}) == 4
    assert checkpoint.fingerprint(X) == checkpoint.fingerprint(X.copy())


def test_a_network_is_described_the_same_whatever_was_built_before():
    first = checkpoint.describe(network())
    assert first == checkpoint.describe(network())
    assert first == json.loads(json.dumps(first))


def test_a_functional_network_is_described_by_its_connections():
    def build(crossed):
        x = keras.Input((3,))
        a, b = keras.layers.Dense(3)(x), keras.layers.Dense(3, "relu")(x)
        return keras.Model(x, keras.layers.Subtract()([b, a] if crossed else [a, b]))

    assert checkpoint.describe(build(False)) == checkpoint.describe(build(False))
    assert checkpoint.told(
        checkpoint.describe(build(False)), checkpoint.describe(build(True))
    )


def test_precision_is_told_and_is_that_of_the_layers():
    told = {}
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            built = network()
        finally:
            keras.config.set_dtype_policy("float32")
        told[policy] = checkpoint.describe(built)
        again = keras.models.clone_model(built)
        assert checkpoint.told(told[policy], checkpoint.describe(again)) == ""
    assert "was 'mixed_float16', now it is 'mixed_bfloat16'" in checkpoint.told(
        told["mixed_float16"], told["mixed_bfloat16"]
    )
    assert checkpoint.told(told["float32"], told["mixed_bfloat16"])


@pytest.mark.parametrize(
    ("was", "now", "clause"),
    [
        (network(), network(activation="tanh"), "was 'relu', now it is 'tanh'"),
        (network(), network(units=5), "units was 4, now it is 5"),
        (
            keras.optimizers.Adam(0.5),
            keras.optimizers.Adam(0.25),
            "learning_rate was 0.5, now it is 0.25",
        ),
        (
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.5, 10)),
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.5, 20)),
            "decay_steps was 10, now it is 20",
        ),
        (keras.optimizers.Adam(0.5), keras.optimizers.SGD(0.5), "'Adam'.*'SGD'"),
    ],
)
def test_the_difference_is_named(was, now, clause):
    told = checkpoint.told(checkpoint.describe(was), checkpoint.describe(now))
    with pytest.raises(AssertionError, match=clause):
        raise AssertionError(told)


def test_many_differences_are_counted():
    told = checkpoint.told({k: 1 for k in "abcde"}, {k: 2 for k in "abcde"})
    assert told.endswith("c was 1, now it is 2; and 2 more")
    assert checkpoint.told({"a": [1, 2]}, {"a": [1, 2]}) == ""


def model(layers=1):
    keras.utils.set_random_seed(0)
    dense = [keras.layers.Dense(2) for _ in range(layers)]
    made = keras.Sequential([keras.Input((2,)), *dense], name="tiny")
    made.compile("adam", "mse", jit_compile=False)
    made.optimizer.build(made.trainable_variables)
    made.loss_history = pd.DataFrame(
        {"loss": [0.1 + 0.2, np.nan]}, index=pd.Index([1, 2], name="step")
    )
    return made


@pytest.mark.long
def test_state_comes_back_with_every_digit_however_many_variables(tmp_path):
    """More than 1,000 variables, the optimizer's included."""
    many = model(layers=170)
    assert len(many.variables) + len(many.optimizer.variables) > 1_000
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, many, settings={"seed": 1})
    fresh = model(layers=170)
    fresh.loss_history = None
    for variable in [*fresh.weights, *fresh.optimizer.variables]:
        variable.assign(np.zeros(variable.shape) + 3)
    about = checkpoint.read(path, settings={"seed": 1})
    fresh.load_weights(path)
    checkpoint.put_back(fresh, about)
    pd.testing.assert_frame_equal(fresh.loss_history, many.loss_history)
    for a, b in zip(
        [*fresh.weights, *fresh.optimizer.variables],
        [*many.weights, *many.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_other_settings_are_refused_with_the_difference(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, model(), settings={"seed": 1})
    with pytest.raises(ValueError, match=r"another training: seed was 1, now it is 2"):
        checkpoint.read(path, settings={"seed": 2})


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.98])
def test_a_file_that_was_cut_off_is_named(tmp_path, keep):
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, model(), settings={})
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match=r"tiny.weights.h5 is not a whole checkpoint"):
        checkpoint.read(path)


def test_a_file_with_a_hole_is_named(tmp_path):
    """It opens, and settings and losses are whole; the weights are not."""
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, model(), settings={})
    content = bytearray(path.read_bytes())
    node = content.rindex(b"TREE")  # of HDF5's last group
    content[node : node + 4] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny.weights.h5 is not a whole checkpoint"):
        checkpoint.read(path)


def test_a_file_of_keras_alone_is_no_checkpoint(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    model().save_weights(path)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoint.read(path)


def test_errors_of_the_disk_are_reported_as_such(tmp_path, monkeypatch):
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, model(), settings={})
    failure = OSError(errno.EIO, "Input/output error")

    def fail(self):
        raise failure

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        checkpoint.read(path)
    assert "remove" not in str(caught.value)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "tiny.weights.h5"
    mark = checkpoint.save(path, model(), settings={"seed": 1})
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, model(), settings={"seed": 2}, over=mark)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_the_file_that_was_written_or_read_last_is_overwritten(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    first = checkpoint.save(path, model(), settings={})
    second = checkpoint.save(path, model(), settings={}, over=first)
    before = path.read_bytes()
    for over in (first, None):
        with pytest.raises(ValueError, match="written by another training meanwhile"):
            checkpoint.save(path, model(), settings={}, over=over)
    assert path.read_bytes() == before
    assert checkpoint.read(path)["mark"] == second


def test_a_file_is_not_read_whole_before_it_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "tiny.weights.h5"
    mark = checkpoint.save(path, model(), settings={})
    read = h5py.Dataset.__getitem__
    seen = []

    def look(dataset, *arguments):
        seen.append(dataset.name)
        return read(dataset, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(h5py.Dataset, "__getitem__", look)
        checkpoint.save(path, model(), settings={}, over=mark)
    assert seen == ["/training"]


def test_what_is_no_checkpoint_is_not_replaced(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    path.write_bytes(b"a reader's own")
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoint.save(path, model(), settings={})
    assert path.read_bytes() == b"a reader's own"


def test_a_file_that_may_not_be_read_is_no_broken_one(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    path.mkdir()  # as root reads whatever it may not
    with pytest.raises(OSError, match="directory"):
        checkpoint.save(path, model(), settings={})


def test_what_a_killed_write_leaves_is_not_taken_for_a_checkpoint(
    tmp_path, monkeypatch
):
    seen = []
    move = checkpoint.os.replace

    def look(*paths):
        seen.extend(tmp_path.glob(f"*{checkpoint.ENDING}"))
        move(*paths)

    monkeypatch.setattr(checkpoint.os, "replace", look)
    checkpoint.save(tmp_path / "tiny.weights.h5", model(), settings={})
    assert not seen


def test_numbers_of_numpy_are_numbers():
    settings = {"seed": np.int64(3), "weight": np.float64(0.5), "on": np.True_}
    assert checkpoint.plain(settings) == {"seed": 3, "weight": 0.5, "on": True}


def scaled(factor, shift=0):
    return lambda a, b, power=2: factor * (a - b) ** power + shift


def powered(size):
    def power(a, b, size=size):
        return (a - b) ** size

    return power


def raised(size):
    def power(a, b, *, size=size):
        return (a - b) ** size

    return power


def test_functions_are_told_apart_by_what_they_compute():
    def other(a, b, power=3):
        return 2 * (a - b) ** power

    functions = [
        scaled(2),
        scaled(3),
        scaled(2, shift=1),
        lambda a, b: a - b,
        lambda a, b: a + b,
        other,
        powered(2),
        powered(3),
        raised(2),
        raised(3),
        keras.losses.BinaryCrossentropy(),
        keras.losses.BinaryCrossentropy(from_logits=True),
    ]
    told = [json.dumps(checkpoint.of_function(each)) for each in functions]
    assert len(set(told)) == len(functions)
    assert told[0] == json.dumps(checkpoint.of_function(scaled(2)))


def test_a_full_disk_is_an_error_of_the_disk(tmp_path, monkeypatch):
    """HDF5 finds it when it closes the file, and raises a RuntimeError."""

    def full(*_):
        raise RuntimeError("file write failed: errno = 28")

    made = model()
    monkeypatch.setattr(type(made), "save_weights", full)
    with pytest.raises(OSError, match=r"could not be written: .* errno = 28"):
        checkpoint.save(tmp_path / "tiny.weights.h5", made, settings={})
    assert not list(tmp_path.iterdir())


def test_weights_are_stored_by_their_place_in_the_model(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    checkpoint.save(path, model(), settings={})
    with h5py.File(path) as file:
        np.testing.assert_array_equal(
            file["layers/dense/vars/0"][()], model().layers[0].kernel
        )


def test_optimizers_come_back_after_they_were_hidden():
    made = model()
    optimizer = made.optimizer
    with checkpoint.without_optimizers(made):
        assert made.optimizer is None
    assert made.optimizer is optimizer


def test_a_configuration_holds_nothing_that_an_earlier_keras_may_not_know():
    """Arguments of later versions have their defaults, and those are left out."""
    layer = keras.layers.BatchNormalization(momentum=0.9)
    config = checkpoint.serialized(layer)["config"]
    assert config["momentum"] == 0.9
    assert not {"epsilon", "renorm", "synchronized", "trainable"} & set(config)
    again = keras.saving.deserialize_keras_object(checkpoint.serialized(layer))
    assert again.get_config() == layer.get_config()
    told = checkpoint.told(
        checkpoint.describe(layer),
        checkpoint.describe(keras.layers.BatchNormalization()),
    )
    assert told == "config.momentum was 0.9, now it is its default"
