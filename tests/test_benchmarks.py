"""Every benchmark still starts; what it measures is for a quiet machine."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_it_runs_small_and_writes_nothing(path):
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
