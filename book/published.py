"""What a chapter says of its published run, compared with that run.

A cell that starts with `> **As published**` quotes numbers; its metadata
name them: `"published": {"coverage, TimeGAN": "0.97"}`. A key is metric and
candidate of a row of metrics.json, with ` low` or ` high` behind it for an end
of the interval. The value is the text as the cell quotes it. Where a live
training moves between processors it is `{"text": "0.97", "tolerance": 0.02}`:
the tolerance is in the units of metrics.json, so 0.02 allows "12 %" two points,
and smaller than the number. A number that small is quoted as a bound, in words
and by `{"below": "0.1"}` or `{"above": "5"}`.
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
            text, rule, tolerance = parts(quoted)
            if fault := unfounded(cell, quoted):
                pass
            elif key not in values:
                fault = f"the text says {text}, the run has no such metric"
            elif len(values[key]) > 1:
                fault = f"{len(values[key])} rows of the run have that name"
            elif not agrees(text, values[key][0], tolerance, rule):
                said = " ".join(filter(None, (rule, text)))
                fault = (
                    f"the text says {said}, the run says {values[key][0]}"
                )
            else:
                continue
            found.append(f"{name}, {key!r}: {fault}.")
    return found


def unfounded(cell, quoted):
    """Say what is wrong with an entry whatever ran; empty where nothing is."""
    text, _, tolerance = parts(quoted)
    if not NUMBER.fullmatch(text):
        return f"{text!r} is no number"
    if not quotes(cell, text):
        return f"its cell does not quote {text!r}"
    if tolerance and tolerance >= abs(number(text)[0]):
        return (
            f"the tolerance {tolerance} is as large as the number {text}; "
            "quote a bound, below or above"
        )
    return ""


def parts(quoted):
    """Return the text of an entry, "below", "above" or "", and its tolerance."""
    if isinstance(quoted, str):
        return quoted, "", 0.0
    if "text" in quoted:
        return quoted["text"], "", quoted["tolerance"]
    ((rule, text),) = quoted.items()
    return text, rule, 0.0


def quotes(cell, text):
    """Say whether a cell's text has `text`, not as a piece of another number."""
    source = re.sub(r"\s*\n>?\s*", " ", "".join(cell["source"]))
    return re.search(rf"(?<![\w.,]){re.escape(text)}(?!\w|[.,]\d)", source)


def agrees(text, value, tolerance=0.0, rule=""):
    """Say whether `value`, rounded as `text` is, is the number of `text`.

    With the rules "below" and "above", whether it lies on that side of it.
    """
    if not NUMBER.fullmatch(text) or value is None:
        return False
    said, unit = number(text)
    if rule:
        return value < said if rule == "below" else value > said
    # A number halfway between two prints may be printed as either.
    allowed = max(unit / 2, tolerance)
    return abs(value - said) <= allowed * (1 + 1e-9)


def number(text):
    """Return what a text says, and the unit of its last digit."""
    found = NUMBER.fullmatch(text)
    sign, whole, decimals, percent = found.groups(default="")
    scale = 100 if percent else 1
    said = float(f"{whole.replace(',', '')}.{decimals}0") / scale
    return (
        -said if sign in ("-", "−") else said,
        10.0 ** -len(decimals) / scale,
    )
