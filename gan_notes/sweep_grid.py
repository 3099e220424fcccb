"""The grid of a sweep: read as text, and checked whole against a notebook.

Sweeps are shown on the page "How to use this book".
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from gan_notes import notebooks
from gan_notes.data import yahoo

# What a grid may be; a larger one is a slip, or is better cut in two.
MAX_GRID_BYTES = 10_000_000
MAX_SETS = 100_000


@dataclass(frozen=True)
class Run:
    """One set of parameters: those of the grid, and the hash of all of them.

    A run that trains is given a folder for its checkpoint.
    """

    key: str
    parameters: dict
    trains: bool


@dataclass(frozen=True)
class Plan:
    """A notebook and the runs that a grid makes of it.

    `last` is the `end` of runs on Yahoo's prices that name none.
    """

    name: str
    text: str
    runs: list[Run]
    defaults: dict
    last: str

    @property
    def code(self) -> str:
        """The hash of the notebook's code; its text may change between two sweeps."""
        cells = json.loads(self.text)["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        return digest(code)


def read_grid(path: str | Path) -> list[dict[str, str]]:
    """Read a grid and return its sets of parameters, each value as text.

    Parameters
    ----------
    path : path
        A YAML file: ``product`` (every combination of the values of each parameter),
        ``sets`` (a list of parameter sets), or both: then every set is combined with
        every combination. A bare list is ``sets``.

    Returns
    -------
    list of dict, in the order of the file; the last parameter changes fastest.

    Raises
    ------
    ValueError
        A file that cannot be read or is no grid, or one of more than ``MAX_SETS`` sets.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grid.yaml"
    >>> _ = path.write_text("product: {tickers: ['KO,GE', NO], seed: [0, 1]}")
    >>> for values in read_grid(path):
    ...     print(values)
    {'tickers': 'KO,GE', 'seed': '0'}
    {'tickers': 'KO,GE', 'seed': '1'}
    {'tickers': 'NO', 'seed': '0'}
    {'tickers': 'NO', 'seed': '1'}
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_GRID_BYTES + 1)
    except OSError as error:
        raise ValueError(f"grid: {path} cannot be read ({error.strerror}).") from error
    if len(content) > MAX_GRID_BYTES:
        raise ValueError(
            f"grid: {path.name} has more than {MAX_GRID_BYTES:,} bytes; write repeated "
            "values as a product, or split it."
        )
    try:
        # The loader is PyYAML's most restricted one: it makes text, lists and dicts.
        tree = yaml.load(content, _Text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split()) or "nested too deeply"
        raise ValueError(f"grid: {path.name} is not YAML: {said}") from error
    if isinstance(tree, list):
        tree = {"sets": tree}
    if not isinstance(tree, dict) or not tree or set(tree) - {"product", "sets"}:
        raise ValueError(
            f"grid: {path.name} must hold `product:`, `sets:` or both, no more."
        )
    product, sets = tree.get("product") or {}, tree.get("sets") or [{}]
    if not isinstance(product, dict) or not isinstance(sets, list):
        raise ValueError(
            "grid: `product:` holds a list of values for each parameter, "
            "`sets:` a list of `parameter: value`."
        )
    lists = {n: v if isinstance(v, list) else [v] for n, v in product.items()}
    for name, values in lists.items():
        if not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"grid: product: {name}: give a list of single values.")
    for number, values in enumerate(sets, 1):
        if not isinstance(values, dict):
            raise ValueError(f"grid: set {number}: write it as `parameter: value`.")
        for name, value in values.items():
            if not isinstance(value, str):
                raise ValueError(f"grid: set {number}: {name}: give a single value.")
            if name in lists:
                raise ValueError(
                    f"grid: {name} stands in `product:` and in set {number}; "
                    "leave it in one of them."
                )
    count = len(sets) * math.prod(len(values) for values in lists.values())
    if count > MAX_SETS:
        raise ValueError(
            f"grid: {count:,} sets are more than {MAX_SETS:,}; make several grids."
        )
    return [
        values | dict(zip(lists, combination, strict=True))
        for values in sets
        for combination in itertools.product(*lists.values())
    ]


def plan(notebook: str | Path, grid: str | Path, last: str = "") -> Plan:
    """Check a whole grid against a notebook, by name, type and range.

    Parameters
    ----------
    notebook, grid : paths
        A relative path of a file in the grid is looked up from the current folder.
    last : str
        The day, YYYY-MM-DD, that becomes `end` where a run on Yahoo's prices leaves it
        empty; by default yesterday. A chapter would ask the clock, and the runs of a
        sweep would have other data after midnight.

    Raises
    ------
    ValueError
        A default of the notebook that is an expression or of another type; the first
        set that is not allowed: its number and what `notebooks.run` says; two sets that
        are the same.
    """
    import papermill

    notebook = Path(notebook)
    if not notebook.is_file():
        raise ValueError(f"{notebook}: there is no such notebook.")
    known = papermill.inspect_notebook(str(notebook))
    if "output_dir" not in known:
        raise ValueError(
            f"{notebook.name} has no parameter output_dir, so it leaves no metrics to "
            "collect; a chapter's last cell shows how: chapter.finish(...)."
        )
    defaults = {name: _default(name, each) for name, each in known.items()}
    values_of = _Reader(known, notebook.name)
    yesterday = f"{yahoo.period(None, None)[1]:%Y-%m-%d}"
    last = last or yesterday
    runs, seen = [], {}
    for number, texts in enumerate(read_grid(grid), 1):
        try:
            values = values_of(texts)
            whole = defaults | values
            by_clock = whole.get("source") == "yahoo" and "end" in whole
            if by_clock and not whole["end"]:
                values["end"] = whole["end"] = last
            notebooks.check(whole)
            if by_clock and whole["end"] > max(last, yesterday):
                raise ValueError(
                    f"end: {whole['end']} is not over, so that runs would differ in "
                    f"their data; leave it empty for {last}, or give an earlier day."
                )
        except ValueError as error:
            raise ValueError(f"grid: set {number}: {error}") from error
        key = digest({n: whole[n] for n in whole if n not in notebooks.FOLDERS})[:16]
        if key in seen:
            raise ValueError(f"grid: sets {seen[key]} and {number} are the same run.")
        seen[key] = number
        trains = "checkpoint_dir" in whole and whole.get("train", True)
        runs.append(Run(key, values, trains))
    text = notebook.read_text(encoding="utf-8")
    return Plan(notebook.name, text, runs, defaults, last)


class _Text(yaml.BaseLoader):
    """YAML whose scalars all stay text, and which takes no name twice.

    A ticker NO is then no False and 005930 no number of base 8; the parameter's own
    type says what the text means, as it does on the command line.
    """

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [str(n) for n, count in Counter(map(str, names)).items() if count > 1]
        if twice:
            raise yaml.MarkedYAMLError(
                problem=f"{twice[0]} stands there twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


class _Reader:
    """Turn the texts of a set into values; each text is read once."""

    def __init__(self, known: Mapping, notebook: str):
        self.known, self.notebook, self.read = known, notebook, {}

    def __call__(self, texts: Mapping[str, str]) -> dict:
        return {name: self._value(name, text) for name, text in texts.items()}

    def _value(self, name: str, text: str):
        if name not in self.known:
            raise ValueError(
                f"{name}: {self.notebook} has no such parameter. It has: "
                f"{', '.join(set(self.known) - set(notebooks.FOLDERS))}."
            )
        if name in notebooks.FOLDERS:
            raise ValueError(f"{name}: the sweep gives each run its own; leave it out.")
        if (name, text) not in self.read:
            declared = self.known[name]["inferred_type_name"]
            value = notebooks.read(name, text, declared)
            if name in notebooks.FILES and Path(value).expanduser().is_file():
                value = str(Path(value).expanduser().resolve())
            self.read[name, text] = value
        return self.read[name, text]


def _default(name: str, parameter: Mapping) -> object:
    """Return the value that a notebook gives a parameter."""
    text, declared = parameter["default"], parameter["inferred_type_name"]
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError) as error:
        raise ValueError(
            f"{name}: its default in the notebook, {text}, is an expression, whose "
            "value only its kernel knows; write the value."
        ) from error
    kind, allowed = notebooks.TYPES.get(declared, (type(value), ""))
    if kind is float and type(value) is int:
        value = float(value)  # as a grid's text would be read
    if value is not None and type(value) is not kind:
        raise ValueError(
            f"{name}: its default in the notebook, {text}, is not of the type that "
            f"stands beside it, {declared}; write {allowed}."
        )
    return value


def digest(content: object) -> str:
    """Return a hash of what JSON can hold, whatever the order of its names."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
