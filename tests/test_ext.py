"""The extension of the site, on a site of two pages."""

import json
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import book_site

INDEX = """# Pages

```{toctree}
page
```

```{benchmark} speed.json
```

Begun by {cite:t}`first2014`, carried on {cite}`second2019,third2019`.

```{bibliography}
```
"""
SOURCES = """
@article{first2014, author={First, Ann}, title={On games}, journal={J}, year={2014}}
@article{second2019, author={Second, Bo and Other, Di}, title={A}, journal={J}, year={2019}}
@article{third2019, author={Third, Cy and Two, D and Six, E}, title={B}, journal={J}, year={2019}}
@article{fourth2019, author={Third, Cy and Two, D and Six, E}, title={C}, journal={J}, year={2019}}
"""  # noqa: E501
STYLED = '<style></style><table id="T_1a"><tbody><tr><td>7</td></tr></tbody></table>'
DEMO = """[![a still](_static/demos/field.svg)](https://example.org/#play-field)

Play with it.

[Play it on the site](https://example.org/#play-field)"""
FIGURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
SPEED = {"ours": {"joint": 16.54321}, "rounds": [1.5, 2.0], "cpu": "any"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Build the two pages; return them by name, and the folder."""
    from sphinx.application import Sphinx

    source = tmp_path_factory.mktemp("source")
    (source / "index.md").write_text(INDEX, encoding="utf-8")
    (source / "speed.json").write_text(json.dumps(SPEED), encoding="utf-8")
    (source / "sources.bib").write_text(SOURCES, encoding="utf-8")
    figures = source / "_static" / "demos"
    figures.mkdir(parents=True)
    (figures / "field.svg").write_text(FIGURE, encoding="utf-8")
    folded = {"tags": ["hide-input"], "cellView": "form"}
    cells = [
        nbformat.v4.new_markdown_cell("# A page"),
        nbformat.v4.new_markdown_cell(DEMO),
        nbformat.v4.new_code_cell("# @title The picture\n\nfirst = 1", metadata=folded),
        nbformat.v4.new_code_cell("# @title is said in an open cell\nsecond = 2"),
    ]
    unseen = {"tags": ["remove-input"]}
    shown = nbformat.v4.new_output(
        "execute_result", {"text/html": STYLED}, execution_count=1
    )
    cells.append(nbformat.v4.new_code_cell("table", metadata=unseen, outputs=[shown]))
    page = nbformat.v4.new_notebook(
        cells=cells, metadata={"language_info": {"name": "python"}}
    )
    nbformat.write(page, source / "page.ipynb")
    out = source / "out"
    site = Sphinx(
        source,
        None,
        out,
        source / "trees",
        "html",
        confoverrides={
            "extensions": ["myst_nb", "sphinxcontrib.bibtex", "book_site"],
            "bibtex_bibfiles": ["sources.bib"],
            "bibtex_reference_style": "author_year",
            "bibtex_default_style": "author_year",
            "nb_execution_mode": "off",
            "html_js_files": ["thebe.js", "kept.js"],
            "html_theme": "basic",
        },
        status=None,
        warningiserror=True,
    )
    site.build()
    read = {
        name: BeautifulSoup((out / f"{name}.html").read_text(encoding="utf-8"), "lxml")
        for name in ("index", "page")
    }
    return read, out


def test_folded_code_bears_its_title_once(pages):
    page = pages[0]["page"]
    (fold,) = page.select("details")
    labels = [label.text for label in fold.select("summary p")]
    assert labels == ["Show code: The picture", "Hide code: The picture"]
    assert fold.select_one("pre").text == "first = 1\n"
    others = [block.text for block in page.select("pre")][1:]
    assert others == ["# @title is said in an open cell\nsecond = 2\n"]


def test_a_styled_table_is_a_table_like_the_others(pages):
    (table,) = pages[0]["page"].select("table#T_1a")
    assert table["class"] == ["dataframe"]
    assert table.text == "7"


def test_the_list_of_references_names_them_as_the_text_does(pages):
    page = pages[0]["index"]
    text = " ".join(page.text.split())
    assert "Begun by First [2014], carried on" in text
    assert "[Second and Other, 2019, Third et al., 2019]" in text
    labels = [label.text for label in page.select("div.citation span.label")]
    assert labels == [
        "[First, 2014]",
        "[Second and Other, 2019]",
        "[Third et al., 2019]",
    ]


def test_two_references_of_one_name_are_told_apart():
    from pybtex.database import parse_string

    entries = parse_string(SOURCES, "bibtex").entries.values()
    assert list(book_site.AuthorYearLabels().format_labels(entries)) == [
        "First, 2014",
        "Second and Other, 2019",
        "Third et al., 2019a",
        "Third et al., 2019b",
    ]


def test_a_benchmark_is_its_file(pages):
    rows = [
        [cell.text.strip() for cell in row.select("td")]
        for row in pages[0]["index"].select("table.benchmark tr")
    ]
    assert rows == [["ours.joint", "16.54"], ["rounds", "1.5, 2"], ["cpu", "any"]]


def test_mathematics_comes_along_and_scripts_of_live_cells_do_not(pages):
    read, out = pages
    mathjax = out / "_static" / "mathjax"
    assert (mathjax / "tex-mml-chtml.js").stat().st_size > 500_000
    assert list((mathjax / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))
    scripts = " ".join(tag.get("src", "") for tag in read["page"].select("script"))
    assert "kept.js" in scripts
    assert "thebe" not in scripts


def test_a_linked_figure_of_a_demo_becomes_the_demo_around_its_figure(pages):
    (demo,) = pages[0]["page"].select("gan-field#play-field")
    (image,) = demo.select("img")
    assert (image["alt"], image["loading"]) == ("a still", "lazy")
    assert (pages[1] / image["src"]).read_text(encoding="utf-8") == FIGURE
    assert not pages[0]["page"].select("a[href^='https://example.org']")
    assert pages[0]["page"].find("p", string="Play with it.")


def test_only_the_page_of_a_demo_loads_its_scripts(pages):
    loads = {
        name: [tag["src"].split("?")[0] for tag in page.select("script[defer]")]
        for name, page in pages[0].items()
    }
    scripts = ["_static/demos/stage.js", "_static/demos/field.js"]
    assert loads == {"index": [], "page": scripts}


def test_a_missing_benchmark_says_how_to_make_it(tmp_path):
    class Here:
        env = type("Env", (), {"srcdir": tmp_path, "note_dependency": print})
        arguments = ("speed.json",)

        def error(self, text):
            return ValueError(text)

    with pytest.raises(ValueError, match=r"speed\.json is not there: run `make bench`"):
        book_site.Benchmark.run(Here())


def test_nothing_is_copied_after_an_error_or_for_another_format(tmp_path):
    class App:
        outdir = tmp_path
        builder = type("Builder", (), {"format": "html"})

    book_site.copy_mathjax(App, ValueError())
    App.builder.format = "latex"
    book_site.copy_mathjax(App, None)
    assert list(tmp_path.iterdir()) == []
