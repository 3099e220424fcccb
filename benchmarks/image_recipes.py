"""What each part of the 2016 recipe does, and what a minute of each later one buys.

    python benchmarks/image_recipes.py train [NAME ...] --folder FOLDER [--seeds 3]
    python benchmarks/image_recipes.py train NAME ... --folder FOLDER --data fashion
    python benchmarks/image_recipes.py collect --folder FOLDER

`train` trains recipes, each with several seeds, on the offline digits, on Fashion-MNIST
or on stacked digits (`--data stacks`), and lets the frozen judge score 2,000 images at
every fifth of the steps; of stacked digits it counts the modes among 25,600 images at
the end. A run that is done is not done again, so it can be stopped at any time. A run
that diverges is kept as a failure. `collect` puts what is in the folder into the
package, where chapter 04 reads it.

The guidelines of 2016 are tested by leaving one out at a time. The later recipes train
the plain pair of chapter 04. Minutes are those of the processor, on one thread, without
the judge's; what another machine needs for the same steps is another number.
"""

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path

from gan_notes import notebooks

if __name__ == "__main__":
    for pool in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{pool}_THREADS"] = "1"

import image_scores
import keras
import pandas as pd
import record
import stacked_digits

from gan_notes.evaluation import images as judges
from gan_notes.models import dcgan
from gan_notes.models.gan import GAN

BATCH, DRAWN = 64, 2_000
DATA = {"mnist": "mnist", "fashion": "fashion", "stacks": "mnist"}  # and its judge
PARTS, FIRST = 5, 20  # of the steps; the step whose losses are kept for a test


def rebuilt(network, change):
    """Return a network whose layers `change` has replaced, by none, one or several."""
    layers = [new for layer in network.layers for new in change(layer)]
    return keras.Sequential(
        [keras.Input(network.input_shape[1:]), *layers], name=network.name
    )


def made_anew(layer, kind=None, **settings):
    """Return a fresh layer with the configuration of another, but for `settings`."""
    config = {**layer.get_config(), **settings}
    config.pop("dtype", None)
    return (kind or type(layer)).from_config(config)


