"""Modes of stacked digits are counted right, and the script runs small."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, benchmark

from gan_notes import load_images
from gan_notes.data.images import stack_digits
from gan_notes.evaluation import images as judges


def test_colours_are_the_digits_of_the_label():
    images, labels = load_images()
    stacked, classes = stack_digits(images, labels, 300, seed=1)
    again, _ = stack_digits(images, labels, 300, seed=1)
    np.testing.assert_array_equal(stacked, again)
    assert stacked.shape == (300, 28, 28, 3)
    index = {
        image.tobytes(): label for image, label in zip(images, labels, strict=True)
    }
    for image, number in zip(stacked, classes, strict=True):
        digits = [index[image[..., i : i + 1].tobytes()] for i in range(3)]
        assert digits[0] * 100 + digits[1] * 10 + digits[2] == number
    with pytest.raises(ValueError, match=r"\(300, 28, 28, 3\) came with 300 labels"):
        stack_digits(stacked, classes, 2)


def test_modes_are_counted_from_one_image_on():
    kept = benchmark("stacked_digits").kept
    assert kept(np.arange(1000)) == {"modes": 1000, "KL to uniform": 0}
    half = kept(np.repeat(np.arange(500), 7))
    assert half["modes"] == 500
    assert half["KL to uniform"] == pytest.approx(np.log(2), abs=1e-4)


@pytest.mark.long
def test_the_judge_reads_each_colour():
    images, labels = load_images()
    stacked, classes = stack_digits(images, labels, 400)
    right = judges.classify_stacks(judges.load_judge(), stacked) == classes
    assert right.mean() > 0.9


def test_what_is_stored_keeps_the_modes_that_chapter_04_says():
    out = benchmark("stacked_digits").OUT
    stored = json.loads(out.read_text(encoding="utf-8"))
    assert stored["drawn"] == 25_600
    assert stored["plain pair"]["modes"] > 990


@pytest.mark.nightly
@pytest.mark.long
def test_what_held_out_digits_score_comes_again():
    script = benchmark("stacked_digits")
    stored = json.loads(script.OUT.read_text(encoding="utf-8"))
    fresh, _ = script.stacks(script.DRAWN, script.HELD_OUT)
    found = script.kept(judges.classify_stacks(judges.load_judge(), fresh))
    assert found == pytest.approx(stored["real, held-out digits"], abs=1e-3)


@pytest.mark.nightly
@pytest.mark.long
def test_the_script_runs_small_and_writes_nothing(tmp_path):
    path = ROOT / "benchmarks" / "stacked_digits.py"
    out = path.with_suffix(".json")
    before = out.read_bytes() if out.exists() else None
    command = [sys.executable, path, "--folder", tmp_path, "--small"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert 1 <= found["plain pair"]["modes"] <= 500
    assert found["real, by their labels"]["modes"] > 350
    assert (out.read_bytes() if out.exists() else None) == before
