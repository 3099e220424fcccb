"""The TimeGAN paper's scores: what they measure, and the trap in them."""

import numpy as np
import pytest

from gan_notes.data.toys import sines
from gan_notes.evaluation import paper

LENGTH, FEATURES = 8, 4


def walks(n, *, seed, scale=0.05):
    """Windows of random walks around the middle of [0, 1]."""
    steps = np.random.default_rng(seed).normal(size=(n, LENGTH, FEATURES))
    return (0.5 + scale * steps.cumsum(axis=1)).clip(0, 1).astype("float32")


def test_windows_are_all_there_is_scaled_by_column_in_the_order_of_time():
    table = np.stack([np.arange(30.0), 5 - 2 * np.arange(30.0)], axis=1)
    windows = paper.scaled_windows(table, length=24)
    assert windows.shape == (7, 24, 2)
    np.testing.assert_allclose(windows[0, :, 0], np.arange(24) / 29, rtol=1e-6)
    np.testing.assert_allclose(windows[-1, -1], [1, 0], atol=1e-7)
    assert (windows[1:, :-1] == windows[:-1, 1:]).all()


@pytest.mark.parametrize(
    "table",
    [np.ones((30, 2)), np.full((30, 2), np.nan), np.ones((5, 2)), np.arange(30.0)],
)
def test_a_table_without_windows_is_refused(table):
    with pytest.raises(ValueError, match="table:"):
        paper.scaled_windows(table)


def test_a_perfect_generator_scores_chance_and_a_bad_one_a_half():
    real, more = walks(400, seed=1), walks(400, seed=2)
    # 160 windows are asked: accuracy has a standard error of .04 at chance.
    assert paper.discriminative_score(real, more, steps=100) < 0.13
    assert paper.discriminative_score(real, 0.2 * more, steps=400) > 0.45


def test_the_trap_a_judge_that_has_learnt_nothing_scores_zero():
    """These windows are ten times too calm: one look at their deviation tells all."""
    real, calm = walks(400, seed=1), walks(400, seed=3, scale=0.005)
    deviations = [x.std(axis=(1, 2)) for x in (real, calm)]
    assert deviations[0].min() > deviations[1].max()
    # The paper's judge has two units for four features, and calls them near perfect.
    assert paper.discriminative_score(real, calm, steps=800) < 0.1


def test_one_answer_for_all_is_a_perfect_score():
    label = np.repeat([1, 0], 50)
    for constant in (np.zeros(100), np.ones(100)):
        assert paper.score_of_verdicts(label, constant) == 0
    assert paper.score_of_verdicts(label, label) == 0.5
    assert paper.score_of_verdicts(label, 1 - label) == 0.5  # wrong is telling too


def linked(n, *, seed, sign=1):
    """The last feature follows the first of the day before, up or down."""
    x = np.random.default_rng(seed).uniform(size=(n, LENGTH, 4)).astype("float32")
    follows = x[:, :-1, 0] if sign > 0 else 1 - x[:, :-1, 0]
    x[:, 1:, -1] = follows
    return x


@pytest.mark.long
def test_the_forecast_is_of_the_next_day_from_the_other_features():
    real = linked(300, seed=1)
    learnt = paper.predictive_score(real, linked(300, seed=2), steps=1500)
    wrong = paper.predictive_score(real, linked(300, seed=3, sign=-1), steps=1500)
    noise = np.random.default_rng(4).uniform(size=real.shape)
    blind = paper.predictive_score(real, noise, steps=1500)
    # A uniform value lies a quarter from one half on average, a half from its mirror.
    assert learnt < 0.1
    assert blind == pytest.approx(0.25, abs=0.03)
    assert wrong > 0.4


def test_the_last_feature_is_not_among_the_inputs():
    """It repeats itself from day to day here, and the judge cannot see that."""
    x = np.random.default_rng(0).uniform(size=(300, LENGTH, 4))
    x[:, :, -1] = x[:, :1, -1]
    assert paper.predictive_score(x, x, steps=600) > 0.2


@pytest.mark.long
def test_scores_are_a_table_with_the_noise_floor_first():
    real = sines(60, length=6, features=4)
    table = paper.scores(
        real, {"other": real[:40] / 2}, repeats=2, steps=(2, 3), verbose=0
    )
    assert table["candidate"].to_list() == [paper.NOISE_FLOOR] * 2 + ["other"] * 2
    assert (table["each"].map(len) == 2).all()
    for _, row in table.iterrows():
        assert row["mean"] == pytest.approx(np.mean(row["each"]))
        assert row["std"] == pytest.approx(np.std(row["each"], ddof=1))
    first = paper.discriminative_score(real, real, steps=2)
    assert first == table["each"][0][0]  # repeatable, and seeds count from the first
    assert table["each"].map(lambda each: each[0] != each[1]).any()


@pytest.mark.parametrize(
    ("real", "synthetic", "match"),
    [
        ((9, 8, 4), (9, 8, 3), "of one length and with the same features"),
        ((9, 8, 4), (0, 8, 4), "give windows"),
        ((9, 8), (9, 8), "give windows"),
        ((9, 8, 1), (9, 8, 1), "at least 2 of both"),
        ((9, 1, 4), (9, 1, 4), "at least 2 of both"),
    ],
)
def test_what_cannot_be_scored_is_refused(real, synthetic, match):
    for score in (paper.discriminative_score, paper.predictive_score):
        with pytest.raises(ValueError, match=match):
            score(np.zeros(real), np.zeros(synthetic))
