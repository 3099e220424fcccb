"""One place for each fact: addresses, versions, the order of the modules."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT, chapters, toc
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
# From the ground up: a floor imports from itself and from those below.
FLOORS = ["data", "training", "models", "evaluation"]
# Imported by name and installed by yfinance and matplotlib, which need them to work.
WITH_OTHERS = {"platformdirs", "curl_cffi", "requests", "PIL"}
# The import name of a requirement, where the two differ.
IMPORT_NAME = {
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
}


def requirements(*extras):
    """Return what the package asks for, and its extras, by canonical name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in parsed}


def pins(name):
    """Return the versions that a constraints file names, by canonical name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), f"{name}: only name==version"
    found = {canonicalize_name(key): version for key, version in pairs}
    assert len(found) == len(pairs), f"{name}: a package twice"
    return found


def address():
    """Return the repository's address, of which _config.yml is the one place."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))[
        "repository"
    ]["url"]


def sources():
    """Return the text files that may hold a link to the repository."""
    folders = ("book", "gan_notes", "tests", "benchmarks", ".github")
    kinds = {".md", ".ipynb", ".py", ".toml", ".yml", ".cff"}
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    paths += [path for path in ROOT.iterdir() if path.is_file()]
    return [path for path in paths if path.suffix in kinds]


def test_every_link_to_the_repository_is_the_configured_one():
    owner, name = address().rsplit("/", 2)[1:]
    pattern = re.compile(
        r"(?:github\.com|colab\.research\.google\.com/github|mybinder\.org/v2/gh)"
        r"/([\w.-]+)/([\w.-]*\w)"
    )
    others = {"astral-sh", "kynan", "pre-commit", "actions"}
    wrong = [
        (path.relative_to(ROOT).as_posix(), found.group())
        for path in sources()
        for found in pattern.finditer(path.read_text(encoding="utf-8"))
        if found.group(1) not in others
        and found.groups() not in {(owner, name), (owner, f"{name}.git")}
        and found.groups() != ("OWNER", "NAME")  # as an example
        and path.name not in {"references.bib", "test_repository.py"}
    ]
    assert wrong == []


