"""The scorecard of shipped generators beside every baseline, stored for chapter 07.

    python benchmarks/scorecard.py offline ReturnsGAN=returns-offline-0

A name before the equals sign is a candidate, the names behind it are its trainings
(with commas), and all of them count. Windows come from the sample, or from the file of
--prices, split in time as everywhere; no generator is chosen by it. The
table goes to gan_notes/evaluation/stored/scorecard-NAME.csv, and where it comes from to
the .json beside it.
"""

import argparse
import shlex
import time
from pathlib import Path

import record

from gan_notes import load_prices, make_windows, notebooks

WINDOWS = 6_000
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("name", help="of the table")
parser.add_argument("candidates", nargs="+", metavar="NAME=WEIGHTS,WEIGHTS")
parser.add_argument(
    "--windows", type=int, default=WINDOWS, help="drawn of each training"
)
parser.add_argument("--prices", help="a file that they learnt; not the sample")
parser.add_argument("--length", type=int, help="days; returns generators run on")
parser.add_argument("--levels", action="store_true", help="days of windows of levels")
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()
notebooks.threads(recurrent=True)
notebooks.repeatable(0)

from gan_notes.evaluation import scorecard  # noqa: E402  the threads come first
from gan_notes.models import pretrained  # noqa: E402

began = time.perf_counter()
# Windows of levels have a change less than days: all candidates then drop a day.
kind = "levels" if options.levels else "log_returns"
windows = make_windows(
    load_prices(source=options.prices or "sample"),
    sequence_length=options.length or 24,
    transform=kind,
)
real = [windows.changes(x) for x in (windows.train, windows.test)]
days = real[0].shape[1]
drawn, trainings = {}, {}
for each in options.candidates:
    candidate, _, names = each.partition("=")
    trainings[candidate] = names.split(",")
    drawn[candidate] = [
        pretrained.draw(name, options.windows, length=options.length)[0][:, -days:]
        for name in trainings[candidate]
    ]
card = scorecard.scorecard(*real, drawn, quick=options.quick)
print(scorecard.table(card).to_string())

folder = scorecard.STORED
folder.mkdir(exist_ok=True)
path = folder / f"scorecard-{options.name}.csv"
card.to_csv(path, index=False, float_format="%.6g")
about = {
    "command": f"python benchmarks/scorecard.py {options.name} "
    + shlex.join(options.candidates)
    + (f" --prices {Path(options.prices).name}" if options.prices else "")
    + f" --length {options.length}" * bool(options.length)
    + f" --windows {options.windows}" * (options.windows != WINDOWS)
    + " --levels" * options.levels
    + " --quick" * options.quick,
    "commit": record.commit(),
    "weights": {
        name: pretrained.provenance(name)["commit"]
        for names in trainings.values()
        for name in names
    },
    "windows": options.windows,
    "days": days,
    **({"prices_sha256": record.sha256(options.prices)} if options.prices else {}),
    "seconds": round(time.perf_counter() - began),
    **notebooks.provenance(),
}
record.keep(path.with_suffix(".json"), about)
