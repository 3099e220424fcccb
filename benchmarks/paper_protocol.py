"""The TimeGAN paper's protocol: its two scores, repeated, beside their floors.

    python benchmarks/paper_protocol.py --data stock_data.csv [--repeats 10]
    python benchmarks/paper_protocol.py --data sines --weights NAME

`--data` is a CSV of numbers, oldest row first, or "sines", the paper's toy series. Its
windows of 24 rows are judged against themselves (the noise floor), against one Gaussian
fitted to them, and against what each of `--weights` generates: names of shipped weights
or paths of checkpoints (NAME.weights.h5) trained on these very windows, in [0, 1].

The last line is JSON; the same goes to --output.
"""

import argparse
import json
import time
from pathlib import Path

import record

from gan_notes import notebooks


def parser(title):
    """Return a command line with what every use of the protocol takes."""
    parser = argparse.ArgumentParser(description=title.splitlines()[0])
    parser.add_argument("--data", required=True, help='path of a CSV, or "sines"')
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument(
        "--steps", type=int, nargs=2, help="of the two judges; for a trial"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    return parser


def begin(options):
    """Set threads and seeds; return the real windows, and what they are made of."""
    notebooks.threads(recurrent=True)
    notebooks.repeatable(options.seed)

    import pandas as pd

    from gan_notes.data import toys
    from gan_notes.evaluation import paper
    from gan_notes.training import checkpoint

    if options.data == "sines":
        about = {"name": "sines", "seed": options.seed}
        real = toys.sines(length=options.length, seed=options.seed)
    else:
        path = Path(options.data)
        about = {"name": path.name, "sha256": record.sha256(path)}
        table = pd.read_csv(path).to_numpy("float64")
        real = paper.scaled_windows(table, length=options.length)
    shape = {"windows": list(real.shape), "fingerprint": checkpoint.fingerprint(real)}
    return real, about | shape


def judge(options, real, about, candidates, more):
    """Score the candidates; print what was found, and keep it with `more`."""
    from gan_notes.evaluation import paper

    began = time.perf_counter()
    steps = tuple(options.steps or paper.STEPS)
    scores = paper.scores(
        real, candidates, repeats=options.repeats, steps=steps, seed=options.seed
    )
    print(scores.drop(columns="each").to_string(index=False, float_format="%.4f"))
    result = {
        "data": about,
        "repeats": options.repeats,
        "steps": steps,
        "seed": options.seed,
        "scores": scores.to_dict("records"),
        **more,
        "seconds": round(time.perf_counter() - began),
        "commit": record.commit(),
        **notebooks.provenance(),
    }
    if options.output:
        record.keep(options.output, result)
    print(json.dumps(result))


def load(name):
    """Return a generator from shipped weights or from the path of a checkpoint."""
    import keras

    from gan_notes.models import pretrained
    from gan_notes.training import checkpoint

    path = Path(name)
    if not path.is_file():
        return pretrained.load(name)
    training = checkpoint.read(path)
    model = keras.saving.deserialize_keras_object(training["model"])
    with checkpoint.without_optimizers(model):
        model.load_weights(path)
    model.settings = training["settings"]
    return model


def main():
    """Run the command line."""
    command = parser(__doc__)
    command.add_argument("--weights", nargs="*", default=[])
    options = command.parse_args()
    real, about = begin(options)

    from gan_notes.evaluation import baselines
    from gan_notes.training import checkpoint

    gaussian = baselines.gaussian(real, len(real), seed=options.seed)
    candidates, trained_on = {"one Gaussian": gaussian}, {}
    for given in options.weights:
        model, name = load(given), Path(given).name.removesuffix(checkpoint.ENDING)
        shape, trained = model.sample_shape(), model.settings["data"]
        if shape != real.shape[1:]:
            command.error(
                f"{name} makes windows of {shape}, the data {real.shape[1:]}."
            )
        same = trained == about["fingerprint"]
        trained_on[name] = "these windows" if same else "others"
        candidates[name] = model.generate(len(real), seed=options.seed)
    judge(options, real, about, candidates, {"trained_on": trained_on})


if __name__ == "__main__":
    main()
