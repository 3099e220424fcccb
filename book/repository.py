"""Point every badge, setup cell and link at another repository: a fork.

python book/repository.py https://github.com/OWNER/NAME

The address in _config.yml is the one that is replaced, wherever it stands.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("*.md", "*.yml", "*.toml", "*.cff", "book/*.md", "book/*.ipynb",
         "gan_notes/models/pretrained.py")  # fmt: skip
URL = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


def rewrite(url):
    """Replace the configured address by `url` in every file; return those changed."""
    new = URL.fullmatch(url)
    if not new:
        raise SystemExit(
            f"URL={url!r}: expected https://github.com/OWNER/NAME"
        )
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    found = re.search(
        r"url: https://github\.com/([\w.-]+)/([\w.-]+)", config
    )
    old_owner, old_name = found.groups()
    owner, name = new.groups()
    site = re.escape(f"{old_owner}.github.io/{old_name}")
    repository = re.escape(f"{old_owner}/{old_name}")
    changed = []
    for pattern in FILES:
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            edited = re.sub(site, f"{owner}.github.io/{name}", text)
            edited = re.sub(
                rf"(github\.com|/github|/gh)/{repository}\b",
                rf"\1/{owner}/{name}",
                edited,
            )
            if edited != text:
                path.write_text(edited, encoding="utf-8")
                changed.append(path)
    return changed


if __name__ == "__main__":
    for path in rewrite(sys.argv[1] if len(sys.argv) > 1 else ""):
        print(path.relative_to(ROOT))
