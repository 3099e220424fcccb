"""Reruns: parameters checked at the door, results on disk whole or not at all."""

import json
import os
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, by_chapter, read, write_notebook
from hypothesis import given
from hypothesis import strategies as st
from test_sweep import grid, inside, without_kernels

from gan_notes import __main__, notebooks, sweep
from gan_notes.data import room

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


@pytest.mark.parametrize("value", [5930, 2020.5, float("nan"), True, None])
def test_a_number_that_papermill_made_of_text_is_traced_to_it(value):
    with pytest.raises(ValueError, match=r"papermill.*-p.*use -r tickers\.$"):
        notebooks.check({**LEGAL, "tickers": value})


def test_a_list_is_not_traced_to_papermill():
    with pytest.raises(ValueError, match=r"default\.$"):
        notebooks.check({**LEGAL, "tickers": ["KO"]})


def test_start_after_end():
    with pytest.raises(ValueError, match="'2020-01-02' is after end '2020-01-01'"):
        notebooks.check({"start": "2020-01-02", "end": "2020-01-01"})


@given(st.integers(0, 2**31 - 1), st.booleans(), st.text("abc/.-_ ", max_size=9))
def test_text_of_the_command_line_comes_back_as_it_was(number, flag, text):
    assert notebooks.read("seed", str(number)) == number
    assert notebooks.read("seed", f"{number:_}") == number
    assert notebooks.read("train", str(flag)) is flag
    assert notebooks.read("output_dir", text) == text


def notebook(path, body="pass"):
    """Write a notebook: common parameters, some of its own, one more cell."""
    cells = [
        "from gan_notes import notebooks",
        "seed = 0  # type: int  draws\nsteps = 5  # type: int  updates\n"
        "train = True  # type: bool  or load\n"
        "checkpoint_dir = ''  # type: str  folder\n"
        "output_dir = ''  # type: str  results\n"
        "tickers = ''  # type: str  series\n"
        "noise = 0.5  # type: float  spread\nwords = 'a'  # type: str  any\nbare = 1",
        "chapter = notebooks.begin('x', globals(), cpu_minutes=1, gpu_minutes=1,"
        " own=['noise', 'words'])",
        body,
    ]
    return write_notebook(path, cells)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (
            ["stepz", "3"],
            "stepz: page.ipynb has no such parameter. It has: seed, steps",
        ),
        (["steps", "0"], "steps: 0 is not allowed; give a whole number"),
        (["steps", "1e3"], "steps: '1e3' is not allowed; give a whole number"),
        (["steps", "1_"], "steps: '1_' is not allowed; give a whole number"),
        (["steps", "1__0"], "steps: '1__0' is not allowed; give a whole number"),
        (
            ["steps", "9" * 5000],
            "steps: '999999999999...9999999999999' is not allowed; give a whole number "
            "of at least 1, of at most 18 digits.",
        ),
        (["train", "maybe"], "train: 'maybe' is not allowed; give True"),
        (["noise", "loud"], "noise: 'loud' is not allowed; give a number."),
        (["bare", "2"], "bare: the notebook does not say its type; write `# type: int"),
        (
            ["output_dir", "/dev/null/x"],
            "output_dir: '/dev/null/x' cannot be written to",
        ),
        (
            ["checkpoint_dir", "/dev/null"],
            "checkpoint_dir: '/dev/null' cannot be written",
        ),
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


def test_run_says_what_to_install_where_papermill_is_missing(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "papermill", None)
    page = notebook(tmp_path / "page.ipynb")
    assert __main__.main(["run", str(page), str(tmp_path / "out.ipynb")]) == 1
    said = capsys.readouterr().err
    assert said == (
        "gan_notes: run: papermill is not installed; pip install 'gan-notes[sweep]'.\n"
    )


def papermill(page, output, *parameters):
    return subprocess.run(
        [sys.executable, "-m", "papermill", page, output, *parameters],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_run_says_where_the_executed_notebook_cannot_go(tmp_path, capsys):
    page = notebook(tmp_path / "page.ipynb")
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "out.ipynb"
    assert __main__.main(["run", str(page), str(output)]) == 1
    assert f"{output} cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (["steps", "many"], "steps: 'many' is not allowed; give a whole number"),
        pytest.param(
            ["tickers", "5930"],
            "tickers: 5930 is not allowed; give tickers with commas",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ["output_dir", "/dev/null"],
            "output_dir: '/dev/null' cannot be written to",
            marks=pytest.mark.long,
        ),
    ],
)
def test_bare_papermill_fails_in_the_first_cell_in_the_same_words(
    tmp_path, given_, message
):
    page = notebook(tmp_path / "page.ipynb", "raise SystemExit('work began')")
    done = papermill(page, tmp_path / "out.ipynb", "-p", *given_)
    assert done.returncode != 0
    assert message in done.stderr
    assert "work began" not in done.stderr


