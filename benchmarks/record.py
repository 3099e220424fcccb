"""What scripts that store a table share: the commit it was made by, and its layout."""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path


def sha256(path):
    """Return the hash of a file that a table was made of."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def commit():
    """Return the commit of this checkout."""
    git = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        git, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout.strip()


def keep(path, value, *, first=False):
    """Write `value` as JSON, whole or not at all; with `first`, unless it is there."""
    text = json.dumps(value, indent=1) + "\n"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        made = Path(folder, path.name)
        made.write_text(text, encoding="utf-8")
        if not first:
            os.replace(made, path)
        elif not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(made, path)


def write(path, about, rows):
    """Write JSON with `rows` at its end, a line each: a diff then shows what moved."""
    text = json.dumps(about, indent=1)[:-2]
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    path.write_text(f'{text},\n "rows": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
