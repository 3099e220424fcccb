"""The one style of the book's figures, and the figures that two chapters share.

A colour and a second cue for each role, in every chapter: real data are blue and solid
or filled, synthetic data and the generator orange and dashed or hollow, the
discriminator green and dotted, baselines grey with markers.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import font_manager

REAL = "#0173B2"
SYNTHETIC = "#DE8F05"
DISCRIMINATOR = "#029E73"
BASELINE = "#949494"
# Inches. On a phone a figure is some 350 pixels wide, so that letters of 10 points
# are 9 pixels high there; in a wider figure they would be smaller.
WIDEST = 5.2

# What each loss is drawn as: name on the figure, colour, line.
LINES = {
    "d_loss": ("discriminator", DISCRIMINATOR, ":"),
    "g_loss": ("generator", SYNTHETIC, "--"),
    "d_real": ("on real", REAL, "-"),
    "d_synthetic": ("on synthetic", SYNTHETIC, "--"),
    "discriminator": ("discriminator", DISCRIMINATOR, ":"),
    "generator": ("generator", SYNTHETIC, "--"),
    "reconstruction": ("reconstruction", REAL, "-"),
    "supervised": ("supervised", BASELINE, "-."),
    "moments": ("moments", "#CC78BC", (0, (5, 1, 1, 1))),
}


def style() -> None:
    """Set the look of every figure; called once by ``notebooks.begin``."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "figure.figsize": (WIDEST, 3.6),
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "lines.linewidth": 1.6,
            "figure.constrained_layout.use": True,
            "svg.hashsalt": "gan_notes",
        },
    )


def note(figure: mpl.figure.Figure, text: str) -> None:
    """Finish a figure: the small grey line under it, and the width of a phone.

    Parameters
    ----------
    figure : matplotlib Figure
        Narrowed to WIDEST where it is wider; its height and letters stay.
    text : str
        Source, period, steps, seed; from ``chapter.note()``.
    """
    figure.set_figwidth(min(figure.get_figwidth(), WIDEST))
    # supxlabel takes part in constrained layout, so the line never covers an axis.
    figure.supxlabel(text, x=0.99, ha="right", fontsize=8, color="#707070")


def drawable(names: Sequence[str]) -> list[str]:
    """Return names that a figure can show, adding a font for other scripts.

    Parameters
    ----------
    names : sequence of str
        For instance tickers, as a file has them.

    Returns
    -------
    The names themselves, where the font in use has all their letters, or has them
    together with another installed one, which then stands in for the letters that it
    lacks. Else "series 1", "series 2", ..., since a figure of empty boxes tells nobody
    which is which.
    """
    letters = {ord(letter) for name in names for letter in name if letter != " "}
    used = font_manager.findfont(font_manager.FontProperties())
    letters -= set(font_manager.get_font(used).get_charmap())
    if not letters:
        return list(names)
    for font in font_manager.fontManager.ttflist:
        if font.name.startswith("Last Resort"):  # draws every letter as a box
            continue
        if letters <= set(font_manager.get_font(font.fname).get_charmap()):
            mpl.rcParams["font.family"] = [*mpl.rcParams["font.family"], font.name]
            return list(names)
    return [f"series {number}" for number, _ in enumerate(names, start=1)]


def losses(
    history: pd.DataFrame,
    ax: plt.Axes | None = None,
    *,
    columns: Sequence[str] = ("d_loss", "g_loss"),
) -> plt.Axes:
    """Draw losses over steps, a moving median over the raw values.

    Parameters
    ----------
    history : DataFrame indexed by step
        From a model's ``fit``.
    ax : Axes
    columns : list of str
        Columns of `history` to draw; those that are all NaN are left out.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    window = max(1, len(history) // 40)
    for column in columns:
        values = history[column].dropna()
        if values.empty:
            continue
        name, colour, line = LINES[column]
        ax.plot(values.index, values, color=colour, alpha=0.25, linewidth=0.8)
        smooth = values.rolling(window, min_periods=1, center=True).median()
        ax.plot(values.index, smooth, color=colour, linestyle=line, label=name)
    ax.set(xlabel="step", ylabel="loss")
    ax.legend()
    return ax


def scatter(
    real: np.ndarray,
    synthetic: np.ndarray,
    ax: plt.Axes | None = None,
    *,
    size: float = 8,
) -> plt.Axes:
    """Draw two clouds of points in equal scales: real filled, synthetic hollow.

    Parameters
    ----------
    real, synthetic : arrays (n, 2)
    ax : Axes
    size : float
        Area of a marker, in points squared.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    ax.scatter(*real.T, s=size, color=REAL, alpha=0.5, linewidths=0, label="real")
    ax.scatter(
        *synthetic.T,
        s=size,
        facecolors="none",
        edgecolors=SYNTHETIC,
        linewidths=0.7,
        label="synthetic",
    )
    ax.set_aspect("equal", adjustable="datalim")
    return ax
