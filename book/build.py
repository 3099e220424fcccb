"""Execute every notebook, then build the site from the executed copies.

python book/build.py                        the book: _build/html
python book/build.py --small                the same with small parameters, quickly
python book/build.py --only 01_intuition    one chapter; missing pages are left out

The sources are copied to <build>/staging and executed there by papermill, two at a
time; each writes its results to <build>/results. Jupyter Book renders that copy with
execution off, so the site shows exactly what ran. A notebook that fails stops the
build, and so does a page whose "As published" says other than its run
(book/published.py); with small parameters nothing is compared.
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

import published
import yaml

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2  # two notebooks of one or two threads each: 2 cores, under 6 GB
MANY = 10_000  # runs, of which the page of the status says what they cost
# What TensorFlow says as it starts, here when the interface page imports it.
TENSORFLOW = re.compile(
    r"[IWE]0000 |WARNING: All log messages|To enable the following"
)
SMALL = {"steps": 20, "train": True}
# A training of its own it judges anew, for a minute; `make test-nightly` has that run.
SMALL_OF = {"07_judging": {"train": False}}


def main(arguments=None):
    """Run the steps that the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--build", type=Path, default=ROOT / "_build", help="folder"
    )
    parser.add_argument(
        "--small", action="store_true", help=f"with {SMALL}"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these chapters"
    )
    parser.add_argument(
        "--no-execute", action="store_true", help="render what ran"
    )
    parser.add_argument(
        "--no-site", action="store_true", help="execute only"
    )
    options = parser.parse_args(arguments)
    build = options.build.resolve()
    staging, results = build / "staging", build / "results"

    chapters = [
        page for page in pages() if (ROOT / f"{page}.ipynb").exists()
    ]
    named = {Path(page).name: page for page in chapters}
    if options.only:
        if unknown := [name for name in options.only if name not in named]:
            print(
                f"--only: no notebook of _toc.yml is called {', '.join(unknown)}; "
                f"there are {', '.join(named)}"
            )
            return 2
        chapters = [named[name] for name in named if name in options.only]
    stage(
        staging, keep=pages() if options.only or options.no_execute else []
    )
    wrong = []
    if not options.no_execute:
        parameters = SMALL if options.small else {}
        own = SMALL_OF if options.small else {}
        failures = execute_all(staging, results, chapters, parameters, own)
        if failures:
            print("\n" + "\n\n".join(failures))
            return 1
        if not options.small:
            wrong = compare(results, chapters)
            print(*wrong, sep="\n", end="\n" if wrong else "")
    if options.no_site or (wrong and not options.only):
        return int(bool(wrong))
    add_status(staging, results)
    status = render(staging, build / "html", draft=bool(options.only))
    return status or int(bool(wrong))


def pages():
    """Return every page of _toc.yml in reading order, as `book/name`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [
        page["file"] for part in toc["parts"] for page in part["chapters"]
    ]
    return [toc["root"], *chapters]


def stage(staging, keep):
    """Copy the sources; of the earlier copy keep the executed notebooks in `keep`."""
    kept = {}
    for page in keep:
        path = staging / f"{page}.ipynb"
        if path.exists():
            kept[path] = path.read_bytes()
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shutil.copy(ROOT / "_toc.yml", staging)
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    config = config.replace(
        "execute_notebooks: cache", "execute_notebooks: off"
    )
    (staging / "_config.yml").write_text(config, encoding="utf-8")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in ("book", "benchmarks"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, staging / folder, ignore=ignored)
    for path, content in kept.items():
        path.write_bytes(content)


def compare(results, chapters):
    """Return a sentence for each number that a page does not have from its run."""
    wrong = []
    for page in chapters:
        notebook = json.loads(
            (ROOT / f"{page}.ipynb").read_text(encoding="utf-8")
        )
        name, result = Path(page).name, {"metrics": []}
        path = results / name / "metrics.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
        wrong += published.contradictions(name, notebook, result)
    return wrong


def add_status(staging, results):
    """Add to the page of the status what ran: when, how long, with what."""
    page = staging / "book" / "status.md"
    if not page.exists():
        return
    shutil.copy(ROOT / "book" / "status.md", page)
    rows, where = [], {}
    for name in (Path(page).name for page in pages()):
        path = results / name / "metrics.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        values = {
            key: value
            for key, value in result["parameters"].items()
            if value != ""
            and not key.endswith("_dir")  # folders of this machine
        }
        source = Path(values.pop("source", "")).name or "no prices"
        said = ", ".join(
            f"`{key}` {value}" for key, value in values.items()
        )
        seconds = result["seconds"]
        days = MANY * seconds / AT_ONCE / 86_400
        rows.append(
            f"| {{doc}}`{name}` | {day} | {seconds:.0f} | {days:.1f} | {source} "
            f"| {said} |"
        )
        ran_with = ", ".join(
            f"{k} {v}" for k, v in result["versions"].items()
        )
        where.setdefault(f"{result['device']}: {ran_with}", []).append(name)
    if not rows:
        return
    lines = [
        "",
        f"| chapter | last run | seconds | days for {MANY:,} runs | source "
        "| parameters |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        *(
            f"{', '.join(names) if len(where) > 1 else 'All'} on {what}.\n"
            for what, names in where.items()
        ),
    ]
    with page.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines))


def execute_all(staging, results, chapters, parameters, own):
    """Execute the chapters, a line of progress for each; return what failed, told.

    All get `parameters`; a chapter that `own` names gets those before them.
    """
    # The kernel of the environment that runs this, whatever else is registered.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    failures = []
    # TensorFlow's lines, out of the way.
    log = staging.parent / "kernels.log"
    # Fresh processes: a copy of this one would have its threads' locks too.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, fresh, quiet, (log,)) as pool:
        running = {}
        # The last chapters take longest; begun last, one would be left to run alone.
        for page in reversed(chapters):
            name = Path(page).name
            shutil.rmtree(results / name, ignore_errors=True)
            values = {**parameters, **own.get(name, {})}
            values["output_dir"] = str(results / name)
            paths = [top / f"{page}.ipynb" for top in (ROOT, staging)]
            running[pool.submit(execute, *paths, values)] = name
        for done, future in enumerate(as_completed(running), start=1):
            name = running[future]
            seconds, failure = future.result()
            state = "failed" if failure else "executed"
            print(
                f"[{done}/{len(running)}] {name} {state} in {seconds:.0f} s",
                flush=True,
            )
            if failure:
                failures.append(failure)
    return failures


def quiet(log):
    """Send what this process and its kernels write on stderr to a file."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)


