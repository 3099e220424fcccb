"""Reruns: parameters checked at the door, results on disk whole or not at all."""

import json
import subprocess
import sys
import types

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from gan_notes import __main__, notebooks

LEGAL = {
    "seed": 0,
    "steps": 20,
    "train": True,
    "checkpoint_dir": "",
    "output_dir": "",
    "source": "sample",
    "tickers": "",
    "start": "",
    "end": "",
    "sequence_length": 24,
    "transform": "levels",
}
WRONG = [
    ("seed", -1),
    ("seed", 2**31),
    ("seed", "0"),
    ("steps", 0),
    ("steps", 1.5),
    ("steps", True),
    ("steps", "many"),
    ("train", "yes"),
    ("train", 1),
    ("checkpoint_dir", None),
    ("output_dir", 3),
    ("source", ""),
    ("tickers", ["KO"]),
    ("start", "2020-13-01"),
    ("end", "yesterday"),
    ("end", "2020-02-30"),
    ("sequence_length", 3),
    ("sequence_length", 500),
    ("transform", "returns"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_parameter_is_named_with_what_is_allowed(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: .* is not allowed; give ") as e:
        notebooks.check({**LEGAL, name: value})
    assert "\n" not in str(e.value)


def test_legal_parameters_pass():
    notebooks.check(LEGAL)
    notebooks.check({**LEGAL, "start": "2010-01-04", "end": "2010-01-04"})


def test_start_after_end():
    with pytest.raises(ValueError, match="'2020-01-02' is after end '2020-01-01'"):
        notebooks.check({"start": "2020-01-02", "end": "2020-01-01"})


@given(st.integers(0, 2**31 - 1), st.booleans(), st.text("abc/.-_ ", max_size=9))
def test_text_of_the_command_line_comes_back_as_it_was(number, flag, text):
    assert notebooks.read("seed", str(number)) == number
    assert notebooks.read("train", str(flag)) is flag
    assert notebooks.read("output_dir", text) == text


def notebook(path, body="pass"):
    """Write a notebook with the common parameters and one more cell."""
    cells = [
        "from gan_notes import notebooks",
        "seed = 0  # type: int  draws\nsteps = 5  # type: int  updates\n"
        "train = True  # type: bool  or load\noutput_dir = ''  # type: str  results",
        "chapter = notebooks.begin('x', globals(), cpu_minutes=1, gpu_minutes=1)",
        body,
    ]
    page = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            }
        },
    )
    page.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(page, path)
    return path


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (
            ["stepz", "3"],
            "stepz: page.ipynb has no such parameter. It has: seed, steps",
        ),
        (["steps", "0"], "steps: 0 is not allowed; give a whole number"),
        (["steps", "1e3"], "steps: '1e3' is not allowed; give a whole number"),
        (["train", "maybe"], "train: 'maybe' is not allowed; give True"),
    ],
)
def test_run_refuses_before_any_work(tmp_path, capsys, given_, message):
    page = notebook(tmp_path / "page.ipynb")
    output = tmp_path / "out.ipynb"
    assert __main__.main(["run", str(page), str(output), "-p", *given_]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_run_names_a_missing_notebook(tmp_path, capsys):
    assert __main__.main(["run", str(tmp_path / "no.ipynb"), "out.ipynb"]) == 1
    assert "there is no such notebook" in capsys.readouterr().err


def papermill(page, output, *parameters):
    return subprocess.run(
        [sys.executable, "-m", "papermill", page, output, *parameters],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_bare_papermill_fails_in_the_first_cell_in_the_same_words(tmp_path):
    page = notebook(tmp_path / "page.ipynb", "raise SystemExit('work began')")
    done = papermill(page, tmp_path / "out.ipynb", "-p", "steps", "many")
    assert done.returncode != 0
    assert "steps: 'many' is not allowed; give a whole number" in done.stderr
    assert "work began" not in done.stderr


BODY = """
import pandas as pd, matplotlib.pyplot as plt
figure, _ = plt.subplots()
rows = [dict(metric="coverage", candidate="copycat", value=float("nan"))]
chapter.finish(rows, {"losses": figure}, {"synthetic": pd.DataFrame({"KO": [1.0]})})
"""


def test_results_are_written_where_output_dir_is_set(tmp_path):
    page = notebook(tmp_path / "page.ipynb", BODY)
    parameters = ["-p", "output_dir", str(tmp_path / "results"), "-p", "seed", "7"]
    done = __main__.main(["run", str(page), str(tmp_path / "o.ipynb"), *parameters])
    assert done == 0
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names == {"metrics.json", "losses.png", "synthetic.parquet"}
    result = json.loads((tmp_path / "results" / "metrics.json").read_text())
    assert set(result) == {
        "notebook",
        "parameters",
        "versions",
        "device",
        "seconds",
        "metrics",
    }
    assert result["parameters"]["seed"] == 7
    assert {"tensorflow", "keras", "python"} <= set(result["versions"])
    assert result["metrics"] == [
        {
            "metric": "coverage",
            "candidate": "copycat",
            "value": None,
            "low": None,
            "high": None,
            "better": None,
            "floor": None,
            "at_floor": None,
        }
    ]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".partial")]


def chapter(folder):
    return notebooks.Chapter("x", {**LEGAL, "output_dir": str(folder)}, "CPU")


def test_nothing_half_written_when_a_result_cannot_be_saved(tmp_path):
    figure = types.SimpleNamespace(savefig=lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        chapter(tmp_path / "out").finish(
            figures={"bad": figure}, data={"a": pd.DataFrame({"x": [1]})}
        )
    assert list((tmp_path / "out").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_unknown_key_of_a_metric_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"unknown.*valeu"):
        chapter(tmp_path).finish([{"metric": "a", "valeu": 1}])


def test_no_output_dir_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figure = plt.figure()
    notebooks.Chapter("x", LEGAL, "CPU").finish([{"metric": "a"}], {"f": figure})
    plt.close(figure)
    assert list(tmp_path.iterdir()) == []


def test_the_note_says_source_period_steps_and_seed():
    parameters = {**LEGAL, "start": "2010-01-01", "source": "/data/my.csv"}
    note = notebooks.Chapter("x", parameters, "CPU").note("ring")
    assert note == "ring · my.csv · 2010-01-01 to last day · 20 steps · seed 0"
    shipped = notebooks.Chapter("x", {**LEGAL, "train": False}, "CPU").note()
    assert shipped == "sample · shipped weights · seed 0"


def test_metrics_take_numpy_numbers(tmp_path):
    chapter(tmp_path).finish([{"metric": "a", "value": np.float32(0.5), "floor": 1}])
    result = json.loads((tmp_path / "metrics.json").read_text())
    assert result["metrics"][0]["value"] == 0.5
