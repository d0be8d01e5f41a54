"""The description of a table's columns."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Columns"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of a table is what.

    Parameters
    ----------
    id
        Names the series of a row. A table without this column holds one series.
    time
        Time stamps, or whole numbers that count steps.
    targets
        The variables to forecast, in order. Empty: ``y`` if there is such a column, else every numeric column that
        is neither ``id`` nor ``time`` (a wide table, a column a variable).
    frequency
        The distance between two rows of a series: a pandas offset alias (``"h"``, ``"D"``, ``"MS"``, …), or a whole
        number where ``time`` counts steps. ``None`` infers it.
    """

    id: str = "unique_id"
    time: str = "ds"
    targets: tuple[str, ...] = ()
    frequency: str | int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.targets, list):
            object.__setattr__(self, "targets", tuple(self.targets))
        if not isinstance(self.targets, tuple):
            raise SpecError(f"targets must be a tuple of column names; got {self.targets!r}")
        names = [self.id, self.time, *self.targets]
        strange = [name for name in names if not isinstance(name, str) or not name]
        if strange:
            raise SpecError(f"column names must be text; got {strange[0]!r}")
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise SpecError(f"a column can be one thing only; {doubled[0]!r} is named twice in id, time and targets")
        if self.frequency == "":
            raise SpecError("frequency must be an offset alias such as 'D', or a whole number; got ''")
        if self.frequency is not None and not isinstance(self.frequency, str):
            checks.whole("frequency", self.frequency)
