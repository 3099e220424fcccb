"""Sweeps: a grid is checked whole, each run is there whole or not at all."""

import ast
import contextlib
import errno
import io
import json
import math
import os
import re
import sys
import time
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from conftest import ROOT, read, tab, write_notebook
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from gan_notes import (
    __main__,
    notebooks,
    sweep,
    sweep_grid,
    sweep_report,
    sweep_run,
)
from gan_notes.data import yahoo

PARAMETERS = """seed = 0  # type: int  draws
steps = 5  # type: int  updates
tickers = ''  # type: str  series
start = ''  # type: str  first day
end = ''  # type: str  last day
source = 'sample'  # type: str  prices
noise = 0.5  # type: float  spread
output_dir = ''  # type: str  results
checkpoint_dir = ''  # type: str  training
synthetic = ''  # type: str  windows
bare = 1"""
FINISH = """
from gan_notes import notebooks
names = "seed steps tickers source noise output_dir checkpoint_dir".split()
parameters = {name: globals()[name] for name in names}
rows = [dict(metric="coverage", candidate="TimeGAN", value=seed + noise, floor=0.9,
             better="higher"),
        dict(metric="coverage", candidate="bootstrap", value=0.8, floor=0.9)]
notebooks.Chapter("page", parameters, "CPU").finish(rows)
"""


def page(folder, body="", finish=FINISH):
    """Write a notebook that needs no TensorFlow: a body, then its metrics."""
    cells = ["import os, time", PARAMETERS, body, finish]
    return write_notebook(folder / "page.ipynb", cells)


def grid(folder, text):
    path = folder / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def planned(tmp_path):
    """Return a function from the text of a grid to its plan."""
    book = page(tmp_path)
    return lambda text: sweep.plan(book, grid(tmp_path, text))


# Grids


def test_sets_are_combined_with_every_combination(planned):
    made = planned(
        "product: {seed: [0, 1], steps: [5]}\n"
        "sets: [{tickers: 'KO,GE'}, {tickers: NO, noise: 1}]\n"
    )
    assert [run.parameters for run in made.runs] == [
        {"tickers": "KO,GE", "seed": 0, "steps": 5},
        {"tickers": "KO,GE", "seed": 1, "steps": 5},
        {"tickers": "NO", "noise": 1.0, "seed": 0, "steps": 5},
        {"tickers": "NO", "noise": 1.0, "seed": 1, "steps": 5},
    ]


def test_a_bare_list_is_a_list_of_sets(planned):
    made = planned("- seed: 3\n- seed: 4\n")
    assert [run.parameters for run in made.runs] == [{"seed": 3}, {"seed": 4}]


@pytest.mark.parametrize(
    "text", ["NO", "005930", "2020-01-02", "null", "1e3", "0x1f", "yes", "12:30:00"]
)
def test_what_yaml_would_make_a_number_stays_text_for_a_text_parameter(planned, text):
    (run,) = planned(f"- tickers: {text}").runs
    assert run.parameters == {"tickers": text}


REFUSED = [
    ("stepz: [1]", "set 1: stepz: page.ipynb has no such parameter. It has: "),
    ("steps: [5, 0]", "set 2: steps: 0 is not allowed; give a whole number"),
    ("steps: [1e3]", "set 1: steps: '1e3' is not allowed; give a whole number"),
    ("steps: [1_]", "set 1: steps: '1_' is not allowed; give a whole number"),
    (f"steps: [{'9' * 5000}]", "set 1: steps: '999999999999...9999999999999' is not"),
    ("noise: [loud]", "set 1: noise: 'loud' is not allowed; give a number."),
    ("bare: [2]", "set 1: bare: the notebook does not say its type"),
    ("output_dir: [x]", "set 1: output_dir: the sweep gives each run its own"),
    ("checkpoint_dir: [x]", "set 1: checkpoint_dir: the sweep gives each run its own"),
    ("{start: 2020-02-02, end: 2020-02-01}", "start: '2020-02-02' is after end"),
    ("start: [2020-02-30]", "start: '2020-02-30' is not allowed; give a day"),
    ("seed: [1, 1]", "sets 1 and 2 are the same run"),
    ("seed: [0]\n  steps: [5, 05]", "sets 1 and 2 are the same run"),
    ("seed: []", "product: seed: give a list of single values"),
    ("seed: [[1]]", "product: seed: give a list of single values"),
    ("seed: [1]\n  seed: [2]", "grid.yaml is not YAML: seed stands there twice"),
    ("seed: [1", "grid.yaml is not YAML: "),
    ("{seed: &a [1], steps: *b}", "grid.yaml is not YAML: found undefined alias"),
]


