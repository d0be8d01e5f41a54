"""Every series on the grid of its frequency: rows off it refused, gaps filled as missing rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import HOUR, FixedSteps, as_int, calendar_of, written
from tidegate.data.inference import infer_frequency, within_series
from tidegate.data.table import SeriesTable
from tidegate.errors import DataError, TimeStampError

__all__ = ["fill_gaps"]

_LARGEST_GROWTH = 10
_ALWAYS_FINE = 1_000_000  # rows
_MOST_SUSPECTS = 1_000


def fill_gaps(
    table: SeriesTable, place: Callable[[int], str], *, inferred: bool
) -> tuple[SeriesTable, tuple[str, ...]]:
    """Put each series on the grid of the table's frequency.

    Parameters
    ----------
    table
        Rows that ascend within each series; ``columns.frequency`` is filled in.
    place
        Names a row of the input.
    inferred
        Whether the frequency was read off the data; then a series that follows another one throughout is an error,
        otherwise the steps that it leaves out are gaps.

    Returns
    -------
    table, notes
        The table with a row for every step, and at most one note about the gaps.

    Raises
    ------
    TimeStampError
        If a row lies off the grid, or the series have several frequencies.
    DataError
        If the filled table would be more than ten times as long (and longer than a million rows).
    """
    calendar = table.calendar
    number, rest = calendar.split(table.times)
    steps, inside = np.diff(number), within_series(table.offsets)
    aligned = rest[1:] == rest[:-1]
    if (((steps == 1) & aligned) | ~inside).all():
        return table, ()
    if inferred:
        _check_one_frequency(table, (steps == 1) & aligned)
    off = np.flatnonzero(inside & (~aligned | (steps < 1)))
    if off.size:
        row = int(off[0]) + 1
        expected = calendar.join(number[row - 1 : row] + 1, rest[row - 1 : row])[0]
        raise TimeStampError(
            f"column {table.columns.time!r}, {place(row)}: {table.stamp(row)} in {table.name(_series(table, row))} is "
            f"off the grid; after {table.stamp(row - 1)} the frequency {_quoted(table)} expects "
            f"{written(expected, table.timezone)}; correct the time stamp, or give "
            "another frequency"
        )
    gaps = np.flatnonzero(inside & (steps > 1))
    _check_growth(table, gaps, steps, place)
    return _filled(table, number, rest), (_note(table, gaps, steps, place),)


def _filled(table: SeriesTable, number: IntArray, rest: IntArray) -> SeriesTable:
    first, last = table.offsets[:-1], table.offsets[1:] - 1
    lengths = number[last] - number[first] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    series = np.repeat(np.arange(len(table)), table.lengths)
    rows = number + (offsets[:-1] - number[first])[series]  # where each given row goes
    every = np.arange(offsets[-1]) + np.repeat(number[first] - offsets[:-1], lengths)
    times = table.calendar.join(every, np.repeat(rest[first], lengths))
    filled: dict[str, Any] = {
        name: _spread(getattr(table, name), rows, len(times), np.nan) for name in ("values", "past", "known")
    }
    if table.weights is not None:
        filled["weights"] = _spread(table.weights, rows, len(times), 1.0)
    return dataclasses.replace(table, offsets=offsets, times=times, **filled)


def _spread(array: np.ndarray, rows: IntArray, length: int, missing: float) -> np.ndarray:
    spread = np.full((length, *array.shape[1:]), missing, array.dtype)
    spread[rows] = array
    return spread


def _check_growth(table: SeriesTable, gaps: IntArray, steps: IntArray, place: Callable[[int], str]) -> None:
    rows = len(table.times) + int((steps[gaps] - 1).astype(np.float64).sum())  # as floats: int64 might overflow
    if rows > _ALWAYS_FINE and rows > _LARGEST_GROWTH * len(table.times):
        row = int(gaps[steps[gaps].argmax()]) + 1
        raise DataError(
            f"filling the gaps by the frequency {_quoted(table)} would turn {len(table.times):,} rows into {rows:,}; "
            f"the longest gap is in {table.name(_series(table, row))}, from {table.stamp(row - 1)} to "
            f"{table.stamp(row)} ({place(row)}); correct that time stamp, or give a longer frequency"
        )


def _note(table: SeriesTable, gaps: IntArray, steps: IntArray, place: Callable[[int], str]) -> str:
    missing = int((steps[gaps] - 1).sum())
    series = np.unique(np.searchsorted(table.offsets, gaps, side="right"))
    row = int(gaps[0])
    note = (
        f"column {table.columns.time!r}: {gaps.size:,} gap{'' if gaps.size == 1 else 's'} filled with {missing:,} "
        f"missing row{'' if missing == 1 else 's'} in {series.size:,} series; the first in "
        f"{table.name(_series(table, row))} after {table.stamp(row)} ({place(row)})"
    )
    counted = table.calendar.steps
    if table.times.dtype.kind == "M" and table.timezone is None and isinstance(counted, FixedSteps):
        lengths = np.diff(as_int(table.times))[gaps] - counted.size
        if counted.size <= HOUR and (lengths == HOUR).all():
            note += (
                "; each is one hour, as where clocks go forward (daylight saving): time stamps with their UTC offset "
                "would have none"
            )
    return note


def _check_one_frequency(table: SeriesTable, regular: np.ndarray) -> None:
    """Refuse a table in which a series of four or more rows keeps a frequency of its own, without a gap."""
    pairs = table.lengths - 1
    kept = np.concatenate([[0], np.cumsum(regular & within_series(table.offsets))])
    followed = kept[np.maximum(table.offsets[1:] - 1, 0)] - kept[np.minimum(table.offsets[:-1], len(kept) - 1)]
    suspects = np.flatnonzero((pairs >= 3) & (followed * 2 < pairs))
    for series in suspects[:_MOST_SUSPECTS].tolist():
        times = table.times[table.rows(series)]
        own = infer_frequency(times, np.array([0, len(times)]), table.timezone)
        number, rest = calendar_of(own, times, table.timezone).split(times)
        if own != table.columns.frequency and (np.diff(number) == 1).all() and (rest == rest[0]).all():
            usual = table.name(int(followed.argmax()))
            raise TimeStampError(
                f"one table has one frequency, but {usual} has {_quoted(table)} and {table.name(series)} has {own!r}; "
                "forecast them apart, or give the frequency to have the steps between filled in as missing"
            )


def _series(table: SeriesTable, row: int) -> int:
    return int(np.searchsorted(table.offsets, row, side="right")) - 1


def _quoted(table: SeriesTable) -> str:
    return repr(table.columns.frequency)
