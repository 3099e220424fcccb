"""Building the book: what ran is what is shown, and says what its run says."""

import json
import os
import sys

import nbformat
import pytest
import yaml
from conftest import ROOT, read, write_notebook
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "book"))
import build
import published

# Published numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.97", 0.9743),
        ("0.97", 0.965),  # halfway: printed as either
        ("1", 1.49),
        ("12 %", 0.1234),
        ("12%", 0.1151),
        ("99.5 %", 0.99549),
        ("12,345", 12345.2),
        (".50", 0.496),
        ("-0.3", -0.26),
        ("−0.3", -0.26),  # a minus sign, as prose has it
    ],
)
def test_a_number_agrees_at_the_printed_precision(text, value):
    assert published.agrees(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.97", 0.9649),
        ("0.97", 0.9751),
        ("12 %", 12.3),
        ("12 %", 0.13),
        ("12", 0.12),
        ("0.3", -0.3),
        ("0.97", None),
        ("0.97", float("nan")),
        ("a half", 0.5),
        ("", 0.0),
    ],
)
def test_another_number_does_not_agree(text, value):
    assert not published.agrees(text, value)


def test_a_tolerance_is_in_the_units_of_the_metrics():
    assert published.agrees("0.97", 0.95, 0.02)
    assert not published.agrees("0.97", 0.9499, 0.02)
    assert published.agrees("12 %", 0.14, 0.02)
    assert not published.agrees("12 %", 0.141, 0.02)
    assert published.agrees("0.9", 0.94, 0.001), "never finer than what is printed"


def test_a_bound_is_on_its_side_of_the_number():
    assert published.agrees("0.1", 0.04, rule="below")
    assert not published.agrees("0.1", 0.1, rule="below")
    assert published.agrees("5 %", 0.06, rule="above")
    assert not published.agrees("5 %", 0.05, rule="above")
    assert not published.agrees("5", None, rule="above")
    assert not published.agrees("5", float("nan"), rule="below")


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_what_was_printed_from_a_value_agrees_with_it(value, decimals):
    assert published.agrees(f"{value:,.{decimals}f}", value)
    assert published.agrees(f"{value:.{decimals}%}", value)


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("> it is 0.97, so", "0.97", True),
        ("> it is 0.97.", "0.97", True),
        ("> it is 0.971", "0.97", False),
        ("> it is 10.97", "0.97", False),
        ("> it is 0.97", "0.9", False),
        ("> it is 1,250", "250", False),
        ("> about 12\n> %, and", "12 %", True),
        ("> none", "0.97", False),
    ],
)
def test_a_cell_quotes_a_number_as_a_whole(source, text, expected):
    assert bool(published.quotes({"source": source}, text)) is expected
    lines = source.splitlines(keepends=True)  # as a file has it
    assert bool(published.quotes({"source": lines}, text)) is expected


ROWS = [
    {"metric": "AUC", "candidate": "TimeGAN", "value": 0.99, "low": 0.98, "high": None},
    {"metric": "days", "candidate": None, "value": 250, "low": None, "high": None},
    {"metric": "twice", "candidate": "", "value": 1, "low": None, "high": None},
    {"metric": "twice", "candidate": "", "value": 2, "low": None, "high": None},
]


@pytest.mark.parametrize(
    ("key", "entry", "fault"),
    [
        ("AUC, TimeGAN", "0.99", None),
        ("AUC, TimeGAN low", "0.98", None),
        ("days", "250", None),
        ("days", {"text": "250", "tolerance": 3}, None),
        ("AUC, TimeGAN", "0.97", "the text says 0.97, the run says 0.99"),
        ("AUC, TimeGAN high", "0.98", "the text says 0.98, the run says None"),
        ("AUC, Timegan", "0.99", "the text says 0.99, the run has no such metric"),
        ("AUC, TimeGAN", "0.55", "its cell does not quote '0.55'"),
        ("twice", "1", "2 rows of the run have that name"),
        ("AUC, TimeGAN", {"below": "250"}, None),
        ("AUC, TimeGAN", {"above": "0.97"}, None),
        (
            "AUC, TimeGAN",
            {"below": "0.97"},
            "the text says below 0.97, the run says 0.99",
        ),
        ("AUC, TimeGAN", {"below": "0.5"}, "its cell does not quote '0.5'"),
        ("AUC, TimeGAN", {"text": "0.99", "tolerance": 0.98}, None),
        (
            "AUC, TimeGAN",
            {"text": "0.99", "tolerance": 0.99},
            "the tolerance 0.99 is as large as the number 0.99; "
            "quote a bound, below or above",
        ),
    ],
)
def test_a_contradiction_is_one_sentence(key, entry, fault):
    source = "> **As published** 0.99 0.98 0.97 250 1"
    cells = [
        {"source": "1", "metadata": {}},
        {"source": source, "metadata": {"published": {key: entry}}},
    ]
    found = published.contradictions("07_x", {"cells": cells}, {"metrics": ROWS})
    assert found == ([f"07_x, {key!r}: {fault}."] if fault else [])


