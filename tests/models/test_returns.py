import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gan_notes.models import returns
from gan_notes.models.returns import ReturnsGAN, StylisedFacts


def market(n=600, length=8, d=2, seed=0):
    """Windows of one series whose volatility comes and goes, in the order of time."""
    random = np.random.default_rng(seed)
    volatility = np.exp(np.sin(np.arange(n + length - 1) / 40))
    days = random.normal(size=(n + length - 1, d)) * volatility[:, None]
    view = np.lib.stride_tricks.sliding_window_view(days, length, axis=0)
    return (view.transpose(0, 2, 1) / days.std()).astype("float32")


X = market()


def make(name="small", steps=20, **options):
    model = ReturnsGAN(8, 2, name=name, **options)
    model.compile(decay_steps=steps, steps_per_execution=5)
    return model


@pytest.fixture(scope="module")
def trained():
    model = make()
    model.fit(X, steps=20, batch_size=32, verbose=0)
    return model


@pytest.mark.long
def test_it_trains_repeats_and_resumes(trained, tmp_path):
    first = make(name="part")
    first.fit(X, steps=10, batch_size=32, verbose=0, checkpoint_dir=tmp_path)
    second = make(name="part")
    history = second.fit(X, steps=20, batch_size=32, verbose=0, checkpoint_dir=tmp_path)
    pd.testing.assert_frame_equal(history, trained.loss_history)
    np.testing.assert_array_equal(
        second.generate(3, seed=1), trained.generate(3, seed=1)
    )
    with pytest.raises(ValueError, match="decay_steps was 20, now it is 30"):
        make(name="part", steps=30).fit(
            X, steps=30, batch_size=32, verbose=0, checkpoint_dir=tmp_path
        )


def test_it_comes_back_from_a_file(trained, tmp_path):
    trained.save(tmp_path / "m.keras")
    again = ReturnsGAN.load(tmp_path / "m.keras")
    for options in ({}, {"length": 20}, {"level": 1.5}, {"calibrated": False}):
        np.testing.assert_array_equal(
            again.generate(5, seed=3, **options),
            trained.generate(5, seed=3, **options),
        )
    np.testing.assert_array_equal(again.levels(X), trained.levels(X))


def test_the_critic_sees_the_facts():
    x = np.random.default_rng(0).normal(size=(3, 8, 3)).astype("float32")
    seen = StylisedFacts(lags=(1, 2, 20))(x).numpy()
    values, level = x[..., :2], x[:, 0, 2]
    size = np.abs(values)
    calm = size - size.mean(axis=1, keepdims=True)
    by_hand = [
        values.reshape(3, -1),
        size.reshape(3, -1),
        values.mean(axis=1),
        np.sqrt((values**2).mean(axis=1) + 1e-6),
        size.mean(axis=1),
        size.mean(axis=2),
        np.abs(values.mean(axis=2)),
        level[:, None],
        (calm[:, 1:] * calm[:, :-1]).mean(axis=1),
        (calm[:, 2:] * calm[:, :-2]).mean(axis=1),
    ]
    np.testing.assert_allclose(seen, np.concatenate(by_hand, axis=1), atol=1e-5)
    again = keras.layers.deserialize(keras.layers.serialize(StylisedFacts((1, 3))))
    assert again.lags == (1, 3)


def test_the_level_is_the_rank_of_a_window_s_size(trained):
    level = trained.levels(X)
    size = np.abs(X).mean(axis=(1, 2))
    assert (np.diff(level[np.argsort(size)]) >= 0).all()
    assert abs(np.median(level)) < 0.02
    assert abs(level.std() - 1) < 0.02
    # It stands beside the windows, where the critic finds it.
    np.testing.assert_array_equal(trained.data[:, 3, 2], level)
    # Neighbouring windows have like levels: the sine turns in 251 days.
    assert trained.persistence.numpy() == pytest.approx(
        np.corrcoef(level[:-8], level[8:])[0, 1], abs=1e-5
    )
    assert 0.7 < trained.persistence.numpy() < 1


