"""Whether the memory holds the windows that are asked for, before they are cut.

Neighbouring windows share all days but one, so a table of a megabyte fills gigabytes
once it is cut. `make_windows` asks for its windows, chapters 06 and 07 for a whole run.
"""

from __future__ import annotations

from pathlib import Path

import psutil

# Of a container on Linux: its limit, and what of it is taken.
CONTAINER = Path("/sys/fs/cgroup")
REMEDY = "take a shorter one, fewer tickers or a shorter period"


def free() -> int:
    """Return the bytes that a process may still take, of its machine or container."""
    found = psutil.virtual_memory().available
    if not (CONTAINER / "memory.max").exists():
        return found
    limit = (CONTAINER / "memory.max").read_text(encoding="ascii").strip()
    if limit == "max":
        return found
    taken = int((CONTAINER / "memory.current").read_text(encoding="ascii"))
    rows = (CONTAINER / "memory.stat").read_text(encoding="ascii").splitlines()
    cached = int(dict(row.split() for row in rows)["inactive_file"])  # given back
    return max(0, min(found, int(limit) - taken + cached))


def check(
    windows: int,
    length: int,
    features: int,
    *,
    copies: float,
    name: str = "sequence_length",
    remedy: str = REMEDY,
    minutes: float | None = None,
) -> float:
    """Refuse windows that do not fit into the memory that is free.

    Parameters
    ----------
    windows, length, features : int
        Their number, rows and columns.
    copies : float
        How often they are held at once, at 8 bytes a number; measured.
    name, remedy : str
        The parameter that asks for them, and what to do instead.
    minutes : float
        What the work would take on 2 cores, for the message.

    Returns
    -------
    float, the bytes that are needed

    Raises
    ------
    ValueError
        They need more than is free: the parameter, both figures and the remedy.

    Examples
    --------
    >>> check(6_000, 24, 6, copies=4) / 1e6
    27.648
    """
    needed = 8.0 * copies * windows * length * features
    found = free()
    if needed > found:
        lasting = "" if minutes is None else f" and {minutes:,.0f} minutes on 2 cores"
        raise ValueError(
            f"{name}: {windows:,} windows of {length} x {features} need about "
            f"{needed / 1e9:,.1f} GB of memory{lasting}, and {found / 1e9:,.1f} GB are "
            f"free; {remedy}."
        )
    return needed
