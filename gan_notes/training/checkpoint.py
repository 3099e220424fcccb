"""Checkpoints that know whose they are: state, identity and losses in one file.

A checkpoint is what ``keras.Model.save_weights`` writes (weights and optimizers, by
their place in the model) with three things beside it: the *settings* that make a
training what it is, its losses so far, and how to build the model. A file is continued
only where all settings agree, and is never overwritten by a training that did not
write or read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import io
import json
import os
import tempfile
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd

ENDING = ".weights.h5"  # Keras insists on it
DEFAULT = "its default"  # what a configuration does not name
REMEDY = "Choose another checkpoint_dir, or remove the file to start again."
# What Keras writes of an object that says nothing of how it computes.
IRRELEVANT = ("build_config", "compile_config", "module", "registered_name")


def fingerprint(*arrays: np.ndarray) -> str:
    """Return 16 hexadecimal digits that change when any value or shape does."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def describe(thing) -> dict:
    """Return the configuration of a network or optimizer, comparable between runs.

    Layers are named by their class and order: the names that Keras gives (dense_7)
    depend on what was built before. The precision is that of the layers: Keras gives
    what holds them the precision of the process in which it is loaded.

    Parameters
    ----------
    thing : a Keras layer, model, optimizer, schedule or loss

    Returns
    -------
    dict, JSON-able
    """
    config = serialized(thing)
    names, counts = {}, {}

    def collect(node):
        if isinstance(node, dict):
            inner = node.get("config")
            kind = node.get("class_name")
            # "float32" is the name of a policy and what it is.
            named = kind != "DTypePolicy" and isinstance(inner, dict)
            if kind and named and "name" in inner:
                counts[kind] = counts.get(kind, 0) + 1
                names[inner["name"]] = f"{kind} {counts[kind]}"
        for child in _children(node):
            collect(child)

    def rename(node):
        if isinstance(node, dict):
            idle = (*IRRELEVANT, "dtype") if "layers" in node else IRRELEVANT
            return {k: rename(v) for k, v in node.items() if k not in idle}
        if isinstance(node, list):
            return [rename(child) for child in node]
        return names.get(node, node) if isinstance(node, str) else node

    collect(config)
    return rename(config)


def serialized(thing) -> dict:
    """Return Keras's configuration of a thing, without what has its default value.

    A later Keras adds arguments to its layers; an earlier one, such as Colab's, would
    refuse their very names.
    """

    def lean(node):
        if isinstance(node, list):
            return [lean(child) for child in node]
        if not isinstance(node, dict):
            return node
        node = {name: lean(child) for name, child in node.items()}
        if str(node.get("module")).startswith("keras.") and "config" in node:
            defaults = _defaults(node["module"], node["class_name"])
            node["config"] = {
                name: value
                for name, value in node["config"].items()
                if name not in defaults or defaults[name] != value
            }
        return node

    return lean(plain(keras.saving.serialize_keras_object(thing)))


def _defaults(module: str, name: str) -> dict:
    """Return the default values of a Keras class, those of its bases included."""
    kind = getattr(importlib.import_module(module), name, None)
    return {
        argument.name: argument.default
        for base in reversed(getattr(kind, "__mro__", ()))
        for argument in inspect.signature(base.__init__).parameters.values()
        if argument.default is not inspect.Parameter.empty
    }


def plain(value):
    """Return what JSON makes of a value: tuples as lists, keys as text."""

    def default(odd):
        return odd.item() if isinstance(odd, np.generic) else str(odd)

    return json.loads(json.dumps(value, default=default))


def of_function(function: Callable | str | None) -> list | str | None:
    """Return a function's name, and 16 digits that change with what it computes.

    What is known by name alone, such as a loss of Keras or ours, stays that name.

    That is its code, and the numbers and texts among its defaults and the variables of
    the functions around it; what it calls by name is not followed.
    """
    if isinstance(function, str | None):
        return function
    if not isinstance(function, types.FunctionType):
        return [describe(function)]  # an object that Keras can save
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    values += [
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    ]
    simple = [v for v in values if isinstance(v, int | float | str | np.generic)]
    digest = hashlib.sha256(repr([_code(function.__code__), simple]).encode())
    return [function.__qualname__, digest.hexdigest()[:16]]


def differences(was, now, place: str = "") -> Iterator[str]:
    """Yield a clause for each setting in which two trainings differ."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*was, *now]):
            where = f"{place}.{name}" if place else str(name)
            yield from differences(
                was.get(name, DEFAULT), now.get(name, DEFAULT), where
            )
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for i, pair in enumerate(zip(was, now, strict=True)):
            yield from differences(*pair, f"{place}[{i}]")
    elif was != now:
        yield f"{place} was {_short(was)}, now it is {_short(now)}"


def told(was: Mapping, now: Mapping, *, most: int = 3) -> str:
    """Say in one clause how two settings differ; empty where they do not."""
    found = list(differences(was, now))
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more


def path_of(checkpoint_dir: str | Path, model: keras.Model) -> Path | None:
    """Return where a model's checkpoint lies; None where none is kept."""
    if not checkpoint_dir:
        return None
    return Path(checkpoint_dir).expanduser() / f"{model.name}{ENDING}"


