"""Every chapter keeps to the book's frame, as committed and as executed."""

import ast
import json
import re
import subprocess
import sys
from base64 import b64decode

import papermill
import pytest
from conftest import ROOT, by_chapter, chapters, read
from test_repository import address

from gan_notes.notebooks import PARAMETERS

sys.path.insert(0, str(ROOT / "book"))
import published

COLUMNS = 76  # what a page shows of a line of code at 1280 px; a browser test holds it
TITLE = re.compile(r"# @title \S.{0,58}[^\s.]")
# What is played on the site, in Colab a link: it may stand within the frame.
DEMO = re.compile(r"\[!\[[^\]]+\]\(_static/demos/\w+\.svg\)\]\(https://")
FRAME = {2: "Setup", 4: "Check the parameters, fix the seed", -1: "Write the results"}
COMMON = ["seed", "steps", "train", "checkpoint_dir", "output_dir"]
FINANCE = ["source", "tickers", "start", "end", "sequence_length", "transform"]
RECURRENT = {"05_toolbox", "06_timegan", "07_judging"}
FITTED = {"07_judging"}  # with baselines of the extra [finance]
ENDINGS = ["Summary", "Exercises", "Questions", "Further reading"]
SETUP = """# @title Setup
import sys

if "google.colab" in sys.modules:
    %pip install -q "gan-notes @ git+{url}"
    %pip install -q --no-deps {extras}

from gan_notes import notebooks

notebooks.threads(recurrent={recurrent})"""
PARAMETER = re.compile(r"(\w+) = (.+?)  # type: (int|float|bool|str)  \S.*")
BANNED = r"simply|obviously|magic|tricks?|photorealistic|should converge|fakes?"
# A fence line: its directive, its argument and the option below it.
MARK = re.compile(
    r"^`{3}\{(exercise-start|solution-start|solution-end)\} *(.*)"
    r"(?:\n:(?:label|class): (\S+))?",
    re.M,
)
# What a chapter may print on stderr: progress bars, and TensorFlow as it starts.
QUIET = re.compile(
    r"|.*\d+%\|.*|.*\d+it \[.*|\d{4}-\d\d-\d\d .*|[WIE]0000 .*"
    r"|WARNING: All log messages before absl.*|To enable the following instructions.*"
)


def kinds(notebook):
    """Return the cells that are prose and those that are code."""
    cells = notebook.cells
    return (
        [cell for cell in cells if cell.cell_type == "markdown"],
        [cell for cell in cells if cell.cell_type == "code"],
    )


def prose(notebook):
    """Return the words that a reader reads: no code, mathematics, links or fences."""
    text = "\n\n".join(cell.source for cell in kinds(notebook)[0])
    text = re.sub(r"^ *[`:]{3,}.*$|^:\w+:.*$", "", text, flags=re.M)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    # Marks within a line or a paragraph, never from one paragraph to the next.
    text = re.sub(r"(?:\{[\w:]+\})?`[^`]*?`", "", text)
    text = re.sub(r"(?<!\\)\$(?:[^$\n]|\n(?!\n))+\$", "", text)
    return re.sub(r"</?[a-z][^>\n]*>|https?://\S+", "", text)


def sections(notebook):
    """Return the titles of the level-two headings."""
    text = "\n".join(cell.source for cell in kinds(notebook)[0])
    return re.findall(
        r"^## (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M
    )


def figures(notebook):
    """Yield (cell, figure metadata) of the cells that show a figure."""
    for cell in kinds(notebook)[1]:
        if "figure" in cell.metadata.get("mystnb", {}):
            yield cell, cell.metadata["mystnb"]


def frame(notebook):
    """Return the cells without those of demos, which may stand anywhere."""
    return [cell for cell in notebook.cells if not DEMO.match(cell.source)]


def folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_all_eight_chapters_are_there():
    assert [path.stem[:2] for path in chapters()] == [f"{n:02}" for n in range(1, 9)]


# The committed source


