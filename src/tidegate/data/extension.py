"""A table and the rows that came after it, joined."""

from __future__ import annotations

import dataclasses

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import as_int
from tidegate.data.grid import fill_gaps
from tidegate.data.table import SeriesTable
from tidegate.errors import ColumnError, TimeStampError

__all__ = ["extended", "new_starts"]


def extended(table: SeriesTable, newer: SeriesTable) -> SeriesTable:
    """Append the rows of ``newer`` to those of ``table``; steps between them become missing rows.

    Parameters
    ----------
    table, newer
        Of the same columns, without features of time stamps. Series of ``newer`` that are not in ``table`` come after
        the others; static covariates are those of ``newer`` where it has them.

    Raises
    ------
    ColumnError
        If the columns or the time zones differ, or only one of the two has ids.
    TimeStampError
        If a series' new rows do not come after its old ones, or lie off their grid.

    Examples
    --------
    >>> import pandas as pd
    >>> from tidegate import Columns
    >>> from tidegate.data import read_frame
    >>> table = read_frame(pd.DataFrame({"ds": [1, 2], "y": [1.0, 2.0]}))
    >>> newer = read_frame(pd.DataFrame({"ds": [4], "y": [4.0]}), Columns(frequency=1))
    >>> extended(table, newer).values.ravel().tolist()
    [1.0, 2.0, nan, 4.0]
    """
    _check_alike(table, newer)
    place = {name: index for index, name in enumerate(table.ids.tolist())}
    codes = np.array([place.setdefault(name, len(place)) for name in newer.ids.tolist()], np.int64)
    _check_later(table, newer, codes)
    total = len(place)
    rows = np.concatenate([np.repeat(np.arange(len(table)), table.lengths), np.repeat(codes, newer.lengths)])
    order = np.argsort(rows, kind="stable")  # a series' old rows stay before its new ones
    counts = np.bincount(rows, minlength=total)

    def by_row(name: str) -> np.ndarray:
        joined: np.ndarray = np.concatenate([getattr(table, name), getattr(newer, name)])[order]
        return joined

    def by_series(old: np.ndarray, new: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
        joined: np.ndarray = np.empty((total, *old.shape[1:]), old.dtype)
        joined[codes] = new
        joined[: len(table)] = old
        later = codes < len(table)
        joined[codes[later]] = new[later] if there is None else np.where(there, new, joined[codes])[later]
        return joined

    joined = dataclasses.replace(
        table,
        ids=by_series(table.ids, newer.ids) if table.ids.dtype == newer.ids.dtype else np.array(list(place), object),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        times=by_row("times"),
        values=by_row("values"),
        past=by_row("past"),
        known=by_row("known"),
        static=by_series(table.static, newer.static, ~np.isnan(newer.static)),
        categories=by_series(table.categories, newer.categories, newer.categories != ""),
        weights=None if table.weights is None or newer.weights is None else by_row("weights"),
    )
    filled, _ = fill_gaps(joined, lambda _: "new rows", inferred=False)
    return filled


def new_starts(table: SeriesTable, newer: SeriesTable) -> IntArray:
    """Give for each series of an extended table the row, counted from its first, at which its new rows begin.

    A series without new rows has its length.
    """
    starts = table.lengths.copy()
    begin, first = table.first_steps, newer.first_steps
    assert begin is not None
    assert first is not None
    place = {name: index for index, name in enumerate(table.ids.tolist())}
    for index, name in enumerate(newer.ids.tolist()):
        starts[place[name]] = first[index] - begin[place[name]]
    return starts


def _check_alike(table: SeriesTable, newer: SeriesTable) -> None:
    if table.columns != newer.columns or table.categorical != newer.categorical:
        raise ColumnError(f"new rows must have the columns of the old: {table.columns}; got {newer.columns}")
    if table.has_id != newer.has_id:
        with_id, without = ("old", "new") if table.has_id else ("new", "old")
        raise ColumnError(
            f"the {with_id} rows have the id column {table.columns.id!r}, the {without} ones have none; give both alike"
        )
    if table.timezone != newer.timezone or table.times.dtype != newer.times.dtype:
        raise ColumnError(
            f"column {table.columns.time!r}: the new time stamps are {newer.times.dtype} in the zone {newer.timezone}, "
            f"the old ones {table.times.dtype} in {table.timezone}; write both alike"
        )


def _check_later(table: SeriesTable, newer: SeriesTable, codes: IntArray) -> None:
    last = as_int(table.times[table.offsets[1:] - 1])
    first = as_int(newer.times[newer.offsets[:-1]])
    known = codes < len(table)
    early = np.flatnonzero(known & (first <= last[np.minimum(codes, len(table) - 1)]))
    if early.size:
        index = int(early[0])
        old = int(codes[index])
        raise TimeStampError(
            f"new rows must come after the old: {table.name(old)} has rows up to "
            f"{table.stamp(int(table.offsets[old + 1]) - 1)}, and the new ones begin at "
            f"{newer.stamp(int(newer.offsets[index]))}; give only what has come since"
        )
