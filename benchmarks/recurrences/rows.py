"""What a benchmark gives: figures, and rows of a table that hold them against a target."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence

from tidegate.kernels.bench import Contender, Pace, Ratio, Timing, interleaved

__all__ = ["GREATEST", "LEAST", "MEAN", "Figure", "Row", "Settings", "Summary", "compare", "installed", "table"]

Summary = Callable[[Sequence[float]], float]
MEAN: Summary = statistics.geometric_mean
LEAST: Summary = min
GREATEST: Summary = max
_NAMES = {MEAN: "geometric mean", LEAST: "least", GREATEST: "greatest"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure: the same for all rows."""

    pace: Pace
    threads: int
    quick: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number: a ratio, a cost, a share or a count."""

    name: str
    value: Ratio
    detail: str = ""

    def line(self) -> str:
        """Give a line for people; the range is that of the runs."""
        spread = f"({self.value.lowest:.2f} to {self.value.highest:.2f})"
        return f"  {self.name:60} {self.value.median:6.2f}  {spread:18} {self.detail}".rstrip()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    what
        What was measured.
    figures
        One a shape, an option or a direction.
    target, floor
        What the summary must reach, and each single figure; ``None`` where nothing is demanded.
    summary
        From the figures' medians to one number.
    at_most
        The target is a limit from above, and so is ``floor``.
    """

    what: str
    figures: Sequence[Figure]
    target: float | None = None
    floor: float | None = None
    summary: Summary = MEAN
    at_most: bool = False

    @property
    def value(self) -> float:
        """The figures in one number."""
        return self.summary([figure.value.median for figure in self.figures])

    @property
    def met(self) -> bool | None:
        """Whether target and floor are reached; ``None`` without a target."""
        if self.target is None:
            return None
        singles = [(figure.value.median, self.floor) for figure in self.figures if self.floor is not None]
        pairs = [(self.value, self.target), *singles]
        return all(
            value <= wanted if self.at_most else value >= wanted for value, wanted in pairs if wanted is not None
        )

    def lines(self) -> list[str]:
        """Give the row with its figures, for people."""
        return [self.what, *(figure.line() for figure in self.figures)]

    def cells(self) -> tuple[str, ...]:
        """Give the cells of the Markdown table."""
        singles = [figure.value.median for figure in self.figures]
        summary = f"{self.value:.2f}" if len(singles) == 1 else f"{self.value:.2f} ({_NAMES[self.summary]})"
        spread = f"{min(singles):.2f} to {max(singles):.2f}" if len(singles) > 1 else ""
        wanted = "" if self.target is None else f"{'≤' if self.at_most else '≥'} {self.target:g}"
        wanted += "" if self.floor is None else f", each {'≤' if self.at_most else '≥'} {self.floor:g}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return (self.what, summary, spread, wanted, met)


def table(rows: Sequence[Row]) -> str:
    """Give all rows as a Markdown table."""
    header = ("what", "measured", "single figures", "wanted", "reached")
    lines = [header, ("---",) * len(header), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def compare(name: str, ours: Contender, others: Mapping[str, Contender], settings: Settings) -> dict[str, Figure]:
    """Measure ours beside others, and give for each of them how many times as long it takes."""
    timing = interleaved({"ours": ours, **others}, settings.pace)
    return {
        other: Figure(name=name, value=timing.ratio(other, "ours"), detail=milliseconds(timing, "ours", other))
        for other in others
    }


def milliseconds(timing: Timing, *names: str) -> str:
    """Give the medians of some contenders."""
    return ", ".join(f"{name} {timing.median(name) * 1e3:.3f} ms" for name in names)


@functools.cache
def installed(*modules: str, package: str) -> bool:
    """Tell whether modules are there; where one is not, say so once."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} is not installed (pip install {package})")
    return not missing
