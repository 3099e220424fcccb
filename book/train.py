"""Train what ships and takes longer than a chapter; keep it with provenance.

python book/train.py returns-offline-0 --checkpoint-dir FOLDER
python book/train.py returns-djia-0 --checkpoint-dir FOLDER --prices FILE

What paper-* names is trained on the file of the paper's protocol, or on its
sines, and is only kept in the folder, for benchmarks/paper_protocol.py. With
"annealed" the joint phase goes on while the learning rates fall to 0.

A training that was stopped goes on from the folder. On one thread, so that
two may run side by side. A maintainer's tool, like ship.py.
"""

import argparse
import os
import platform
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import ship
from PIL import Image

from gan_notes import load_images, load_prices, make_windows, notebooks
from gan_notes.data.images import TRAIN
from gan_notes.data.windows import sine_windows
from gan_notes.models import pretrained

DJIA = ["BA", "CAT", "DIS", "GE", "IBM", "KO"]
RETURNS_STEPS, RETURNS_BATCH = 10_000, 256
TIMEGAN_STEPS = 10_000  # a phase
ANNEALING = 2_500  # more joint steps, over which the rates fall to 0
IMAGE_STEPS, IMAGE_BATCH = 12_000, 64
FRAMES = 24  # of a film, the sooner the denser
# What ships in float16: all of it, or the part that only judged.
HALF = {"dcgan": "", "judge": "", "returns": "discriminator"}


def windows(options, tickers, transform):
    """Return the windows that a recipe trains on."""
    source = {"source": options.prices} if tickers else {}
    prices = load_prices(tickers, **source)
    return make_windows(prices, sequence_length=24, transform=transform)


def returns(name, options, *, seed, tickers=None):
    """Train a ReturnsGAN."""
    from gan_notes.models.returns import ReturnsGAN

    data = windows(options, tickers, "normal_scores")
    model = ReturnsGAN(
        24,
        len(data.tickers),
        transform=data.transform,
        seed=seed,
        name=name,
    )
    model.compile(decay_steps=RETURNS_STEPS)
    model.fit(
        data.train,
        steps=RETURNS_STEPS,
        batch_size=RETURNS_BATCH,
        checkpoint_dir=options.checkpoint_dir,
    )


def timegan(name, options, *, seed, tickers=None, transform="levels"):
    """Train a TimeGAN on prices, all three phases."""
    data = windows(options, tickers, transform)
    activation = "sigmoid" if transform == "levels" else "linear"
    fit_timegan(
        data.train,
        name,
        options,
        output_activation=activation,
        transform=data.transform,
        seed=seed,
    )


def timegan_of_paper(name, options, *, seed, sines=False, more=0):
    """Train a TimeGAN on all windows of the paper's protocol."""
    if sines:
        data = sine_windows()
        x, scale = data.train, {"transform": data.transform}
    else:
        from gan_notes.evaluation import paper

        x, scale = paper.scaled_windows(pd.read_csv(options.prices)), {}
    fit_timegan(x, name, options, seed=seed, more=more, **scale)