@by_chapter
def test_committed_without_outputs_or_private_metadata(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    assert raw["metadata"]["kernelspec"] == {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    assert raw["metadata"].get("language_info", {"name": "python"}) == {
        "name": "python"
    }
    assert set(raw["metadata"]) <= {"kernelspec", "language_info"}
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in raw["cells"]:
        allowed = {"tags", "mystnb", "cellView", "published"}
        assert set(cell["metadata"]) <= allowed, cell["id"]
        assert not cell.get("outputs"), cell["id"]
        assert cell.get("execution_count") is None, cell["id"]


@by_chapter
def test_opens_with_title_goals_and_badge(path):
    title, badge = (cell.source for cell in frame(read(path))[:2])
    assert title.startswith("# ")
    assert "ou will be able to" in title
    assert 3 <= len(re.findall(r"^(?:[-*]|\d\.) ", title, re.M)) <= 5
    assert re.search(r"minute|second", title)
    colab = address().replace(
        "https://github.com", "https://colab.research.google.com/github"
    )
    place = f"book/{path.name}"
    assert badge.startswith(
        "[![Open in Colab](_static/colab-badge.svg)]"
        f"({colab}/blob/main/{place}) Rerun it: `papermill {place} out.ipynb -p "
    )
    assert "\n" not in badge


@by_chapter
def test_setup_cell_is_the_same_everywhere(path):
    setup = frame(read(path))[2]
    recurrent = path.stem in RECURRENT
    extras = "arch skfolio" if path.stem in FITTED else "skfolio"
    expected = SETUP.format(url=address(), recurrent=recurrent, extras=extras)
    assert setup.source == expected
    others = [cell for cell in frame(read(path))[3:] if cell.cell_type == "code"]
    for cell in others:
        assert not re.search(r"^\s*[%!]", cell.source, re.M), cell.source


@by_chapter
def test_folded_cells_are_folded_everywhere_and_say_what_they_show(path):
    for cell in kinds(read(path))[1]:
        title = TITLE.fullmatch(cell.source.split("\n")[0])
        signs = [folded(cell), cell.metadata.get("cellView") == "form", bool(title)]
        assert len(set(signs)) == 1, (
            f"tag, cellView and # @title differ:\n{cell.source}"
        )
        assert not folded(cell) or cell.source.count("\n"), "a title over nothing"


@by_chapter
def test_the_frame_is_folded_and_the_parameters_are_not(path):
    cells = frame(read(path))
    for place, title in FRAME.items():
        assert cells[place].source.startswith(f"# @title {title}\n")
    assert not folded(cells[3])


@by_chapter
def test_no_line_of_code_is_wider_than_the_page(path):
    wide = [
        line
        for cell in kinds(read(path))[1]
        for line in cell.source.split("\n")
        if len(line) > COLUMNS
    ]
    assert wide == []


@by_chapter
def test_what_is_said_as_published_is_listed_and_quoted(path):
    for cell in read(path).cells:
        listed = cell.metadata.get("published", {})
        says = cell.source.startswith(published.MARK)
        assert says == bool(listed), cell.source
        if says:
            assert cell.cell_type == "markdown"
            assert all(line.startswith(">") for line in cell.source.split("\n"))
        for key, quoted in listed.items():
            assert not (fault := published.unfounded(cell, quoted)), f"{key}: {fault}"
            _, rule, tolerance = published.parts(quoted)
            assert rule in ("", "below", "above")
            assert tolerance >= 0


@by_chapter
def test_every_parameter_is_documented(path):
    notebook = read(path)
    assert tagged(notebook, "parameters") == [frame(notebook)[3]]
    lines = frame(notebook)[3].source.splitlines()
    assert len(lines) <= 13
    matches = [PARAMETER.fullmatch(line) for line in lines]
    assert all(matches), [
        line for line, found in zip(lines, matches, strict=True) if not found
    ]
    names = [found.group(1) for found in matches]
    assert names[:5] == COMMON
    finance = [name for name in FINANCE if name in names]
    assert names[5 : 5 + len(finance)] == finance
    shown = papermill.inspect_notebook(str(path))
    for found in matches:
        name, value, kind = found.groups()
        assert type(ast.literal_eval(value)).__name__ == kind, name
        assert shown[name]["inferred_type_name"] == kind
        assert shown[name]["help"]


def test_papermill_help_shows_type_and_meaning():
    command = [sys.executable, "-m", "papermill", "--help-notebook", str(chapters()[0])]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"steps: int \(default [\d_]+\)\s+\w", shown), shown


@by_chapter
def test_every_parameter_has_an_effect(path):
    notebook = read(path)
    names = [line.split(" =")[0] for line in frame(notebook)[3].source.splitlines()]
    start = frame(notebook)[4].source
    assert (
        f'chapter = notebooks.begin("{path.stem}", globals(), cpu_minutes='
        in re.sub(r"\(\s+", "(", re.sub(r"\s+", " ", start))
    )
    for name in set(names) - set(PARAMETERS):
        assert f'"{name}"' in start, f"{name} is missing in begin(..., own=[...])"
    used = set()
    for cell in kinds(notebook)[1][2:]:
        used |= {
            n.id for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)
        }
    # `begin` seeds Keras; `finish` writes to output_dir.
    assert set(names) - used - {"seed", "output_dir"} == set()


