"""Each ablation of the returns generator takes out one thing."""

import numpy as np
import pytest
from conftest import benchmark, run_small, stored

from gan_notes.models import returns

ablation = benchmark("returns_ablation")


def made(name):
    return ablation.variants()[name][1](6, 2, seed=0)


@pytest.fixture(scope="module")
def windows():
    random = np.random.default_rng(0)
    values = random.normal(size=(5, 6, 2)).astype("float32")
    level = np.broadcast_to(random.normal(size=(5, 1, 1)), (5, 6, 1))
    return np.concatenate([values, level.astype("float32")], axis=2)


def other_level(windows):
    return np.concatenate([windows[..., :-1], windows[..., -1:] + 1], axis=2)


def reversed_days(windows):
    return windows[:, ::-1]


def test_without_the_level_a_critic_does_not_see_it(windows):
    critic, told = (
        made(name).discriminator for name in ("without the level", "as shipped")
    )
    moved = other_level(windows)
    np.testing.assert_array_equal(critic(moved), critic(windows))
    assert (np.abs(told(moved) - told(windows)) > 1e-3).all()
    assert (np.abs(critic(reversed_days(windows)) - critic(windows)) > 1e-3).all()


def test_a_critic_of_values_is_told_them_and_the_level_alone(windows):
    critic = made("a critic of values").discriminator
    seen = critic.layers[1](windows).numpy()
    expected = np.column_stack([windows[..., :-1].reshape(5, -1), windows[:, 0, -1]])
    np.testing.assert_array_equal(seen, expected)


def test_without_products_a_critic_sees_fewer_numbers(windows):
    full, fewer = (
        made(name).discriminator.layers[1](windows).shape[1]
        for name in ("as shipped", "without products of sizes")
    )
    assert full - fewer == 2 * len(returns.LAGS)


def test_noise_of_the_window_is_gone_but_for_its_level():
    noise = made("without noise of the window").noise(4, np.array([0, 1])).numpy()
    shipped = made("as shipped").noise(4, np.array([0, 1])).numpy()
    held, kept = slice(returns.DAY_NOISE, -1), np.r_[: returns.DAY_NOISE, -1]
    assert not noise[..., held].any()
    assert shipped[..., held].all()
    np.testing.assert_array_equal(noise[..., kept], shipped[..., kept])


def test_the_package_is_as_before_when_variants_are_made(windows):
    facts = returns.StylisedFacts
    for name in ablation.variants():
        made(name)
    assert returns.StylisedFacts is facts


def test_the_ideas_that_carry_the_generator_are_those_that_chapter_06_names():
    found = stored("returns_ablation")["candidates"]
    named = [*ablation.variants()]
    assert [*found] == ["fresh real", named[0], "not calibrated", *named[1:]]
    other = stored("timegan_ablation")["candidates"]  # of the same days
    assert found["fresh real"] == other["fresh real"]
    area = {name: row["AUC, boosting"] for name, row in found.items()}
    for name in ("a critic of values", "without noise of the window"):
        assert area[name][1] > area["as shipped"][2]
    assert area["returns, not ranks"][0] > area["as shipped"][2]
    for name in ("not calibrated", "without the level", "without products of sizes"):
        assert area[name][0] == pytest.approx(area["as shipped"][0], abs=0.03)


@pytest.mark.nightly
@pytest.mark.long
def test_the_script_runs_small_and_writes_nothing():
    found = run_small("returns_ablation")
    named = [*ablation.variants()]
    assert [*found] == ["fresh real", named[0], "not calibrated", *named[1:]]
    assert found["as shipped"]["AUC, boosting"][0] > 0.9  # two steps learn nothing
