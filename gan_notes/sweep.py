"""Sweeps: one notebook, many sets of parameters, nothing lost when something breaks.

The page "How to use this book" shows it. Papermill executes, Dask spreads the runs over
processes or machines, fsspec writes to a folder or to a bucket.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import glob
import hashlib
import io
import itertools
import json
import logging
import math
import os
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import jinja2
import locket
import pandas as pd
import yaml
from dask import config
from dask.distributed import Client, LocalCluster, get_worker
from dask.distributed import wait as wait_for
from fsspec.implementations.local import LocalFileSystem
from tqdm import tqdm

from gan_notes import notebooks

# What a grid may be; a larger one is a slip, or is better cut in two.
MAX_GRID_BYTES = 10_000_000
MAX_SETS = 100_000
# What a chapter's kernel may need, in bytes: by default no more run than fit.
RUN_MEMORY = 3 * 2**30
# Seconds in which a cluster has to answer, and after which it is asked for its size.
ANSWER = 30
REFRESH = 10
# Metrics of finished runs are read so many at a time.
CHUNK = 500
# The report shows up to so many settings one by one.
MAX_SETTINGS = 40
# A folder for each GPU; only Linux has it, as TensorFlow has GPUs only there.
GPUS = Path("/proc/driver/nvidia/gpus")
COLUMNS = ("run", "state", "seconds", "error", *notebooks.ROW)
NUMBERS = ("value", "low", "high", "floor")
INTERRUPTED = "interrupted"
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True)
class Run:
    """One set of parameters: those of the grid, and the hash of all of them."""

    key: str
    parameters: dict


@dataclass(frozen=True)
class Plan:
    """A notebook and the runs that a grid makes of it."""

    name: str
    text: str
    runs: list[Run]
    defaults: dict

    @property
    def code(self) -> str:
        """The hash of the notebook's code; its text may change between two sweeps."""
        cells = json.loads(self.text)["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        return _hash(code)


@dataclass
class Outcome:
    """What became of a sweep: its runs, their metrics, and why it stopped if it did."""

    runs: pd.DataFrame
    metrics: pd.DataFrame
    stopped: str = ""

    @property
    def failed(self) -> pd.DataFrame:
        """The runs that ended in an error."""
        return self.runs[self.runs["state"] == "failed"]

    @property
    def complete(self) -> bool:
        """Whether every run of the grid is finished."""
        return bool((self.runs["state"] == "finished").all())


class _Text(yaml.BaseLoader):
    """YAML whose scalars all stay text, and which takes no name twice.

    A ticker NO is then no False and 005930 no number of base 8; the parameter's own
    type says what the text means, as it does on the command line.
    """

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [str(n) for n, count in Counter(map(str, names)).items() if count > 1]
        if twice:
            raise yaml.MarkedYAMLError(
                problem=f"{twice[0]} stands there twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def read_grid(path: str | Path) -> list[dict[str, str]]:
    """Read a grid and return its sets of parameters, each value as text.

    Parameters
    ----------
    path : path
        A YAML file: ``product`` (every combination of the values of each parameter),
        ``sets`` (a list of parameter sets), or both: then every set is combined with
        every combination. A bare list is ``sets``.

    Returns
    -------
    list of dict, in the order of the file; the last parameter changes fastest.

    Raises
    ------
    ValueError
        A file that cannot be read or is no grid, or one of more than ``MAX_SETS`` sets.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grid.yaml"
    >>> _ = path.write_text("product: {tickers: ['KO,GE', NO], seed: [0, 1]}")
    >>> for values in read_grid(path):
    ...     print(values)
    {'tickers': 'KO,GE', 'seed': '0'}
    {'tickers': 'KO,GE', 'seed': '1'}
    {'tickers': 'NO', 'seed': '0'}
    {'tickers': 'NO', 'seed': '1'}
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_GRID_BYTES + 1)
    except OSError as error:
        raise ValueError(f"grid: {path} cannot be read ({error.strerror}).") from error
    if len(content) > MAX_GRID_BYTES:
        raise ValueError(
            f"grid: {path.name} has more than {MAX_GRID_BYTES:,} bytes; write repeated "
            "values as a product, or split it."
        )
    try:
        # The loader is PyYAML's most restricted one: it makes text, lists and dicts.
        tree = yaml.load(content, _Text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split()) or "nested too deeply"
        raise ValueError(f"grid: {path.name} is not YAML: {said}") from error
    if isinstance(tree, list):
        tree = {"sets": tree}
    if not isinstance(tree, dict) or not tree or set(tree) - {"product", "sets"}:
        raise ValueError(
            f"grid: {path.name} must hold `product:`, `sets:` or both, no more."
        )
    product, sets = tree.get("product") or {}, tree.get("sets") or [{}]
    if not isinstance(product, dict) or not isinstance(sets, list):
        raise ValueError(
            "grid: `product:` holds a list of values for each parameter, "
            "`sets:` a list of `parameter: value`."
        )
    lists = {n: v if isinstance(v, list) else [v] for n, v in product.items()}
    for name, values in lists.items():
        if not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"grid: product: {name}: give a list of single values.")
    for number, values in enumerate(sets, 1):
        if not isinstance(values, dict):
            raise ValueError(f"grid: set {number}: write it as `parameter: value`.")
        for name, value in values.items():
            if not isinstance(value, str):
                raise ValueError(f"grid: set {number}: {name}: give a single value.")
            if name in lists:
                raise ValueError(
                    f"grid: {name} stands in `product:` and in set {number}; "
                    "leave it in one of them."
                )
    count = len(sets) * math.prod(len(values) for values in lists.values())
    if count > MAX_SETS:
        raise ValueError(
            f"grid: {count:,} sets are more than {MAX_SETS:,}; make several grids."
        )
    return [
        values | dict(zip(lists, combination, strict=True))
        for values in sets
        for combination in itertools.product(*lists.values())
    ]


def plan(notebook: str | Path, grid: str | Path) -> Plan:
    """Check a whole grid against a notebook, by name, type and range.

    Parameters
    ----------
    notebook, grid : paths
        A relative ``source`` in the grid is looked up from the current folder.

    Raises
    ------
    ValueError
        The first set that is not allowed: its number and what `notebooks.run` says, or
        two sets that are the same.
    """
    import papermill

    notebook = Path(notebook)
    if not notebook.is_file():
        raise ValueError(f"{notebook}: there is no such notebook.")
    known = papermill.inspect_notebook(str(notebook))
    if "output_dir" not in known:
        raise ValueError(
            f"{notebook.name} has no parameter output_dir, so it leaves no metrics to "
            "collect; a chapter's last cell shows how: chapter.finish(...)."
        )
    defaults = {name: _literal(each["default"]) for name, each in known.items()}
    values_of = _Reader(known, notebook.name)
    runs, seen = [], {}
    for number, texts in enumerate(read_grid(grid), 1):
        try:
            values = values_of(texts)
            notebooks.check(defaults | values)
        except ValueError as error:
            raise ValueError(f"grid: set {number}: {error}") from error
        whole = defaults | values
        key = _hash({n: whole[n] for n in whole if n not in notebooks.FOLDERS})[:16]
        if key in seen:
            raise ValueError(f"grid: sets {seen[key]} and {number} are the same run.")
        seen[key] = number
        runs.append(Run(key, values))
    text = notebook.read_text(encoding="utf-8")
    return Plan(notebook.name, text, runs, defaults)


class _Reader:
    """Turn the texts of a set into values; each text is read once."""

    def __init__(self, known: Mapping, notebook: str):
        self.known, self.notebook, self.read = known, notebook, {}

    def __call__(self, texts: Mapping[str, str]) -> dict:
        return {name: self._value(name, text) for name, text in texts.items()}

    def _value(self, name: str, text: str):
        if name not in self.known:
            raise ValueError(
                f"{name}: {self.notebook} has no such parameter. It has: "
                f"{', '.join(set(self.known) - set(notebooks.FOLDERS))}."
            )
        if name in notebooks.FOLDERS:
            raise ValueError(f"{name}: the sweep gives each run its own; leave it out.")
        if (name, text) not in self.read:
            declared = self.known[name]["inferred_type_name"]
            value = notebooks.read(name, text, declared)
            if name == "source" and Path(value).expanduser().is_file():
                value = str(Path(value).expanduser().resolve())
            self.read[name, text] = value
        return self.read[name, text]


def _asked(method):
    """Turn errors of the disk or the network behind a store into one sentence."""

    @functools.wraps(method)
    def within(self, *args):
        try:
            return method(self, *args)
        except Exception as error:
            if self.local and not isinstance(error, OSError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise ValueError(
                f"output: {self.address} cannot be used ({reason}); what was finished "
                "is kept. Mend that, and go on by --resume."
            ) from error

    return within


class Store:
    """The folder of a sweep, on disk or at any address that fsspec knows.

    ``runs/<key>`` are finished runs, ``failed/<key>`` what is left of failed ones; on a
    disk also ``checkpoints/<key>``, and ``.partial-*`` for runs at work.
    """

    def __init__(self, address: str):
        try:
            # Others write there too: what was listed a minute ago may be wrong.
            self.fs, self.root = fsspec.core.url_to_fs(
                os.path.expanduser(address), use_listings_cache=False
            )
        except (ValueError, ImportError) as error:
            raise ValueError(
                f"output: {address!r} cannot be opened: {error}"
            ) from error
        self.address = address
        self.local = isinstance(self.fs, LocalFileSystem)
        self.absolute = self.root if self.local else address
        if not self.local and glob.has_magic(address):
            # fsspec would take them for patterns, also where it removes
            raise ValueError(f"output: {address!r} may not hold any of *, ? and [.")

    def path(self, *names: str) -> str:
        """Return the path of something inside."""
        return "/".join([self.root.rstrip("/"), *names])

    @_asked
    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if not self.local:
            self.fs.pipe_file(self.path(name), content)
            return
        partial = Path(self.path(f".partial-{name}"))
        try:
            partial.write_bytes(content)
            os.replace(partial, self.path(name))
        finally:
            partial.unlink(missing_ok=True)

    @_asked
    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        try:
            return self.fs.cat_file(self.path(name))
        except FileNotFoundError:
            return None

    @_asked
    def keys(self, kind: str = "runs") -> set[str]:
        """Return the names of all folders among the finished or the failed runs."""
        try:
            listed = self.fs.ls(self.path(kind), detail=False)
        except FileNotFoundError:
            return set()
        return {path.rstrip("/").rpartition("/")[2] for path in listed}

    @_asked
    def results(self, keys: list[str]) -> dict[str, dict]:
        """Return the content of every ``metrics.json`` that is whole, by key."""
        paths = {self.path("runs", key, "metrics.json"): key for key in keys}
        found = {}
        if self.local:
            for path in paths:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    found[path] = Path(path).read_bytes()
        elif paths:
            found = self.fs.cat(list(paths), on_error="omit")
        whole = {}
        for path, content in found.items():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                whole[paths[path]] = _whole(json.loads(content))
        return whole

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a folder to work in, on the same disk where the sweep is on one."""
        if self.local:
            folder = Path(self.path(f".partial-{uuid.uuid4().hex[:12]}"))
            folder.mkdir()
        else:
            folder = Path(tempfile.mkdtemp(prefix="gan_notes-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def move_in(self, folder: Path, kind: str, key: str) -> None:
        """Move a folder to where it belongs, at once; metrics.json last."""
        target = self.path(kind, key)
        if kind == "runs" and self.results([key]):
            return  # another sweep was first, with the same parameters
        if self.fs.exists(target):
            self.fs.rm(target, recursive=True)
        if self.local:
            Path(target).parent.mkdir(exist_ok=True)
            os.replace(folder, target)
            return
        files = [path for path in folder.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.name == "metrics.json"):
            name = path.relative_to(folder).as_posix()
            self.fs.put_file(str(path), f"{target}/{name}")

    def remove(self, *names: str) -> None:
        """Remove a folder if it is there."""
        if self.fs.exists(self.path(*names)):
            self.fs.rm(self.path(*names), recursive=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other sweeps of this machine away; what dead ones left is removed."""
        if not self.local:
            yield
            return
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            lock = locket.lock_file(self.path(".lock"), timeout=0)
            lock.acquire()
        except locket.LockError:
            raise ValueError(
                f"output: another sweep is at work in {self.address}; wait for it, or "
                "give another folder."
            ) from None
        except OSError as error:
            raise ValueError(
                f"output: {self.address} cannot be written to ({error.strerror}); give "
                "a folder that can."
            ) from error
        try:
            self._tidy()
            yield
            self._tidy()
        finally:
            lock.release()

    def _tidy(self) -> None:
        for path in Path(self.root).glob(".partial-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def sweep(
    notebook: str | Path,
    grid: str | Path,
    output: str,
    *,
    workers: int | None = None,
    scheduler: str = "",
    gpu: bool = False,
    resume: bool = False,
    retries: int = 0,
    timeout: float | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Run a notebook once for each set of a grid, and collect the metrics.

    Parameters
    ----------
    notebook, grid : paths
        See `plan` and `read_grid`.
    output : str
        A folder, or an address of fsspec's such as ``s3://bucket/folder``.
    workers : int
        Runs side by side on this machine; by default as many as it has cores, and
        memory for at 3 GiB each.
    scheduler : str
        Address of a Dask cluster, ``tcp://host:8786``, in the place of ``workers``.
    gpu : bool
        Each run takes a Dask resource ``GPU``: one that a cluster's workers declare, or
        one GPU of this machine for each worker.
    resume : bool
        Skip what an earlier sweep of this notebook has finished in `output`.
    retries : int
        How often a failed run is tried again.
    timeout : float
        Seconds that a run may take; none by default.
    dry_run : bool
        Only check the grid and look what is finished.

    Returns
    -------
    Outcome
        Also written to `output`: ``summary.parquet`` and ``.csv`` (one row for each
        metric of each run), ``runs.csv`` and ``report.html``.

    Raises
    ------
    ValueError
        Anything wrong with the notebook, the grid or `output`; nothing has run then.
    RuntimeError
        The cluster does not answer.

    Notes
    -----
    Workers of this machine are fresh processes, which load the script that called: in
    a script of your own let the call stand below ``if __name__ == "__main__":``.
    """
    for name, value, least in (("workers", workers, 1), ("retries", retries, 0)):
        if value is not None and value < least:
            raise ValueError(f"{name}: {value} is not allowed; give at least {least}.")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout: {timeout} is not allowed; give seconds above 0.")
    if workers and scheduler:
        raise ValueError("workers: a cluster has its own; leave it out.")
    planned = plan(notebook, grid)
    store = Store(str(output))
    book = _Book(planned, store)
    if dry_run:
        book.look(resume)
        return book.outcome()
    with store.alone():
        book.look(resume)
        record = {"notebook": planned.name, "code": planned.code}
        store.write("sweep.json", json.dumps(record).encode())
        try:
            if book.waiting:
                with _cluster(workers, scheduler, gpu) as client:
                    _drive(client, book, retries, timeout, gpu)
        except KeyboardInterrupt:
            book.stopped = INTERRUPTED
        except _Lost as error:
            book.stopped = str(error)
        return book.close()


class _Lost(RuntimeError):
    """The cluster is gone in the middle of a sweep."""


class _Book:
    """What is known of each run while a sweep is at work."""

    def __init__(self, planned: Plan, store: Store):
        self.plan, self.store = planned, store
        self.runs = {run.key: run for run in planned.runs}
        self.seconds, self.errors = {}, {}
        self.rows: list[tuple] = []
        self.stopped = ""

    def look(self, resume: bool) -> None:
        """Find out what is finished already, and whether it may be gone on with."""
        there = self.store.keys()
        before = self.store.read("sweep.json")
        if (there or before) and not resume:
            raise ValueError(
                f"output: {self.store.address} holds a sweep already ({len(there)} "
                "finished); go on by --resume, or give another folder."
            )
        if before:
            try:
                code = json.loads(before)["code"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"output: {self.store.address}/sweep.json is damaged; if the runs "
                    f"there are of {self.plan.name}, remove it."
                ) from error
            if code != self.plan.code:
                raise ValueError(
                    f"output: the runs in {self.store.address} are of another version "
                    f"of {self.plan.name}, whose code has changed since; give another "
                    "folder, or set the notebook back."
                )
        candidates = [key for key in self.runs if key in there]
        for start in range(0, len(candidates), CHUNK):
            some = candidates[start : start + CHUNK]
            for key, result in self.store.results(some).items():
                self.enter(key, result)

    def enter(self, key: str, result: dict) -> None:
        """Take in the metrics of a finished run."""
        self.seconds[key] = result["seconds"]
        self.errors.pop(key, None)
        for row in result["metrics"]:
            self.rows.append((key, *(row.get(name) for name in notebooks.ROW)))

    @property
    def waiting(self) -> list[Run]:
        return [run for run in self.plan.runs if run.key not in self.seconds]

    def collect(self, key: str) -> None:
        """Look for the metrics of a run that its worker calls finished."""
        found = self.store.results([key])
        if not found:
            raise RuntimeError(
                f"its worker has finished, but runs/{key} cannot be seen from here; "
                "give an --output that both can see: a shared disk, or s3://."
            )
        self.enter(key, found[key])

    def outcome(self) -> Outcome:
        """Return the tables."""
        varied = dict.fromkeys(n for run in self.plan.runs for n in run.parameters)
        states = pd.DataFrame(
            {
                "run": [run.key for run in self.plan.runs],
                "state": [self._state(run.key) for run in self.plan.runs],
                "seconds": [self.seconds.get(run.key) for run in self.plan.runs],
                "error": [self.errors.get(run.key, "") for run in self.plan.runs],
            }
        )
        given = pd.DataFrame(
            [
                [run.parameters.get(n, self.plan.defaults[n]) for n in varied]
                for run in self.plan.runs
            ],
            # a column of the tables keeps its name, a parameter of that name does not
            columns=[f"{n} given" if n in COLUMNS else n for n in varied],
        )
        metrics = pd.DataFrame(self.rows, columns=["run", *notebooks.ROW])
        metrics = metrics.astype(
            dict.fromkeys(NUMBERS, float) | {"at_floor": "boolean"}
        )
        named = given.assign(run=states["run"])
        metrics = named.merge(metrics, on="run")
        return Outcome(states.join(given), metrics, self.stopped)

    def _state(self, key: str) -> str:
        if key in self.seconds:
            return "finished"
        return "failed" if key in self.errors else "waiting"

    def close(self) -> Outcome:
        """Write the summary and the report."""
        made = self.outcome()
        parquet = io.BytesIO()
        made.metrics.to_parquet(parquet, index=False)
        self.store.write("summary.parquet", parquet.getvalue())
        self.store.write("summary.csv", made.metrics.to_csv(index=False).encode())
        self.store.write("runs.csv", made.runs.to_csv(index=False).encode())
        page = _page(self.plan.name, made, self.store.keys("failed"))
        self.store.write("report.html", page.encode())
        return made


def _drive(
    client: Client, book: _Book, retries: int, timeout: float | None, gpu: bool
) -> None:
    """Hand the runs to the cluster, as many as it has threads, until none is left."""
    waiting, tried, running = iter(book.waiting), Counter(), {}
    again: list[Run] = []
    asked = {"GPU": 1} if gpu else None
    bar = tqdm(total=len(book.runs), initial=len(book.seconds), unit="run", smoothing=0)
    with bar:
        while True:
            hosts = _slots(client)
            # None in advance: a run that kills its worker would take others along.
            while len(running) < max(1, hosts.total()):
                run = again.pop() if again else next(waiting, None)
                if run is None:
                    break
                tried[run.key] += 1
                future = client.submit(
                    _execute, book.plan.name, book.plan.text, run, book.store.absolute,
                    "checkpoint_dir" in book.plan.defaults, timeout, hosts, gpu,
                    pure=False, resources=asked, key=f"{run.key}-{uuid.uuid4()}",
                )  # fmt: skip
                running[future] = run
            if not running:
                return
            try:
                done = wait_for(list(running), REFRESH, "FIRST_COMPLETED").done
            except TimeoutError:
                continue  # there may be more workers now
            except CancelledError as error:
                gone = f"the scheduler {client.scheduler.address} is gone"
                raise _Lost(gone) from error
            for future in done:
                run = running.pop(future)
                try:
                    future.result()
                    book.collect(run.key)
                    bar.update()
                except Exception as error:
                    said = _error(error)
                    if tried[run.key] <= retries:
                        bar.write(f"{run.key}: tried again, {said}", file=sys.stderr)
                        again.append(run)
                        continue
                    book.errors[run.key] = said
                    bar.write(f"{run.key}: failed, {said}", file=sys.stderr)
                    bar.update()
                    bar.set_postfix(failed=len(book.errors))
                    # A full or vanished disk would fail all that are left, in turn.
                    book.store.write("sweep.trial", b"trial")
                    book.store.remove("sweep.trial")
                finally:
                    # or Dask would do it again if its worker were lost
                    future.release()


def _slots(client: Client) -> Counter:
    """Count how many runs each host takes side by side."""
    hosts = Counter()
    for address, threads in client.nthreads().items():
        hosts[urlsplit(address).hostname] += threads
    return hosts


@contextlib.contextmanager
def _cluster(workers: int | None, scheduler: str, gpu: bool) -> Iterator[Client]:
    """Connect to a cluster, or start one on this machine."""
    if scheduler:
        try:
            client = Client(scheduler, timeout=ANSWER)
        except (OSError, ValueError) as error:
            raise RuntimeError(
                f"scheduler: {scheduler} does not answer; start one by `dask "
                "scheduler` and give the address it prints."
            ) from error
        with client:
            _greet(client, scheduler, gpu)
            yield client
        return
    if workers is None:
        workers = _gpus() if gpu else _fitting()
    # Dask would give each worker one thread; here that depends on how many there are.
    plain = {"distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536}}
    with config.set(plain):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=None,
            # its page of figures: on a free port, for this machine alone
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            resources={"GPU": 1} if gpu else None,
        )
    with cluster, Client(cluster) as client:
        yield client


def _greet(client: Client, scheduler: str, gpu: bool) -> None:
    """Make sure that a cluster has workers which can do the work."""
    try:
        client.wait_for_workers(1, timeout=ANSWER)
    except TimeoutError as error:
        raise RuntimeError(
            f"scheduler: {scheduler} has no workers; start some by "
            f"`dask worker {scheduler} --nthreads 1`."
        ) from error
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if gpu and not any(worker["resources"].get("GPU") for worker in workers):
        raise RuntimeError(
            f"gpu: no worker of {scheduler} declares one; start them by "
            f'`dask worker {scheduler} --nthreads 1 --resources "GPU=1"`.'
        )
    try:
        client.run(_hello)
    except Exception as error:
        raise RuntimeError(
            f"scheduler: a worker of {scheduler} cannot load gan_notes ({error}); "
            "install the same version there, with the extra `sweep`."
        ) from error


def _hello() -> None:
    """Be imported: whoever unpickles this has the module."""


def _fitting() -> int:
    """Return how many runs fit into this machine side by side."""
    from dask.distributed import system

    return max(1, min(os.cpu_count() or 1, system.MEMORY_LIMIT // RUN_MEMORY))


def _gpus() -> int:
    found = len(list(GPUS.glob("*")))  # loading TensorFlow to ask would take one
    if not found:
        raise ValueError("gpu: no NVIDIA GPU is found here; leave --gpu out.")
    return found


def _execute(
    name: str,
    text: str,
    run: Run,
    address: str,
    checkpoints: bool,
    timeout: float | None,
    hosts: Mapping[str, int],
    gpu: bool,
) -> None:
    """Execute one run; on a worker."""
    worker = get_worker()
    _share(hosts.get(urlsplit(worker.address).hostname, 1))
    if gpu and isinstance(worker.name, int):  # of this machine: one GPU for each
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(worker.name))
    store = Store(address)
    began = time.monotonic()
    with store.workspace() as folder:
        values = run.parameters | {"output_dir": "."}
        if checkpoints and store.local:
            values["checkpoint_dir"] = f"../checkpoints/{run.key}"
        with (folder / "log.txt").open("w", encoding="utf-8") as log:
            log.write(f"{name} on {socket.gethostname()}\n")
            log.write(f"{json.dumps(run.parameters)}\n")
            log.flush()
            try:
                with _stderr_to(log) if _has_process(worker) else nullcontext():
                    _papermill(folder, name, text, values, log, timeout)
                said = _missing(folder, name)
            except Exception as error:
                said = _error(error)
                # what it has made so far is no result, and may be what fills the disk
                _keep_only(folder, name, "log.txt")
            log.write(f"{said or 'finished'} after {time.monotonic() - began:.1f} s\n")
        store.move_in(folder, "failed" if said else "runs", run.key)
    if said:
        raise RuntimeError(said)
    store.remove("failed", run.key)
    store.remove("checkpoints", run.key)


def _has_process(worker) -> bool:
    """Tell whether a run has its worker's process to itself."""
    return worker.nanny is not None and worker.state.nthreads == 1


@contextlib.contextmanager
def _stderr_to(log) -> Iterator[None]:
    """Let this process and the kernel it starts complain there, not on the terminal."""
    kept = os.dup(2)
    os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _papermill(folder, name, text, values, log, timeout) -> None:
    """Execute the notebook inside a folder."""
    source = folder / ".source.ipynb"
    source.write_text(text, encoding="utf-8")
    paths = source, folder / name  # in which papermill would fill in what is in braces
    end = time.monotonic() + timeout if timeout else None
    try:
        notebooks.execute(
            *(str(path).replace("{", "{{").replace("}", "}}") for path in paths),
            values,
            progress_bar=False,
            stdout_file=log,
            stderr_file=log,
            # the kernel starts in the folder; this process may have other runs
            resources={"metadata": {"path": str(folder)}},
            timeout_func=(lambda _: max(1, math.ceil(end - time.monotonic())))
            if end
            else None,
        )
    finally:
        source.unlink()
        # Jupyter's client makes a loop for each run in this thread, and leaves it open.
        with contextlib.suppress(RuntimeError):  # where it made none
            asyncio.get_event_loop().close()


def _keep_only(folder: Path, *names: str) -> None:
    """Remove all else from a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()


def _missing(folder: Path, name: str) -> str:
    """Say what keeps a run from being finished, or nothing."""
    try:
        _whole(json.loads((folder / "metrics.json").read_bytes()))
    except FileNotFoundError:
        return f"{name} ran to its end but wrote no metrics.json (chapter.finish)"
    except (ValueError, KeyError, TypeError) as error:
        return f"metrics.json of {name} is not as chapter.finish writes it ({error})"
    return ""


def _whole(result: dict) -> dict:
    """Return the content of a metrics.json, or raise if it is not all there."""
    dict(result["parameters"]), float(result["seconds"])
    for row in result["metrics"]:
        kinds = dict.fromkeys(NUMBERS, float | int | None) | {"at_floor": bool | None}
        for name in notebooks.ROW:
            value, kind = row.get(name), kinds.get(name, str | None)
            if not isinstance(value, kind):
                raise ValueError(f"{name}: {value!r}")
    return result


def _share(slots: int) -> None:
    """Let each of several runs of a machine have its share of the cores.

    One run alone chooses its threads itself, as everywhere; so does a reader who has
    set the variables.
    """
    if slots > 1:
        share = str(max(1, (os.cpu_count() or 1) // slots))
        for name in THREADS:
            os.environ.setdefault(name, share)


def _error(error: BaseException) -> str:
    """Say in one line why a run failed, and what to do where that is known."""
    kind = type(error).__name__
    if kind == "PapermillExecutionError":
        said = f"{error.ename}: {error.evalue}"
    elif kind == "CellTimeoutError":
        said = "it took longer than --timeout allows; allow more, or fewer steps"
    elif kind == "DeadKernelError":
        said = (
            "its kernel died, most often for want of memory; take fewer --workers or a "
            "smaller model"
        )
    elif kind == "KilledWorker":
        said = (
            "its worker was killed again and again, most often for want of memory; "
            "take fewer --workers or a smaller model"
        )
    elif isinstance(error, RuntimeError):
        said = str(error)
    else:
        said = f"{kind}: {error}"
    return " ".join(said.split())[:500]


def _page(name: str, made: Outcome, logs: Collection[str] = ()) -> str:
    """Return the report: failures, then each metric over seeds beside its floor."""
    given = list(made.runs.columns[4:])
    varied = [
        n for n in given if n != "seed" and made.runs[n].nunique(dropna=False) > 1
    ]
    metrics = made.metrics.dropna(subset="value")
    merged = len(made.runs.drop_duplicates(varied)) > MAX_SETTINGS if varied else False
    by = ["candidate"] if merged else ["candidate", *varied]
    shown = []
    for metric, part in metrics.groupby("metric", sort=False):
        low, high = (
            getattr(part[["value", "floor"]], end)(axis=None) for end in ("min", "max")
        )
        span = (high - low) or 1.0
        rows = []
        order = {name: n for n, name in enumerate(part["candidate"].unique())}
        groups = part.groupby(by, sort=False, dropna=False)
        for values, group in sorted(groups, key=lambda pair: order[pair[0][0]]):
            value = group["value"].sort_values()
            floor = group["floor"].median()
            rows.append(
                {
                    "candidate": values[0],
                    "setting": _setting(dict(zip(by[1:], values[1:], strict=True))),
                    "count": len(value),
                    "dots": [*(100 * (value - low) / span)][:: -(-len(value) // 50)],
                    "box": [
                        100 * (value.quantile(q) - low) / span for q in (0.25, 0.75)
                    ],
                    "floor": None if pd.isna(floor) else 100 * (floor - low) / span,
                    "floor_value": floor,
                    "median": value.median(),
                    "low": value.iloc[0],
                    "high": value.iloc[-1],
                }
            )
        better = part["better"].dropna()
        shown.append(
            {
                "name": metric,
                "rows": rows,
                "low": low,
                "high": high,
                "better": better.iloc[0] if len(better) else "",
            }
        )
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["short"] = lambda number: f"{number:.3g}"
    failed = [
        {
            "run": row["run"],
            "error": row["error"],
            "set": _setting(row[given].to_dict()) or row["run"],
            "log": row["run"] in logs,  # none where its worker was killed
        }
        for _, row in made.failed.iterrows()
    ]
    return environment.from_string(template).render(
        notebook=name,
        states=made.runs["state"].value_counts().to_dict(),
        total=len(made.runs),
        stopped=made.stopped,
        failed=failed,
        metrics=shown,
        merged=merged,
    )


def _setting(values: Mapping) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _literal(default: str):
    try:
        return ast.literal_eval(default)
    except (ValueError, SyntaxError):
        return default


def _hash(content) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
