"""The built site in a real browser, wide and narrow, with no network but loopback."""

import functools
import http.server
import re
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, chapters, tab, toc
from PIL import Image

pytestmark = pytest.mark.site

FIRST = f"book/{chapters()[0].stem}"
WIDTHS = {"wide": 1280, "narrow": 390}
# Markup of the source that must never reach a reader.
RAW = re.compile(
    r"`{3}|:{3}|\{[a-z-]+\}`|\{exercise|\{solution|\\begin\{|\$\$|^:\w+:", re.M
)
WARNING = re.compile(r"Warning:|Traceback \(most recent call last\)|oneDNN|cuda", re.I)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a line in the log for each."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def server(html):
    """Serve the site on loopback; return its address."""
    handler = functools.partial(Handler, directory=html)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def settle(page):
    """Wait until mathematics is typeset and every picture has loaded."""
    page.evaluate("""async () => {
        if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
        for (const image of document.images) {
            image.loading = "eager";
            if (!image.complete) await new Promise(done => {
                image.onload = image.onerror = done;
            });
        }
    }""")


PROBE = """() => {
    const all = query => [...document.querySelectorAll(query)];
    const main = document.querySelector("article.bd-article");
    const inside = box => box.getBoundingClientRect();
    // What sticks out although no ancestor scrolls it.
    const out = all("article.bd-article *").filter(box => {
        if (inside(box).right <= innerWidth + 1 || !inside(box).width) return false;
        for (let up = box.parentElement; up; up = up.parentElement) {
            if (getComputedStyle(up).overflowX != "visible") return false;
        }
        return true;
    });
    const shown = main.cloneNode(true);
    for (const code of shown.querySelectorAll("pre, code, mjx-container, script")) {
        code.remove();
    }
    return {
        width: document.documentElement.scrollWidth,
        out: out.slice(0, 5).map(box => box.outerHTML.slice(0, 120)),
        broken: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
        nameless: all("article.bd-article img").filter(i => !i.alt).map(i => i.src),
        math: all("article.bd-article .math").length,
        typeset: all("article.bd-article .math mjx-container").length,
        errors: all("mjx-merror, [data-mjx-error]").length,
        clipped: all("mjx-container[display]")
            .filter(box => box.offsetParent && box.scrollWidth > box.clientWidth + 1)
            .map(box => box.scrollWidth + " > " + box.clientWidth + ": " +
                (box.getAttribute("aria-label") || box.textContent).slice(0, 60)),
        text: shown.textContent,
        outputs: all(".cell_output").map(box => box.textContent).join("\\n"),
        stderr: all(".output.stderr, .stderr").length,
    };
}"""


CODE = """() => {
    for (const button of document.querySelectorAll("button.toggle-button-hidden")) {
        button.click();
    }
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    const blocks = [...document.querySelectorAll("article.bd-article .highlight pre")]
        .filter(block => !block.closest(".cell_output"));
    const cut = block => {
        const inside = block.getBoundingClientRect().right;
        return block.scrollWidth > block.clientWidth + 1 ||
            [...block.children].some(c => c.getBoundingClientRect().right > inside + 1);
    };
    return {
        blocks: blocks.length,
        unseen: blocks.filter(block => !block.offsetParent)
            .map(block => block.textContent.slice(0, 80)),
        cut: blocks.filter(cut).map(block => block.scrollWidth + " > " +
            block.clientWidth + ": " + block.textContent.slice(0, 80)),
    };
}"""


@pytest.mark.parametrize("page", toc())
def test_code_is_as_wide_as_the_page_folded_or_not(server, browser, page):
    with tab(browser, WIDTHS["wide"]) as seen:
        seen.page.goto(f"{server}/{page}.html")
        settle(seen.page)
        found = seen.page.evaluate(CODE)
    assert found["unseen"] == [], "still folded"
    assert found["cut"] == []
    assert found["blocks"] or not (ROOT / f"{page}.ipynb").exists()


@pytest.mark.parametrize("page", toc())
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_page_is_whole(server, browser, page, width):
    with tab(browser, width) as seen:
        answer = seen.page.goto(f"{server}/{page}.html")
        assert answer.ok, f"{page}.html is not there"
        settle(seen.page)
        found = seen.page.evaluate(PROBE)
        seen.clean()
    assert found["broken"] == []
    assert found["nameless"] == []
    assert found["width"] <= width, found["out"]
    assert found["out"] == []
    assert found["errors"] == 0
    assert found["typeset"] >= found["math"], "mathematics that is not typeset"
    assert found["clipped"] == [], "an equation wider than the page: break it"
    assert RAW.findall(found["text"]) == []
    assert found["stderr"] == 0
    assert WARNING.findall(found["outputs"]) == []


def test_some_page_has_mathematics(server, browser):
    with tab(browser, 1280) as seen:
        seen.page.goto(f"{server}/{FIRST}.html")
        settle(seen.page)
        assert seen.page.evaluate(PROBE)["typeset"] > 0


