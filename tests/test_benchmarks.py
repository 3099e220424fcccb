"""Every benchmark still starts; what it measures is for a quiet machine."""

import ast
import importlib
import json
import subprocess
import sys

import pytest
from conftest import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_what_it_imports_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ours = [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("gan_notes")
        for alias in node.names
    ]
    for module, name in ours:
        found = importlib.import_module(module)
        assert hasattr(found, name) or importlib.import_module(f"{module}.{name}")


@pytest.mark.nightly
@pytest.mark.long
def test_the_steps_of_timegan_run_small_and_write_nothing():
    path = FOLDER / "timegan_steps.py"
    kept = path.with_suffix(".json").read_bytes()
    command = [sys.executable, path, "--small", "--rounds", "1", "--steps", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(json.loads(kept))
    assert found["rounds"] == 1
    assert 0 <= found["loss_difference"] < 1e-4
    assert found["ours"]["joint"] > 0
    assert path.with_suffix(".json").read_bytes() == kept


@pytest.mark.nightly
@pytest.mark.long
def test_a_plan_of_some_sets_is_measured_and_nothing_written():
    command = [sys.executable, FOLDER / "sweep.py", "--small", "--only", "plan"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])["plan"]
    assert found["none_finished"]["finished"] == 0
    assert found["all_finished"]["finished"] == 50
    assert found["all_finished"]["megabytes"] < 1000


@pytest.mark.nightly
@pytest.mark.long
def test_the_images_of_dcgan_run_small_and_write_nothing():
    path = FOLDER / "dcgan_images.py"
    stored = {p: p.read_bytes() for p in FOLDER.glob("*.json")}
    command = [sys.executable, path, "--small", "--rounds", "1", "--steps", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for kind in ("networks of 2016", "plain pair"):
        assert 0 <= found[kind]["loss_difference"] < 1e-2
        assert found[kind]["ours"] > 0
    assert 0 < found["share_of_that"]
    assert {p: p.read_bytes() for p in FOLDER.glob("*.json")} == stored
