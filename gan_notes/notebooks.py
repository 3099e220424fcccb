"""Notebooks as programs: parameters that are checked, reruns, results on disk.

Only this module knows about notebooks. The page "How to use this book" shows it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

TRANSFORMS = ("levels", "normal_scores", "log_returns")
REPORTED = ("gan-notes", "tensorflow", "keras", "numpy", "pandas", "scikit-learn")
ROW = ("metric", "candidate", "value", "low", "high", "better", "floor", "at_floor")

# name: type, what is allowed in words, and the check of it
PARAMETERS = {
    "seed": (int, "a whole number from 0 to 2147483647", lambda v: 0 <= v < 2**31),
    "steps": (int, "a whole number of at least 1", lambda v: v >= 1),
    "train": (bool, "True (train) or False (load the shipped weights)", None),
    "checkpoint_dir": (str, "a folder, or empty to keep no checkpoint", None),
    "output_dir": (str, "a folder, or empty to write nothing", None),
    "source": (str, "'sample', 'yahoo' or the path of a CSV or Parquet file", bool),
    "tickers": (str, "tickers with commas between, or empty for the default", None),
    "start": (str, "a day as YYYY-MM-DD, or empty", lambda v: not v or _is_day(v)),
    "end": (str, "a day as YYYY-MM-DD, or empty", lambda v: not v or _is_day(v)),
    "sequence_length": (
        int,
        "a whole number of days from 4 to 252",
        lambda v: 4 <= v <= 252,
    ),
    "transform": (str, f"one of {', '.join(TRANSFORMS)}", lambda v: v in TRANSFORMS),
}


def threads(*, recurrent: bool = False) -> None:
    """Choose TensorFlow's threads; only before TensorFlow is loaded.

    Parameters
    ----------
    recurrent : bool
        True for models of many small steps: one thread inside an operation, two
        operations side by side. False leaves all cores to each operation, which
        convolutions want.

    Notes
    -----
    Environment variables that are set already are left alone.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if recurrent:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
        # scikit-learn's threads spin while they wait: when two chapters run at once
        # on two cores, t-SNE and boosting take ten times as long with two each.
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def check(values: Mapping[str, object]) -> None:
    """Check parameters by type and range.

    Parameters
    ----------
    values : mapping
        Known parameters by name; each is checked.

    Raises
    ------
    ValueError
        The first wrong one: its name, what came and what is allowed.
    """
    for name, value in values.items():
        kind, allowed, test = PARAMETERS[name]
        # bool is an int to Python, but `steps=True` is a slip.
        if type(value) is not kind or (test and not test(value)):
            raise ValueError(f"{name}: {value!r} is not allowed; give {allowed}.")
    start, end = values.get("start"), values.get("end")
    if start and end and start > end:
        raise ValueError(f"start: {start!r} is after end {end!r}; swap them.")


