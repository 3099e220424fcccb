"""Every cure of chapter 03 over five seeds, stored for its tables.

    python benchmarks/dynamics.py FOLDER            all of it, an hour and a half
    python benchmarks/dynamics.py FOLDER --toy grid     the trainings of one toy
    python benchmarks/dynamics.py FOLDER --collect  what FOLDER has, into the package

FOLDER keeps what is done, a file a training, so that a run that was stopped goes on
and two may share the toys. There are two budgets. UPDATES of the generator are the
first. The second is a time: what "5 updates" takes for them. What a step costs is
measured first, on one thread, in CPU seconds, in rounds that alternate, so that a slow
minute of the machine meets all; it decides how many steps each candidate has for the
second budget. A training is judged at either budget and ten times up to the first.

The table goes to gan_notes/evaluation/stored/cures.json, with where it comes from.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

for pool in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ[pool] = "1"

import record  # noqa: E402  the threads come first

from gan_notes import notebooks  # noqa: E402
from gan_notes.evaluation import collapse  # noqa: E402
from gan_notes.models import cures  # noqa: E402

UPDATES, SEEDS = 3_000, range(5)
ROUNDS, WARM, TIMED = 5, 50, 200  # steps that are timed, after those that trace
FIRST = 50  # steps of seed 0 whose loss any processor repeats
COLUMNS = ["toy", "candidate", "seed", "budget", "steps", "modes", "high quality",
           "spread", "d_loss"]  # fmt: skip


def milliseconds():
    """Return the CPU milliseconds of a step by candidate, medians over the rounds."""
    points = collapse.data("ring")
    gans = {name: cures.build(name, seed=0) for name in cures.CANDIDATES}
    found = {name: [] for name in gans}
    for number in range(ROUNDS + 1):
        for name, gan in gans.items():
            began, steps = time.process_time(), WARM + number * TIMED
            gan.fit(points, steps=steps, batch_size=cures.BATCH, verbose=0)
            if number:
                found[name].append(1e3 * (time.process_time() - began) / TIMED)
    return {name: round(statistics.median(each), 3) for name, each in found.items()}


def budgets(costs):
    """Return the steps of either budget by candidate; executions are of 50 steps."""
    share = {name: costs["5 updates"] / cost for name, cost in costs.items()}
    return {
        name: {"updates": UPDATES, "seconds": 50 * max(1, round(UPDATES * s / 50))}
        for name, s in share.items()
    }


def rows(toy, candidate, seed, steps):
    """Return the table's rows of one training."""
    on_the_way = [UPDATES * i // 10 for i in range(1, 10)]
    at = [*on_the_way, *steps.values()]
    scores = collapse.train(candidate, toy, seed=seed, at=at)
    for one in scores:
        for budget in [b for b, s in steps.items() if s == one["steps"]] or [""]:
            yield {"toy": toy, "candidate": candidate, "seed": seed,
                   "budget": budget, **one}  # fmt: skip


def place(folder, toy, candidate, seed):
    """Return where a training is kept."""
    return folder / f"{toy}-{candidate}-{seed}.json".replace(" ", "_")


def collect(folder):
    """Put what the folder has into the package; every training must be there."""
    parts = [
        json.loads(place(folder, toy, name, seed).read_text(encoding="utf-8"))
        for toy in collapse.TOYS
        for name in cures.CANDIDATES
        for seed in SEEDS
    ]
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    about |= {"columns": COLUMNS}
    rows = [  # four digits are enough
        [round(v, 4) if isinstance(v, float) else v for v in row]
        for row in ([one[c] for c in COLUMNS] for part in parts for one in part)
    ]
    record.write(collapse.STORED, about, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--toy", choices=collapse.TOYS, help="one toy alone")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    options = parser.parse_args()
    folder = options.folder
    if options.collect:
        return collect(folder)
    notebooks.repeatable(0)
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "about.json"
    if not about.exists():
        costs = milliseconds()
        first = {"steps": FIRST, "d_loss": {}}
        for name in cures.CANDIDATES:
            (row,) = collapse.train(name, "ring", seed=0, at=[FIRST])
            first["d_loss"][name] = row["d_loss"]
        found = {
            "command": "python benchmarks/dynamics.py FOLDER",
            "commit": record.commit(),
            "milliseconds": costs,
            "updates": UPDATES,
            "seconds": round(UPDATES * costs["5 updates"] / 1e3, 2),
            "threads": 1,
            "first": first,
            **notebooks.provenance(),
        }
        record.keep(about, found, first=True)  # two may have measured: one counts
    steps = budgets(json.loads(about.read_text(encoding="utf-8"))["milliseconds"])
    for seed in SEEDS:
        for toy in [options.toy] if options.toy else collapse.TOYS:
            for name in cures.CANDIDATES:
                path = place(folder, toy, name, seed)
                if not path.exists():
                    found = list(rows(toy, name, seed, steps[name]))
                    record.keep(path, found)
                    print(toy, name, seed, found[-1], flush=True)
    return None if options.toy else collect(folder)


if __name__ == "__main__":
    main()
