"""Covariates and weights between the door and the table: their checks, and one value a series out of static columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.errors import DataError

__all__ = ["LARGEST", "Place", "StaticColumn", "check_numbers", "check_weights", "one_a_series", "static_arrays"]

LARGEST = 1e15  # beyond it float32 statistics overflow, and it is nearly always a marker for "missing"

Place: TypeAlias = Callable[[int], str]
"""Names a row of the input: ``"row 5"`` of a frame, ``"line 7"`` of a file."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StaticColumn:
    """A static covariate as a door has read it, in the order of the input.

    Parameters
    ----------
    name
        The column.
    values
        ``[rows]``: float64, NaN where missing; for a category int64, the place of the value in ``levels``, −1 where
        it is missing.
    levels
        The values of a category; ``None`` for numbers.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None

    @property
    def missing(self) -> np.ndarray:
        """True where there is no value, ``[rows]``."""
        missing: np.ndarray = np.isnan(self.values) if self.levels is None else self.values < 0
        return missing

    def written(self, row: int) -> str:
        """Write the value of a row as messages do."""
        value = self.values[row]
        return f"{value:.15g}" if self.levels is None else repr(self.levels[value])

    def of_rows(self, rows: IntArray) -> np.ndarray:
        """Give the values of ``rows`` (−1: missing): float64, or text (dtype object)."""
        if self.levels is None:
            return np.where(rows < 0, np.nan, self.values[rows])
        texts = np.array([*self.levels, ""], object)  # the last for −1
        return np.asarray(texts[np.where(rows < 0, -1, self.values[rows])])


def check_numbers(values: np.ndarray, name: str, place: Place) -> None:
    """Refuse values ``[rows]`` that are infinite or larger than `LARGEST`; NaN passes. Raises `DataError`."""
    wrong = np.flatnonzero(np.abs(values) > LARGEST)  # infinities too; NaN is not
    if not wrong.size:
        return
    row, value = int(wrong[0]), float(values[wrong[0]])
    if np.isinf(value):
        raise DataError(
            f"column {name!r}, {place(row)}: expected a finite number, got {value:g}; "
            "leave the cell empty if the value is missing"
        )
    raise DataError(
        f"column {name!r}, {place(row)}: {value:g} is larger than {LARGEST:g} in magnitude; "
        "rescale the column, or leave the cell empty if it marks a missing value"
    )


def check_weights(weights: np.ndarray, name: str, place: Place) -> None:
    """Refuse weights ``[rows]`` that are missing, negative, infinite, or all 0. Raises `DataError`."""
    check_numbers(weights, name, place)
    wrong = np.flatnonzero(~(weights >= 0))
    if wrong.size:
        value = float(weights[wrong[0]])
        came = "it is missing" if np.isnan(value) else f"got {value:g}"
        raise DataError(
            f"column {name!r}, {place(int(wrong[0]))}: expected a weight of at least 0, {came}; "
            "give every row one, 0 for rows that must not count"
        )
    if not weights.any():
        raise DataError(f"column {name!r}: every weight is 0, so nothing would count; give some row a weight above 0")


def one_a_series(
    column: StaticColumn, rows: IntArray | slice, offsets: IntArray, name: Callable[[int], str], place: Place
) -> np.ndarray:
    """Take one value for each series.

    Rows in which it is missing say nothing: the value is that of the others.

    Parameters
    ----------
    column
        As it was read.
    rows
        The rows of the input, series by series.
    offsets
        ``[series + 1]``: where in ``rows`` each series begins and ends.
    name, place
        Name a series, and a row of the input.

    Returns
    -------
    numpy.ndarray
        ``[series]``: float64, NaN where missing, or text (dtype object), ``""`` where missing.

    Raises
    ------
    DataError
        If the value changes within a series, is infinite, or too large.
    """
    if column.levels is None:
        check_numbers(column.values, column.name, place)
    order = np.arange(offsets[-1])[rows] if isinstance(rows, slice) else rows
    there = np.flatnonzero(~column.missing[order])  # in the order of the series
    series = np.searchsorted(offsets, there, side="right") - 1
    begins = np.searchsorted(series, np.arange(len(offsets)))  # in `there`, of each series
    has_value = begins[:-1] < begins[1:]
    first = np.full(len(offsets) - 1, -1)
    first[has_value] = order[there[begins[:-1][has_value]]]
    changed = np.flatnonzero(column.values[order[there]] != column.values[first[series]])
    if changed.size:
        at = changed[0]
        before, now = int(first[series[at]]), int(order[there[at]])
        instead = "leave the column out" if column.levels is not None else "name the column in past or known instead"
        raise DataError(
            f"column {column.name!r}: a static covariate has one value a series, but {name(int(series[at]))} has "
            f"{column.written(before)} ({place(before)}) and {column.written(now)} ({place(now)}); correct it, or "
            f"{instead}"
        )
    return column.of_rows(first)


def static_arrays(
    columns: Sequence[str], values: dict[str, np.ndarray], series: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Part static covariates by their kind.

    Returns
    -------
    static, categories, categorical
        As `tidegate.data.SeriesTable` has them.
    """
    categorical = tuple(name for name in columns if values[name].dtype.kind == "O")
    static = np.empty((series, len(columns) - len(categorical)))
    categories = np.empty((series, len(categorical)), object)
    for place, name in enumerate(name for name in columns if name not in categorical):
        static[:, place] = values[name]
    for place, name in enumerate(categorical):
        categories[:, place] = values[name]
    return static, categories, categorical