def test_an_error_of_a_cell_is_one_line_and_the_notebook_is_kept(tmp_path, capsys):
    page = notebook(tmp_path / "page.ipynb", "raise ValueError('source: none.')")
    output = tmp_path / "out.ipynb"
    assert __main__.main(["run", str(page), str(output)]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == (
        "gan_notes: page.ipynb stopped, ValueError: source: none. "
        f"What ran up to there is in {output}."
    )
    assert "source: none" in output.read_text(encoding="utf-8")


BODY = """
import pandas as pd, matplotlib.pyplot as plt
figure, _ = plt.subplots()
rows = [dict(metric="coverage", candidate="copycat", value=float("nan"))]
chapter.finish(rows, {"losses": figure}, {"synthetic": pd.DataFrame({"KO": [1.0]})},
               notes=["changes are differences"])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no sockets in files")
def test_a_kernel_takes_no_port_that_another_could_take(tmp_path, monkeypatch):
    """Where the folder of temporary files is too deep for a socket, ports are used."""
    page = write_notebook(
        tmp_path / "a.ipynb",
        [
            "import json, pathlib\n"
            "from ipykernel.connect import get_connection_info\n"
            "said = json.loads(get_connection_info())",
            "seed = 0",
            "pathlib.Path('said').write_text(said['transport'])",
        ],
    )
    monkeypatch.chdir(tmp_path)
    notebooks.execute(page, tmp_path / "out.ipynb", {}, progress_bar=False)
    assert Path("said").read_text(encoding="utf-8") == "ipc"
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    notebooks.execute(page, tmp_path / "out.ipynb", {}, progress_bar=False)
    assert Path("said").read_text(encoding="utf-8") == "tcp"
    assert not list(deep.iterdir()), "nothing is left"


def test_results_are_written_where_output_dir_is_set(tmp_path):
    page = notebook(tmp_path / "page.ipynb", BODY)
    parameters = ["-p", "output_dir", str(tmp_path / "results"), "-p", "seed", "7"]
    parameters += ["-p", "noise", "2", "-p", "words", "5930", "-p", "tickers", "0050"]
    done = __main__.main(["run", str(page), str(tmp_path / "o.ipynb"), *parameters])
    assert done == 0
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names == {"metrics.json", "losses.png", "synthetic.parquet"}
    result = json.loads(
        (tmp_path / "results" / "metrics.json").read_text(encoding="utf-8")
    )
    assert set(result) == {
        "notebook",
        "parameters",
        "versions",
        "device",
        "seconds",
        "notes",
        "metrics",
    }
    assert result["parameters"] == {
        "seed": 7,
        "steps": 5,
        "train": True,
        "checkpoint_dir": "",
        "output_dir": str(tmp_path / "results"),
        "tickers": "0050",
        "noise": 2.0,
        "words": "5930",
    }
    assert result["notes"] == ["changes are differences"]
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


def test_results_are_written_to_a_mount_of_its_own(mount):
    chapter(mount).finish([{"metric": "a"}], data={"a": pd.DataFrame({"x": [1]})})
    assert {path.name for path in mount.iterdir()} == {"metrics.json", "a.parquet"}


UNWRITABLE = {
    "a file": lambda folder: folder / "file",
    "below a file": lambda folder: folder / "file" / "results",
    "nobody's": lambda folder: Path("/proc/results"),
}


@pytest.mark.parametrize("place", UNWRITABLE.values(), ids=UNWRITABLE)
@pytest.mark.parametrize("name", ["output_dir", "checkpoint_dir"])
def test_a_folder_that_cannot_be_written_to_is_refused_by_name(tmp_path, name, place):
    (tmp_path / "file").touch()
    path = str(place(tmp_path))
    with pytest.raises(ValueError, match=rf"^{name}: .* cannot be written to \(") as e:
        notebooks.folders({**LEGAL, name: path})
    assert repr(path) in str(e.value)
    assert "\n" not in str(e.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full disk")
def test_a_full_disk_is_found_by_writing(tmp_path, monkeypatch):
    def full(**_):
        return open("/dev/full", "wb")

    monkeypatch.setattr(notebooks.tempfile, "NamedTemporaryFile", full)
    with pytest.raises(ValueError, match=r"output_dir: .* \(No space left on device\)"):
        notebooks.folders({"output_dir": str(tmp_path)})


def test_folders_are_made_and_the_home_folder_is_meant_by_its_sign(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    namespace = {**LEGAL, "checkpoint_dir": "~/a/b", "output_dir": "~/c"}
    begun = notebooks.begin("x", namespace, cpu_minutes=1, gpu_minutes=1)
    begun.finish([{"metric": "m"}])
    expanded = {"checkpoint_dir": f"{tmp_path}/a/b", "output_dir": f"{tmp_path}/c"}
    assert begun.parameters == LEGAL | expanded
    assert namespace == LEGAL | expanded, "what the chapter passes on to fit"
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["metrics.json"]


def test_results_of_an_earlier_run_are_gone_once_another_begins(tmp_path):
    """The rerun may yet fail; one whose parameters are refused removes nothing."""
    chapter(tmp_path).finish([{"metric": "of an earlier run"}])
    (tmp_path / "mine.txt").touch()
    begin = {"cpu_minutes": 1, "gpu_minutes": 1}
    wrong = {**LEGAL, "output_dir": str(tmp_path), "steps": 0}
    with pytest.raises(ValueError, match="steps"):
        notebooks.begin("x", wrong, **begin)
    assert (tmp_path / "metrics.json").exists()
    begun = notebooks.begin("x", wrong | {"steps": 1}, **begin)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    begun.finish([{"metric": "m"}])
    assert (tmp_path / "metrics.json").exists()


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
    result = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert result["metrics"][0]["value"] == 0.5


# What the first cell sets for the whole process

PROCESS = """
import json, random
from gan_notes import notebooks
notebooks.threads(recurrent=True)
import keras, numpy as np, tensorflow as tf
import gan_notes.training.loop
from tensorflow.python.framework import config
before = tf.config.optimizer.get_experimental_options()
def draws(seed):
    namespace = {"seed": seed, "output_dir": ""}
    notebooks.begin("x", namespace, cpu_minutes=1, gpu_minutes=1)
    return [random.random(), float(np.random.rand()),
            float(keras.random.uniform(())), float(tf.random.uniform(()))]
print(json.dumps({
    "draws": [draws(0), draws(0), draws(1)],
    "before": before,
    "after": tf.config.optimizer.get_experimental_options(),
    "deterministic": config.is_op_determinism_enabled(),
}))
"""


@pytest.fixture(scope="module")
def fresh():
    """Return what a fresh process says of itself after `begin`."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_begin_fixes_every_global_draw(fresh):
    first, again, other = fresh["draws"]
    assert first == again
    assert not set(first) & set(other)


def test_begin_switches_off_the_pass_that_drops_orderings(fresh):
    assert "dependency_optimization" not in fresh["before"], "importing changes it"
    assert fresh["after"]["dependency_optimization"] is False


def test_begin_switches_on_op_determinism_on_a_cpu(fresh):
    assert fresh["deterministic"] is True


def begun(capsys):
    """Begin a chapter; return its device and the lines it printed."""
    device = notebooks.begin("x", dict(LEGAL), cpu_minutes=1, gpu_minutes=1).device
    return device, capsys.readouterr().out


def test_the_first_lines_say_where_and_how_long(capsys):
    device, line = begun(capsys)
    assert device == f"CPU ({os.cpu_count()} cores)"
    assert f" · {device} · prices: sample\nabout 60 s on 2 CPU cores, by" in line
    assert line.count("\n") == 2
    assert max(map(len, line.splitlines())) <= 80
    assert "approximately" not in line


@pytest.fixture
def gpu(monkeypatch):
    """Let TensorFlow list a GPU; return what was asked of it since."""
    import tensorflow as tf

    card, asked = object(), []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [card])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [card])
    experimental = tf.config.experimental
    monkeypatch.setattr(
        experimental, "get_device_details", lambda gpu: {"device_name": "Card 1"}
    )
    monkeypatch.setattr(
        experimental, "enable_op_determinism", lambda: asked.append("determinism")
    )
    return asked


