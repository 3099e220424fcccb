"""Each ablation of TimeGAN takes out one thing; the held-out period stays unseen."""

import numpy as np
import pytest
from conftest import benchmark, run_small, stored

from gan_notes import load_prices, make_windows
from gan_notes.evaluation import facts
from gan_notes.models import timegan

ablation = benchmark("timegan_ablation")


def made(name):
    return ablation.variants()[name](ablation.LENGTH, 2, num_layers=2)


def test_what_is_judged_comes_later_and_shares_no_day():
    windows = np.arange(100)[:, None, None] + np.arange(24)[None, :, None]
    learnt, asked = ablation.inner(windows)
    assert learnt.max() < asked.min()
    assert asked.max() == windows.max()


def test_a_term_has_no_weight_in_its_variant_and_has_it_again_behind(monkeypatch):
    def weights(*_):
        return timegan.SUPERVISED_WEIGHT_G, timegan.MOMENTS_WEIGHT

    supervised, moments = weights()
    monkeypatch.setattr(timegan.TimeGAN, "joint_step", weights)
    for name, expected in (
        ("as published", (supervised, moments)),
        ("without the supervised term", (0, moments)),
        ("without the moment term", (supervised, 0)),
    ):
        assert made(name).joint_step(0) == expected
        assert weights() == (supervised, moments)


def test_a_critic_of_windows_sees_what_the_recovery_makes():
    model = made("a critic of windows")
    states = np.random.default_rng(0).random((3, 24, 24), dtype="float32")
    np.testing.assert_allclose(
        model.discriminator(states), model.critic(model.recovery(states)), rtol=1e-5
    )
    moved = {id(x) for x in model.moved()["discriminator"]}
    assert moved == {id(x) for x in model.critic.trainable_variables}
    assert not moved & {id(x) for x in model.recovery.trainable_variables}


def test_wider_noise_is_as_wide_as_the_latent_space():
    model = made("wider noise")
    noise = model.noise(5, np.array([0, 1]))
    assert noise.shape == (5, 24, 24)
    assert model.generator(noise).shape == (5, 24, 24)
    assert model.generate(5, seed=0).shape == (5, 24, 2)


def test_every_part_was_taken_out_once_and_none_repairs_timegan():
    result = stored("timegan_ablation")
    assert (result["steps"], result["splits"]) == (2500, ablation.SPLITS)
    found = result["candidates"]
    assert [*found] == ["fresh real", *ablation.variants()]
    assert found["fresh real"]["AUC, boosting"][0] < 0.6
    sizes = "autocorrelation of sizes, {}"
    for name in ablation.variants():
        assert found[name]["AUC, boosting"][1] > 0.9
        assert any(  # at some lag
            abs(found[name][key][0] - found["fresh real"][key][0]) > 0.15
            for key in map(sizes.format, ablation.DAYS)
        )


@pytest.mark.long
def test_the_stored_facts_of_real_days_are_what_the_sample_gives():
    real = stored("timegan_ablation")["candidates"]["fresh real"]
    windows = make_windows(
        load_prices(), sequence_length=ablation.LENGTH, transform="normal_scores"
    )
    learnt, _ = ablation.inner(windows.train)
    again = facts.facts(windows.changes(learnt), draws=2).itertuples()
    again = {f"{row.fact}, {row.days}": row.value for row in again}
    kept = {key: value for key, (value, *_) in real.items() if key in again}
    assert len(kept) == len(real) - 2  # AUC, and the deviation
    assert kept == pytest.approx({key: again[key] for key in kept}, rel=1e-4)


@pytest.mark.nightly
@pytest.mark.long
def test_the_script_runs_small_and_writes_nothing():
    found = run_small("timegan_ablation")
    assert [*found] == ["fresh real", *ablation.variants()]
    assert found["as published"]["AUC, boosting"][0] > 0.9  # two steps learn nothing
