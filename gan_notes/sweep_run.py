"""One run of a sweep, on a worker: a folder to work in, papermill, and what failed.

Sweeps are shown on the page "How to use this book".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from dask.distributed import get_worker

from gan_notes import notebooks
from gan_notes.sweep_grid import Run
from gan_notes.sweep_store import Store, whole

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def execute(
    name: str,
    text: str,
    run: Run,
    address: str,
    timeout: float | None,
    hosts: Mapping[str, int],
    gpus: list[str],
) -> str:
    """Execute one run, on a worker of Dask's, and move its folder in.

    Parameters
    ----------
    name, text : str
        The notebook's name and its content, as it was planned.
    run : Run
    address : str
        Of the sweep's folder, as `Store` takes it.
    timeout : float
        Seconds from the first cell to the last; None for no limit.
    hosts : dict of host name to int
        How many runs each machine of the cluster takes side by side.
    gpus : list of str
        On a cluster of this machine: the run sees one of them, the worker's. Empty: no
        choice is made here.

    Returns
    -------
    str
        What an earlier attempt has left and could not be removed, in one line; most
        often empty. The run is finished all the same.

    Raises
    ------
    RuntimeError
        The run failed: why, in one line. What is left of it is under ``failed``.
    OSError
        The folder cannot be written to.
    """
    worker = get_worker()
    share(hosts.get(urlsplit(worker.address).hostname, 1))
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[worker.name]
    store = Store(address)
    began = time.monotonic()
    with store.workspace() as folder:
        values = run.parameters | {"output_dir": "."}
        if run.trains and store.local:
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
                said = said_of(error)
                # what it has made so far is no result, and may be what fills the disk
                _keep_only(folder, name, "log.txt")
            log.write(f"{said or 'finished'} after {time.monotonic() - began:.1f} s\n")
        store.move_in(folder, "failed" if said else "runs", run.key)
    if said:
        raise RuntimeError(said)
    left = []
    for kind in ("failed", "checkpoints"):
        try:
            store.remove(kind, run.key)
        except Exception as error:  # a bucket has errors of its own
            reason = getattr(error, "strerror", None) or error
            left.append(f"{kind}/{run.key} could not be removed ({reason})")
    return " ".join("; ".join(left).split())


def share(slots: int) -> None:
    """Let each of several runs of a machine have its share of the cores.

    Parameters
    ----------
    slots : int
        Runs side by side on this machine.

    Notes
    -----
    One run alone chooses its threads itself, as everywhere; so does a reader who has
    set the variables.
    """
    if slots > 1:
        share = str(max(1, (os.cpu_count() or 1) // slots))
        for name in THREADS:
            os.environ.setdefault(name, share)


def said_of(error: BaseException) -> str:
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
        whole((folder / "metrics.json").read_bytes())
    except FileNotFoundError:
        return f"{name} ran to its end but wrote no metrics.json (chapter.finish)"
    except ValueError as error:
        return f"metrics.json of {name} is not as chapter.finish writes it ({error})"
    return ""