def test_on_a_gpu_op_determinism_is_off_and_the_line_says_so(gpu, capsys):
    device, line = begun(capsys)
    assert device == "Card 1"
    assert "runs repeat only approximately on a GPU" in line
    assert gpu == []


def test_a_gpu_that_was_made_invisible_is_not_used(gpu, capsys, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])
    device, line = begun(capsys)
    assert device.startswith("CPU")
    assert "approximately" not in line
    assert gpu == ["determinism"]


THREADS = ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"]
FEW = ["1", "2", "1"]


@pytest.mark.parametrize(
    ("recurrent", "cores", "driver", "expected"),
    [
        (True, 2, False, FEW),
        (True, 4, False, FEW),
        (True, 16, False, [None] * 3),
        (True, 2, True, [None] * 3),
        (False, 2, False, [None] * 3),
    ],
)
def test_one_thread_inside_an_operation_where_that_was_measured_to_help(
    monkeypatch, recurrent, cores, driver, expected
):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(notebooks, "_has_nvidia_driver", lambda: driver)
    notebooks.threads(recurrent=recurrent)
    assert [os.environ.get(name) for name in THREADS] == expected


def test_threads_leave_what_a_reader_has_set(monkeypatch):
    monkeypatch.setattr(os, "environ", dict.fromkeys(THREADS, "3"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    notebooks.threads(recurrent=True)
    assert [os.environ.get(name) for name in THREADS] == ["3"] * 3


FAKED_GPU = """
import tensorflow as tf
tf.config.get_visible_devices = lambda kind=None: ["/device:GPU:0"]
tf.config.experimental.get_device_details = lambda _: {"device_name": "faked"}
"""


@pytest.mark.long
@pytest.mark.parametrize("name", ["06_timegan", "07_judging"])
def test_shipped_weights_load_where_there_is_a_gpu(name, tmp_path, monkeypatch):
    """The list of devices is faked in the kernel, before the chapter's first cell."""
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00_gpu.py").write_text(FAKED_GPU, encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    chapter = read(ROOT / "book" / f"{name}.ipynb")
    code = [cell.source for cell in chapter.cells if cell.cell_type == "code"]
    loads = next(i for i, cell in enumerate(code) if "pretrained.load(" in cell)
    needed = [c for c in code[3:loads] if "make_windows(" in c or "TimeGAN(" in c]
    ending = "print(timegan.reset_after, timegan.generate(2, seed=0).shape)"
    cells = [*code[:3], *needed, code[loads], ending]
    page = write_notebook(tmp_path / f"{name}.ipynb", cells)
    output = tmp_path / "out.ipynb"
    assert __main__.main(["run", str(page), str(output), "-p", "train", "False"]) == 0
    begun, *_, last = (cell.outputs for cell in read(output).cells if cell.outputs)
    assert "· faked ·" in begun[-1].text
    assert last[-1].text.split("\n")[-2] == "False (2, 24, 6)"


def opened(name, **values):
    """Run a chapter's first code cells until one fails; return its error and the names.

    But the setup, which is IPython's. The last ones cut windows and look at them.
    """
    cells = read(ROOT / "book" / f"{name}.ipynb").cells
    space = {"notebooks": notebooks}
    for cell in [cell for cell in cells if cell.cell_type == "code"][1:5]:
        try:
            exec(cell.source, space)
        except ValueError as error:
            return str(error), space
        if "parameters" in cell.metadata.get("tags", []):
            space.update(values)
    return "", space


@by_chapter
def test_every_chapter_begins_in_a_sweep_whether_it_trains_or_not(
    path, tmp_path, monkeypatch
):
    """Its parameters and its checks, with the values that a run of the sweep gets."""
    code = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    cells = ["from gan_notes import notebooks", *code[1:3], "chapter.finish()"]
    page = write_notebook(tmp_path / path.name, cells)
    sets = grid(tmp_path, "[{seed: 1}, {train: true}, {train: false}]")
    values = without_kernels(monkeypatch)
    with inside(1) as cluster:
        made = sweep.sweep(page, sets, str(tmp_path / "out"), scheduler=cluster)
    assert not list(made.failed["error"])
    kept = {v["train"]: "checkpoint_dir" in v for v in values if "train" in v}
    assert kept == {True: True, False: False}


@pytest.mark.parametrize("name", ["06_timegan", "07_judging"])
def test_a_run_that_the_memory_cannot_hold_is_refused_before_it_begins(
    name, monkeypatch, capsys
):
    """By the chapter: all that it makes of its windows does not fit."""
    monkeypatch.setattr(room, "free", lambda: 1e9)
    error, space = opened(name, sequence_length=252, steps=10_000, train=True)
    assert re.fullmatch(
        r"sequence_length: 8,313 windows of 252 x 6 need about .* GB of memory and "
        r"[\d,]+ minutes on 2 cores, and 1\.0 GB are free; take a shorter one, .*",
        error,
    )
    assert "windows" not in space
    capsys.readouterr()
    error, space = opened(name)
    assert not error, "the default size needs less than a gigabyte"
    assert "this size" not in capsys.readouterr().out
    assert len(space["windows"].train) > 6_000


def test_windows_of_a_file_that_the_memory_cannot_hold_are_refused(
    tmp_path, monkeypatch
):
    path = tmp_path / "many.npy"
    many = np.lib.format.open_memmap(path, "w+", "float32", (100_000, 24, 6))
    many.flush()  # zeros that take no place on the disk
    monkeypatch.setattr(room, "free", lambda: 1e9)
    error, _ = opened("07_judging", synthetic=str(path))
    assert re.match(r"synthetic: 100,000 windows of 24 x 6 need about", error)
    assert error.endswith("GB are free; give fewer.")


def test_a_long_run_says_so_and_a_short_one_does_not(monkeypatch, capsys):
    parameters = {"sequence_length": 120}
    chapter = notebooks.Chapter("x", parameters, "CPU", minutes=1.0)
    monkeypatch.setattr(room, "free", lambda: 10e9)
    chapter.expect(8_000, 20, copies=10, seconds=500)
    minutes = 1 + 500 * 5 * notebooks.UNFUSED / 60  # 120 days are 5 times 24
    assert capsys.readouterr().out == (
        f"this size: about {minutes:.0f} min on 2 CPU cores, 1.5 GB of memory\n"
    )
    parameters["sequence_length"] = 24
    chapter.expect(8_000, 20, copies=10, seconds=50)
    assert not capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.long
def test_chapter_07_judges_a_training_of_its_own_on_prices_of_ones_own(tmp_path):
    random = np.random.default_rng(0)
    days = 0.01 * random.standard_t(5, size=(2200, 3))
    index = pd.bdate_range("2010-01-04", periods=len(days), name="date")
    prices = pd.DataFrame(50 * np.exp(days.cumsum(axis=0)), index, list("ABC"))
    prices.to_csv(tmp_path / "own.csv")
    given_ = {"source": str(tmp_path / "own.csv"), "train": True, "steps": 20}
    given_ |= {"sequence_length": 12, "output_dir": str(tmp_path / "out")}
    pairs = [x for key, value in given_.items() for x in ("-p", key, str(value))]
    page, copy = ROOT / "book" / "07_judging.ipynb", tmp_path / "copy.ipynb"
    assert __main__.main(["run", str(page), str(copy), *pairs]) == 0
    results = json.loads(
        (tmp_path / "out" / "metrics.json").read_text(encoding="utf-8")
    )
    rows = {(row["metric"], row["candidate"]): row for row in results["metrics"]}
    of_ours = rows["AUC, boosting (quick)", "ReturnsGAN"]
    assert of_ours["low"] <= of_ours["value"] <= of_ours["high"]
    # Twenty steps tell nothing of the data; days in another order keep their law.
    assert of_ours["value"] > 0.8 > rows["AUC, boosting (quick)", "iid days"]["value"]
    assert ("AUC, boosting (quick)", "TimeGAN") not in rows  # it learnt other prices


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.parametrize("model", ["returns", "timegan"])
def test_chapter_06_runs_on_measurements_that_are_no_prices(tmp_path, model):
    """Loads, temperatures: values below 0, which only `levels` takes."""
    random = np.random.default_rng(0)
    hours = np.arange(900)[:, None]
    values = np.sin(hours / [24, 12, 168, 30]) + 0.1 * random.normal(size=(900, 4))
    index = pd.date_range("2020-01-01", periods=900, name="date")
    pd.DataFrame(values, index, list("ABCD")).to_csv(tmp_path / "energy.csv")
    given_ = {"source": str(tmp_path / "energy.csv"), "transform": "levels"}
    given_ |= {"model": model, "train": True, "steps": 20, "sequence_length": 12}
    given_ |= {"output_dir": str(tmp_path / "out")}
    pairs = [x for key, value in given_.items() for x in ("-p", key, str(value))]
    page, copy = ROOT / "book" / "06_timegan.ipynb", tmp_path / "copy.ipynb"
    assert __main__.main(["run", str(page), str(copy), *pairs]) == 0
    windows = pd.read_parquet(tmp_path / "out" / "synthetic.parquet")
    assert [*"ABCD"] == [name for name in windows.columns if name in [*"ABCD"]]
    assert np.isfinite(windows[[*"ABCD"]].to_numpy()).all()