def without_normalisation(layer):
    """Leave batch normalisation out; the layers before it then need a bias."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return []
    return [made_anew(layer, use_bias=True) if hasattr(layer, "use_bias") else layer]


def with_dead_ends(layer):
    """Let a ReLU stand where a LeakyReLU was."""
    leaky = isinstance(layer, keras.layers.LeakyReLU)
    return [keras.layers.ReLU() if leaky else layer]


def with_a_leak(layer):
    """Let a LeakyReLU stand where a ReLU was."""
    plain = isinstance(layer, keras.layers.ReLU)
    return [keras.layers.LeakyReLU(dcgan.LEAK) if plain else layer]


def with_pooling(layer):
    """Pool and repeat pixels by a fixed rule, in place of strides."""
    if isinstance(layer, keras.layers.Conv2DTranspose):
        config = layer.get_config()
        kept = ("filters", "kernel_size", "padding", "use_bias", "activation",
                "kernel_initializer")  # fmt: skip
        same = keras.layers.Conv2D.from_config({key: config[key] for key in kept})
        return [keras.layers.UpSampling2D(2), same]
    if isinstance(layer, keras.layers.Conv2D):
        return [made_anew(layer, strides=1), keras.layers.AveragePooling2D(2)]
    return [layer]


def of_2016(
    seed, shape=dcgan.IMAGE_SHAPE, *, kernel=dcgan.KERNEL, generator=None,
    discriminator=None,
):  # fmt: skip
    """Return the GAN of the guidelines, with one of them left out."""
    options = {"shape": shape, "kernel": kernel, "seed": seed}
    G, D = dcgan.build_generator(**options), dcgan.build_discriminator(**options)
    G, D = (rebuilt(n, c) if c else n for n, c in ((G, generator), (D, discriminator)))
    return GAN(G, D, seed=seed)


def later(seed, shape=dcgan.IMAGE_SHAPE, *, betas=(0.5, 0.999), rate=2e-4, **options):
    """Return the plain pair with another loss, penalty or optimizer."""
    gan = GAN(
        dcgan.build_plain_generator(shape=shape, seed=seed),
        dcgan.build_plain_discriminator(shape=shape, seed=seed),
        seed=seed,
        **options,
    )
    adam = {"learning_rate": rate, "beta_1": betas[0], "beta_2": betas[1]}
    gan.compile(*(keras.optimizers.Adam(**adam) for _ in range(2)))
    return gan


NONE = without_normalisation
RECIPES = {
    "2016": of_2016,
    "2016, no normalisation in G": partial(of_2016, generator=NONE),
    "2016, no normalisation in D": partial(of_2016, discriminator=NONE),
    "2016, no normalisation": partial(of_2016, generator=NONE, discriminator=NONE),
    "2016, no leak in D": partial(of_2016, discriminator=with_dead_ends),
    "2016, a leak in G": partial(of_2016, generator=with_a_leak),
    "2016, kernels of 5": partial(of_2016, kernel=5),
    "2016, pooling": partial(
        of_2016, generator=with_pooling, discriminator=with_pooling
    ),
    # Pooling costs three times the arithmetic: this is the same recipe in its minutes.
    "2016, three times as long": of_2016,
    "plain pair, non-saturating": later,
    # Gulrajani et al. (2017), algorithm 1, but for its rate of 1e-4.
    "plain pair, WGAN-GP": partial(
        later,
        loss="wasserstein",
        penalty="gradient",
        discriminator_steps=5,
        betas=(0.0, 0.9),
    ),
    "plain pair, hinge": partial(later, loss="hinge", betas=(0.0, 0.9)),
    "plain pair, R1": partial(
        later, penalty="r1", penalty_weight=1.0, betas=(0.0, 0.99)
    ),
    "plain pair, relativistic, R1 + R2": lambda seed, shape=dcgan.IMAGE_SHAPE: (
        dcgan.plain_gan(
            steps=STEPS["plain pair, relativistic, R1 + R2"], shape=shape, seed=seed
        )
    ),
}


# As many as the chapter makes, then two to four minutes of a core each; a step of
# WGAN-GP has five of its critic.
STEPS = {name: 1_000 if name.startswith("2016") else 2_500 for name in RECIPES}
STEPS |= {"2016, three times as long": 3_000, "plain pair, WGAN-GP": 800}


def parts_of(data):
    """Return the training images of a set, and held-out ones."""
    if data != "stacks":
        return image_scores.split(data)
    real, _ = stacked_digits.stacks(stacked_digits.DRAWN, stacked_digits.LEARNT)
    return real, None


def train(name, seed, parts, judge):
    """Train one recipe; return its scores by step, and where it diverged.

    Without held-out images modes are counted, once, at the end.
    """
    real, held_out = parts
    keras.utils.set_random_seed(seed)
    gan, minutes, drawn = RECIPES[name](seed, real.shape[1:]), {}, {}
    steps = STEPS[name]
    times, n = (PARTS, DRAWN) if held_out is not None else (1, stacked_digits.DRAWN)
    marks = {steps * part // times for part in range(1, times + 1)}
    judging, began = 0.0, time.process_time()

    def draw(batch, logs):
        nonlocal judging
        if gan.step in marks:
            now = time.process_time()
            minutes[gan.step] = (now - began - judging) / 60
            drawn[gan.step] = gan.generate(n, seed=1)
            judging += time.process_time() - now

    told = {}
    try:
        gan.fit(
            real,
            steps=steps,
            batch_size=BATCH,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=draw)],
            verbose=0,
        )
    except FloatingPointError as error:  # a result: the recipe diverges
        told = {"failed": str(error)}
    history = gan.loss_history.loc[:FIRST, ["d_loss", "g_loss"]].tail(1)
    told |= {"first": history.iloc[0].to_dict()} if len(history) else {}
    if not drawn:  # it diverged before
        return {"rows": {}, **told}
    if held_out is None:
        counted = {
            step: stacked_digits.kept(judges.classify_stacks(judge, images))
            for step, images in drawn.items()
        }
        table = pd.DataFrame.from_dict(counted, orient="index")
    else:
        table = judges.image_scores(drawn, real, held_out, judge=judge).loc[[*drawn]]
    table.insert(0, "minutes", pd.Series(minutes))
    return {"rows": table.to_dict("index"), **told}


def path_of(folder, data, name, seed):
    """Return where a run is kept."""
    word = "".join(letter if letter.isalnum() else "-" for letter in name)
    return Path(folder, f"{data}.{word}.{seed}.json")


def collect(folder):
    """Put what the folder has into the package."""
    sets, names = [*DATA], [*RECIPES]
    found = [json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.json")]
    found.sort(
        key=lambda run: (
            sets.index(run["data"]), names.index(run["name"]), run["seed"]
        )
    )  # fmt: skip
    own = ("data", "name", "seed", "first", "failed", "commit", "date")
    about = {
        "command": "python benchmarks/image_recipes.py train --folder FOLDER",
        "steps": {run["name"]: STEPS[run["name"]] for run in found},
        "drawn": DRAWN,
        "threads": 1,
        "versions": found[-1]["versions"],
        "hardware": found[-1]["hardware"],
        "trainings": [{key: run[key] for key in own if key in run} for run in found],
    }
    if any(run["versions"] != about["versions"] for run in found):
        raise SystemExit(f"image_recipes: {folder} has trainings of several versions.")
    all_rows = (row for run in found for row in run["rows"].values())
    columns = [*dict.fromkeys(column for row in all_rows for column in row)]
    about["columns"] = ["data", "recipe", "seed", "step", *columns]
    rows = [  # four digits are enough
        [run["data"], run["name"], run["seed"], int(step)]
        + [float(f"{row[key]:.4g}") if key in row else None for key in columns]
        for run in found
        for step, row in run["rows"].items()
    ]
    record.write(judges.STORED, about, rows)
    print(f"{len(found)} trainings in {judges.STORED}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["train", "collect"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", choices=DATA, default="mnist")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if unknown := set(options.names) - set(RECIPES):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.what == "collect":
        return collect(options.folder)
    notebooks.repeatable(0)
    data, parts = options.data, parts_of(options.data)
    judge = judges.load_judge(DATA[data])
    for seed in range(options.seeds):
        for name in options.names or RECIPES:
            path = path_of(options.folder, data, name, seed)
            if path.exists():
                continue
            run = {"data": data, "name": name, "seed": seed}
            run |= train(name, seed, parts, judge)
            run |= {"commit": record.commit(), **notebooks.provenance()}
            record.keep(path, run)
            print(data, name, seed, run.get("failed", run["rows"]), flush=True)
    return None


if __name__ == "__main__":
    main()
