"""Data as detectors take them: data frames, tables, and arrays as pyod's users have them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tidegate.data import SeriesTable, read_frame
from tidegate.errors import DataError, ShapeError, SpecError, TimeStampError
from tidegate.specs import Columns

__all__ = ["check_columns", "is_array", "read_data", "require_likeness"]

_LARGEST = 1e15  # as in a table: beyond it a value is nearly always a marker for "missing"


def check_columns(columns: Columns) -> None:
    """Refuse columns that a detector does not read. Raises `SpecError`."""
    for field in ("static", "past", "known", "calendar"):
        if getattr(columns, field):
            raise SpecError(f"a detector reads the variables alone; leave columns.{field} out")
    if columns.weight is not None or columns.fourier:
        field = "fourier" if columns.fourier else "weight"
        raise SpecError(f"a detector reads the variables alone; leave columns.{field} out")


def is_array(data: Any) -> bool:
    """Say whether ``data`` are rows without names: an array, or lists."""
    return isinstance(data, np.ndarray | list | tuple)


def read_data(data: Any, columns: Columns) -> SeriesTable:
    """Read a data frame or an array; a table that was read already is taken as it is.

    Raises
    ------
    ShapeError
        If an array is neither ``[time]`` nor ``[time, channel]``, is empty, not numeric, or has another number of
        channels than there are targets.
    DataError
        If a value is infinite or too large, or a variable has no value at all.
    """
    if isinstance(data, SeriesTable):
        table = data
    elif is_array(data):
        table = _from_array(data, columns)
    else:
        table = read_frame(data, columns)
    empty = np.flatnonzero(~table.observed.any(axis=0))
    if empty.size:
        name = table.columns.targets[empty[0]]
        raise DataError(f"the variable {name!r} has no value in any row; leave it out, or give rows that have some")
    return table


def _from_array(data: Any, columns: Columns) -> SeriesTable:
    try:
        values = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"expected an array [time] or [time, channel]; the rows differ in length: {error}") from error
    if values.dtype.kind not in "biuf":
        raise ShapeError(f"expected an array of numbers; got dtype {values.dtype}")
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ShapeError(f"expected an array [time] or [time, channel] with at least one row; got {list(values.shape)}")
    values = values.astype(np.float64).reshape(len(values), -1)
    row, column = np.nonzero(np.abs(values) > _LARGEST)
    if row.size:
        raise DataError(
            f"expected finite values up to {_LARGEST:g}, NaN where missing; row {row[0]}, channel {column[0]} holds "
            f"{values[row[0], column[0]]}"
        )
    return SeriesTable(
        ids=np.array([0]),
        offsets=np.array([0, len(values)]),
        times=np.arange(len(values)),
        values=values,
        columns=dataclasses.replace(columns, targets=_names(values.shape[1], columns), frequency=1),
        has_id=False,
    )


def _names(channels: int, columns: Columns) -> tuple[str, ...]:
    if columns.targets:
        if len(columns.targets) != channels:
            raise ShapeError(
                f"expected {len(columns.targets)} channel{'s' if len(columns.targets) > 1 else ''}, "
                f"{', '.join(columns.targets)}; the array has {channels}"
            )
        return columns.targets
    return ("y",) if channels == 1 else tuple(f"y{index}" for index in range(channels))


def require_likeness(table: SeriesTable, columns: Columns, *, timed: bool) -> None:
    """Refuse a table with other variables, or (where it is ``timed``) other steps, than the one trained on.

    Raises
    ------
    DataError
        If the variables are others.
    TimeStampError
        If the frequency is another.
    """
    if table.columns.targets != columns.targets:
        raise DataError(
            f"the model was trained on the variables {', '.join(columns.targets)}; "
            f"the table has {', '.join(table.columns.targets)}"
        )
    if timed and table.columns.frequency != columns.frequency:
        raise TimeStampError(
            f"the model was trained on steps of {columns.frequency!r}, the table has steps of "
            f"{table.columns.frequency!r}; resample it"
        )
