import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager

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


@pytest.mark.parametrize(("drawn", "shown"), [(9.0, plots.WIDEST), (4.0, 4.0)])
def test_no_figure_is_too_wide_for_a_phone(drawn, shown):
    figure, _ = plt.subplots(figsize=(drawn, 3.0))
    plots.note(figure, "sample")
    assert tuple(figure.get_size_inches()) == (shown, 3.0)


def test_ticks_are_legible_on_a_phone():
    """342 px are left for a figure at 390; a point is 1/72 inch."""
    shrunk = 342 / (72 * plots.WIDEST)
    assert shrunk * plt.rcParams["xtick.labelsize"] >= 9
    assert shrunk * plt.rcParams["ytick.labelsize"] >= 9


@pytest.fixture
def one_font(monkeypatch):
    """Leave matplotlib's own fonts alone, as on a machine without any other."""
    manager = font_manager.fontManager
    names = ("DejaVu Sans", "Last Resort", "cmr10")
    own = [font for font in manager.ttflist if font.name.startswith(names)]
    assert any(font.name.startswith("Last Resort") for font in own)
    monkeypatch.setattr(manager, "ttflist", own)


def draw(names):
    """Draw the names; a missing glyph is a warning, and that is an error here."""
    figure, ax = plt.subplots()
    ax.set_title(" ".join(names))
    figure.canvas.draw()


def test_names_that_the_font_in_use_has_stay_as_they_are(one_font):
    names = ["KO", "Société", "Газпром", "Ελλάς"]
    assert plots.drawable(names) == names
    draw(names)


def test_a_second_font_stands_in_for_the_letters_that_the_first_lacks(one_font):
    # TeX's font has no Cyrillic, and wants its own minus sign on the axes.
    look = {"font.family": ["cmr10"], "axes.formatter.use_mathtext": True}
    with plt.rc_context(look):
        assert plots.drawable(["KO", "Газпром"]) == ["KO", "Газпром"]
        first, second = plt.rcParams["font.family"]
        assert (first, second[:6]) == ("cmr10", "DejaVu")
        draw(["KO", "Газпром"])


def test_names_that_no_installed_font_has_are_numbered(one_font):
    shown = plots.drawable(["KO", "삼성전자"])
    assert shown == ["series 1", "series 2"]
    draw(shown)
