"""What the site needs beyond Jupyter Book.

Offline mathematics, light icons, benchmark tables, folded code under its own
title, demos in place of their static figures, the weights that demos run on,
styled tables that look like the others, and references that are named as in
the text.
"""

import importlib.util
import json
import re
import shutil
from pathlib import Path

from docutils import nodes
from PIL import Image, ImageChops
from pybtex.plugin import register_plugin
from pybtex.style.formatting import alpha
from pybtex.style.labels.alpha import LabelStyle
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib.bibtex.style.referencing.author_year import (
    AuthorYearReferenceStyle,
)

SEEN = 24  # of 255: a difference of colour that might be seen
DEMO = re.compile(r"_static/demos/(\w+)\.svg$")
WEIGHTS = re.compile(r"static weights = (\[.*?\]);")  # in a demo's script


def copy_mathjax(app, error):
    """Copy MathJax from its wheel, so that a page asks the network for nothing."""
    if error or app.builder.format != "html":
        return
    package = importlib.util.find_spec(
        "mathjax"
    ).submodule_search_locations[0]
    source = Path(package, "static", "mathjax", "es5")
    target = Path(app.outdir, "_static", "mathjax")
    target.mkdir(exist_ok=True)
    shutil.copy(source / "tex-mml-chtml.js", target)
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)


def drop_icon_script(app, error):
    """Empty the theme's script of icons, 1.5 MB on every page.

    Its style sheet has the same icons as web fonts, of which a page loads the
    one or two that it shows.
    """
    if error or app.builder.format != "html":
        return
    script = Path(app.outdir, "_static", "scripts", "fontawesome.js")
    if script.exists():
        script.write_text(
            "// Icons are the web fonts of the style sheet.\n",
            encoding="utf-8",
        )


def lighten_pictures(app, error):
    """Store pictures with 256 colours: charts need no more and weigh a quarter.

    Pictures of more stay as they are where the few would be seen.
    """
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir, "_images").glob("*.png"):
        with Image.open(path) as picture:
            full = picture.convert("RGB")
        few = full.quantize(
            256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        worst = ImageChops.difference(full, few.convert("RGB")).getextrema()
        if max(high for _, high in worst) <= SEEN:
            few.save(path, optimize=True)


def drop_thebe(app, page, template, context, doctree):
    """Leave out the scripts of live cells: put in twice, they break; none is used."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe"
        not in str(getattr(script, "filename", script) or script.attributes)
    ]


def title_folded_code(app, doctree):
    """Label folded code by its `# @title`, the line that Colab shows, not both."""
    for cell in doctree.findall(nodes.container):
        if not cell.get("hide_mode"):
            continue
        code = next(cell.findall(nodes.literal_block))
        found = re.match(r"# @title (.+)\n+", code.astext())
        if found:
            cell["prompt_show"] = f"Show code: {found[1]}"
            cell["prompt_hide"] = f"Hide code: {found[1]}"
            rest = code.astext()[found.end() :]
            code.rawsource = rest
            code[:] = [nodes.Text(rest)]


def stripe_styled_tables(app, doctree, docname):
    """Give tables of pandas' Styler the class by which the theme knows tables."""
    for output in doctree.findall(nodes.raw):
        html = output.astext()
        table = html.replace(
            '<table id="T_', '<table class="dataframe" id="T_'
        )
        if table != html:
            output[:] = [nodes.Text(table)]


class AuthorYearLabels(LabelStyle):
    """Labels of the list of references: "Yoon et al., 2019", as the text has them.

    Two of one name and year are told apart by a letter.
    """

    def format_label(self, entry):
        """Return the label of one entry."""
        style = AuthorYearReferenceStyle()
        people = style.person.author_or_editor_or_title(full=False)
        said = people.format_data({"entry": entry, "style": style})
        return f"{said}, {entry.fields['year']}"


class AuthorYear(alpha.Style):
    """The list of references, by author and year."""

    default_label_style = AuthorYearLabels


def mount_demos(app, doctree):
    """Put the demo NAME around the figure `_static/demos/NAME.svg` that a page shows.

    A chapter shows the figure as a link to the site, which Jupyter and Colab
    understand, and says so in a line. On the site the figure stays inside the
    element, for a reader without scripts; links to this very page go.
    """
    for image in list(doctree.findall(nodes.image)):
        found = DEMO.search(image["uri"])
        if not found:
            continue
        shown = image.parent
        while not isinstance(shown.parent, nodes.section):
            shown = shown.parent
        image["loading"] = (
            "lazy"  # where scripts are on, nobody waits for it
        )
        name = found[1]
        mounted = (f'<gan-{name} id="play-{name}">', f"</gan-{name}>")
        before, after = (
            nodes.raw("", tag, format="html", demo=name) for tag in mounted
        )
        shown.replace_self([before, image, after])
        for link in list(doctree.findall(nodes.reference)):
            here = link.get("refuri", "").endswith(f"#play-{name}")
            if here and len(link.parent) == 1:
                link.parent.parent.remove(link.parent)


def load_demos(app, page, template, context, doctree):
    """Load the scripts of a page's demos, there and nowhere else."""
    if not doctree:
        return
    names = {
        raw["demo"] for raw in doctree.findall(nodes.raw) if "demo" in raw
    }
    for script in ["stage", *sorted(names)] if names else []:
        app.add_js_file(f"demos/{script}.js", loading_method="defer")


def write_weights(app, error):
    """Write beside the demos the shipped weights that they name, as scripts."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir, "_static", "demos")
    for script in sorted(folder.glob("*.js")):
        for found in WEIGHTS.findall(script.read_text(encoding="utf-8")):
            import page_weights  # imports TensorFlow

            for name in json.loads(found):
                page_weights.write(name, folder)


class Benchmark(SphinxDirective):
    """A JSON file of a benchmark as a table: its names and numbers, none retyped."""

    required_arguments = 1

    def run(self):
        """Read the file named by the argument, relative to the root of the book."""
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        if not path.exists():
            raise self.error(
                f"{self.arguments[0]} is not there: run `make bench`"
            )
        rows = list(flatten(json.loads(path.read_text(encoding="utf-8"))))
        body = nodes.tbody()
        for row in rows:
            body += nodes.row(
                "",
                *(
                    nodes.entry("", nodes.paragraph(text=text))
                    for text in row
                ),
            )
        group = nodes.tgroup("", cols=2)
        group += [
            nodes.colspec(colwidth=1),
            nodes.colspec(colwidth=1),
            body,
        ]
        return [nodes.table("", group, classes=["benchmark"])]


def flatten(value, name=""):
    """Yield (dotted name, text) for each number or word of nested dictionaries."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(f"{item:g}" if isinstance(item, float) else str(item)
                              for item in value)  # fmt: skip
    else:
        yield (
            name,
            f"{value:.4g}" if isinstance(value, float) else str(value),
        )


def setup(app):
    """Register all of it with Sphinx."""
    app.add_directive("benchmark", Benchmark)
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    app.connect("doctree-read", title_folded_code)
    app.connect("doctree-resolved", stripe_styled_tables)
    app.connect("doctree-read", mount_demos)
    app.connect("html-page-context", load_demos)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_icon_script)
    app.connect("build-finished", lighten_pictures)
    app.connect("build-finished", write_weights)
    return {"version": "1", "parallel_read_safe": True}
