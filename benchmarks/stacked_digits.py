"""How many of 1,000 modes does the plain pair keep? Stacked digits, after the papers.

    python benchmarks/stacked_digits.py --folder FOLDER [--small]

Three digits of the offline 4,000 lie on each other as colours, which makes 1,000
classes. The plain pair of chapter 04 is trained on 25,600 such images and draws as
many; the frozen judge names each colour, and a mode counts as kept from one image on.
Beside it stand real images of that number: of the training digits, and of the held-out
ones, on which the judge errs.

A training that was stopped goes on from the folder. The last line is JSON; the same
goes to benchmarks/stacked_digits.json. With `--small` it is a try, and nothing is
written.
"""

import argparse
import json
import os
import time
from pathlib import Path

from gan_notes import load_images, notebooks

if __name__ == "__main__":
    for pool in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{pool}_THREADS"] = "1"

import numpy as np
import record

from gan_notes.data.images import TRAIN, stack_digits
from gan_notes.evaluation import images as judges
from gan_notes.models import dcgan

OUT = Path(__file__).with_suffix(".json")
LEARNT, HELD_OUT = slice(TRAIN["mnist"]), slice(TRAIN["mnist"], None)
SHAPE, MODES = (28, 28, 3), 1_000
DRAWN = 25_600  # as Metz et al. (2017) and Srivastava et al. (2017) draw
STEPS, BATCH = 6_000, 64


def stacks(n, part):
    """Return n stacks of digits of a part of the offline ones, and their numbers."""
    images, labels = load_images("mnist")
    return stack_digits(images[part], labels[part], n)


def kept(classes):
    """Return how many modes some images have, and how unevenly, in nats."""
    shares = np.bincount(classes, minlength=MODES) / len(classes)
    some = shares[shares > 0]
    return {
        "modes": len(some),
        "KL to uniform": round(float((some * np.log(some * MODES)).sum()), 4),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="try it, write nothing")
    options = parser.parse_args()
    steps, drawn = (10, 500) if options.small else (STEPS, DRAWN)
    notebooks.repeatable(0)
    judge = judges.load_judge("mnist")
    real, classes = stacks(drawn, LEARNT)
    fresh, _ = stacks(drawn, HELD_OUT)
    gan = dcgan.plain_gan(steps=steps, shape=SHAPE, name="stacked")
    began = time.process_time()
    gan.fit(
        real,
        steps=steps,
        batch_size=BATCH,
        checkpoint_dir=options.folder,
        verbose=0,
    )
    minutes = (time.process_time() - began) / 60
    result = {
        "real, by their labels": kept(classes),
        "real, training digits": kept(judges.classify_stacks(judge, real)),
        "real, held-out digits": kept(judges.classify_stacks(judge, fresh)),
        "plain pair": kept(judges.classify_stacks(judge, gan.generate(drawn, seed=1))),
        "steps": steps,
        "drawn": drawn,
        "minutes": round(minutes, 1),  # of the part since the last stop
        **notebooks.provenance(),
    }
    if not options.small:
        record.keep(OUT, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
