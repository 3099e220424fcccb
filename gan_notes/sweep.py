"""Sweeps: one notebook, many sets of parameters, nothing lost when something breaks.

The page "How to use this book" shows it. Papermill executes, Dask spreads the runs over
processes or machines, fsspec writes to a folder or to a bucket.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
from dask import config
from dask.distributed import Client, LocalCluster, Security
from dask.distributed import wait as wait_for
from tqdm import tqdm

from gan_notes import notebooks, sweep_report, sweep_run
from gan_notes.sweep_grid import Plan, Run, plan
from gan_notes.sweep_store import NUMBERS, Store

# What a chapter's kernel may need, in bytes: by default no more run than fit.
RUN_MEMORY = 3 * 2**30
# Seconds in which a cluster has to answer, and after which it is asked for its size.
ANSWER = 30
REFRESH = 10
# Metrics of finished runs are read so many at a time.
CHUNK = 500
# A folder for each GPU; only Linux has it, as TensorFlow has GPUs only there.
GPUS = Path("/proc/driver/nvidia/gpus")
COLUMNS = ("run", "state", "seconds", "error", *notebooks.ROW)
INTERRUPTED = "interrupted"


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
        memory for at 3 GiB each; with `gpu` as many as it has GPUs.
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
    if timeout is not None and not 0 < timeout < math.inf:
        raise ValueError(
            f"timeout: {timeout} is not allowed; give seconds above 0, or leave it out "
            "for no limit."
        )
    if workers and scheduler:
        raise ValueError("workers: a cluster has its own; leave it out.")
    store = Store(str(output))
    before = _record(store) if resume else {}
    planned = plan(notebook, grid, before.get("last", ""))
    book = _Book(planned, store)
    if dry_run:
        book.look(resume, before.get("code"))
        return book.outcome()
    gpus = _gpus(workers) if gpu and not scheduler else []
    with store.alone():
        book.look(resume, before.get("code"))
        record = {"notebook": planned.name, "code": planned.code, "last": planned.last}
        store.write("sweep.json", json.dumps(record).encode())
        try:
            if book.waiting:
                with _cluster(workers or len(gpus), scheduler, gpu) as client:
                    _drive(client, book, retries, timeout, gpu, gpus)
        except KeyboardInterrupt:
            book.stopped = INTERRUPTED
        except _Lost as error:
            book.stopped = str(error)
        return book.close()


def _record(store: Store) -> dict:
    """Return what an earlier sweep has noted of itself in its folder."""
    before = store.read("sweep.json")
    if not before:
        return {}
    try:
        record = json.loads(before)
        notebooks.check({"end": record.get("last", "")})
        return record | {"code": record["code"]}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"output: {store.address}/sweep.json is damaged; if the runs there are of "
            "this notebook, remove it."
        ) from error


class _Lost(RuntimeError):
    """The cluster is gone in the middle of a sweep."""


class _Book:
    """What is known of each run while a sweep is at work."""

    def __init__(self, planned: Plan, store: Store):
        self.plan, self.store = planned, store
        self.runs = {run.key: run for run in planned.runs}
        self.seconds, self.errors, self.left = {}, {}, {}
        self.rows: list[tuple] = []
        self.stopped = ""

    def look(self, resume: bool, code: str | None) -> None:
        """Find out what is finished already, and whether it may be gone on with.

        `code` is of the notebook of the runs there, as far as it is known.
        """
        there = self.store.keys()
        if not there:  # nothing that could be lost, or mixed with what comes
            return
        if not resume:
            raise ValueError(
                f"output: {self.store.address} holds a sweep already ({len(there)} "
                "finished); go on by --resume, or give another folder."
            )
        if code not in (None, self.plan.code):
            raise ValueError(
                f"output: the runs in {self.store.address} are of another version "
                f"of {self.plan.name}, whose code has changed since; give another "
                "folder, or set the notebook back."
            )
        self.find([key for key in self.runs if key in there])

    def find(self, keys: list[str]) -> None:
        """Take in those of some runs that are finished."""
        for start in range(0, len(keys), CHUNK):
            found = self.store.results(keys[start : start + CHUNK])
            for key, result in found.items():
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
                "error": [
                    self.errors.get(run.key) or self.left.get(run.key, "")
                    for run in self.plan.runs
                ],
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
        # A run may be finished and not have been seen, where the bucket was busy.
        self.find(list(self.errors))
        made = self.outcome()
        parquet = io.BytesIO()
        made.metrics.to_parquet(parquet, index=False)
        self.store.write("summary.parquet", parquet.getvalue())
        self.store.write("summary.csv", made.metrics.to_csv(index=False).encode())
        self.store.write("runs.csv", made.runs.to_csv(index=False).encode())
        page = sweep_report.page(self.plan.name, made, self.store.keys("failed"))
        self.store.write("report.html", page.encode())
        return made


def _drive(
    client: Client,
    book: _Book,
    retries: int,
    timeout: float | None,
    gpu: bool,
    gpus: list[str],
) -> None:
    """Hand the runs to the cluster, as many as it has threads, until none is left."""
    waiting, tried, running = iter(book.waiting), Counter(), {}
    again: list[Run] = []
    asked = {"GPU": 1} if gpu else None
    bar = tqdm(total=len(book.runs), initial=len(book.seconds), unit="run", smoothing=0)
    with bar:
        while True:
            try:
                hosts = _slots(client)
                state = [f"{len(book.errors)} failed"] if book.errors else []
                state += [] if hosts else ["no worker is left, waiting for one"]
                bar.set_postfix_str("; ".join(state))
                # None in advance: a run that kills its worker would take others along.
                while len(running) < max(1, hosts.total()):
                    run = again.pop() if again else next(waiting, None)
                    if run is None:
                        break
                    tried[run.key] += 1
                    future = client.submit(
                        sweep_run.execute,
                        book.plan.name, book.plan.text, run, book.store.absolute,
                        timeout, hosts, gpus,
                        pure=False, resources=asked, key=f"{run.key}-{uuid.uuid4()}",
                    )  # fmt: skip
                    running[future] = run
                if not running:
                    return
                done = _done(list(running))
            except Exception as error:
                if client.status == "running" and not isinstance(error, CancelledError):
                    raise
                gone = f"the scheduler {client.scheduler.address} is gone"
                raise _Lost(gone) from error
            for future in done:
                run = running.pop(future)
                try:
                    left = future.result()
                    book.collect(run.key)
                    bar.update()
                    if left:
                        book.left[run.key] = left
                        bar.write(f"{run.key}: finished, but {left}", file=sys.stderr)
                except Exception as error:
                    said = sweep_run.said_of(error)
                    if tried[run.key] <= retries:
                        bar.write(f"{run.key}: tried again, {said}", file=sys.stderr)
                        again.append(run)
                        continue
                    book.errors[run.key] = said
                    bar.write(f"{run.key}: failed, {said}", file=sys.stderr)
                    bar.update()
                    # A full or vanished disk would fail all that are left, in turn.
                    book.store.write("sweep.trial", b"trial")
                    book.store.remove("sweep.trial")
                finally:
                    # or Dask would do it again if its worker were lost
                    future.release()


def _done(futures: list) -> set:
    """Wait until one is done, or until there may be more workers."""
    try:
        return wait_for(futures, REFRESH, "FIRST_COMPLETED").done
    except TimeoutError:
        return set()


def _slots(client: Client) -> Counter:
    """Count how many runs each host takes side by side."""
    hosts = Counter()
    for address, threads in client.nthreads().items():
        hosts[urlsplit(address).hostname] += threads
    return hosts


@contextmanager
def _cluster(workers: int, scheduler: str, gpu: bool) -> Iterator[Client]:
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
    # Dask would give each worker one thread; here that depends on how many there are.
    plain = {"distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536}}
    with config.set(plain):
        cluster = LocalCluster(
            n_workers=workers or _fitting(),
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=None,
            # its page of figures: on a free port, for this machine alone
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            # Whoever reaches a worker can run code: nobody else of this machine can.
            security=Security.temporary(),
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


def _gpus(workers: int | None) -> list[str]:
    """Return this machine's GPUs by the names that CUDA has, one for each worker."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is None:  # loading TensorFlow to ask would take one
        names = [str(number) for number in range(len(list(GPUS.glob("*"))))]
    else:
        names = [name for name in seen.split(",") if name not in ("", "-1")]
    if not names:
        raise ValueError("gpu: no NVIDIA GPU is found here; leave --gpu out.")
    if workers and workers > len(names):
        raise ValueError(
            f"workers: {workers} came, and each takes a GPU of {len(names)} here; "
            "give no more, or leave --gpu out."
        )
    return names[:workers]
