"""What a chapter says of its published run, compared with that run.

A cell that starts with `> **As published**` quotes numbers; its metadata
name them: `"published": {"coverage, TimeGAN": "0.97"}`. A key is metric and
candidate of a row of metrics.json, with ` low` or ` high` behind it for an end
of the interval. The value is the text as the cell quotes it, or
`{"text": "0.97", "tolerance": 0.02}` where a live training moves between
processors; the tolerance is in the units of metrics.json, so 0.02 allows
"12 %" two points.
"""

import re

MARK = "> **As published**"
NUMBER = re.compile(r"([-−+]?)(?=\.?\d)([\d,]*)(?:\.(\d+))?(\s*%)?")


def contradictions(name, notebook, result):
    """Return a sentence for each number of a page that its run does not bear.

    `notebook` and `result` are the decoded notebook and its metrics.json.
    """
    values = {}
    for row in result["metrics"]:
        label = ", ".join(filter(None, (row["metric"], row["candidate"])))
        for key, end in (("value", ""), ("low", " low"), ("high", " high")):
            values.setdefault(label + end, []).append(row[key])
    found = []
    for cell in notebook["cells"]:
        for key, quoted in cell["metadata"].get("published", {}).items():
            text, tolerance = parts(quoted)
            if not quotes(cell, text):
                fault = f"its cell does not quote {text!r}"
            elif key not in values:
                fault = f"the text says {text}, the run has no such metric"
            elif len(values[key]) > 1:
                fault = f"{len(values[key])} rows of the run have that name"
            elif not agrees(text, values[key][0], tolerance):
                fault = (
                    f"the text says {text}, the run says {values[key][0]}"
                )
            else:
                continue
            found.append(f"{name}, {key!r}: {fault}.")
    return found


def parts(quoted):
    """Return the text of an entry and its tolerance."""
    if isinstance(quoted, str):
        return quoted, 0.0
    return quoted["text"], quoted["tolerance"]


def quotes(cell, text):
    """Say whether a cell's text has `text`, not as a piece of another number."""
    source = re.sub(r"\s*\n>?\s*", " ", "".join(cell["source"]))
    return re.search(rf"(?<![\w.,]){re.escape(text)}(?!\w|[.,]\d)", source)


def agrees(text, value, tolerance=0.0):
    """Say whether `value`, rounded as `text` is, is the number of `text`."""
    found = NUMBER.fullmatch(text)
    if not found or value is None:
        return False
    sign, whole, decimals, percent = found.groups(default="")
    number = float(f"{whole.replace(',', '')}.{decimals}0")
    number = -number if sign in ("-", "−") else number
    unit = 10.0 ** -len(decimals) / (100 if percent else 1)
    number = number / 100 if percent else number
    # A number halfway between two prints may be printed as either.
    allowed = max(unit / 2, tolerance)
    return abs(value - number) <= allowed * (1 + 1e-9)
