"""What several test files share: the chapters, what was built from them, a browser."""

import contextlib
import ctypes
import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import nbformat
import pytest
import yaml

import gan_notes  # noqa: F401  before TensorFlow, whose curl breaks that of yfinance

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
QUIET = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage""".split()
# A busy machine is no failure, and `make fuzz` alone looks for new ones.
hypothesis.settings.register_profile(
    "patient", deadline=None, derandomize="FUZZ" not in os.environ
)
hypothesis.settings.load_profile("patient")
# The files that take longest, each of them in one process: begun first by `make
# test-long`, or one process would end with them while the others have nothing to do.
LONGEST = ("test_faults.py", "test_scorecard.py", "test_ship.py", "test_reruns.py")


def pytest_addoption(parser):
    parser.addoption(
        "--build",
        type=Path,
        default=ROOT / "_build",
        help="folder of book/build.py: executed notebooks in staging, the site in html",
    )


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


def benchmark(name):
    """Return the script of that name under benchmarks/, as a module."""
    path = ROOT / "benchmarks" / f"{name}.py"
    if str(path.parent) not in sys.path:  # what its scripts share lies beside them
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(name):
    """Return a result that a benchmark stored in the package."""
    path = ROOT / "gan_notes" / "evaluation" / "stored" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def run_small(name):
    """Run an ablation with --small; return what it found, and that it wrote nothing."""
    path = ROOT / "benchmarks" / f"{name}.py"
    command = [sys.executable, path, "--small", "--steps", "2", "--windows", "200"]
    out = ROOT / "gan_notes" / "evaluation" / "stored" / f"{name}.json"
    before = out.read_bytes() if out.exists() else None
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (out.read_bytes() if out.exists() else None) == before
    return json.loads(done.stdout.splitlines()[-1])["candidates"]


def toc():
    """Return the pages of _toc.yml in reading order, as `book/name`."""
    tree = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [page["file"] for part in tree["parts"] for page in part["chapters"]]
    return [tree["root"], *pages]


def chapters():
    """Return the paths of the notebooks among the pages, in reading order."""
    paths = [ROOT / f"{page}.ipynb" for page in toc()]
    return [path for path in paths if path.exists()]


def by_chapter(function):
    """Run a test once for each chapter, named after it, with its path."""
    paths = chapters()
    return pytest.mark.parametrize("path", paths, ids=[p.stem for p in paths])(function)


def read(path):
    """Read a notebook as the current format has it."""
    return nbformat.read(path, as_version=4)


def write_notebook(path, cells):
    """Write a notebook of these code cells, the second of which has the parameters."""
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": python},
    )
    page.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(page, path)
    return path


def after(step, act):
    """Return a callback that does `act(model)` once a step is reached."""
    import keras  # not loaded for tests that need no TensorFlow

    class After(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            counted = getattr(self.model, "step", self.model.optimizer.iterations)
            if int(counted) == step:
                act(self.model)

    return After()


def missing(reason):
    """Skip here, where somebody reads the reason; fail in CI, where nobody does."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def mount(tmp_path, monkeypatch):
    """Return a folder on a mount of its own, or one that is renamed into like that."""
    folder = tmp_path / "mount"
    folder.mkdir()
    if sys.platform == "linux" and os.geteuid() == 0:
        options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
        mounted = (
            subprocess.run(["mount", *options], capture_output=True).returncode == 0
        )
    else:
        mounted = False
    if not mounted:
        replace = os.replace

        def within(source, target):
            if folder not in Path(source).parents:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            replace(source, target)

        monkeypatch.setattr(os, "replace", within)
    yield folder
    if mounted:
        subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def dead_mount(folder):
    """Hide a folder, for a while, behind a mount whose server has died.

    Every access then fails with ENOTCONN, as on Colab when Drive is gone.
    """
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("there is no /dev/fuse to open")
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    mount = ctypes.CDLL(None, use_errno=True).mount
    failed = mount(b"dead", os.fsencode(folder), b"fuse", 0, options)
    os.close(server)
    if failed:
        pytest.skip("only root may mount, on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session", autouse=True)
def process():
    """Set the process as a chapter's first cell does, where a test needs TensorFlow."""
    if "tensorflow" in sys.modules:
        from gan_notes import notebooks

        notebooks.repeatable(0)


@pytest.fixture(scope="session")
def build(request):
    """Return the folder that book/build.py filled."""
    folder = request.config.getoption("--build").resolve()
    if not (folder / "staging" / "book").exists():
        missing(f"nothing is built in {folder}: run `make book` first")
    return folder


@pytest.fixture(scope="session")
def html(build):
    """Return the folder of the built site."""
    if not (build / "html" / "index.html").exists():
        missing(f"no site in {build}: run `make book` first")
    return build / "html"


@pytest.fixture(scope="session")
def browser():
    """Start the machine's own Chromium with an empty profile."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if not found:
        missing("no Chromium found: apt install chromium, or name one in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found,
            args=QUIET,
            env=os.environ | {"HOME": tempfile.gettempdir()},
        )
        yield started
        started.close()


@dataclass
class Seen:
    """A page and what went wrong while it loaded."""

    page: object
    asked: list = field(default_factory=list)
    console: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    failed: list = field(default_factory=list)

    def clean(self):
        assert self.refused == [], "the page asked the network"
        assert self.failed == []
        assert self.console == []


@contextlib.contextmanager
def tab(browser, width, **options):
    """Open a tab that reaches loopback and files only, and notes every complaint."""
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, **options)
    seen = Seen(context.new_page())
    page = seen.page

    def gate(route):
        url = urlsplit(route.request.url)
        seen.asked.append(route.request.url)
        if url.hostname in {"127.0.0.1", None}:
            route.continue_()
        else:
            seen.refused.append(route.request.url)
            route.abort()

    context.route("**/*", gate)
    page.on("console", lambda message: seen.console.append(message.text)
            if message.type in {"error", "warning"} else None)  # fmt: skip
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("response", lambda answer: seen.failed.append(answer.url)
            if answer.status >= 400 else None)  # fmt: skip
    page.on("requestfailed", lambda request: seen.failed.append(request.url))
    try:
        yield seen
    finally:
        context.close()
