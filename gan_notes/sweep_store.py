"""The folder of a sweep, on a disk or in a bucket: a run is there whole or not at all.

Sweeps are shown on the page "How to use this book".
"""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import locket
from fsspec.implementations.local import LocalFileSystem

from gan_notes import notebooks

NUMBERS = ("value", "low", "high", "floor")
KINDS = (
    dict.fromkeys(notebooks.ROW, str | None)
    | dict.fromkeys(NUMBERS, float | int | None)
    | {"at_floor": bool | None}
)


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
            found = self.fs.cat(list(paths), on_error="return")
        results = {}
        for path, content in found.items():
            if isinstance(content, FileNotFoundError):
                continue
            if isinstance(content, BaseException):
                raise content
            with contextlib.suppress(ValueError):
                results[paths[path]] = whole(content)
        return results

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
        self.remove(kind, key)
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
        # Not after `exists`, which says no where it could not ask.
        with contextlib.suppress(FileNotFoundError):
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


def whole(content: bytes) -> dict:
    """Return what a ``metrics.json`` says, if it is all there.

    Raises
    ------
    ValueError
        It is cut off, or not as `Chapter.finish` writes it.
    """
    result = json.loads(content)
    try:
        dict(result["parameters"]), float(result["seconds"])
        values = [(name, row.get(name)) for row in result["metrics"] for name in KINDS]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    for name, value in values:
        if not isinstance(value, KINDS[name]):
            raise ValueError(f"{name}: {value!r}")
    return result