def test_repository_command_rewrites_every_link(tmp_path, monkeypatch):
    sys.path.insert(0, str(ROOT / "book"))
    import repository

    for name in ("_config.yml", "README.md"):
        (tmp_path / name).write_text(
            (ROOT / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    (tmp_path / "book").mkdir()
    for path in chapters()[:1]:
        (tmp_path / "book" / path.name).write_text(
            path.read_text(encoding="utf-8"), encoding="utf-8"
        )
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    repository.rewrite("https://github.com/new-owner/new-name/")
    owner, name = address().rsplit("/", 2)[1:]
    for path in tmp_path.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert f"{owner}/{name}" not in text, path.name
        assert "new-owner/new-name" in text, path.name
    with pytest.raises(SystemExit, match="OWNER/NAME"):
        repository.rewrite("new-owner")


def test_conda_environment_has_the_names_and_floors_of_the_package():
    tree = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [line for line in tree["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in tree["dependencies"] if isinstance(line, dict)]
    python = Requirement(next(line for line in lines if line.startswith("python")))
    assert str(python.specifier) == str(
        Requirement(f"x{PROJECT['requires-python']}").specifier
    )
    conda = [
        Requirement(line) for line in lines if not line.startswith(("python", "pip"))
    ]
    listed = {canonicalize_name(each.name): each for each in conda}
    wanted = requirements("book", "sample", "finance", "sweep")
    wanted["tensorflow"] = requirements("tensorflow")["tensorflow"]
    assert "-e ." in pip
    from_pip = [Requirement(line) for line in pip if line != "-e ."]
    listed |= {canonicalize_name(each.name): each for each in from_pip}
    assert {name: str(each.specifier) for name, each in listed.items()} == {
        name: str(each.specifier) for name, each in wanted.items()
    }


def test_constraints_pin_every_dependency_within_its_range():
    pinned = pins("constraints.txt")
    extras = PROJECT["optional-dependencies"]
    for name, requirement in requirements(*extras).items():
        assert pinned.get(name) in requirement.specifier, name


def test_the_gpu_extra_brings_nvidia_libraries_where_they_exist():
    extras = PROJECT["optional-dependencies"]
    parsed = [Requirement(line) for line in extras["gpu"]]
    for platform, brought in (("linux", {"and-cuda"}), ("darwin", set())):
        (tensorflow,) = [
            each for each in parsed if each.marker.evaluate({"sys_platform": platform})
        ]
        assert tensorflow.name == "tensorflow"
        assert tensorflow.extras == brought
        assert str(tensorflow.specifier) in extras["tensorflow"][0]
    assert "gan-notes[gpu" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_maintainer_s_tools_stay_out_of_the_package():
    for path in (ROOT / "gan_notes").rglob("*.py"):
        tops = {imported.split(".")[0] for imported in imports(path)}
        assert "subprocess" not in tops, path.name
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"python (book/\w+\.py)", readme)
    tools = {f"book/{name}.py" for name in ("build", "ship", "train", "repository")}
    assert tools == set(named)
    assert all((ROOT / path).exists() for path in named)


def test_ci_runs_both_commands_of_the_readme_and_colab_s_versions():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    ran = re.findall(r"^make ([a-z-]+)", script, re.M)
    assert ran == ["test", "test-long", "book", "test-colab"]
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(
        encoding="utf-8"
    )
    assert set(re.findall(r"run: make ([a-z-]+)", workflow)) == set(ran)


def test_constraints_are_one_tensorflow():
    for name in ("constraints.txt", "constraints-colab.txt"):
        pinned = pins(name)
        assert pinned["tensorflow"] == pinned["tensorflow-cpu"]


def test_floors_are_what_colab_has():
    pinned = pins("constraints-colab.txt")
    for name, requirement in requirements("tensorflow").items():
        assert pinned[name] in requirement.specifier, name


def test_hooks_and_constraints_use_one_ruff():
    hooks = yaml.safe_load(
        (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    )["repos"]
    (rev,) = [hook["rev"] for hook in hooks if hook["repo"].endswith("ruff-pre-commit")]
    assert rev == "v" + pins("constraints.txt")["ruff"]


def imports(path):
    """Yield the dotted names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules():
    """Return the path of every module, by its dotted name below gan_notes."""
    top = ROOT / "gan_notes"
    paths = [path for path in top.rglob("*.py") if not path.stem.startswith("__")]
    return {".".join(p.relative_to(top).with_suffix("").parts): p for p in paths}


def floor(name):
    """Return how high a module stands; those on no floor stand above all."""
    first = name.split(".")[0]
    return FLOORS.index(first) if first in FLOORS else len(FLOORS)


def test_imports_go_down_only():
    for name, path in modules().items():
        for imported in imports(path):
            package, _, rest = imported.partition(".")
            if package == "gan_notes" and rest:
                message = f"{name} imports {imported}, which stands higher"
                assert floor(rest) <= floor(name), message


def test_every_folder_of_the_package_is_a_floor():
    folders = {path.parent.name for path in (ROOT / "gan_notes").glob("*/*.py")}
    assert folders == set(FLOORS)


def test_what_the_package_imports_is_declared():
    declared = set(requirements(*PROJECT["optional-dependencies"]))
    names = {IMPORT_NAME.get(name, name) for name in declared} | WITH_OTHERS
    for path in (ROOT / "gan_notes").rglob("*.py"):
        for imported in imports(path):
            top = imported.split(".")[0]
            known = top == "gan_notes" or top in sys.stdlib_module_names
            assert known or top in names, f"{path.name} imports {top}"


# What would run code that a file holds, or take what a file says for an order.
RUNS = {
    "eval",
    "exec",
    "compile_command",
    "read_pickle",
    "enable_unsafe_deserialization",
}
UNSAFE = {"allow_pickle": "True", "safe_mode": "False", "shell": "True"}


def dangers(path):
    """Yield the calls and imports by which data could run as code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            said = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in RUNS or any(said.get(k) == v for k, v in UNSAFE.items()):
                yield ast.unparse(node)
            if ast.unparse(node.func) in {"yaml.load", "yaml.unsafe_load"}:
                yield ast.unparse(node)
    names = {name.split(".")[0] for name in imports(path)}
    yield from names & {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


def test_nothing_that_is_read_can_run():
    """One call is let through: its loader makes text, lists and dicts alone."""
    found = [
        f"{path.name}: {danger}"
        for folder in ("gan_notes", "book", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for danger in dangers(path)
    ]
    assert found == ["sweep_grid.py: yaml.load(content, _Text)"]
    from gan_notes import sweep_grid

    assert issubclass(sweep_grid._Text, yaml.BaseLoader)


def without_encoding(path):
    """Yield the calls that read or write text as the machine's own settings say."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call):
            name = ast.unparse(call.func).rpartition(".")[2]
            said = {keyword.arg for keyword in call.keywords}
            bytes_ = any("b" in str(getattr(a, "value", "")) for a in call.args)
            if name in {"read_text", "write_text"} or (name == "open" and not bytes_):
                no_text = ast.unparse(call.func) in {"os.open", "Image.open"}
                if "encoding" not in said and not no_text:
                    yield f"{path.name}, line {call.lineno}"


def test_text_is_read_and_written_in_one_encoding():
    """On Windows the default is not UTF-8, and our pages have other signs."""
    python = [path for path in sources() if path.suffix == ".py"]
    assert len(python) > 40
    assert [call for path in python for call in without_encoding(path)] == []


def test_every_page_is_in_the_table_of_contents():
    written = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    written |= {f"book/{path.stem}" for path in (ROOT / "book").glob("*.ipynb")}
    assert set(toc()) == written


def test_every_module_is_on_the_interface_page():
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    for name in modules():
        assert f"gan_notes.{name}\n" in page, name


def test_readme_fits_two_screens_and_names_every_target():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 120
    for target in re.findall(
        r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M
    ):
        assert target == "help" or f"make {target}" in readme, target


def test_readme_names_the_minutes():
    assert re.findall(r"@\w+@", (ROOT / "README.md").read_text(encoding="utf-8")) == []


def test_readme_and_front_page_give_one_time_a_chapter():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    index = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    seconds = re.findall(r"^\| (\d\d) \|.*\| (\d+) \|$", readme, re.M)
    assert len(seconds) == len(chapters())
    assert re.findall(r"^\| (\d\d) \[.*\| (\d+)&nbsp;s \|$", index, re.M) == seconds
    assert "two chapters at a time" in readme
    assert "two chapters at a time" in index


def test_make_says_which_python_it_needs(tmp_path):
    old = tmp_path / "python3.10"
    old.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.1\nexit 1\n',
        encoding="utf-8",
    )
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "book", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in done.stdout
    assert "found: Python 3.10.1" in done.stdout
    assert not (tmp_path / "venv").exists()
