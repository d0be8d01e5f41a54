"""Rows for Markdown tables, and the memory that a process has taken."""

from __future__ import annotations

import re
import resource
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["cell", "heading", "medians", "peak_memory", "row"]


def heading(names: Sequence[str]) -> str:
    """Give the first two lines of a table."""
    return f"{row(names)}\n{row(['---'] * len(names))}"


def row(cells: Iterable[str]) -> str:
    """Give one line of a table."""
    return "| " + " | ".join(cells) + " |"


def cell(value: float | None, digits: int = 3) -> str:
    """Write a figure; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give the median of each figure that all have."""
    return {
        name: statistics.median(each[name] for each in found)
        for name in found[0]
        if all(name in each for each in found)
    }


def peak_memory() -> float:
    """Give the most memory that this process has held, in GiB.

    Linux counts the peak of the process that started it into what `getrusage` says of a process, so the kernel's own
    mark is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