@pytest.mark.parametrize(("product", "message"), REFUSED)
def test_a_grid_is_refused_before_any_work(tmp_path, capsys, product, message):
    book = page(tmp_path, "raise SystemExit('work began')")
    text = f"product:\n  {product}\n"
    command = ["sweep", str(book), str(grid(tmp_path, text))]
    assert __main__.main([*command, "--output", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gan_notes: grid: ")
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold `product:`"),
        ("seed: [1]", "must hold `product:`"),
        ("just words", "must hold `product:`"),
        ("product: [1]", "`product:` holds a list of values for each parameter"),
        ("sets: {seed: 1}", "`sets:` a list of"),
        ("sets: [1]", "set 1: write it as `parameter: value`"),
        ("sets: [{seed: [1]}]", "set 1: seed: give a single value"),
        ("product: {seed: [1]}\nsets: [{seed: 1}]", "seed stands in `product:` and in"),
        ("- !!python/object/apply:os.system ['true']", "set 1: write it as"),
        ("[" * 2_000, "is not YAML: "),
        ("\x00", "is not YAML: "),
        ("\xff\xfe", "must hold"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=r"^grid: ") as error:
        sweep_grid.read_grid(grid(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absurd_product_is_counted_and_not_made(tmp_path):
    hundred = f"[{', '.join(map(str, range(100)))}]"
    text = "product:\n" + "".join(f"  p{i}: {hundred}\n" for i in range(10))
    with pytest.raises(ValueError, match="100,000,000,000,000,000,000 sets are more"):
        sweep_grid.read_grid(grid(tmp_path, text))


def test_an_alias_bomb_is_no_value(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    with pytest.raises(ValueError, match="give a list of single values"):
        sweep_grid.read_grid(grid(tmp_path, "product:\n  " + "\n  ".join(lines)))


def test_a_file_too_large_for_a_grid_is_not_read(tmp_path):
    path = tmp_path / "grid.yaml"
    with path.open("wb") as file:
        file.truncate(20 * 2**30)  # a hole, of which nothing is on the disk
    with pytest.raises(ValueError, match="more than 10,000,000 bytes"):
        sweep_grid.read_grid(path)


def test_a_missing_grid_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no\.yaml cannot be read \(No such file"):
        sweep_grid.read_grid(tmp_path / "no.yaml")


NEARLY = st.from_regex(r"(product|sets): [\[\]{}:,&*!a1 \n-]{,60}")


@given(st.text(max_size=300) | NEARLY)
@settings(max_examples=int(os.environ.get("FUZZ", "100")))
def test_any_text_is_a_grid_or_refused_in_our_words(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        sets = sweep_grid.read_grid(path)
    except ValueError as error:
        assert str(error).startswith("grid: ")  # noqa: PT017  either is right
    else:
        assert all(isinstance(value, str) for each in sets for value in each.values())


def test_two_hundred_sets_are_checked_in_two_seconds(tmp_path):
    book = page(tmp_path)
    text = "product:\n  tickers: [KO, GE]\n  seed: [" + ", ".join(map(str, range(100)))
    sweep.plan(book, grid(tmp_path, "- seed: 0"))  # papermill is loaded
    began = time.process_time()
    assert len(sweep.plan(book, grid(tmp_path, text + "]")).runs) == 200
    assert time.process_time() - began < 2


def test_a_run_is_known_by_all_its_parameters(planned):
    key = {text: planned(text).runs[0].key for text in
           ("- seed: 0", "- seed: 00", "- {seed: 0, steps: 5}", "- seed: 1",
            "- {seed: 0, tickers: '0'}")}  # fmt: skip
    assert key["- seed: 0"] == key["- seed: 00"] == key["- {seed: 0, steps: 5}"]
    assert len(set(key.values())) == 3


@pytest.mark.parametrize("name", notebooks.FILES)
def test_a_relative_file_is_the_planner_s(tmp_path, monkeypatch, planned, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.csv").touch()
    (run,) = planned(f"- {name}: numbers.csv").runs
    assert run.parameters[name] == str(tmp_path / "numbers.csv")


@pytest.fixture
def today(monkeypatch):
    """Return a function that sets the last complete day."""

    def day(text):
        period = (None, pd.Timestamp(text))
        monkeypatch.setattr(yahoo, "period", lambda *_: period)

    return day


def test_what_the_clock_would_choose_is_chosen_once(planned, today):
    today("2026-03-01")
    sets = "product: {source: [yahoo, sample]}\nsets: [{end: ''}, {end: 2026-02-01}]"
    made = planned(sets)
    ends = [run.parameters["end"] for run in made.runs]
    assert ends == ["2026-03-01", "", "2026-02-01", "2026-02-01"]
    assert planned("- source: yahoo").runs[0].key == made.runs[0].key
    with pytest.raises(ValueError, match="sets 1 and 2 are the same run"):
        planned("[{source: yahoo}, {source: yahoo, end: 2026-03-01}]")
    with pytest.raises(ValueError, match="end: 2026-03-02 is not over, so that"):
        planned("- {source: yahoo, end: 2026-03-02}")
    with pytest.raises(ValueError, match="'2026-03-02' is after end '2026-03-01'"):
        planned("- {source: yahoo, start: 2026-03-02}")
    today("2026-03-02")
    assert planned("- source: yahoo").runs[0].key != made.runs[0].key


def test_a_notebook_that_could_leave_nothing_is_refused(tmp_path):
    book = write_notebook(tmp_path / "a.ipynb", ["", "seed = 0  # type: int", "1"])
    with pytest.raises(ValueError, match=r"a\.ipynb has no parameter output_dir"):
        sweep.plan(book, grid(tmp_path, "- seed: 1"))


@pytest.mark.parametrize(
    ("default", "message"),
    [
        ("2 * 1000", "its default in the notebook, 2 * 1000, is an expression, whose"),
        ("os.cpu_count()", "its default in the notebook, os.cpu_count(), is an expr"),
        ("{[]: 1}", "is an expression"),
        ("'5'", "'5', is not of the type that stands beside it, int; write a whole"),
        ("True", "is not of the type that stands beside it, int; write a whole"),
    ],
)
@pytest.mark.parametrize("name", ["own", "steps"])
def test_a_default_that_is_no_value_is_refused_by_name(
    tmp_path, name, default, message
):
    """Of a chapter's own parameter too, which only the table at the end would show."""
    cells = ["import os", f"output_dir = ''  # type: str\nseed = 0  # type: int\n"
             f"{name} = {default}  # type: int", ""]  # fmt: skip
    book = write_notebook(tmp_path / "a.ipynb", cells)
    with pytest.raises(ValueError, match=f"^{name}: its default") as error:
        sweep.plan(book, grid(tmp_path, "- seed: 1"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_default_is_the_same_run_as_its_value_in_a_grid(tmp_path):
    cells = ["", "output_dir = ''  # type: str\nnoise = 1  # type: float\n"
             "words = None  # type: str", ""]  # fmt: skip
    book = write_notebook(tmp_path / "a.ipynb", cells)
    with pytest.raises(ValueError, match="sets 1 and 2 are the same run"):
        sweep.plan(book, grid(tmp_path, "[{}, {noise: 1}]"))


def test_the_grid_of_the_page_is_one_of_its_chapter(tmp_path):
    page = (ROOT / "book" / "how_to_use.md").read_text(encoding="utf-8")
    chapter = re.search(r"gan_notes sweep (\w+\.ipynb) grid\.yaml", page).group(1)
    text = re.search(r"```yaml\n(product.*?)```\n\nmakes six runs", page, re.S).group(1)
    assert len(sweep.plan(ROOT / "book" / chapter, grid(tmp_path, text)).runs) == 6


# Parameters are data

HOSTILE = [
    '"); import os; os.system("touch hacked") #',
    "'''\nopen('hacked', 'w')\n'''",
    "\\",
    '\\"; open("hacked", "w"); "',
    "a\nopen('hacked', 'w')",
    "a\r\nopen('hacked', 'w')",
    "\u2028open('hacked', 'w')",
    "{open('hacked', 'w')}",
    "{{7*7}}",
    "%run hacked",
    "!touch hacked",
    "$(touch hacked)",
    "`touch hacked`",
    "\x00",
    "<script>alert(1)</script>",
]


def injected(value):
    """Return the line that papermill puts into a notebook for a text."""
    from papermill.translators import PythonTranslator

    return PythonTranslator.codify({"words": value})


@given(st.text())
@settings(max_examples=200)
def test_a_text_is_one_literal_of_the_same_value(text):
    tree = ast.parse(injected(text))
    (assigned,) = tree.body
    assert ast.literal_eval(assigned.value) == text


TEXTS = [name for name, (kind, *_) in notebooks.PARAMETERS.items() if kind is str]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_refused_or_stays_the_text(tmp_path, monkeypatch, name, text):
    """As the kernel runs it: by way of IPython, which knows orders of its own."""
    monkeypatch.chdir(tmp_path)
    try:
        notebooks.check({name: notebooks.read(name, text)})
    except ValueError as error:
        assert str(error).startswith(f"{name}: ")  # noqa: PT017  either is right
    source = TransformerManager().transform_cell(injected(text))
    assert source.strip() == injected(text).strip()
    namespace = {}
    exec(source, namespace)
    assert namespace["words"] == text
    assert list(tmp_path.iterdir()) == []


# Folders


def result(seed, value=0.5):
    return {
        "notebook": "page",
        "parameters": {"seed": seed},
        "seconds": 1.5,
        "metrics": [{"metric": "coverage", "candidate": "TimeGAN", "value": value}],
    }


def finished(output, run, **more):
    """Leave a finished run as a worker would have."""
    folder = output / "runs" / run.key
    folder.mkdir(parents=True)
    text = json.dumps(result(run.parameters["seed"]) | more)
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    return folder


def states(book, path, output, **options):
    made = sweep.sweep(book, path, str(output), dry_run=True, **options)
    return dict(zip(made.runs["seed"], made.runs["state"], strict=True))


def test_finished_runs_are_known_by_whole_metrics_of_their_hash(tmp_path):
    book, output = page(tmp_path), tmp_path / "out"
    path = grid(tmp_path, "product: {seed: [0, 1, 2, 3, 4, 5]}")
    runs = sweep.plan(book, path).runs
    finished(output, runs[0])
    half = finished(output, runs[1]) / "metrics.json"
    half.write_text(half.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    (finished(output, runs[2]) / "metrics.json").unlink()
    finished(output, runs[3], metrics=[{"metric": "m", "value": "much"}])
    (finished(output, runs[4]) / "metrics.json").write_bytes(b"")
    assert states(book, path, output, resume=True) == {
        0: "finished",
        1: "waiting",
        2: "waiting",
        3: "waiting",
        4: "waiting",
        5: "waiting",
    }


def test_what_is_there_is_gone_on_with_only_when_asked(tmp_path):
    book, output = page(tmp_path), tmp_path / "out"
    path = grid(tmp_path, "product: {seed: [0, 1]}")
    finished(output, sweep.plan(book, path).runs[0])
    with pytest.raises(ValueError, match=r"a sweep already \(1 finished\); go on"):
        states(book, path, output)
    assert states(book, path, output, resume=True) == {0: "finished", 1: "waiting"}
    more = grid(tmp_path, "product: {seed: [0, 7]}")
    assert states(book, more, output, resume=True) == {0: "finished", 7: "waiting"}


def test_the_clock_may_be_set_back(tmp_path, monkeypatch):
    """What is finished is not asked for its age, and time left is not by the clock."""
    book, output = page(tmp_path), tmp_path / "out"
    path = grid(tmp_path, "product: {seed: [0]}")
    folder = finished(output, sweep.plan(book, path).runs[0])
    for moment in (0, 2**32):
        os.utime(folder / "metrics.json", (moment, moment))
        os.utime(folder, (moment, moment))
        monkeypatch.setattr(time, "time", lambda moment=moment: 2**32 - moment)
        assert states(book, path, output, resume=True) == {0: "finished"}


def test_another_version_of_the_notebook_is_not_mixed_in(tmp_path):
    book, output = page(tmp_path), tmp_path / "out"
    path = grid(tmp_path, "product: {seed: [0, 1]}")
    made = sweep.plan(book, path)
    finished(output, made.runs[0])
    record = output / "sweep.json"
    record.write_text(json.dumps({"code": made.code}), encoding="utf-8")
    assert states(book, path, output, resume=True)[0] == "finished"
    page(tmp_path, "noise = 2 * noise")
    with pytest.raises(ValueError, match=r"another version of page\.ipynb, whose code"):
        states(book, path, output, resume=True)
    for damaged in ("{", "[]", "{}", '{"code": "", "last": "soon"}'):
        record.write_text(damaged, encoding="utf-8")
        with pytest.raises(ValueError, match=r"sweep\.json is damaged; .* remove it"):
            states(book, path, output, resume=True)


def test_a_sweep_that_finished_nothing_is_in_nobody_s_way(tmp_path):
    """Such as one whose cluster did not answer: the same command may come again."""
    book, output = page(tmp_path), tmp_path / "out"
    path = grid(tmp_path, "product: {seed: [0]}")
    output.mkdir()
    (output / "sweep.json").write_text('{"code": "of another"}', encoding="utf-8")
    assert states(book, path, output) == {0: "waiting"}


def test_two_sweeps_on_one_folder(tmp_path):
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    output = tmp_path / "out"
    first = sweep.Store(str(output))
    with (
        first.alone(),
        first.workspace() as work,
        pytest.raises(ValueError, match=r"another sweep is at work in .* wait for it"),
    ):
        sweep.sweep(book, path, str(output))
    assert not work.exists()
    with first.alone():
        pass  # the lock is free again


def test_what_dead_runs_left_is_removed_and_finished_ones_stay(tmp_path):
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    kept = finished(tmp_path / "out", sweep.plan(book, path).runs[0])
    dead = tmp_path / "out" / ".partial-abc"
    dead.mkdir()
    (dead / "metrics.json").write_text(json.dumps(result(0)), encoding="utf-8")
    made = sweep.sweep(book, path, str(tmp_path / "out"), resume=True)
    assert made.complete
    assert kept.exists()
    assert not dead.exists()


UNWRITABLE = ["file", "file/below", "/proc/results"]


@pytest.mark.parametrize("place", UNWRITABLE)
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, capsys, place):
    (tmp_path / "file").touch()
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    output = str(tmp_path / place)
    assert __main__.main(["sweep", str(book), str(path), "--output", output]) == 1
    said = capsys.readouterr().err
    assert re.match(rf"gan_notes: output: {output} cannot be .* \(.*\); ", said), said
    assert said.count("\n") == 1


def test_an_address_that_nobody_knows_is_refused(tmp_path):
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    with pytest.raises(ValueError, match="output: 'nowhere://x' cannot be opened: "):
        sweep.sweep(book, path, "nowhere://x")


def test_an_address_is_no_pattern(tmp_path):
    with pytest.raises(ValueError, match=r"may not hold any of \*, \? and \["):
        sweep.Store("memory://bucket/*")
    odd = tmp_path / "o[1]*{x}?"
    odd.mkdir()
    store = sweep.Store(str(odd))
    leave(store, "runs", "a", json.dumps(result(0)))
    assert store.results(["a"]) == {"a": result(0)}
    assert store.keys() == {"a"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: 0 is not allowed; give at least 1"),
        ({"retries": -1}, "retries: -1 is not allowed; give at least 0"),
        ({"timeout": 0}, "timeout: 0 is not allowed; give seconds above 0"),
        ({"timeout": math.nan}, "timeout: nan is not allowed"),
        ({"timeout": math.inf}, "timeout: inf is not allowed; .* leave it out for no"),
        ({"workers": 2, "scheduler": "tcp://x"}, "workers: a cluster has its own"),
    ],
)
def test_options_are_checked_first(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        sweep.sweep("no.ipynb", "no.yaml", str(tmp_path), **options)


@pytest.fixture
def bucket():
    """Return an address in memory, empty, which only this process sees."""
    address = "memory://bucket/sweep"
    files = fsspec.filesystem("memory")
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)
    yield address
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    if request.param == "disk":
        made = sweep.Store(str(tmp_path / "out"))
        (tmp_path / "out").mkdir()
        return made
    return sweep.Store(request.getfixturevalue("bucket"))


def leave(store, kind, key, text):
    with store.workspace() as folder:
        (folder / "metrics.json").write_text(text, encoding="utf-8")
        (folder / "figure.png").write_bytes(b"png")
        store.move_in(folder, kind, key)


def test_a_run_is_moved_in_whole_and_the_first_one_stays(store):
    first, second = json.dumps(result(0)), json.dumps(result(1))
    leave(store, "runs", "a", first)
    leave(store, "runs", "a", second)
    assert store.results(["a", "b"]) == {"a": result(0)}
    assert store.keys() == {"a"}
    names = {path.rpartition("/")[2] for path in store.fs.ls(store.path("runs", "a"),
             detail=False)}  # fmt: skip
    assert names == {"metrics.json", "figure.png"}


def test_half_a_run_is_replaced(store):
    leave(store, "runs", "a", "{")
    assert store.results(["a"]) == {}
    leave(store, "runs", "a", json.dumps(result(1)))
    assert store.results(["a"]) == {"a": result(1)}


def test_what_is_left_of_a_failed_run_is_replaced_and_removed(store):
    leave(store, "failed", "a", "1")
    leave(store, "failed", "a", "2")
    assert store.fs.cat_file(store.path("failed", "a", "metrics.json")) == b"2"
    store.remove("failed", "a")
    store.remove("failed", "a")
    assert not store.fs.exists(store.path("failed", "a"))


def test_what_cannot_be_removed_is_no_secret(store, monkeypatch):
    """Where a bucket does not answer, fsspec says that nothing exists."""

    def busy(*_, **__):
        raise OSError("503 Slow Down")

    leave(store, "failed", "a", "1")
    monkeypatch.setattr(store.fs, "info", busy)
    monkeypatch.setattr(store.fs, "rm", busy)
    with pytest.raises(OSError, match="503 Slow Down"):
        store.remove("failed", "a")


def test_what_cannot_be_read_is_not_taken_for_unfinished(tmp_path, bucket, monkeypatch):
    book, path = page(tmp_path), grid(tmp_path, "product: {seed: [0, 1, 2]}")
    first, second, _ = sweep.plan(book, path).runs
    store = sweep.Store(bucket)
    leave(store, "runs", first.key, json.dumps(result(0)))
    leave(store, "runs", second.key, json.dumps(result(1)))
    assert states(book, path, bucket, resume=True) == {
        0: "finished",
        1: "finished",
        2: "waiting",
    }
    cat_file = store.fs.cat_file

    def busy(path, **options):
        if second.key in path:
            raise OSError("503 Slow Down")
        return cat_file(path, **options)

    monkeypatch.setattr(store.fs, "cat_file", busy)
    with pytest.raises(ValueError, match=r"cannot be used \(503 Slow Down\); what was"):
        states(book, path, bucket, resume=True)


def test_metrics_are_uploaded_last(bucket, monkeypatch):
    store, put = sweep.Store(bucket), []
    monkeypatch.setattr(store.fs, "put_file", lambda source, target: put.append(target))
    leave(store, "runs", "a", json.dumps(result(0)))
    assert [name.rpartition("/")[2] for name in put] == ["figure.png", "metrics.json"]


def test_a_store_that_breaks_is_told_in_one_sentence(bucket, monkeypatch):
    store = sweep.Store(bucket)

    def broken(*_):
        raise ConnectionError("no route")

    monkeypatch.setattr(store.fs, "pipe_file", broken)
    with pytest.raises(ValueError, match=r"memory.* cannot be used \(no route\)"):
        store.write("a", b"")


# Threads and machines


@contextlib.contextmanager
def inside(workers):
    """Give the address of a cluster inside this process."""
    with sweep.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    ) as made:
        yield made.scheduler_address


@pytest.fixture(scope="module")
def cluster():
    """Return the address of a cluster of one worker inside this process."""
    with inside(1) as address:
        yield address


def without_kernels(monkeypatch):
    """Execute a sweep's notebooks in this process; return the values that they get."""
    given_ = []

    def execute(source, output, values, **_):
        given_.append(values)
        names = {}
        with contextlib.chdir(Path(output).parent):
            for cell in read(source).cells:
                exec(cell.source, names)
                if "parameters" in cell.metadata.get("tags", []):
                    names.update(values)

    monkeypatch.setattr(notebooks, "execute", execute)
    return given_


def test_runs_side_by_side_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "environ", {"MKL_NUM_THREADS": "7"})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    sweep_run.share(1)
    assert os.environ == {"MKL_NUM_THREADS": "7"}, "a run alone is left alone"
    sweep_run.share(3)
    assert os.environ.pop("MKL_NUM_THREADS") == "7", "what a reader has set"
    assert os.environ == dict.fromkeys(
        set(sweep_run.THREADS) - {"MKL_NUM_THREADS"}, "2"
    )


def test_no_more_runs_side_by_side_than_cores_and_memory(monkeypatch):
    from dask.distributed import system

    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for memory, expected in ((10, 3), (1, 1), (1000, 16)):
        monkeypatch.setattr(system, "MEMORY_LIMIT", memory * 2**30)
        assert sweep._fitting() == expected


def test_gpus_are_counted_and_none_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "GPUS", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ValueError, match="gpu: no NVIDIA GPU is found here"):
        sweep._gpus(None)
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert sweep._gpus(None) == ["0", "1"]
    assert sweep._gpus(1) == ["0"]
    with pytest.raises(ValueError, match="workers: 3 came, and each takes a GPU of 2"):
        sweep._gpus(3)
    for seen, names in (("3,5", ["3", "5"]), ("GPU-8c1e", ["GPU-8c1e"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
        assert sweep._gpus(None) == names, "what a reader has chosen"
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        with pytest.raises(ValueError, match="gpu: no NVIDIA GPU is found here"):
            sweep._gpus(None)


@pytest.mark.long
def test_a_cluster_that_cannot_do_the_work_is_refused(
    tmp_path, bucket, cluster, monkeypatch
):
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    with pytest.raises(RuntimeError, match=r"gpu: no worker of .* declares one; start"):
        sweep.sweep(book, path, bucket, scheduler=cluster, gpu=True, resume=True)
    monkeypatch.setattr(sweep, "ANSWER", 1)
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:1 does not answer; start"):
        sweep.sweep(book, path, bucket, scheduler="tcp://127.0.0.1:1", resume=True)
    monkeypatch.setattr(sweep, "ANSWER", 5)
    with inside(0) as address, pytest.raises(RuntimeError, match="has no workers; st"):
        sweep.sweep(book, path, bucket, scheduler=address, resume=True)


def test_a_sweep_of_yahoo_s_prices_does_not_move_with_the_clock(
    tmp_path, cluster, today, monkeypatch
):
    book, output = page(tmp_path), str(tmp_path / "out")
    path = grid(tmp_path, "- {source: yahoo, seed: 1}")
    values = without_kernels(monkeypatch)
    today("2026-03-01")
    sweep.sweep(book, path, output, scheduler=cluster)
    more = grid(tmp_path, "- {source: yahoo, seed: 1}\n- {source: yahoo, seed: 2}")
    for day in ("2026-03-02", "2026-02-28"):  # the clock may be set back
        today(day)
        looked = sweep.sweep(book, more, output, resume=True, dry_run=True)
        assert looked.runs["state"].tolist() == ["finished", "waiting"]
        assert looked.runs["end"].tolist() == ["2026-03-01"] * 2
    made = sweep.sweep(book, more, output, resume=True, scheduler=cluster)
    assert made.complete
    assert [(v["seed"], v["end"]) for v in values] == [
        (1, "2026-03-01"),
        (2, "2026-03-01"),
    ]


def test_a_finished_run_counts_though_what_it_left_cannot_be_removed(
    tmp_path, cluster, monkeypatch, capsys
):
    book, path, output = page(tmp_path), grid(tmp_path, "- seed: 0"), tmp_path / "out"
    (run,) = sweep.plan(book, path).runs
    for kind in ("failed", "checkpoints"):
        (output / kind / run.key).mkdir(parents=True)
    without_kernels(monkeypatch)
    remove = LocalFileSystem.rm

    def stubborn(self, path, **options):
        if "failed" in path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        remove(self, path, **options)

    monkeypatch.setattr(LocalFileSystem, "rm", stubborn)
    made = sweep.sweep(book, path, str(output), scheduler=cluster)
    assert made.complete
    said = f"failed/{run.key} could not be removed (Permission denied)"
    assert made.runs["error"].tolist() == [said]
    assert f"{run.key}: finished, but {said}\n" in capsys.readouterr().err
    assert not list((output / "checkpoints").iterdir())


def test_a_finished_run_counts_though_it_was_not_seen_at_once(
    tmp_path, bucket, cluster, monkeypatch
):
    book, path = page(tmp_path), grid(tmp_path, "- seed: 0")
    without_kernels(monkeypatch)
    files, told = sweep.Store(bucket).fs, []
    cat_file = files.cat_file

    def busy(path, **options):
        content = cat_file(path, **options)
        if not told:
            told.append(path)
            raise OSError("503 Slow Down")
        return content

    monkeypatch.setattr(files, "cat_file", busy)
    made = sweep.sweep(book, path, bucket, scheduler=cluster)
    assert [name.rpartition("/")[2] for name in told] == ["metrics.json"]
    assert made.complete
    assert made.runs["error"].tolist() == [""]
    assert len(made.metrics) == 2


# The summary and the report


def outcome(tmp_path, seeds=(0, 1), sets="", errors=()):
    """Return a book of runs with made-up metrics."""
    book = page(tmp_path)
    text = f"product: {{seed: {list(seeds)}}}\n{sets}"
    made = sweep._Book(
        sweep.plan(book, grid(tmp_path, text)), sweep.Store("memory://x")
    )
    for number, run in enumerate(made.runs.values()):
        if number in errors:
            made.errors[run.key] = errors[number]
            continue
        row = {"metric": "coverage", "candidate": "TimeGAN", "floor": 0.9}
        rows = [
            row | {"value": number / 10},
            row | {"metric": "odd <b>", "value": None},
        ]
        made.enter(run.key, {"seconds": 1.0, "metrics": rows})
    return made


def test_the_summary_has_a_row_for_each_metric_with_its_parameters(tmp_path):
    made = outcome(tmp_path, errors={1: "ValueError: no"}).outcome()
    assert made.runs["state"].tolist() == ["finished", "failed"]
    assert made.runs["error"].tolist() == ["", "ValueError: no"]
    assert made.metrics["seed"].tolist() == [0, 0]
    assert made.metrics["value"].isna().tolist() == [False, True]
    assert not made.complete


def test_the_report_shows_failures_first_and_each_value_beside_its_floor(tmp_path):
    sets = "sets: [{tickers: <script>}, {tickers: KO}]"
    book = outcome(tmp_path, (0, 1, 2), sets, {1: "ValueError: <img src=x>"})
    html = sweep_report.page("page.ipynb", book.outcome(), book.errors)
    assert "5 of 6 runs finished" in html
    assert f'href="failed/{next(iter(book.errors))}/log.txt"' in html
    assert 'href="failed' not in sweep_report.page("page.ipynb", book.outcome())
    assert html.index("1 failed") < html.index("coverage")
    assert "<script>" not in html
    assert "<img" not in html
    strip = 'aria-label="3 runs from 0.3 to 0.5, median 0.4, floor 0.9"'
    assert strip in html
    left = [float(x) for x in re.findall(r'<b style="left:([\d.]+)%"', html)]
    assert len(left) == 5
    # 0 and 0.9, the floor, are the ends
    assert left == pytest.approx([100 * v / 9 for v in (0, 2, 3, 4, 5)])
    assert html.count('<u style="left:100.0%"') == 2


def test_a_parameter_with_the_name_of_a_column_is_told_apart(tmp_path):
    cells = ["", "output_dir = ''  # type: str\nvalue = 0  # type: int\n"
             "run = 0  # type: int", ""]  # fmt: skip
    book = write_notebook(tmp_path / "a.ipynb", cells)
    plan = sweep.plan(book, grid(tmp_path, "- {run: 7, value: 8}"))
    made = sweep._Book(plan, sweep.Store("memory://x"))
    key = plan.runs[0].key
    made.enter(key, {"seconds": 1, "metrics": [{"metric": "m", "value": 0.5}]})
    (row,) = made.outcome().metrics.to_dict("records")
    assert (row["run"], row["run given"]) == (key, 7)
    assert (row["value"], row["value given"]) == (0.5, 8)


@pytest.mark.parametrize("module", ["dask.distributed", "papermill"])
def test_without_its_extra_a_sweep_says_what_to_install(
    tmp_path, capsys, monkeypatch, module
):
    monkeypatch.delitem(sys.modules, "gan_notes.sweep")
    monkeypatch.delattr("gan_notes.sweep")
    monkeypatch.setitem(sys.modules, module, None)
    book, path = str(page(tmp_path)), str(grid(tmp_path, "- seed: 0"))
    assert __main__.main(["sweep", book, path, "--output", str(tmp_path / "o")]) == 1
    assert capsys.readouterr().err == (
        f"gan_notes: sweep: {module} is not installed; pip install 'gan-notes[sweep]'."
        "\n"
    )


def test_a_metric_of_no_candidate_is_shown(tmp_path):
    book = outcome(tmp_path, (0,), errors={0: "no"})
    metrics = [{"metric": "seconds", "value": value} for value in (1.0, 2)]
    book.enter(next(iter(book.runs)), {"seconds": 1, "metrics": metrics})
    html = sweep_report.page("page.ipynb", book.outcome())
    assert 'aria-label="2 runs from 1 to 2, median 1.5"' in html


def test_many_settings_share_a_line(tmp_path):
    sets = "sets: [" + ", ".join(f"{{steps: {n}}}" for n in range(1, 51)) + "]"
    html = sweep_report.page("page.ipynb", outcome(tmp_path, (0, 1), sets).outcome())
    assert "too many to be shown one by one" in html
    assert html.count('role="img"') == 1
    assert html.count("<b ") <= 50


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_fits_a_screen_and_a_phone(tmp_path, browser, width):
    sets = "sets: [{tickers: 'GE,JNJ,JPM,KO,WMT,XOM,AAPL,AMD'}, {tickers: KO}]"
    book = outcome(tmp_path, (0, 1, 2), sets, {1: "ValueError: " + "x" * 200})
    file = tmp_path / "report.html"
    file.write_text(sweep_report.page("page.ipynb", book.outcome()), encoding="utf-8")
    with tab(browser, width) as seen:
        seen.page.goto(file.as_uri())
        size = "document.documentElement.scrollWidth"
        assert seen.page.evaluate(size) <= width
        strip = seen.page.get_by_role("img").first.bounding_box()
        dots = [dot.bounding_box() for dot in seen.page.locator(".strip b").all()]
        assert len(dots) == 5
        for dot in dots:
            middle = dot["x"] + dot["width"] / 2
            assert strip["x"] - 1 <= middle <= strip["x"] + strip["width"] + 1
        seen.clean()


def test_a_report_without_a_finished_run(tmp_path):
    html = sweep_report.page(
        "page.ipynb", outcome(tmp_path, (0,), errors={0: "no"}).outcome()
    )
    assert "0 of 1 runs finished" in html


# Whole sweeps


def read_table(address, name):
    files, path = fsspec.url_to_fs(address)
    content = files.cat_file(f"{path}/{name}")
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    return readers[name.rpartition(".")[2]](io.BytesIO(content))


@pytest.mark.long
def test_a_sweep_into_a_bucket_goes_on_after_failures(
    tmp_path, bucket, cluster, capsys
):
    goes_on_after_failures(tmp_path, bucket, ["--scheduler", cluster], capsys)


def goes_on_after_failures(tmp_path, bucket, where, capsys):
    """One run fails until the file is there; nothing of it is taken for finished."""
    mended = tmp_path / "mended"
    body = f"if seed == 1 and not os.path.exists({str(mended)!r}):\n    1 / 0"
    book = page(tmp_path, body)
    path = grid(tmp_path, "product: {seed: [0, 1], tickers: ['{open(\"x\")}']}")
    command = ["sweep", str(book), str(path), "--output", bucket]
    command += [*where, "--retries", "1"]
    assert __main__.main(command) == 1
    said = capsys.readouterr()
    assert "2 runs: 1 finished, 1 failed, 0 waiting" in said.out
    assert said.err.count("tried again, ZeroDivisionError: division by zero") == 1
    assert said.err.count(": failed, ZeroDivisionError: division by zero") == 1
    assert said.err.count(" failed: ZeroDivisionError: division by zero") == 1
    runs = read_table(bucket, "runs.csv")
    assert runs["state"].tolist() == ["finished", "failed"]
    files, _ = fsspec.url_to_fs(bucket, use_listings_cache=False)
    good, bad = runs["run"]
    kept = {path.rpartition("/")[2] for path in files.find(f"{bucket}/runs/{good}")}
    assert kept == {"page.ipynb", "log.txt", "metrics.json"}
    left = {path.rpartition("/")[2] for path in files.find(f"{bucket}/failed/{bad}")}
    assert left == {"page.ipynb", "log.txt"}
    log = files.cat_file(f"{bucket}/failed/{bad}/log.txt").decode()
    assert "ZeroDivisionError: division by zero after" in log
    first = files.cat_file(f"{bucket}/runs/{good}/metrics.json")
    parameters = json.loads(first)["parameters"]
    assert parameters["output_dir"] == "."
    assert parameters["tickers"] == '{open("x")}'
    mended.touch()
    assert __main__.main([*command, "--resume"]) == 0
    assert files.cat_file(f"{bucket}/runs/{good}/metrics.json") == first
    assert not files.exists(f"{bucket}/failed/{bad}")
    summary = read_table(bucket, "summary.parquet")
    assert summary["seed"].tolist() == [0, 0, 1, 1]
    assert summary["value"].tolist() == [0.5, 0.8, 1.5, 0.8]
    assert read_table(bucket, "summary.csv")["value"].tolist() == [0.5, 0.8, 1.5, 0.8]
    assert b"2 of 2 runs finished" in files.cat_file(f"{bucket}/report.html")