# A small book, of chapters that need no TensorFlow

RESULTS = """import json, pathlib
folder = pathlib.Path(output_dir)
folder.mkdir(parents=True)
row = dict(metric="share", candidate="GAN", value=0.5 * steps, low=None, high=None)
(folder / "metrics.json").write_text(json.dumps({"metrics": [row]}))
print("it ran with", steps)"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Make a book of two chapters, one page and one page that nobody wrote yet."""
    root = tmp_path / "root"
    (root / "book").mkdir(parents=True)
    names = ["01_one", "02_two", "03_later"]
    part = {"caption": "A", "chapters": [{"file": f"book/{name}"} for name in names]}
    tree = {"format": "jb-book", "root": "book/index", "parts": [part]}
    (root / "_toc.yml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    (root / "_config.yml").write_text(
        "execute:\n  execute_notebooks: cache\n", encoding="utf-8"
    )
    (root / "book" / "index.md").write_text("# Start\n", encoding="utf-8")
    (root / "book" / "__pycache__").mkdir()
    parameters = "steps = 1  # type: int  updates\noutput_dir = ''  # type: str  to"
    for name in names[:2]:
        path = root / "book" / f"{name}.ipynb"
        page = read(write_notebook(path, ["first = 1", parameters, RESULTS]))
        text = "> **As published**: the share is 50 %."
        says = {"published": {"share, GAN": "50 %"}}
        page.cells.append(nbformat.v4.new_markdown_cell(text, metadata=says))
        nbformat.write(page, path)
    monkeypatch.setattr(build, "ROOT", root)
    return root


def make(book, *arguments):
    """Run the build without the site."""
    return build.main(["--build", str(book / "_build"), "--no-site", *arguments])


def edit(path, old, new):
    path.write_text(
        path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8"
    )


def test_a_book_that_says_what_it_ran(book, capsys):
    assert make(book) == 0
    said = capsys.readouterr().out
    assert "[2/2]" in said
    for name in ("01_one", "02_two"):
        assert f"{name} executed in" in said
        assert (book / "_build" / "results" / name / "metrics.json").exists()
        source = read(book / "book" / f"{name}.ipynb")
        copy = read(book / "_build" / "staging" / "book" / f"{name}.ipynb")
        assert [c.source for c in copy.cells] == [c.source for c in source.cells]
        assert copy.cells[2].outputs[0].text == "it ran with 1\n"
        assert str(book) not in json.dumps(copy), "a path of this machine"
    staged = book / "_build" / "staging"
    assert "execute_notebooks: off" in (staged / "_config.yml").read_text(
        encoding="utf-8"
    )
    assert (staged / "book" / "index.md").exists()
    assert not (staged / "book" / "__pycache__").exists()


def test_a_page_that_contradicts_its_run_stops_the_build(book, capsys, monkeypatch):
    monkeypatch.setattr(build, "render", lambda *_, **__: pytest.fail("it rendered"))
    edit(book / "book" / "02_two.ipynb", "50 %", "60 %")
    assert build.main(["--build", str(book / "_build")]) == 1
    (sentence,) = [s for s in capsys.readouterr().out.splitlines() if "share" in s]
    assert sentence == ("02_two, 'share, GAN': the text says 60 %, the run says 0.5.")


def test_only_some_chapters_are_executed_compared_and_shown_all_the_same(
    book, capsys, monkeypatch
):
    shown = []
    monkeypatch.setattr(build, "render", lambda *_, draft: shown.append(draft) or 0)
    edit(book / "book" / "01_one.ipynb", "50 %", "60 %")
    edit(book / "book" / "02_two.ipynb", "50 %", "60 %")
    folder = str(book / "_build")
    assert build.main(["--build", folder, "--only", "02_two"]) == 1
    said = capsys.readouterr().out
    assert "02_two, 'share, GAN'" in said
    assert "01_one" not in said
    assert shown == [True]


