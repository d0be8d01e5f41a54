"""How far apart the observed rows of a table are: read at another pace, a model would see little but gaps."""

from __future__ import annotations

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.table import SeriesTable
from tidegate.errors import TimeStampError

__all__ = ["pace", "require_pace"]

_ENOUGH = 10  # distances of rows, from which on their median tells the pace of a table


def require_pace(table: SeriesTable, trained: float) -> None:
    """Refuse a table whose rows are further apart than those trained on, by its `pace`. Raises `TimeStampError`.

    A table of a few rows is taken: some missing ones among them would say as much.
    """
    distances = _distances(table)
    steps = float(np.median(distances)) if len(distances) >= _ENOUGH else 1.0
    if steps > 1.5 * trained:
        every = "step" if trained == 1 else f"{trained:g} steps"
        raise TimeStampError(
            f"the model was trained on values every {every} of {table.columns.frequency!r}; this table has one every "
            f"{steps:g} steps: resample it"
        )


def pace(table: SeriesTable) -> float:
    """Give the median distance of observed rows, in steps: 1 where most steps are observed."""
    distances = _distances(table)
    return float(np.median(distances)) if distances.size else 1.0


def _distances(table: SeriesTable) -> IntArray:
    """Give the steps from each observed row to the next one of its series."""
    rows = np.flatnonzero(table.observed.any(axis=1))
    series = np.searchsorted(table.offsets, rows, side="right")
    distances: IntArray = np.diff(rows)[np.diff(series) == 0]
    return distances
