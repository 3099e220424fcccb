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

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help='path of a CSV, or "sines"')
parser.add_argument("--repeats", type=int, default=10)
parser.add_argument("--length", type=int, default=24)
parser.add_argument("--steps", type=int, nargs=2, help="of the two judges; for a trial")
parser.add_argument("--weights", nargs="*", default=[])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--output", type=Path, help="where the JSON goes")
options = parser.parse_args()
notebooks.threads(recurrent=True)
notebooks.repeatable(options.seed)

import keras  # noqa: E402  the threads come first
import pandas as pd  # noqa: E402

from gan_notes.data import toys  # noqa: E402
from gan_notes.evaluation import baselines, paper  # noqa: E402
from gan_notes.models import pretrained  # noqa: E402
from gan_notes.training import checkpoint  # noqa: E402


def load(name):
    """Return a generator from shipped weights or from the path of a checkpoint."""
    path = Path(name)
    if not path.is_file():
        return pretrained.load(name)
    training = checkpoint.read(path)
    model = keras.saving.deserialize_keras_object(training["model"])
    with checkpoint.without_optimizers(model):
        model.load_weights(path)
    model.settings = training["settings"]
    return model


if options.data == "sines":
    data = {"name": "sines", "seed": options.seed}
    real = toys.sines(length=options.length, seed=options.seed)
else:
    data = {"name": Path(options.data).name, "sha256": record.sha256(options.data)}
    table = pd.read_csv(options.data).to_numpy("float64")
    real = paper.scaled_windows(table, length=options.length)
data |= {"windows": list(real.shape), "fingerprint": checkpoint.fingerprint(real)}

candidates = {"one Gaussian": baselines.gaussian(real, len(real), seed=options.seed)}
trained_on = {}
for given in options.weights:
    model, name = load(given), Path(given).name.removesuffix(checkpoint.ENDING)
    shape, trained = model.sample_shape(), model.settings["data"]
    if shape != real.shape[1:]:
        parser.error(f"{name} makes windows of {shape}, the data {real.shape[1:]}.")
    trained_on[name] = "these windows" if trained == data["fingerprint"] else "others"
    candidates[name] = model.generate(len(real), seed=options.seed)

began = time.perf_counter()
steps = tuple(options.steps or paper.STEPS)
scores = paper.scores(
    real, candidates, repeats=options.repeats, steps=steps, seed=options.seed
)
print(scores.drop(columns="each").to_string(index=False, float_format="%.4f"))
result = {
    "data": data,
    "repeats": options.repeats,
    "steps": steps,
    "seed": options.seed,
    "scores": scores.to_dict("records"),
    "trained_on": trained_on,
    "seconds": round(time.perf_counter() - began),
    **notebooks.provenance(),
}
if options.output:
    record.keep(options.output, result)
print(json.dumps(result))
