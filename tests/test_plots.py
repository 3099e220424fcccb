import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gan_notes import plots


@pytest.fixture(autouse=True)
def styled():
    plots.style()
    yield
    plt.close("all")


def test_losses_name_and_colour_each_player():
    history = pd.DataFrame(
        {"d_loss": np.linspace(2, 1, 80), "g_loss": np.linspace(1, 2, 80)},
        index=pd.Index(np.arange(10, 810, 10), name="step"),
    )
    ax = plots.losses(history)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["discriminator", "generator"]
    named = {line.get_label(): line for line in ax.lines}
    assert named["discriminator"].get_color() == plots.DISCRIMINATOR
    assert named["generator"].get_linestyle() == "--"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")


def test_losses_that_a_phase_does_not_have_are_left_out():
    history = pd.DataFrame({"d_loss": [1.0, 2.0], "g_loss": [np.nan, np.nan]})
    assert len(plots.losses(history).get_legend().get_texts()) == 1


def test_real_is_filled_and_synthetic_hollow():
    points = np.random.default_rng(0).normal(size=(2, 50, 2))
    real, synthetic = plots.scatter(*points).collections
    assert len(real.get_facecolor()) == 1
    assert len(synthetic.get_facecolor()) == 0
    assert plots.scatter(*points).get_aspect() == 1


def test_the_note_is_on_the_figure_and_covers_no_axis():
    figure, ax = plt.subplots()
    ax.set_xlabel("step")
    plots.note(figure, "sample · 20 steps · seed 0")
    figure.canvas.draw()
    note = figure._supxlabel.get_window_extent()
    assert figure._supxlabel.get_text() == "sample · 20 steps · seed 0"
    assert not note.overlaps(ax.xaxis.label.get_window_extent())
