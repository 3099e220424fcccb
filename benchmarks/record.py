"""What scripts that store a table share: the commit it was made by, and its layout."""

import json
import subprocess
from pathlib import Path


def commit():
    """Return the commit of this checkout."""
    git = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        git, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout.strip()


def write(path, about, rows):
    """Write JSON with `rows` at its end, a line each: a diff then shows what moved."""
    text = json.dumps(about, indent=1)[:-2]
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    path.write_text(f'{text},\n "rows": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