def execute(source, target, parameters):
    """Execute one notebook; return its seconds and, when it failed, a message."""
    from papermill.exceptions import PapermillExecutionError

    from gan_notes import notebooks

    started, failure = time.monotonic(), None
    try:
        notebooks.execute(
            source,
            target,
            parameters,
            kernel_name="python3",
            language="python",
            cwd=target.parent,
            progress_bar=False,
        )
        forget_the_build(target)
    except PapermillExecutionError as error:
        sources = [
            "".join(c["source"])
            for c in json.loads(source.read_text(encoding="utf-8"))["cells"]
        ]
        lines = error.source.strip().splitlines()
        failure = (
            f"{target.name}, cell {sources.index(error.source) + 1} of {len(sources)}, "
            f"which starts with {lines[0]!r}:\n"
            f"{error.ename}: {error.evalue}\n"
            f"Kept with its outputs so far: {target}"
        )
    except Exception as error:
        failure = (
            f"{target.name} did not run:\n{type(error).__name__}: {error}"
        )
    return time.monotonic() - started, failure


def forget_the_build(path):
    """Take out of an executed notebook what only this build put in.

    That is papermill's cell of parameters, with a folder of this machine, and
    its record of the paths: the page and its download are the chapter's.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"].pop("papermill", None)
    notebook["cells"] = [
        cell
        for cell in notebook["cells"]
        if "injected-parameters" not in cell["metadata"].get("tags", [])
    ]
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def render(staging, html, draft):
    """Build the site strictly in the staging copy and put it in place of the old."""
    if draft:
        drop_missing_pages(staging)
    shutil.rmtree(staging / "_build", ignore_errors=True)
    run = "from jupyter_book.cli.main import main; main()"
    options = ["build", ".", "-W", "-n", "--keep-going", "--quiet"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", run, *options],
        cwd=staging,
        capture_output=True,
        text=True,
    )
    status = done.returncode
    for line in done.stderr.splitlines():
        if not TENSORFLOW.match(line):
            print(line.replace(f"{staging}/", ""))
    built = staging / "_build" / "html"
    print(f"site built in {time.monotonic() - started:.0f} s", flush=True)
    if status:
        print("The site has the warnings above: each is an error.")
        if not draft or not built.exists():
            return status
    shutil.rmtree(html, ignore_errors=True)
    shutil.move(built, html)
    print(f"Open {html / 'index.html'} in a browser, or run: make serve")
    return status


def drop_missing_pages(staging):
    """Leave pages that are not written yet out of the staged table of contents."""
    path = staging / "_toc.yml"
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in toc["parts"]:
        for page in list(part["chapters"]):
            if not list(staging.glob(page["file"] + ".*")):
                print(f"left out, not written yet: {page['file']}")
                part["chapters"].remove(page)
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    if not list(staging.glob(toc["root"] + ".*")):
        (staging / f"{toc['root']}.md").write_text(
            "# GAN notes\n\nA draft.\n", encoding="utf-8"
        )
    path.write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
