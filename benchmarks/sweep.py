"""Sweeps beside plain papermill: overhead, speed of two workers, ten thousand sets.

    python benchmarks/sweep.py [--runs 40] [--steps 20] [--sets 10000]
    python benchmarks/sweep.py --small [--only overhead, speed or plan]

`overhead`: seconds that a run of a notebook without work takes by a sweep of one worker
more than by papermill alone, with and without the start of the worker. `speed`:
chapter 03 with few steps, so many runs by one worker and by two, in turn. `plan`: a
grid of ten thousand sets, planned, and planned again where all of them are finished:
seconds and the largest memory of the process. The machine must be quiet.

The last line is JSON; the same goes to benchmarks/sweep.json. With `--small` little is
done and nothing is written: a test runs the script like that.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import record

from gan_notes import notebooks

BOOK = Path(__file__).resolve().parent.parent / "book"
CELLS = [
    "from gan_notes import notebooks",
    "seed = 0  # type: int  draws\noutput_dir = ''  # type: str  results",
    "parameters = {'seed': seed, 'output_dir': output_dir}\n"
    "rows = [{'metric': 'seed', 'candidate': 'none', 'value': seed}]\n"
    "notebooks.Chapter('empty', parameters, 'CPU').finish(rows)",
]
PLAN = """
import json, resource, sys, time
from gan_notes import sweep
began = time.perf_counter()
made = sweep.sweep(*sys.argv[1:4], resume=True, dry_run=True)
print(json.dumps({
    "seconds": round(time.perf_counter() - began, 1),
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "finished": int((made.runs["state"] == "finished").sum()),
}))
"""


def write_empty(folder):
    """Write a notebook that does nothing but leave a metric."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    cells[1].metadata["tags"] = ["parameters"]
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": python})
    nbformat.write(page, folder / "empty.ipynb")
    return folder / "empty.ipynb"


def write_grid(folder, count, **fixed):
    """Write a grid of so many seeds."""
    product = {"seed": list(range(count))} | {k: [v] for k, v in fixed.items()}
    path = folder / "grid.yaml"
    path.write_text(json.dumps({"product": product}), encoding="utf-8")
    return path


def swept(notebook, grid, output, workers):
    """Sweep in a process of its own; return seconds and those of the first finish."""
    command = [sys.executable, "-m", "gan_notes", "sweep", notebook, grid]
    command += ["--output", output, "--workers", str(workers)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def overhead(folder, runs):
    """Compare papermill, once a run in one process, with a sweep of one worker."""
    empty = write_empty(folder)
    grid = write_grid(folder, runs)
    began = time.perf_counter()
    for seed in range(runs):
        (folder / f"plain-{seed}").mkdir()
        notebooks.execute(
            empty,
            folder / f"plain-{seed}" / "out.ipynb",
            {"seed": seed, "output_dir": str(folder / f"plain-{seed}")},
            progress_bar=False,
        )
    plain = (time.perf_counter() - began) / runs
    whole = swept(empty, grid, folder / "swept", 1)
    one = swept(empty, write_grid(folder, 1), folder / "one", 1)
    between = (whole - one) / (runs - 1)  # what each further run costs
    return {
        "runs": runs,
        "papermill_a_run": round(plain, 2),
        "sweep_a_run": round(whole / runs, 2),
        "overhead_a_run": round(whole / runs - plain, 2),
        "overhead_a_further_run": round(between - plain, 2),
    }


def speed(folder, runs, steps, rounds):
    """Time chapter 03 by one worker and by two, in turn."""
    grid = write_grid(folder, runs, steps=steps)
    seconds = {1: [], 2: []}
    for turn in range(rounds):
        for workers, taken in seconds.items():
            output = folder / f"{workers}-{turn}"
            taken.append(swept(BOOK / "03_dynamics.ipynb", grid, output, workers))
            print(f"{workers} worker(s): {taken[-1]:.0f} s", flush=True)
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "runs": runs,
        "steps": steps,
        "one_worker": round(min(seconds[1])),
        "two_workers": round(min(seconds[2])),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


def plan(folder, count):
    """Plan so many sets, none of them finished, then all."""
    from gan_notes import sweep

    empty, grid, output = (
        write_empty(folder),
        write_grid(folder, count),
        folder / "many",
    )
    command = [sys.executable, "-c", PLAN, empty, grid, output]
    found = {}
    for name in ("none_finished", "all_finished"):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found[name] = json.loads(done.stdout)
        for run in sweep.plan(empty, grid).runs if name == "none_finished" else ():
            path = output / "runs" / run.key
            path.mkdir(parents=True)
            metrics = [
                {"metric": f"metric {i % 5}", "candidate": f"candidate {i // 5}",
                 "value": i / 7, "floor": 1.0} for i in range(30)
            ]  # fmt: skip
            result = {"parameters": run.parameters, "seconds": 1.0, "metrics": metrics}
            (path / "metrics.json").write_text(json.dumps(result), encoding="utf-8")
    return {"sets": count, **found}


def main():
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--only", choices=["overhead", "speed", "plan"])
    parser.add_argument("--small", action="store_true", help="write nothing")
    options = parser.parse_args()
    if options.small:
        options.runs, options.sets = 2, 50
    measured = {
        "overhead": lambda folder: overhead(folder, 2 if options.small else 8),
        "speed": lambda folder: speed(
            folder, options.runs, options.steps, options.rounds
        ),
        "plan": lambda folder: plan(folder, options.sets),
    }
    result = {}
    for name, measure in measured.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                result[name] = measure(Path(folder))
            print(f"{name}: {json.dumps(result[name])}", flush=True)
    result |= notebooks.provenance()
    if not options.small and options.only is None:
        record.keep(Path(__file__).with_suffix(".json"), result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