@dataclass
class Chapter:
    """A running chapter: made by :func:`begin`, closed by :meth:`finish`."""

    name: str
    parameters: dict
    device: str
    began: float = field(default_factory=time.monotonic)

    def note(self, extra: str = "", *, steps: bool = True) -> str:
        """Return the small line under a figure: source, period, steps, seed.

        Parameters
        ----------
        extra : str
            Stands first, for instance the data of a chapter without prices.
        steps : bool
            False where nothing in the figure was trained.
        """
        p = self.parameters
        parts = [extra] if extra else []
        if "source" in p:
            parts.append(Path(p["source"]).name)
            if p["start"] or p["end"]:
                parts.append(f"{p['start'] or 'first day'} to {p['end'] or 'last day'}")
        if steps:
            parts.append(f"{p['steps']:,} steps" if p["train"] else "shipped weights")
        parts.append(f"seed {p['seed']}")
        return " · ".join(parts)

    def finish(
        self,
        metrics: Sequence[Mapping] = (),
        figures: Mapping | None = None,
        data: Mapping[str, pd.DataFrame] | None = None,
    ) -> None:
        """Write the results to ``output_dir``; do nothing where it is empty.

        Parameters
        ----------
        metrics : list of dicts
            With some of the keys metric, candidate, value, low, high (the interval),
            better ("lower", "higher" or "nearer floor"), floor, at_floor.
        figures : dict of name to matplotlib Figure
            Become ``<name>.png``.
        data : dict of name to DataFrame
            Become ``<name>.parquet``.

        Raises
        ------
        ValueError
            A metric with an unknown key.
        """
        if not self.parameters["output_dir"]:
            return
        rows = []
        for metric in metrics:
            if unknown := set(metric) - set(ROW):
                raise ValueError(f"metrics: unknown {sorted(unknown)}; known: {ROW}.")
            rows.append({k: _plain(metric.get(k)) for k in ROW})
        result = {
            "notebook": self.name,
            "parameters": self.parameters,
            "versions": versions(),
            "device": self.device,
            "seconds": round(time.monotonic() - self.began, 1),
            "metrics": rows,
        }
        folder = Path(self.parameters["output_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        # Everything is made beside the folder and then moved in, metrics.json last:
        # where it is, all of the run is there.
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
        try:
            for name, figure in (figures or {}).items():
                figure.savefig(partial / f"{name}.png", dpi=150, bbox_inches="tight")
            for name, frame in (data or {}).items():
                frame.to_parquet(partial / f"{name}.parquet")
            (partial / "metrics.json").write_text(json.dumps(result, indent=1))
            for path in sorted(partial.iterdir(), key=lambda p: p.suffix == ".json"):
                os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(partial)


def begin(
    name: str, namespace: Mapping, *, cpu_minutes: float, gpu_minutes: float
) -> Chapter:
    """Check a notebook's parameters, fix the seed, say where and how long it runs.

    Parameters
    ----------
    name : str
        The notebook's name without its ending.
    namespace : mapping
        The notebook's ``globals()``, from which the known parameters are taken.
    cpu_minutes, gpu_minutes : float
        What a run with the default parameters takes, on 2 cores and on a GPU.

    Returns
    -------
    Chapter

    Raises
    ------
    ValueError
        A parameter of a wrong type or out of range, before any work.
    """
    parameters = {k: namespace[k] for k in PARAMETERS if k in namespace}
    check(parameters)
    import keras
    import tensorflow as tf

    from gan_notes import plots

    keras.utils.set_random_seed(parameters["seed"])
    tf.config.experimental.enable_op_determinism()
    # Every model of a chapter is a graph of its own; TensorFlow takes the fifth for a
    # function that is retraced by mistake, and warns.
    tf.get_logger().addFilter(lambda said: "retracing" not in said.getMessage())
    plots.style()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        device = details.get("device_name", "GPU")
    else:
        device = f"CPU ({os.cpu_count()} cores)"
    data = f" · prices: {parameters['source']}" if "source" in parameters else ""
    print(
        f"TensorFlow {tf.__version__} · {device}{data} · about {_minutes(cpu_minutes)} "
        f"on 2 CPU cores, {_minutes(gpu_minutes)} on a GPU"
    )
    return Chapter(name, parameters, device)


def run(
    notebook: str | Path, output: str | Path, parameters: Mapping[str, str]
) -> None:
    """Execute a notebook by papermill, its parameters checked first.

    Parameters
    ----------
    notebook, output : paths
    parameters : dict of name to text
        As they stand on a command line.

    Raises
    ------
    ValueError
        An unknown name, wrong type or wrong range; nothing has run then.
    papermill.PapermillExecutionError
        A cell failed; `output` then holds the notebook up to there.
    """
    import papermill

    notebook, output = Path(notebook), Path(output)
    if not notebook.is_file():
        raise ValueError(f"{notebook}: there is no such notebook.")
    known = papermill.inspect_notebook(str(notebook))
    if unknown := [name for name in parameters if name not in known]:
        raise ValueError(
            f"{unknown[0]}: {notebook.name} has no such parameter. It has: "
            f"{', '.join(known)}."
        )
    values = {name: read(name, text) for name, text in parameters.items()}
    check(values)
    output.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(str(notebook), str(output), parameters=values)


def ship(notebook: str | Path, parameters: Mapping[str, str]) -> list[str]:
    """Run a notebook and keep what it trained as shipped weights, with provenance.

    Parameters
    ----------
    notebook : path
    parameters : dict of name to text
        Other than the defaults; ``checkpoint_dir`` makes the training resumable.

    Returns
    -------
    The names of the weights.

    Raises
    ------
    ValueError
        As :func:`run`.
    """
    from gan_notes.training import pretrained

    chosen = {k: v for k, v in parameters.items() if k != "checkpoint_dir"}
    folder = Path(parameters.get("checkpoint_dir") or tempfile.mkdtemp())
    run(
        notebook,
        folder / "executed.ipynb",
        {**chosen, "train": "True", "checkpoint_dir": str(folder)},
    )
    about = {
        "command": f"python -m gan_notes ship book/{Path(notebook).name}"
        + "".join(f" -p {k} {v}" for k, v in chosen.items()),
        "commit": _git("rev-parse", "HEAD"),
        # Weights that were shipped a moment ago are no other code.
        "uncommitted": bool(
            _git(
                "status",
                "--porcelain",
                "-uno",
                "--",
                ":/",
                ":(top,exclude)gan_notes/weights",
            )
        ),
        "date": date.today().isoformat(),
        "parameters": chosen,
        "versions": versions(),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    return [pretrained.keep(path, about) for path in sorted(folder.glob("*.npz"))]


def read(name: str, text: str) -> object:
    """Turn the text of a parameter into a value of its type.

    Raises
    ------
    ValueError
        Text that is none of the type: the name, the text and what is allowed.
    """
    kind, allowed, _ = PARAMETERS[name]
    if kind is str:
        return text
    if kind is int and re.fullmatch(r"-?\d[\d_]*", text):
        return int(text)
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ValueError(f"{name}: {text!r} is not allowed; give {allowed}.")


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return False
    return not pd.isna(pd.to_datetime(text, errors="coerce"))


def _minutes(minutes: float) -> str:
    seconds = round(60 * minutes)
    return f"{seconds} s" if seconds < 100 else f"{minutes:.0f} min"


def _plain(value):
    """Return a value that JSON has: NaN and infinities become null."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in REPORTED:
        for name in (package, f"{package}-cpu"):  # tensorflow-cpu is tensorflow too
            try:
                found[package] = importlib.metadata.version(name)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found


def _git(*arguments: str) -> str:
    """Return what git says of the checkout that the package lies in."""
    return subprocess.run(
        ["git", *arguments],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
