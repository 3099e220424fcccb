"""The page of a sweep: failures first, then each metric over seeds beside its floor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import pandas as pd

if TYPE_CHECKING:
    from gan_notes.sweep import Outcome

# So many settings are shown one by one.
MAX_SETTINGS = 40


def page(name: str, made: Outcome, logs: Collection[str] = ()) -> str:
    """Return the page, which needs no other file.

    Parameters
    ----------
    name : str
        Of the notebook.
    made : Outcome
    logs : collection of str
        The failed runs that have a log to link to.
    """
    given = list(made.runs.columns[4:])
    varied = [
        n for n in given if n != "seed" and made.runs[n].nunique(dropna=False) > 1
    ]
    metrics = made.metrics.dropna(subset="value").fillna({"candidate": ""})
    merged = len(made.runs.drop_duplicates(varied)) > MAX_SETTINGS if varied else False
    by = ["candidate"] if merged else ["candidate", *varied]
    shown = []
    for metric, part in metrics.groupby("metric", sort=False):
        low, high = (
            getattr(part[["value", "floor"]], end)(axis=None) for end in ("min", "max")
        )
        span = (high - low) or 1.0
        rows = []
        order = {name: n for n, name in enumerate(part["candidate"].unique())}
        groups = part.groupby(by, sort=False, dropna=False)
        for values, group in sorted(groups, key=lambda pair: order[pair[0][0]]):
            value = group["value"].sort_values()
            floor = group["floor"].median()
            rows.append(
                {
                    "candidate": values[0],
                    "setting": _setting(dict(zip(by[1:], values[1:], strict=True))),
                    "count": len(value),
                    "dots": [*(100 * (value - low) / span)][:: -(-len(value) // 50)],
                    "box": [
                        100 * (value.quantile(q) - low) / span for q in (0.25, 0.75)
                    ],
                    "floor": None if pd.isna(floor) else 100 * (floor - low) / span,
                    "floor_value": floor,
                    "median": value.median(),
                    "low": value.iloc[0],
                    "high": value.iloc[-1],
                }
            )
        better = part["better"].dropna()
        shown.append(
            {
                "name": metric,
                "rows": rows,
                "low": low,
                "high": high,
                "better": better.iloc[0] if len(better) else "",
            }
        )
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["short"] = lambda number: f"{number:.3g}"
    failed = [
        {
            "run": row["run"],
            "error": row["error"],
            "set": _setting(row[given].to_dict()) or row["run"],
            "log": row["run"] in logs,  # none where its worker was killed
        }
        for _, row in made.failed.iterrows()
    ]
    return environment.from_string(template).render(
        notebook=name,
        states=made.runs["state"].value_counts().to_dict(),
        total=len(made.runs),
        stopped=made.stopped,
        failed=failed,
        metrics=shown,
        merged=merged,
    )


def _setting(values: Mapping) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
