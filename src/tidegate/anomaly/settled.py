"""What a fit has settled besides numbers: enough to build the networks again, and to read data alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tidegate.data import IntArray, SeriesTable
from tidegate.errors import SpecError
from tidegate.specs import Columns, from_dict, to_dict

__all__ = ["Settled"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settled:
    """What a fit has settled.

    Parameters
    ----------
    columns
        With targets and frequency.
    ids
        The series that were trained on, whose scales the network keeps.
    timed
        Whether rows had time stamps, or were an array's.
    pace
        Steps from one observed row to the next, as a rule.
    """

    columns: Columns
    ids: tuple[str | int | float | bool, ...]
    timed: bool
    pace: float = 1.0

    def __post_init__(self) -> None:
        if not self.columns.targets or not self.ids:
            raise SpecError("a detector has at least one variable and one series")
        if not all(isinstance(name, str | int | float) for name in self.ids):  # found later, an error without words
            raise SpecError("series are called by texts or numbers")

    def codes(self, table: SeriesTable) -> IntArray:
        """Give each series of a table its number in training, ``[series]``; −1 for one never seen.

        Where there was one series, and there is one, it is the same: one without a name may have got one.
        """
        if len(self.ids) == 1 and len(table) == 1:
            return np.zeros(1, np.int64)
        known = {name: number for number, name in enumerate(self.ids)}
        return np.array([known.get(name, -1) for name in table.ids.tolist()], np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Describe it in types that JSON knows."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settled:
        """Take back what `to_dict` gave. Raises `SpecError`, `KeyError` or `TypeError` for anything else."""
        columns = from_dict(Columns, values["columns"])
        return from_dict(cls, {**values, "columns": columns, "pace": float(values["pace"])})
