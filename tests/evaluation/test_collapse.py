"""The stored table of chapter 03 is what its one definition computes."""

import numpy as np
import pytest
from conftest import benchmark

from gan_notes.evaluation import collapse
from gan_notes.models import cures

MEASURES = ["modes", "high quality", "spread"]


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_real_points_have_all_modes(name, modes):
    points = collapse.data(name)
    assert points.shape == (collapse.POINTS, 2)
    found = collapse.score(name, points)
    assert found["modes"] == modes
    assert found["high quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert found["spread"] == pytest.approx(0.972, abs=0.01)


def test_an_unknown_toy_is_named():
    with pytest.raises(ValueError, match=r"toy: 'moons' is unknown.*'grid'"):
        collapse.data("moons")


def test_the_table_has_every_training_at_both_budgets():
    rows, about = collapse.stored()
    script = benchmark("dynamics")
    steps = script.budgets(about["milliseconds"])
    assert about["updates"] == script.UPDATES
    assert about["seconds"] == pytest.approx(
        about["updates"] * about["milliseconds"]["5 updates"] / 1e3, abs=0.01
    )
    for budget in ("updates", "seconds"):
        kept = rows[rows.budget == budget]
        assert len(kept) == 2 * len(cures.CANDIDATES) * len(script.SEEDS)
        assert not kept.duplicated(["toy", "candidate", "seed"]).any()
        assert (kept.steps == [steps[name][budget] for name in kept.candidate]).all()
    most = rows.toy.map({"ring": 8, "grid": 25})
    assert rows.modes.between(0, most).all()
    assert rows["high quality"].between(0, 1).all()
    for key in ("commit", "command", "versions", "hardware", "date"):
        assert about[key]


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.parametrize("candidate", cures.CANDIDATES)
def test_the_first_steps_are_what_is_stored(candidate):
    """Long trainings part on other processors; the first losses do not."""
    _, about = collapse.stored()
    row = collapse.train(candidate, "ring", seed=0, at=[about["first"]["steps"]])[-1]
    assert row["d_loss"] == pytest.approx(
        about["first"]["d_loss"][candidate], rel=0.01, abs=0.01
    )


@pytest.mark.nightly
@pytest.mark.long
def test_a_training_of_the_table_is_what_is_stored():
    rows, _ = collapse.stored()
    kept = rows.query(
        "toy == 'ring' and candidate == '5 updates' and seed == 0"
    ).drop_duplicates("steps")
    again = collapse.train("5 updates", "ring", seed=0, at=list(kept.steps))
    last, was = again[-1], kept.iloc[-1]
    # The game amplifies a last digit, so another processor may part from it.
    assert abs(last["modes"] - was["modes"]) <= 2
    for measure in MEASURES[1:]:
        assert last[measure] == pytest.approx(was[measure], abs=0.2)
