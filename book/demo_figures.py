"""Draw the still pictures that stand for the demos where scripts are off.

python book/demo_figures.py            into book/_static/demos

One SVG for each demo, which shows the same thing at one moment, made by the
package and NumPy. Words stay words in them, so they are small, and a
browser's own font is used.
"""

import re
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from gan_notes import plots
from gan_notes.data import toys

FOLDER = Path(__file__).resolve().parent / "_static" / "demos"
LOOK = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gan_notes",
    "path.simplify_threshold": 0.5,
}


def main(folder=FOLDER):
    """Write every figure into `folder`."""
    plots.style()
    with mpl.rc_context(LOOK):
        for draw in (field, value, dial, lab, market, latent):
            figure = draw()
            path = Path(folder) / f"{draw.__name__}.svg"
            figure.savefig(path, metadata={"Date": None, "Creator": None})
            drawn = path.read_text(encoding="utf-8")
            path.write_text(rounded(drawn), encoding="utf-8")
            plt.close(figure)


def rounded(svg):
    """Cut numbers after a tenth of a point, which nobody sees."""
    return re.sub(r"(\d\.\d)\d+", r"\1", svg)


def field():
    """Two orders of moves in the game V = xy, as chapter 03 plays them."""
    rate, moves = 0.2, 60
    paths = {"at the same time": [(1.0, 0.0)], "in turns": [(1.0, 0.0)]}
    for name, path in paths.items():
        for _ in range(moves):
            x, y = path[-1]
            new = x - rate * y
            seen = new if name == "in turns" else x
            path.append((new, y + rate * seen))
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    gx, gy = np.meshgrid(*2 * [np.linspace(-3, 3, 9)])
    ax.quiver(gx, gy, -gy, gx, color="0.8", width=0.004)
    styles = [(plots.BASELINE, "-"), (plots.SYNTHETIC, "--")]
    for (name, path), (colour, line) in zip(
        paths.items(), styles, strict=True
    ):
        ax.plot(*np.transpose(path), line, color=colour, label=name)
    ax.plot(1, 0, "o", color="black")
    ax.plot(0, 0, "x", color="black", ms=9, mew=2)
    ax.set(xlabel="x, minimises", ylabel="y, maximises", aspect="equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def value():
    """Two Gaussians and the best discriminator between them."""
    x = np.linspace(-5, 7, 121)
    p, q = (np.exp(-((x - m) ** 2) / 2) for m in (0, 2.5))
    figure, ax = plt.subplots(figsize=(5.2, 2.8))
    ax.fill_between(x, p, color=plots.REAL, alpha=0.3, lw=0)
    ax.plot(x, q, "--", color=plots.SYNTHETIC)
    ax.plot(x, p / (p + q), ":", color=plots.DISCRIMINATOR, lw=2.5)
    ax.text(-2.7, 0.6, "real p", color=plots.REAL)
    ax.text(3.7, 0.6, "synthetic q", color=plots.SYNTHETIC)
    ax.text(-4.8, 1.04, "D*(x)", color=plots.DISCRIMINATOR)
    ax.set(xlabel="x", yticks=[0, 0.5, 1], ylim=(0, 1.15))
    return figure


def dial():
    """A forger's canvases and the line of a critic who has learned a little."""
    x = np.linspace(-5, 7, 121)
    bell, verdict = np.exp(-((x + 1) ** 2) / 2), 1 / (1 + np.exp(-x + 0.5))
    figure, ax = plt.subplots(figsize=(5.2, 2.6))
    ax.plot(x, bell, "--", color=plots.SYNTHETIC)
    ax.plot(x, verdict, ":", color=plots.DISCRIMINATOR, lw=2.5)
    ax.annotate(
        "",
        (1.2, 0.5),
        (-1, 0.5),
        arrowprops={"arrowstyle": "->", "lw": 1.8},
    )
    ax.text(-4.8, 0.8, "your canvases", color=plots.SYNTHETIC)
    ax.text(2.6, 0.78, "D(x): real", color=plots.DISCRIMINATOR)
    ax.set(xlabel="x", yticks=[0, 0.5, 1], ylim=(0, 1.1))
    return figure


def lab():
    """The shipped GAN of chapter 01 on its ring, and what its D says."""
    from gan_notes.models import pretrained

    gan = pretrained.load("gan_ring_0")
    side = np.linspace(-3, 3, 41, dtype="float32")
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = gan.discriminator(plane).numpy().reshape(41, 41)
    figure, ax = plt.subplots(figsize=(4.2, 4.2))
    colours = [plots.SYNTHETIC, "white", plots.REAL]
    ax.contourf(
        side,
        side,
        1 / (1 + np.exp(-logits)),
        levels=np.linspace(0, 1, 6),
        cmap=LinearSegmentedColormap.from_list("verdict", colours),
        alpha=0.5,
    )
    real = toys.gaussian_ring(160, std=0.1)
    plots.scatter(real, gan.generate(160, seed=0), ax)
    ax.set_aspect("equal", adjustable="box")
    ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[])
    ax.legend(loc="center", frameon=True)
    return figure