def fit_timegan(x, name, options, *, more=0, **settings):
    """Train a TimeGAN with the steps that ship, and `more`, annealed."""
    import keras

    from gan_notes.models.timegan import TimeGAN

    model = TimeGAN(*x.shape[1:], name=name, **settings)
    steps = [TIMEGAN_STEPS, TIMEGAN_STEPS, TIMEGAN_STEPS + more]
    callbacks = []
    if more:
        rate = partial(
            annealed,
            epoch_steps=-(-len(x) // 128),  # of a batch, as `fit` has it
            total=sum(steps),
            more=more,
        )
        callbacks.append(
            keras.callbacks.LearningRateScheduler(
                lambda done, _: rate(done)
            )
        )
    model.fit(
        x,
        steps=steps,
        checkpoint_dir=options.checkpoint_dir,
        callbacks=callbacks,
    )


def annealed(epochs, *, epoch_steps, total, more):
    """Return TimeGAN's rate after so many epochs: over `more` steps to 0."""
    left = (total - epochs * epoch_steps) / more
    return 1e-3 * min(1.0, max(0.0, left))


def images(data):
    """Return the training images of a set, and their labels."""
    pixels, labels = load_images(data)
    n = TRAIN[data]
    return pixels[:n], labels[:n]


def filmed(gan, folder):
    """Return a callback that keeps what ten vectors become, a file a moment."""
    import keras

    when = np.geomspace(10, IMAGE_STEPS, FRAMES)
    when = {10 * round(step / 10) for step in when}

    def look(batch, logs):
        if gan.step in when:
            drawn = gan.generate(pretrained.FILM, seed=pretrained.FILM_SEED)
            greys = ((drawn[..., 0] + 1) * 127.5).round().astype("uint8")
            path = folder / f"{gan.step:06}.png"
            Image.fromarray(np.hstack(greys)).save(path)

    return keras.callbacks.LambdaCallback(on_train_batch_end=look)


def keep_film(name, folder):
    """Lay the frames that a training left below each other; return their steps."""
    frames = sorted(folder.glob("*.png"))
    if not frames:
        return {}
    film = Image.fromarray(
        np.vstack([np.array(Image.open(f)) for f in frames])
    )
    film.save(pretrained.FOLDER / f"{name}.png", optimize=True)
    return {"film": [int(frame.stem) for frame in frames]}


def plain_gan(name, options, *, seed, data="mnist", labelled=False):
    """Train the plain pair of chapter 04."""
    from gan_notes.models import dcgan

    pixels, labels = images(data)
    gan = dcgan.plain_gan(
        steps=IMAGE_STEPS, classes=10 * labelled, seed=seed, name=name
    )
    gan.fit(
        pixels,
        labels if labelled else None,
        steps=IMAGE_STEPS,
        batch_size=IMAGE_BATCH,
        checkpoint_dir=options.checkpoint_dir,
        callbacks=[filmed(gan, options.checkpoint_dir)],
    )


def dcgan_of_2016(name, options, *, seed):
    """Train the networks of the guidelines, with the loss of their paper."""
    from gan_notes.models import dcgan
    from gan_notes.models.gan import GAN

    gan = GAN(
        dcgan.build_generator(seed=seed),
        dcgan.build_discriminator(seed=seed),
        seed=seed,
        name=name,
    )
    gan.fit(
        images("mnist")[0],
        steps=IMAGE_STEPS,
        batch_size=IMAGE_BATCH,
        checkpoint_dir=options.checkpoint_dir,
        callbacks=[filmed(gan, options.checkpoint_dir)],
    )


def judge(name, options, *, data, epochs, rotation):
    """Train the classifier that judges images of a set; return its accuracy."""
    from gan_notes.evaluation import images as judges

    network = judges.build_judge(name, rotation=rotation)
    judges.train_classifier(
        *images(data),
        epochs=epochs,
        network=network,
        checkpoint_dir=options.checkpoint_dir,
    )
    pixels, labels = load_images(data)
    held_out = slice(TRAIN[data], None)
    right = judges.classify(network, pixels[held_out]) == labels[held_out]
    return {"held_out_accuracy": float(right.mean())}


RECIPES = {
    **{f"returns-offline-{i}": partial(returns, seed=i) for i in range(5)},
    **{f"dcgan-mnist-{i}": partial(plain_gan, seed=i) for i in range(3)},
    "dcgan-mnist-labels-0": partial(plain_gan, seed=0, labelled=True),
    "dcgan-fashion-0": partial(plain_gan, seed=0, data="fashion"),
    "dcgan2016-mnist-0": partial(dcgan_of_2016, seed=0),
    "judge-mnist": partial(judge, data="mnist", epochs=40, rotation=0.02),
    "judge-fashion": partial(judge, data="fashion", epochs=12, rotation=0),
    "returns-djia-0": partial(returns, seed=0, tickers=DJIA),
    **{f"timegan-offline-{i}": partial(timegan, seed=i) for i in range(3)},
    "timegan-returns-0": partial(
        timegan, seed=0, transform="normal_scores"
    ),
    "timegan-djia-0": partial(timegan, seed=0, tickers=DJIA),
    "timegan-sines-0": partial(timegan_of_paper, seed=0, sines=True),
    **{
        f"paper-sines-{i}": partial(timegan_of_paper, seed=i, sines=True)
        for i in (1, 2)
    },
    **{
        f"paper-stocks-{i}": partial(timegan_of_paper, seed=i)
        for i in range(3)
    },
    **{
        f"paper-annealed-{i}": partial(
            timegan_of_paper, seed=i, more=ANNEALING
        )
        for i in range(3)
    },
}


def main(arguments=None):
    """Run the command line; return 0, or 1 after one line on what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--checkpoint-dir", type=Path, required=True)
    parser.add_argument("--prices", help="a file of prices, for other data")
    options = parser.parse_args(arguments)
    try:
        print(train(options))
    except (ValueError, OSError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    return 0


def train(options):
    """Train one recipe to its end and keep the weights; return their name."""
    prices = options.prices and f" --prices {Path(options.prices).name}"
    origin = {
        "command": f"python book/train.py {options.name}{prices or ''}",
        **ship.commit(),
    }
    options.checkpoint_dir = ship.claim(
        options.checkpoint_dir / options.name, origin
    )
    for pool in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{pool}_THREADS"] = "1"
    notebooks.repeatable(0)
    found = RECIPES[options.name](options.name, options)
    about = {
        **origin,
        "parameters": {},
        **notebooks.provenance(),
        "hardware": f"{platform.machine()}, one thread",
        **(found or {}),
        **keep_film(options.name, options.checkpoint_dir),
    }
    (path,) = options.checkpoint_dir.glob("*.weights.h5")
    parts = [HALF[one] for one in HALF if options.name.startswith(one)]
    return (
        path
        if options.name.startswith("paper-")
        else ship.keep(path, about, half=next(iter(parts), None))
    )


if __name__ == "__main__":
    sys.exit(main())
