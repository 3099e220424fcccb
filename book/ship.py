"""Train a chapter's models, keep their weights in the package with provenance.

python book/ship.py book/04_dcgan.ipynb -p steps 3000

With `-p checkpoint_dir FOLDER` a training that was stopped goes on from
there. A maintainer's tool: it wants a git checkout, whose commit the weights
then name.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import keras

from gan_notes import notebooks
from gan_notes.__main__ import take_parameters
from gan_notes.models import pretrained
from gan_notes.training import checkpoint

ROOT = Path(__file__).resolve().parent.parent


def main(arguments=None):
    """Run the command line; return 0, or 1 after one line on what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebook", type=Path)
    take_parameters(parser)
    options = parser.parse_args(arguments)
    try:
        print(*ship(options.notebook, dict(options.parameters)))
    except (ValueError, RuntimeError, ModuleNotFoundError) as error:
        print(f"ship: {error}", file=sys.stderr)
        return 1
    return 0


def ship(notebook, parameters):
    """Run `notebook`, keep all weights that it trained; return their names.

    `parameters` are texts by name. Raises ValueError before anything is
    trained: outside a checkout, with parameters that are not allowed, or with
    a checkpoint_dir that holds another training.
    """
    chosen = {k: v for k, v in parameters.items() if k != "checkpoint_dir"}
    origin = {
        "command": f"python book/ship.py book/{notebook.name}"
        + "".join(f" -p {name} {value}" for name, value in chosen.items()),
        **commit(),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = claim(
            parameters.get("checkpoint_dir") or temporary, origin
        )
        notebooks.run(
            notebook,
            folder / "executed.ipynb",
            {**chosen, "train": "True", "checkpoint_dir": str(folder)},
        )
        about = {
            **origin,
            "parameters": chosen,
            **notebooks.provenance(),
        }
        return [
            keep(path, about)
            for path in sorted(folder.glob(f"*{checkpoint.ENDING}"))
        ]


def commit():
    """Return the commit, and whether the code has moved on since."""
    # Weights that were shipped a moment ago are no other code.
    weights = pretrained.FOLDER.relative_to(ROOT).as_posix()
    elsewhere = ["-uno", "--", ":/", f":(top,exclude){weights}"]
    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "uncommitted": bool(git("status", "--porcelain", *elsewhere)),
        }
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"{ROOT} is no git checkout with a commit, which shipped "
            "weights must name: clone the repository and ship from there."
        ) from error


def git(*arguments):
    """Return what git says of the checkout that this file lies in."""
    return subprocess.run(
        ["git", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def claim(folder, origin):
    """Make `folder` this training's own; refuse one with another's files."""
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "ship.json"
    if mark.exists():
        if (
            found := json.loads(mark.read_text(encoding="utf-8"))
        ) != origin:
            raise ValueError(
                f"checkpoint_dir: {folder} holds the training of {found}, "
                f"this is {origin}; go on with it in a checkout of that commit "
                f"(git worktree add OTHER {found['commit']}), or choose "
                "another folder."
            )
    elif any(folder.iterdir()):
        raise ValueError(
            f"checkpoint_dir: {folder} holds files of something else, "
            "which would be shipped with it; choose an empty folder."
        )
    mark.write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    return folder


def keep(path, about, *, half=None):
    """Turn a checkpoint into shipped weights: no optimizers, but provenance.

    Where an optimizer averaged the weights, the averages are what ships.
    `path` is a checkpoint of `fit`; the name, under which `pretrained.load`
    finds the weights, is returned. `half` is "" for all of them, or the part
    that only judged: it is kept in float16, and computed with in float32 all
    the same.
    """
    training = checkpoint.read(path)
    name = path.name.removesuffix(checkpoint.ENDING)
    settings = training["settings"]
    about = {
        **about,
        # What the network is stands in "model", ready to be built from.
        "settings": {
            k: settings[k] for k in settings if k != "architecture"
        },
        "steps": training["history"]["index"][-1],
        "model": training["model"],
    }
    target = pretrained.FOLDER
    target.mkdir(exist_ok=True)
    model = keras.saving.deserialize_keras_object(training["model"])
    if optimizers := training["optimizers"]:  # those that averaged
        made = {
            name: keras.saving.deserialize_keras_object(one)
            for name, one in optimizers.items()
        }
        model.set_optimizers(made, at_once=model.steps_per_execution)
    averaged = getattr(model, "averaged", contextlib.nullcontext)
    model.load_weights(path)
    # Both are whole before either is in place.
    with tempfile.TemporaryDirectory(
        dir=target, prefix=".partial-"
    ) as partial:
        weights = Path(partial, path.name)
        with averaged(), checkpoint.without_optimizers(model):
            model.save_weights(weights)
        with h5py.File(path, "r") as file, h5py.File(weights, "a") as kept:
            file.copy("training", kept)
        pack(weights, half)
        tale = Path(partial, f"{name}.json")
        tale.write_text(
            json.dumps(about, indent=1) + "\n", encoding="utf-8"
        )
        os.replace(weights, target / weights.name)
        os.replace(tale, target / tale.name)
    return name


def pack(path, half=None):
    """Make an HDF5 file small: compressed, and what begins with `half` in float16.

    The copy takes the file's place. It has HDF5's newer layout: the older one, in
    which Keras writes, spends kilobytes on each of its many groups.
    """
    full = path.with_name(f"full-{path.name}")
    os.replace(path, full)
    with (
        h5py.File(full, "r") as file,
        h5py.File(path, "w", libver="latest") as kept,
    ):

        def copy(name, item):
            if isinstance(item, h5py.Group):
                kept.require_group(name).attrs.update(item.attrs)
                return
            values = item[()]
            if half is not None and name.startswith(half):
                if item.dtype == "float32":
                    values = values.astype("float16")
            packing = {"compression": "gzip", "shuffle": True}
            if item.size < 64:  # a header would take more than that
                packing = {}
            kept.create_dataset(name, data=values, **packing)
            kept[name].attrs.update(item.attrs)

        kept.attrs.update(file.attrs)
        file.visititems(copy)
    full.unlink()


if __name__ == "__main__":
    sys.exit(main())