def market():
    """A month that the shipped returns generator draws: prices, then changes."""
    from gan_notes.models import pretrained

    model = pretrained.load("returns-offline-0")
    x = model.generate(1, seed=0)
    names, start = model.transform.tickers, model.transform.start_prices
    prices, changes = (
        model.transform.inverse(x)[0],
        model.transform.changes(x)[0],
    )
    days = np.arange(1, len(prices) + 1)
    figure = plt.figure(figsize=(6.4, 4.6))
    grid = figure.add_gridspec(3, 3, height_ratios=[1, 1, 1.5])
    first = None
    for i, name in enumerate(names):
        ax = figure.add_subplot(grid[divmod(i, 3)], sharey=first)
        first = first or ax
        ax.axhline(0, color="0.8", lw=1)
        path = 100 * np.append(0, prices[:, i] / start[i] - 1)
        ax.plot(np.append(0, days), path, color=plots.SYNTHETIC)
        ax.set_title(name, loc="left")
        ax.set(xticks=[0, len(days)])
        ax.yaxis.set_major_formatter("{x:.0f} %")
        ax.tick_params(labelleft=i % 3 == 0)
    ax = figure.add_subplot(grid[2, :])
    half_row = np.quantile(np.abs(changes), 0.98)
    for i in range(len(names)):
        ax.axhline(-i, color="0.8", lw=1)
        heights = np.clip(changes[:, i] / half_row / 2, -1, 1)
        ax.bar(days, heights, 0.4, -i, color=plots.SYNTHETIC)
    ax.set(xlim=(0, len(days) + 0.5), xticks=[1, len(days)])
    ax.set(yticks=-np.arange(len(names)), yticklabels=names)
    ax.set_xlabel("day, synthetic")
    return figure


def latent():
    """A plane through the noise of the shipped generator of digits."""
    from gan_notes.models import pretrained

    gan = pretrained.load("dcgan-mnist-0")
    random = np.random.default_rng(0)
    corner, across, up = random.normal(size=(3, gan.latent_dim))
    side = np.linspace(-2, 2, 7)
    u, v = (x.reshape(-1, 1) for x in np.meshgrid(side, side[::-1]))
    z = (corner + u * across + v * up) / np.sqrt(1 + u**2 + v**2)
    digits = gan.generator(z.astype("float32"), training=False).numpy()
    rows = digits.reshape(7, 7, 28, 28).swapaxes(1, 2).reshape(7 * 28, -1)
    figure, ax = plt.subplots(figsize=(4.6, 4.6))
    reach = 2 * 7 / 6
    ax.imshow(
        rows,
        plt.get_cmap("gray_r", 16),
        vmin=-1,
        vmax=1,
        extent=(-reach, reach, -reach, reach),
        interpolation="nearest",
    )
    ax.plot(0, 0, "o", ms=14, color="white")
    ax.plot(0, 0, "o", ms=9, color=plots.SYNTHETIC)
    ticks = range(-2, 3)
    ax.set(xticks=ticks, yticks=ticks, xlabel="a plane of noise, synthetic")
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