@by_chapter
def test_sections_in_order(path):
    titles = sections(read(path))
    assert titles[-4:] == ENDINGS
    assert 3 <= len(titles[:-4]) <= 8
    last = read(path).cells[-1]
    assert last.cell_type == "code"
    assert "chapter.finish(" in last.source


@by_chapter
def test_cells_are_short_and_prose_surrounds_them(path):
    notebook = read(path)
    # A folded cell is a figure to a reader, or nothing at all.
    code = [cell for cell in kinds(notebook)[1] if not folded(cell)]
    lengths = sorted(len(cell.source.strip().splitlines()) for cell in code)
    assert lengths[-1] <= 30, "an open code cell of more than 30 lines"
    assert lengths[len(lengths) // 2] <= 15
    assert 10 <= len(code) <= 45
    for cell in filter(folded, notebook.cells):
        assert len(cell.source.splitlines()) <= 50, "a folded cell of more than 50"
    shape = "".join(
        "f" if folded(cell) else cell.cell_type[0] for cell in frame(notebook)
    )
    # What an open cell computes, the folded one behind it draws: they are one.
    assert not re.search(r"[cf]{5}", shape[5:-1].replace("cf", "c")), (
        "more than four code cells without prose"
    )
    # Read in one sitting: without what demos say, and what the published run showed.
    notebook.cells = [
        cell for cell in frame(notebook) if "published" not in cell.metadata
    ]
    assert 1_300 <= len(prose(notebook).split()) <= 5_000


@by_chapter
def test_words_of_the_book(path):
    notebook = read(path)
    text = prose(notebook)
    captions = [str(meta) for _, meta in figures(notebook)]
    for part in [text, *captions]:
        found = re.findall(rf"[^.]*\b(?:{BANNED})\b[^.]*", part, re.I)
        assert found == []
        assert re.findall(r"[^.]*\w![^\[=].*|[\U0001F300-\U0001FAFF]", part) == []


@by_chapter
def test_exercises_have_solutions_that_execute_and_check(path):
    exercises, solutions, inside = [], {}, None
    for cell in read(path).cells:
        if cell.cell_type == "code" and inside:
            solutions[inside] += cell.source + "\n"
        elif cell.cell_type == "markdown":
            for mark, title, label in MARK.findall(cell.source):
                if mark == "exercise-start":
                    exercises.append(label)
                elif mark == "solution-start":
                    inside = title
                    solutions[inside] = ""
                else:
                    inside = None
    assert inside is None
    assert len(exercises) >= (6 if path.stem.startswith("01") else 3)
    assert list(solutions) == exercises
    for name, code in solutions.items():
        assert name.startswith(f"ex-{path.stem[:2]}-"), name
        assert re.search(r"\bassert\b|\bprint\(", code), f"{name} checks nothing"


@by_chapter
def test_questions_and_reading(path):
    text = "\n".join(cell.source for cell in kinds(read(path))[0])
    questions = text.split("## Questions")[1].split("## Further reading")[0]
    reading = text.split("## Further reading")[1]
    items = r"^(?:[-*]|\d+\.) "
    assert 8 <= len(re.findall(items, questions, re.M)) <= 12
    assert 3 <= len(re.findall(items, reading, re.M)) <= 6


@by_chapter
def test_figures_have_caption_name_and_alt(path):
    notebook = read(path)
    assert list(figures(notebook))
    for _, meta in figures(notebook):
        name = meta["figure"]["name"]
        assert re.fullmatch(rf"fig-{path.stem[:2]}-[\w-]+", name)
        assert len(meta["figure"]["caption"].split()) >= 6, name
        assert len(meta["image"]["alt"].split()) >= 5, name
        assert meta["image"]["alt"] != meta["figure"]["caption"], name


def test_figure_and_exercise_names_are_unique():
    text = "".join(path.read_text(encoding="utf-8") for path in chapters())
    names = re.findall(
        r'"name": "(fig-[\w-]+)"|\{exercise-start\}.*?:label: (ex-[\w-]+)', text
    )
    assert len(set(names)) == len(names)


# The executed copies


def executed(build, path):
    copy = build / "staging" / "book" / path.name
    assert copy.exists(), f"{copy} was not executed"
    return read(copy)


def outputs(notebook):
    for cell in kinds(notebook)[1]:
        for output in cell.outputs:
            yield cell, output


@pytest.mark.executed
@by_chapter
def test_executed_from_what_is_committed(build, path):
    copy = executed(build, path)
    assert [cell.source for cell in copy.cells] == [
        cell.source for cell in read(path).cells
    ]
    code = [cell for cell in kinds(copy)[1] if cell.source.strip()]
    assert all(cell.execution_count for cell in code)
    assert "papermill" not in copy.metadata, "with paths of the machine that built it"


@pytest.mark.executed
@by_chapter
def test_executed_chapters_write_their_results(build, path):
    folder = build / "results" / path.stem
    result = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert result["notebook"] == path.stem
    assert result["metrics"]
    names = [(row["metric"], row["candidate"]) for row in result["metrics"]]
    assert len(set(names)) == len(names), "two rows of one name"
    listed = {
        key for cell in read(path).cells for key in cell.metadata.get("published", {})
    }
    known = {", ".join(filter(None, name)) + end
             for name in names for end in ("", " low", " high")}  # fmt: skip
    assert listed <= known
    assert list(folder.glob("*.png"))


@pytest.mark.executed
@by_chapter
def test_executed_without_errors_or_warnings(build, path):
    for cell, output in outputs(executed(build, path)):
        assert output.output_type != "error", cell.source
        if output.output_type == "stream" and output.name == "stderr":
            lines = re.split(r"[\r\n]+", output.text)
            assert [line for line in lines if not QUIET.fullmatch(line)] == [], (
                cell.source
            )


@pytest.mark.executed
@by_chapter
def test_outputs_are_meant_for_a_reader(build, path):
    copy = executed(build, path)
    for cell, output in outputs(copy):
        if output.output_type in {"execute_result", "display_data"}:
            text = output.data.get("text/plain", "")
            if set(output.data) == {"text/plain"}:
                assert not re.search(r"<[\w.]+(?: object)? at 0x|<Axes|\[<", text), (
                    cell.source
                )
            if "image/png" in output.data:
                picture = b64decode(output.data["image/png"])
                limit = 500_000 if b"acTL" in picture else 150_000  # an animation
                assert len(picture) <= limit, cell.source
                meta = cell.metadata.get("mystnb", {})
                assert "figure" in meta, f"a figure without a caption:\n{cell.source}"
        elif output.output_type == "stream":
            assert len(output.text.splitlines()) <= 60 or output.name == "stderr"
    assert not kinds(copy)[1][-1].outputs, "the last cell shows nothing"
    for cell, meta in figures(copy):
        assert len(cell.outputs) >= 1, meta["figure"]["name"]
