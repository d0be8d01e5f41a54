"""From columns as they were read to a `SeriesTable`: the checks that every door shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import HOUR, as_int
from tidegate.data.covariates import Place, StaticColumn, check_numbers, check_weights, one_a_series, static_arrays
from tidegate.data.features import check_calendar
from tidegate.data.grid import fill_gaps
from tidegate.data.inference import infer_frequency, within_series
from tidegate.data.table import SeriesTable
from tidegate.errors import DataError, TimeStampError
from tidegate.specs import Columns

__all__ = ["RawTable", "assemble", "check_values"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RawTable:
    """Columns as a door has read them: rows in the order of the input, nothing checked.

    Parameters
    ----------
    ids, codes
        The ids ``[series]``, and for each row the index of its id ``[rows]``.
    times
        ``[rows]``: datetime64[us] (in UTC if ``timezone``) or int64, none missing.
    values, past, known
        ``[rows, target]``, ``[rows, p]``, ``[rows, k]`` of float64, NaN where missing.
    place
        Names a row of the input.
    columns, has_id, timezone, backend, dtypes
        As in `SeriesTable`; ``columns.frequency`` may be ``None``.
    static
        The columns that ``columns.static`` names, without that of the id.
    weights
        ``[rows]`` of float64.
    """

    ids: np.ndarray
    codes: IntArray
    times: np.ndarray
    values: np.ndarray
    past: np.ndarray
    known: np.ndarray
    columns: Columns
    has_id: bool
    place: Place
    static: tuple[StaticColumn, ...] = ()
    weights: np.ndarray | None = None
    timezone: str | None = None
    backend: Literal["pandas", "polars"] = "pandas"
    dtypes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def assemble(raw: RawTable, *, sort: bool) -> SeriesTable:
    """Check the columns of a table, bring rows of one series together, fill gaps as missing rows.

    Raises
    ------
    DataError
        If a value is infinite or too large, a weight is none, a static covariate changes within a series,
        a series has no value at all, calendar features are asked for where there is no calendar, or the gaps are so
        long that filling them would blow the table up.
    TimeStampError
        If time stamps are doubled, out of order (and ``sort`` is False), off the grid, or of several frequencies.
    """
    if not len(raw.codes):
        raise DataError("the table has column names but no rows; give at least one row a series")
    check_values(raw)
    order = _grouping(raw, sort=sort)
    rows = slice(None) if order is None else order
    offsets = np.searchsorted(raw.codes[rows], np.arange(len(raw.ids) + 1)).astype(np.int64)
    table = SeriesTable(
        ids=raw.ids,
        offsets=offsets,
        times=raw.times[rows],
        values=raw.values[rows],
        columns=raw.columns,
        has_id=raw.has_id,
        timezone=raw.timezone,
        backend=raw.backend,
        dtypes=raw.dtypes,
        past=raw.past[rows],
        known=raw.known[rows],
        weights=None if raw.weights is None else raw.weights[rows],
    )

    def place(row: int) -> str:
        return raw.place(row if order is None else int(order[row]))

    _check_order(table, place)
    table = _with_static(table, raw, rows)
    notes = _missing_notes(table, place)
    given = raw.columns.frequency
    frequency = infer_frequency(table.times, offsets, raw.timezone) if given is None else given
    table = dataclasses.replace(table, columns=dataclasses.replace(raw.columns, frequency=frequency))
    check_calendar(table)
    table, gap_note = fill_gaps(table, place, inferred=given is None)
    return dataclasses.replace(table, notes=(*gap_note, *notes))


def check_values(raw: RawTable) -> None:
    """Refuse numbers that are infinite or too large, and weights that are none. Raises `DataError`."""
    columns = raw.columns
    for names, matrix in ((columns.targets, raw.values), (columns.past, raw.past), (columns.known, raw.known)):
        for column, name in enumerate(names):
            check_numbers(matrix[:, column], name, raw.place)
    if raw.weights is not None and columns.weight is not None:
        check_weights(raw.weights, columns.weight, raw.place)


def _with_static(table: SeriesTable, raw: RawTable, rows: IntArray | slice) -> SeriesTable:
    names = table.columns.static
    if not names:
        return table
    values = {table.columns.id: np.array([str(name) for name in table.ids.tolist()], object)}
    for column in raw.static:
        values[column.name] = one_a_series(column, rows, table.offsets, table.name, raw.place)
    static, categories, categorical = static_arrays(names, values, len(table))
    return dataclasses.replace(table, static=static, categories=categories, categorical=categorical)


def _grouping(raw: RawTable, *, sort: bool) -> IntArray | None:
    """Order the rows by series (and by time, if ``sort``), otherwise as they came; ``None`` if they are so already."""
    grouped = bool((raw.codes[1:] >= raw.codes[:-1]).all())
    if sort:
        later = (raw.times[1:] > raw.times[:-1]) | (raw.codes[1:] > raw.codes[:-1])
        return None if grouped and later.all() else np.lexsort((raw.times, raw.codes))
    return None if grouped else np.argsort(raw.codes, kind="stable")


def _check_order(table: SeriesTable, place: Place) -> None:
    steps = np.diff(as_int(table.times))
    inside = within_series(table.offsets)
    wrong = np.flatnonzero((steps <= 0) & inside)
    if not wrong.size:
        return
    row = int(wrong[0]) + 1
    name = table.name(int(np.searchsorted(table.offsets, row, side="right")) - 1)
    column, stamp = table.columns.time, table.stamp(row)
    if steps[row - 1] < 0:
        raise TimeStampError(
            f"column {column!r}, {place(row)}: time stamps must ascend within a series, but in {name} {stamp} follows "
            f"{table.stamp(row - 1)} ({place(row - 1)}); sort the table, or pass sort=True{_several(table)}"
        )
    hint = f"keep one of the two{_several(table)}"
    positive = steps[inside & (steps > 0)]
    fine = positive.size and np.median(positive) <= HOUR
    if table.times.dtype.kind == "M" and table.timezone is None and fine:
        hint += "; if clocks went back here (daylight saving), give time stamps with their UTC offset"
    raise TimeStampError(
        f"column {column!r}: {name} has the time stamp {stamp} twice ({place(row - 1)} and {place(row)}); {hint}"
    )


def _several(table: SeriesTable) -> str:
    if table.has_id:
        return ""
    return f", or name the id column if the table holds several series (there is no column {table.columns.id!r})"


def _missing_notes(table: SeriesTable, place: Place) -> list[str]:
    columns = table.columns
    missing = np.isnan(table.values)
    empty = np.flatnonzero(np.logical_and.reduceat(missing.all(axis=1), table.offsets[:-1]))
    if empty.size:
        raise DataError(
            f"{table.name(int(empty[0]))} has no value at all in {', '.join(map(repr, columns.targets))}; "
            "leave such series out"
        )
    notes = []
    for names, matrix in ((columns.targets, table.values), (columns.past, table.past), (columns.known, table.known)):
        for column, name in enumerate(names):
            rows = np.flatnonzero(np.isnan(matrix[:, column]))
            if rows.size:
                series = np.unique(np.searchsorted(table.offsets, rows, side="right")) - 1
                notes.append(
                    f"column {name!r}: {_count(rows.size, 'missing value')} masked in {_count(series.size, 'series')}; "
                    f"the first in {table.name(int(series[0]))}, {place(int(rows[0]))}"
                )
    static = [*zip(table.numeric, np.isnan(table.static).T, strict=True)]
    static += zip(table.categorical, (table.categories == "").T, strict=True)
    for name, absent in static:
        if absent.any():
            first = table.name(int(absent.argmax()))
            notes.append(f"column {name!r}: missing in {_count(int(absent.sum()), 'series')}; the first is {first}")
    return notes


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 or noun.endswith('s') else 's'}"