def save(
    path: Path, model: keras.Model, *, settings: dict, over: str | None = None
) -> str:
    """Write the state of a training to one file, all or nothing.

    Parameters
    ----------
    path : path ending in .weights.h5
    model : keras.Model
        With its ``loss_history``; its optimizers are saved with it.
    settings : dict, JSON-able
        The identity that :func:`read` compares.
    over : str
        The mark of the file that may be overwritten: the one this training wrote or
        read last. None where there should be none.

    Returns
    -------
    str, the mark of this file; :func:`read` returns it as "mark".

    Raises
    ------
    OSError
        What the disk says, for instance that it is full. An older file is untouched.
    ValueError
        There is another file than the one that may be overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and _mark(path) != over:
        raise ValueError(
            f"{path} was written by another training meanwhile. Choose another "
            f"checkpoint_dir, or another name for the model, to keep both."
        )
    mark = uuid.uuid4().hex
    optimizers = getattr(model, "optimizers", None) or {}
    about = {
        **state(model, settings),
        "model": build_config(model),
        "optimizers": {name: serialized(one) for name, one in optimizers.items()},
        "mark": mark,
    }
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        partial = Path(folder, path.name)
        try:
            model.save_weights(partial)
            with h5py.File(partial, "a") as file:
                text = np.frombuffer(json.dumps(about).encode(), "uint8")
                # HDF5 compresses arrays and no strings; most of it is losses.
                file.create_dataset("training", data=text, compression="gzip")
        except RuntimeError as error:  # what HDF5 makes of a full disk
            raise OSError(f"{path} could not be written: {error}") from error
        os.replace(partial, path)
    return mark


def read(path: Path, *, settings: Mapping | None = None) -> dict:
    """Return what a checkpoint holds beside its weights and optimizers.

    Parameters
    ----------
    path : path
    settings : dict
        Those of the training that asks; None takes the file as it is.

    Returns
    -------
    dict, of :func:`state`, "model", see :func:`build_config`, "optimizers", as Keras
    describes those that a model of ours has, and "mark", which tells this file from any
    other

    Raises
    ------
    OSError
        The disk fails; the file may well be whole.
    ValueError
        The file was read and is no whole checkpoint, or it belongs to another training:
        the message says in what they differ.
    """
    content = path.read_bytes()  # the disk's own errors come from here
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            about = json.loads(bytes(file["training"][()]))
            file.visititems(_read_through)
        unpacked(about["history"])
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is not a whole checkpoint. {REMEDY}") from error
    if settings is not None and (differs := told(about["settings"], settings)):
        raise ValueError(
            f"{path} is the checkpoint of another training: {differs}. {REMEDY}"
        )
    return about


@contextlib.contextmanager
def without_optimizers(model: keras.Model) -> Iterator[None]:
    """Hide a model's optimizers while its weights alone are written or read."""
    held = {name: getattr(model, name) for name in ("optimizer", "optimizers")
            if getattr(model, name, None) is not None}  # fmt: skip
    for name in held:
        setattr(model, name, None)
    try:
        yield
    finally:
        for name, value in held.items():
            setattr(model, name, value)


def build_config(model: keras.Model) -> dict:
    """Return what ``keras.saving.deserialize_keras_object`` makes the model from."""
    config = serialized(model)
    config["config"].pop("training", None)  # stands beside it
    config.pop("compile_config", None)
    return config


def state(model: keras.Model, settings: dict) -> dict:
    """Return what Keras does not save of a training, JSON-able.

    Returns
    -------
    dict of "settings", "history", and "seeds": where the random layers (dropout) are
    in their draws.
    """
    return {
        "settings": settings,
        "history": model.loss_history is not None and packed(model.loss_history),
        "seeds": [np.asarray(seed).tolist() for seed in _seeds(model)],
    }


def put_back(model: keras.Model, about: Mapping) -> None:
    """Give a model what :func:`state` took down: its losses and draws."""
    if about["history"]:
        model.loss_history = unpacked(about["history"])
    for seed, value in zip(_seeds(model), about["seeds"], strict=True):
        seed.assign(value)


def packed(history: pd.DataFrame) -> dict:
    """Return a loss history as JSON takes it, every digit kept."""
    return {
        "columns": list(history.columns),
        "index": history.index.tolist(),
        "data": history.to_numpy("float64").tolist(),
    }


def unpacked(history: Mapping) -> pd.DataFrame:
    """Return the loss history that :func:`packed` took apart."""
    index = pd.Index(history["index"], name="step", dtype="int64")
    return pd.DataFrame(history["data"], index, history["columns"], dtype="float64")


def _mark(path: Path) -> str | None:
    """Return the mark of a checkpoint, without reading its arrays."""
    try:
        with h5py.File(path, "r") as file:
            return json.loads(bytes(file["training"][()])).get("mark")
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        if getattr(error, "errno", None):  # the disk's own
            raise
        raise ValueError(f"{path} is not a whole checkpoint. {REMEDY}") from error


def _code(part) -> object:
    """Return bytecode and its constants, without line numbers and names of files."""
    if isinstance(part, types.CodeType):
        return [part.co_code, part.co_names, [_code(each) for each in part.co_consts]]
    return sorted(part, key=repr) if isinstance(part, frozenset) else part


def _seeds(model: keras.Model) -> list[keras.Variable]:
    return [each for each in model.variables if each.name == "seed_generator_state"]


def _read_through(_, node) -> None:
    """Read every array, so that a file that was cut off is found out."""
    if isinstance(node, h5py.Dataset):
        node[()]


def _children(node) -> list:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _short(value) -> str:
    text = value if value is DEFAULT else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
