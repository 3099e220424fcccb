"""Notebooks as programs: parameters that are checked, reruns, results on disk.

Only this module knows about notebooks. The page "How to use this book" shows it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import reprlib
import shutil
import tempfile
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from gan_notes.data import room
from gan_notes.data.transforms import KINDS

REPORTED = ("gan-notes", "tensorflow", "keras", "numpy", "pandas", "scikit-learn")
ROW = ("metric", "candidate", "value", "low", "high", "better", "floor", "at_floor")
FOLDERS = ("checkpoint_dir", "output_dir")
FILES = ("source", "synthetic")  # may name one
# By how much a training takes longer where the cells of its GRUs cannot be fused: all
# three phases of TimeGAN by plain loops over ours, see the page Benchmarks.
UNFUSED = 3.1
# Bytes of windows that are worth a word.
LARGE = 1e9
# More cores than that were not measured: there TensorFlow chooses.
FEW_CORES = 4
# Seconds a kernel has to answer; papermill's 60 are too few for a machine at full load.
KERNEL_START = 180
# Longer whole numbers fit no column of a table.
MAX_DIGITS = 18

# the word behind `# type:`, for parameters that one chapter alone has
TYPES = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
}
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
        "a whole number of rows from 4 to 252",
        lambda v: 4 <= v <= 252,
    ),
    "transform": (str, f"one of {', '.join(KINDS)}", lambda v: v in KINDS),
}


def threads(*, recurrent: bool = False) -> None:
    """Choose TensorFlow's threads; only before TensorFlow is loaded.

    Parameters
    ----------
    recurrent : bool
        True for models of many small steps: on few cores one thread inside an
        operation, two operations side by side. False leaves all cores to each
        operation, which convolutions want.

    Notes
    -----
    On two cores one thread inside an operation made TimeGAN half as fast again: its
    matrices are too small to share. Where TensorFlow will find a GPU, or more than
    four cores, the choice is TensorFlow's: a GPU does the small operations itself, and
    what is left to many cores (judges, scikit-learn) is large enough to share.
    Environment variables that are set already are left alone.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if recurrent and os.cpu_count() <= FEW_CORES and not _has_nvidia_driver():
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
        # scikit-learn's threads spin while they wait: when two chapters run at once
        # on two cores, t-SNE and boosting take ten times as long with two each.
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def repeatable(seed: int) -> None:
    """Make runs of this process repeat: one seed, and on a CPU one order of operations.

    Parameters
    ----------
    seed : int
        For Python, NumPy and Keras alike.

    Notes
    -----
    On a CPU two runs agree in every digit. On a GPU they agree only approximately: some
    operations have no deterministic kernel there and would raise an error, so op
    determinism stays off where TensorFlow sees one.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    # This pass drops orderings between operations that it holds for redundant. With two
    # operations at a time the last digit of a gradient then differs between runs, and
    # after a thousand steps the model does. Without it the speed is the same.
    tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
    if not tf.config.get_visible_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def check(values: Mapping[str, object]) -> None:
    """Check parameters by type and range.

    Parameters
    ----------
    values : mapping
        Parameters by name; those that ``PARAMETERS`` knows are checked.

    Raises
    ------
    ValueError
        The first wrong one: its name, what came and what is allowed.
    """
    for name, (kind, allowed, test) in PARAMETERS.items():
        if name not in values:
            continue
        value = values[name]
        # bool is an int to Python, but `steps=True` is a slip.
        if type(value) is not kind or (test and not test(value)):
            hint = ""
            if kind is str and isinstance(value, int | float | None):
                hint = (
                    " If papermill was given text by -p, it made a number of it, or "
                    f"True, False or None: use -r {name}."
                )
            raise ValueError(f"{name}: {value!r} is not allowed; give {allowed}.{hint}")
    start, end = values.get("start"), values.get("end")
    if start and end and start > end:
        raise ValueError(f"start: {start!r} is after end {end!r}; swap them.")


def folders(values: Mapping[str, object]) -> dict[str, str]:
    """Make the folders that the parameters name, and try to write into each.

    Parameters
    ----------
    values : mapping
        Parameters by name.

    Returns
    -------
    dict of the folders' parameters that are not empty, ``~`` expanded.

    Raises
    ------
    ValueError
        A folder that cannot be made or written to: the parameter, the path, the reason.
    """
    made = {}
    for name in FOLDERS:
        if not values.get(name):
            continue
        try:
            path = Path(values[name]).expanduser()
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path) as trial:
                trial.write(b"trial")
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(
                f"{name}: {values[name]!r} cannot be written to ({reason}); "
                f"give {PARAMETERS[name][1]}."
            ) from error
        made[name] = str(path)
    return made


@dataclass
class Chapter:
    """A running chapter: made by :func:`begin`, closed by :meth:`finish`.

    Attributes
    ----------
    name, device : str
    parameters : dict
    minutes : float
        Of a run with the default parameters, on 2 cores.
    began : float
    """

    name: str
    parameters: dict
    device: str
    minutes: float = 0.0
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

    def expect(
        self,
        windows: int,
        features: int,
        *,
        copies: float,
        seconds: float = 0.0,
        name: str = "sequence_length",
        remedy: str = room.REMEDY,
    ) -> None:
        """Say what a large run takes, and refuse one that the memory cannot hold.

        Parameters
        ----------
        windows, features : int
            Windows that will be cut, or judged, and the columns of each.
        copies, name, remedy
            As in `room.check`; `copies` of all that the chapter makes of them, measured
            on a large run and with the networks in it: of a small one it says too
            little, which no memory lacks.
        seconds : float
            What this takes on 2 cores, were the windows of 24 days, such as a training.
            Longer ones take longer in proportion, and by `UNFUSED` where recurrent
            layers cannot be fused (`layers.GRU`).

        Raises
        ------
        ValueError
            The memory that is free does not do: the parameter, the estimates of memory
            and time, and the remedy.
        """
        from gan_notes.models.layers import MAX_UNROLLED

        length = self.parameters["sequence_length"]
        longer = length / 24 * (UNFUSED if length > MAX_UNROLLED else 1)
        minutes = self.minutes + seconds * longer / 60
        needed = room.check(
            windows,
            length,
            features,
            copies=copies,
            name=name,
            remedy=remedy,
            minutes=minutes,
        )
        if minutes > 2 * self.minutes or needed > LARGE:
            print(
                f"this size: about {_minutes(minutes)} on 2 CPU cores, "
                f"{needed / 1e9:.1f} GB of memory"
            )

    def finish(
        self,
        metrics: Sequence[Mapping] = (),
        figures: Mapping | None = None,
        data: Mapping[str, pd.DataFrame] | None = None,
        notes: Sequence[str] = (),
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
        notes : list of str
            What a reader of the numbers must know, such as what was done to the data.

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
            "notes": list(notes),
            "metrics": rows,
        }
        folder = Path(self.parameters["output_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        # Everything is made in a folder inside, which is on the same disk, and then
        # moved, metrics.json last: where it is, all of the run is there.
        partial = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
        try:
            for name, figure in (figures or {}).items():
                figure.savefig(partial / f"{name}.png", dpi=150, bbox_inches="tight")
            for name, frame in (data or {}).items():
                frame.to_parquet(partial / f"{name}.parquet")
            (partial / "metrics.json").write_text(
                json.dumps(result, indent=1), encoding="utf-8"
            )
            for path in sorted(partial.iterdir(), key=lambda p: p.suffix == ".json"):
                os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(partial)


def begin(
    name: str,
    namespace: MutableMapping,
    *,
    cpu_minutes: float,
    gpu_minutes: float,
    own: Sequence[str] = (),
) -> Chapter:
    """Check a notebook's parameters, fix the seed, say where and how long it runs.

    A ``metrics.json`` that an earlier run left in ``output_dir`` is removed: one is
    there only where `finish` has written all of a run.

    Parameters
    ----------
    name : str
        The notebook's name without its ending.
    namespace : mapping
        The notebook's ``globals()``, from which the known parameters are taken, and
        in which ``~`` is expanded where one is a folder.
    cpu_minutes, gpu_minutes : float
        What a run with the default parameters takes, on 2 cores and, by estimate, on a
        GPU.
    own : list of str
        Parameters that this chapter alone has; they are recorded, and the chapter
        checks their range.

    Returns
    -------
    Chapter

    Raises
    ------
    ValueError
        A parameter of a wrong type or out of range, or a folder that cannot be written
        to, before any work.
    """
    parameters = {k: namespace[k] for k in PARAMETERS if k in namespace}
    parameters |= {k: namespace[k] for k in own}
    check(parameters)
    made = folders(parameters)
    parameters |= made
    namespace.update(made)
    if "output_dir" in made:
        (Path(made["output_dir"]) / "metrics.json").unlink(missing_ok=True)
    import tensorflow as tf

    from gan_notes import plots

    repeatable(parameters["seed"])
    # Every model of a chapter is a graph of its own; TensorFlow takes the fifth for a
    # function that is retraced by mistake, and warns.
    tf.get_logger().addFilter(lambda said: "retracing" not in said.getMessage())
    plots.style()
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        device = details.get("device_name", "GPU")
        repeats = "\nruns repeat only approximately on a GPU"
    else:
        device, repeats = f"CPU ({os.cpu_count()} cores)", ""
    data = f" · prices: {parameters['source']}" if "source" in parameters else ""
    print(
        f"TensorFlow {tf.__version__} · {device}{data}\n"  # a page has some 85 columns
        f"about {_minutes(cpu_minutes)} on 2 CPU cores, "
        f"by estimate {_minutes(gpu_minutes)} on a GPU{repeats}"
    )
    return Chapter(name, parameters, device, cpu_minutes)


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
        An unknown name, wrong type or wrong range, or a folder that cannot be written
        to; nothing has run then.
    RuntimeError
        A cell failed: its error; `output` then holds the notebook up to there.
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
    values = {
        name: read(name, text, known[name]["inferred_type_name"])
        for name, text in parameters.items()
    }
    check(values)
    values |= folders(values)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{output} cannot be written ({error.strerror}).") from error
    try:
        execute(notebook, output, values)
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(
            f"{notebook.name} stopped, {error.ename}: {error.evalue} "
            f"What ran up to there is in {output}."
        ) from error


def execute(
    notebook: str | Path, output: str | Path, parameters: Mapping, **options
) -> None:
    """Run `papermill.execute_notebook` with a kernel whose channels are its own.

    Parameters
    ----------
    notebook, output : paths
    parameters : dict
    **options
        Passed on to papermill.

    Notes
    -----
    By default a kernel's ports are chosen first and bound later; of two kernels that
    start at once one may then never answer (jupyter_client, issue 487). Sockets in a
    folder of their own leave nothing to collide. Windows has none, and a path of more
    than about a hundred bytes cannot name one: there ports are used.
    """
    import papermill
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
        sockets = {"transport": "ipc", "ip": f"{folder}/channel"}
        possible = os.name == "posix" and len(os.fsencode(folder)) < 90
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters,
            start_timeout=KERNEL_START,
            config=Config(KernelManager=sockets if possible else {}),
            **options,
        )


def read(name: str, text: str, declared: str = "") -> object:
    """Turn the text of a parameter into a value of its type.

    Parameters
    ----------
    name, text : str
    declared : str
        The word behind ``# type:`` in the notebook, for a parameter that is not one of
        ``PARAMETERS``.

    Raises
    ------
    ValueError
        Text that is none of the type: the name, the text and what is allowed.
    """
    if name in PARAMETERS:
        kind, allowed, _ = PARAMETERS[name]
    elif declared in TYPES:
        kind, allowed = TYPES[declared]
    else:
        raise ValueError(
            f"{name}: the notebook does not say its type; write `# type: int  meaning` "
            f"behind its value (or {', '.join(TYPES)})."
        )
    if kind is str:
        return text
    if kind is int and re.fullmatch(r"-?\d+(_\d+)*", text):
        if len(text) <= MAX_DIGITS:
            return int(text)
        allowed += f", of at most {MAX_DIGITS} digits"
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind is float:
        with contextlib.suppress(ValueError):
            return float(text)
    shown = reprlib.repr(text)  # of a long one the ends
    raise ValueError(f"{name}: {shown} is not allowed; give {allowed}.")


def _has_nvidia_driver() -> bool:
    # TensorFlow looks here too; asking TensorFlow itself would load it.
    return Path("/proc/driver/nvidia/version").exists()


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


def provenance() -> dict:
    """Return where results that are stored come from: versions, hardware, date."""
    return {
        "versions": versions(),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": date.today().isoformat(),
    }


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