def test_small_parameters_are_compared_with_nothing(book, monkeypatch):
    monkeypatch.setattr(build, "SMALL_OF", {"02_two": {"steps": 3}})
    edit(book / "book" / "01_one.ipynb", "50 %", "60 %")
    assert make(book, "--small") == 0
    for name, steps in (("01_one", 20), ("02_two", 3)):
        copy = read(book / "_build" / "staging" / "book" / f"{name}.ipynb")
        assert copy.cells[2].outputs[0].text == f"it ran with {steps}\n"


def test_a_chapter_that_writes_no_results_has_no_such_number(book, capsys):
    make(book)
    edit(book / "book" / "01_one.ipynb", "metrics.json", "other.json")
    assert make(book) == 1
    assert "01_one, 'share, GAN': the text says 50 %, the run has no such metric." in (
        capsys.readouterr().out
    )


@pytest.mark.long
def test_what_ran_is_kept_while_another_chapter_is_worked_on(book):
    make(book)
    first = book / "_build" / "staging" / "book" / "01_one.ipynb"
    before = first.read_bytes()
    make(book, "--only", "02_two")
    assert first.read_bytes() == before


def test_the_page_of_the_status_says_what_ran_and_no_path(book):
    (book / "book" / "status.md").write_text("# Status\n", encoding="utf-8")
    staging, results = book / "_build" / "staging", book / "_build" / "results"
    build.stage(staging, keep=[])
    path = results / "02_two" / "metrics.json"
    path.parent.mkdir(parents=True)
    result = {
        "parameters": {"seed": 0, "source": "/home/me/prices.csv", "tickers": "",
                       "output_dir": "/home/me/out", "train": False},
        "versions": {"python": "3.13.1", "keras": "3.15.1"},
        "device": "CPU (2 cores)",
        "seconds": 71.6,
    }  # fmt: skip
    path.write_text(json.dumps(result), encoding="utf-8")
    os.utime(path, (1_790_000_000, 1_790_000_000))
    for _ in range(2):  # again, it is written anew
        build.add_status(staging, results)
    said = (staging / "book" / "status.md").read_text(encoding="utf-8")
    assert said.splitlines() == [
        "# Status",
        "",
        "| chapter | last run | seconds | days for 10,000 runs | source | parameters |",
        "|---|---|---|---|---|---|",
        "| {doc}`02_two` | 2026-09-21 | 72 | 4.1 | prices.csv "
        "| `seed` 0, `train` False |",
        "",
        "All on CPU (2 cores): python 3.13.1, keras 3.15.1.",
    ]


def test_a_failure_names_notebook_cell_and_error(book, capsys):
    edit(book / "book" / "02_two.ipynb", "print(", "1 / 0 or print(")
    assert make(book) == 1
    said = capsys.readouterr().out
    assert "02_two failed in" in said
    assert "02_two.ipynb, cell 3 of 4, which starts with 'import json, pathlib'" in said
    assert "ZeroDivisionError: division by zero" in said
    kept = read(book / "_build" / "staging" / "book" / "02_two.ipynb")
    assert kept.cells[-2].outputs[-1].ename == "ZeroDivisionError"


def test_an_unknown_chapter_is_named_and_nothing_runs(book, capsys):
    """Beside a right one too; one that nobody wrote yet has nothing to execute."""
    assert make(book, "--only", "09_none", "01_one", "03_later") == 2
    assert capsys.readouterr().out == (
        "--only: no notebook of _toc.yml is called 09_none, 03_later; "
        "there are 01_one, 02_two\n"
    )
    assert not (book / "_build").exists()


def test_a_draft_leaves_out_what_is_not_written(book, capsys):
    staged = book / "_build" / "staging"
    build.stage(staged, keep=[])
    (staged / "book" / "index.md").unlink()
    build.drop_missing_pages(staged)
    assert "left out, not written yet: book/03_later" in capsys.readouterr().out
    (part,) = yaml.safe_load((staged / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    assert part["chapters"] == [{"file": "book/01_one"}, {"file": "book/02_two"}]
    assert (
        (staged / "book" / "index.md")
        .read_text(encoding="utf-8")
        .startswith("# GAN notes")
    )
