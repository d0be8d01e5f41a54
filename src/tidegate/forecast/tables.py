"""What a table must be for a forecaster: long enough, within the transform's domain, like the one trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tidegate.data import SeriesTable, read_frame
from tidegate.errors import DataError, ShortSeriesError, TimeStampError
from tidegate.nn.transforms import make_transform
from tidegate.specs import Columns, Scaling

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

__all__ = ["long_enough", "pace", "read_table", "require_domain", "require_likeness"]


def read_table(data: IntoDataFrame | SeriesTable, columns: Columns) -> SeriesTable:
    """Read a data frame; a table that was read already is taken as it is."""
    return data if isinstance(data, SeriesTable) else read_frame(data, columns)


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
            f"{table.values[row[0], column[0]]:g} at {table.times[row[0]]}; "
            "use transform='identity' or, for counts, 'log1p'"
        )


def require_likeness(table: SeriesTable, columns: Columns, trained_pace: float) -> None:
    """Refuse a table unlike the one that was trained on.

    Parameters
    ----------
    table
        The new rows.
    columns
        Of the table that was trained on, with its targets and its frequency.
    trained_pace
        Its `pace`.

    Raises
    ------
    DataError
        If the targets are others.
    TimeStampError
        If the rows are further apart.
    """
    if table.columns.targets != columns.targets:
        raise DataError(
            f"the model was trained on the targets {', '.join(columns.targets)}; "
            f"the table has {', '.join(table.columns.targets)}"
        )
    if table.columns.frequency != columns.frequency:
        raise TimeStampError(
            f"the model was trained on steps of {columns.frequency!r}, the table has steps of "
            f"{table.columns.frequency!r}; resample it"
        )
    steps = pace(table)
    if steps > 1.5 * trained_pace:
        every = "step" if trained_pace == 1 else f"{trained_pace:g} steps"
        raise TimeStampError(
            f"the model was trained on values every {every} of {columns.frequency!r}; this table has one every "
            f"{steps:g} steps: resample it"
        )


def pace(table: SeriesTable) -> float:
    """Give the median distance of observed rows, in steps: 1 where most steps are observed."""
    rows = np.flatnonzero(table.observed.any(axis=1))
    series = np.searchsorted(table.offsets, rows, side="right")
    distances = np.diff(rows)[np.diff(series) == 0]
    return float(np.median(distances)) if distances.size else 1.0