def test_site_opens_from_a_file(html, browser):
    with tab(browser, 1280) as seen:
        seen.page.goto((html / "index.html").as_uri())
        seen.page.wait_for_url("**/book/index.html")
        seen.page.goto((html / f"{FIRST}.html").as_uri())
        settle(seen.page)
        found = seen.page.evaluate(PROBE)
        assert found["typeset"] >= found["math"]
        assert found["broken"] == []
        seen.clean()


def test_search_finds_a_chapter(server, browser):
    with tab(browser, 1280) as seen:
        seen.page.goto(f"{server}/search.html?q=generator")
        result = seen.page.locator("#search-results ul.search li a").first
        result.wait_for(timeout=20_000)
        assert "/book/" in result.evaluate("link => link.href")
        seen.clean()


def test_narrow_menu_leads_to_a_chapter(server, browser):
    with tab(browser, 390) as seen:
        seen.page.goto(f"{server}/{toc()[0]}.html")
        seen.page.locator("button.primary-toggle:visible").first.click()
        link = seen.page.locator("a.internal[href*='01_']:visible").first
        link.click()
        seen.page.wait_for_url("**/01_*.html")


def test_folded_code_opens_under_its_title(server, browser):
    with tab(browser, 1280) as seen:
        seen.page.goto(f"{server}/{FIRST}.html")
        fold = seen.page.locator("details.hide").first
        code = fold.locator("pre")
        assert not code.is_visible()
        fold.get_by_text("Show code: Setup", exact=True).click()
        code.wait_for(state="visible")
        assert code.inner_text().startswith("import sys\n")
        fold.get_by_text("Hide code: Setup", exact=True).click()
        code.wait_for(state="hidden")
        seen.clean()


def test_charts_are_light_and_stay_white(html):
    light, corners = [], []
    for path in (html / "_images").glob("*.png"):
        with Image.open(path) as picture:
            light.append(picture.mode == "P")
            corners.append(picture.convert("RGB").getpixel((1, 1)))
    assert sum(light) > 0.8 * len(light)
    assert min(map(min, corners)) >= 250


@pytest.mark.parametrize("path", chapters(), ids=[path.stem for path in chapters()])
def test_solution_is_hidden_until_asked_for(server, browser, path):
    """Also beside a demo, whose names must not be those of the theme's scripts."""
    with tab(browser, 1280) as seen:
        seen.page.goto(f"{server}/book/{path.stem}.html")
        cell = seen.page.locator(".cell")
        solution = seen.page.locator(".solution.dropdown").filter(has=cell).first
        body = solution.locator(".cell").first
        assert not body.is_visible()
        solution.locator("button.toggle-button").first.click()
        body.wait_for(state="visible")


@pytest.mark.parametrize("path", chapters(), ids=[path.stem for path in chapters()])
def test_chapter_links_to_colab_and_to_its_notebook(html, path):
    tree = soup(html / "book" / f"{path.stem}.html")
    links = [link["href"] for link in tree.find_all("a", href=True)]
    assert any(
        link.startswith("https://colab.research.google.com/github/")
        and link.endswith(f"/book/{path.name}")
        for link in links
    )
    download = next(
        link for link in links if link.endswith(f"_sources/book/{path.name}")
    )
    notebook = nbformat.read(html / "book" / download, as_version=4)
    assert any(cell.get("outputs") for cell in notebook.cells), "as executed"


@functools.cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")


@functools.cache
def anchors(path):
    return {tag["id"] for tag in soup(path).find_all(id=True)}


def test_every_internal_link_and_asset_resolves(html):
    lost = []
    for page in sorted(html.rglob("*.html")):
        if page.is_relative_to(html / "_static"):
            continue
        for tag in soup(page).find_all(["a", "img", "script", "link", "source"]):
            url = tag.get("href") or tag.get("src")
            if not url or urlsplit(url).scheme or url.startswith("//"):
                continue
            place, anchor = urldefrag(url)
            target = page.parent / unquote(urlsplit(place).path) if place else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                lost.append((page.name, url))
            elif (
                anchor
                and target.suffix == ".html"
                and anchor not in anchors(target.resolve())
            ):
                lost.append((page.name, url))
    assert lost == []


def test_no_asset_comes_from_elsewhere(html):
    remote = [
        (page.name, tag.get("src") or tag["href"])
        for page in html.rglob("*.html")
        for tag in soup(page).find_all(["img", "script", "link", "source", "iframe"])
        if re.match(r"(https?:)?//", tag.get("src") or tag.get("href") or "")
        and "canonical" not in tag.get("rel", [])
    ]
    assert remote == []


SECRETS = [
    r"AKIA[0-9A-Z]{16}",  # Amazon
    r"gh[pousr]_[A-Za-z0-9]{36}",  # GitHub
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
]


def test_nothing_published_names_this_machine_or_holds_a_secret(html):
    here = {Path.home(), ROOT, html.parent, Path(tempfile.gettempdir())}
    places = [re.escape(f"{path}/") for path in here]
    said = re.compile("|".join(places + SECRETS))
    found = [
        (path.name, match.group())
        for path in html.rglob("*")
        if path.suffix in {".html", ".ipynb", ".js", ".json", ".txt", ".svg"}
        for match in said.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
