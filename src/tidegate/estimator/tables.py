"""What a table must be for any estimator of series: long enough, and within the transform's domain."""

from __future__ import annotations

import numpy as np

from tidegate.data import SeriesTable
from tidegate.errors import DataError, ShortSeriesError
from tidegate.nn.transforms import make_transform
from tidegate.specs import Scaling

__all__ = ["long_enough", "require_domain"]


def long_enough(
    table: SeriesTable,
    rows: int,
    why: str,
    *,
    skip_short: bool,
    remedy: str = "give more rows, shorten the context or the horizon",
) -> tuple[SeriesTable, tuple[str, ...]]:
    """Give the series with at least ``rows`` rows, and a note on those left out.

    Raises
    ------
    ShortSeriesError
        If a series has fewer and ``skip_short`` is off, or no series is left; it is named.
    """
    short = np.flatnonzero(table.lengths < rows)
    if not short.size:
        return table, ()
    first = int(short[0])
    if skip_short and short.size < len(table):
        left = "1 series is" if short.size == 1 else f"{short.size} series are"
        note = f"{left} left out, shorter than {rows} rows ({why}); the first is {table.name(first)}"
        return table.select(np.flatnonzero(table.lengths >= rows)), (note,)
    more = f", and {short.size - 1} more of {len(table)} series are too short" if short.size > 1 else ""
    leave_out = "" if short.size == len(table) else ", or leave short series out (skip_short)"
    has = "1 row" if table.lengths[first] == 1 else f"{table.lengths[first]} rows"
    raise ShortSeriesError(
        f"{table.name(first)} has {has}, at least {rows} are needed ({why}){more}; {remedy}{leave_out}"
    )


def require_domain(table: SeriesTable, scaling: Scaling) -> None:
    """Refuse values that the transform is not defined for. Raises `DataError`, naming series and value."""
    least = make_transform(scaling.transform, scaling.power or 1.0).least
    row, column = np.nonzero(table.observed & ~(table.values > least))
    if row.size:
        series = int(np.searchsorted(table.offsets, row[0], side="right")) - 1
        raise DataError(
            f"transform {scaling.transform!r} needs values above {least:g}; "
            f"column {table.columns.targets[column[0]]!r} of {table.name(series)} has "
            f"{table.values[row[0], column[0]]:g} at {table.stamp(int(row[0]))}; "
            "use transform='identity' or, for counts, 'log1p'"
        )
