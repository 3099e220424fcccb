"""How good are the shipped generators of images? Each beside floors and baselines.

    python benchmarks/image_scores.py [--data mnist] [--data fashion]

Each generator draws 10,000 images, for the shares; of the first 1,000 the judge of its
data compares features with 1,000 held-out images
(`gan_notes.evaluation.images.image_scores`).
Beside them stand real images, a copycat that replays the training images, noise, and
two cheap generators: one Gaussian and a mixture of them, in the first principal
components of the pixels.

The bars are those of the digits, and the mean over the three trainings of the plain
pair is held to them. The last line is JSON; the same goes into the package, where
chapter 04 reads it. A set of data that is not asked for keeps what it had.
"""

import argparse
import json

import record

from gan_notes import load_images, notebooks
from gan_notes.data.images import TRAIN

DRAWN, SEED = 10_000, 1
THREE = [f"dcgan-mnist-{i}" for i in range(3)]
# At least so much, or at most: of the mean over three trainings on digits.
BARS = {
    "classes": ("at least", 10),
    "class TV": ("at most", 0.08),
    "confident share": ("at least", 0.78),
    "Frechet": ("at most", 8),
    "coverage": ("at least", 0.70),
    "nearest pixels": ("at least", 1),
    "nearest features": ("at least", 1),
}


def split(data):
    """Return training and held-out images of a set."""
    images, _ = load_images(data)
    return images[: TRAIN[data]], images[TRAIN[data] :]


def shipped(data):
    """Return the names of the shipped generators of a set; the first is the oldest."""
    from gan_notes.models import pretrained

    found = [name for name in pretrained.generators() if name.startswith("dcgan")]
    return [name for name in found if ("fashion" in name) == (data == "fashion")]


def draw(name):
    """Return what a shipped generator draws here."""
    from gan_notes.models import pretrained

    return pretrained.draw(name, DRAWN, seed=SEED)[0]


def scores(data, candidates, parts=None):
    """Judge candidates by name; return a DataFrame."""
    from gan_notes.evaluation import images as judges

    train, held_out = parts or split(data)
    judge = judges.load_judge(data)
    return judges.image_scores(candidates, train, held_out, judge=judge)


def held(table):
    """Return for each bar whether the mean of the three trainings is over it."""
    names = [name for name in THREE if name in table.index]
    if not names:
        return {}
    found = {}
    for metric, (side, bar) in BARS.items():
        mean = float(table.loc[names, metric].mean())
        met = mean >= bar if side == "at least" else mean <= bar
        about = {"bar": f"{side} {bar}", "mean": mean, "met": met}
        found[metric] = about | {"trainings": len(names)}
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", action="append", choices=TRAIN)
    chosen = parser.parse_args().data or ["mnist"]
    notebooks.threads(recurrent=False)
    from gan_notes.evaluation import images as judges

    out = judges.SCORES
    result = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    for data in chosen:
        train, held_out = split(data)
        candidates = judges.baselines(train, DRAWN)
        candidates |= {name: draw(name) for name in shipped(data)}
        table = scores(data, candidates, (train, held_out))
        print(table.round(3).to_string())
        rows = {
            name: {key: float(f"{value:.5g}") for key, value in row.dropna().items()}
            for name, row in table.iterrows()
        }
        result[data] = {"drawn": DRAWN, "seed": SEED, "rows": rows}
        if data == "mnist":
            result[data]["bars"] = held(table)
        result[data] |= notebooks.provenance()
    record.keep(out, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