def test_noise_holds_its_window_and_its_level(trained):
    key = tf.constant([0, 1])
    z = trained.noise(2000, key, length=20).numpy()
    days, held = np.split(z, [returns.DAY_NOISE], axis=2)
    assert z.shape == (2000, 20, returns.DAY_NOISE + returns.WINDOW_NOISE)
    assert (held[:, :8] == held[:, :1]).all()
    assert (held[:, 8:16] == held[:, 8:9]).all()
    assert (held[:, 8, 0] != held[:, 7, 0]).all()
    assert abs(np.corrcoef(days[:, 0, 0], days[:, 1, 0])[0, 1]) < 0.1
    level = held[:, ::8, -1]
    rho = trained.persistence.numpy()
    assert np.corrcoef(level[:, 0], level[:, 1])[0, 1] == pytest.approx(rho, abs=0.05)
    assert level[:, 2].std() == pytest.approx(1, abs=0.05)
    set_ = trained.noise(3, key, level=np.array([-1.0, 0.0, 2.0], "float32")).numpy()
    np.testing.assert_array_equal(set_[:, 5, -1], [-1, 0, 2])


def test_calibrated_values_have_the_scores_of_a_normal(trained):
    raw, x = (trained.generate(4000, seed=9, calibrated=c) for c in (False, True))
    for i in range(2):
        quantiles = np.quantile(x[..., i], [0.01, 0.25, 0.5, 0.75, 0.99])
        np.testing.assert_allclose(
            quantiles, [-2.33, -0.674, 0, 0.674, 2.33], atol=0.08
        )
        order = np.argsort(raw[..., i].ravel())
        assert (np.diff(x[..., i].ravel()[order]) >= 0).all()  # a monotone map


def test_other_weights_are_calibrated_anew():
    """Of as many steps: the table follows from the weights, not from their age."""
    one, other = make(seed=1), make(seed=2)
    model = make(seed=1)
    np.testing.assert_array_equal(model.generate(5, seed=0), one.generate(5, seed=0))
    model.set_weights(other.get_weights())
    np.testing.assert_array_equal(model.generate(5, seed=0), other.generate(5, seed=0))


def test_generate_uses_the_averages_and_leaves_the_weights(trained):
    before = [v.numpy() for v in trained.generator.trainable_variables]
    averages = trained.g_optimizer._model_variables_moving_average
    with trained.averaged():
        for variable, average in zip(
            trained.generator.trainable_variables, averages, strict=True
        ):
            np.testing.assert_array_equal(variable, average)
        inside = trained(trained.noise(4, tf.constant([5, 2**30])))[..., :2]
    for variable, value in zip(
        trained.generator.trainable_variables, before, strict=True
    ):
        np.testing.assert_array_equal(variable, value)
    drawn = trained.generate(4, seed=5, calibrated=False)
    np.testing.assert_array_equal(drawn, inside)
    assert not np.allclose(
        drawn, trained(trained.noise(4, tf.constant([5, 2**30])))[..., :2]
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"level": np.zeros(3)}, "level:"),
        ({"level": float("nan")}, "level:"),
        ({"length": 0}, "length:"),
    ],
)
def test_what_cannot_be_generated_is_named(trained, options, named):
    with pytest.raises(ValueError, match=named):
        trained.generate(2, **options)


def test_configuration_is_json(trained):
    config = json.loads(json.dumps(trained.get_config()["training"]["settings"]))
    assert config["loss"] == "wasserstein"


def test_both_rates_reach_zero_with_the_last_step():
    model = ReturnsGAN(4, 2)
    model.compile(decay_steps=10)
    for one, updates in ((model.g_optimizer, 10), (model.d_optimizer, 50)):
        rate = one._learning_rate
        assert float(rate(0)) == pytest.approx(returns.RATE)
        assert float(rate(updates // 2)) == pytest.approx(returns.RATE / 2)
        assert float(rate(updates)) == pytest.approx(0, abs=1e-9)
