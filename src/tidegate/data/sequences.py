"""Whole series as examples: what may be given for them, and what is refused."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.data.csvfile import read_csv
from tidegate.data.frames import read_frame
from tidegate.data.ragged import Ragged
from tidegate.errors import ColumnError, DataError, ShapeError
from tidegate.specs import Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from narwhals.typing import IntoDataFrame

    from tidegate.data.table import SeriesTable

__all__ = ["LabelledSeries", "SeriesLike", "labelled_csv", "labelled_frame", "labelled_table", "series_of"]

_LARGEST = 1e15  # as in tables: beyond it a step of a float64 is no longer small


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSeries:
    """Series of one or several channels, each with a class or a number, as files and tables give them.

    Parameters
    ----------
    sequences
        The series, ``[step, channel]`` of float64 one after the other, NaN where missing.
    labels
        What is said of each, ``[series]``: texts or numbers; ``None`` where nothing is.
    channels
        Their names.
    ids
        The name of each series, ``[series]``.
    numbers
        Whether the labels are numbers to be regressed: ``@targetLabel`` of a ``.ts`` file says so; in a table they are
        if one of them is not whole.
    columns
        Of the table that they come from, the label as its ``static`` column.

    Raises
    ------
    ShapeError
        If there are more or fewer labels, ids or names than there should be.
    """

    sequences: Ragged
    labels: npt.NDArray[Any] | None
    channels: tuple[str, ...]
    ids: npt.NDArray[Any]
    numbers: bool = False
    columns: Columns | None = None

    def __post_init__(self) -> None:
        for what, array in (("label", self.labels), ("id", self.ids)):
            if array is not None and len(array) != len(self.sequences):
                raise ShapeError(f"expected one {what} a series: {len(self.sequences)}; got {len(array)}")
        if self.sequences.flat.ndim != 2 or self.sequences.flat.shape[1] != len(self.channels):
            raise ShapeError(
                f"expected steps of {len(self.channels)} channels; got shape {list(self.sequences.flat.shape)}"
            )

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.sequences)

    def take(self, indices: npt.NDArray[np.int64]) -> LabelledSeries:
        """Give the series at ``indices``, in this order."""
        labels = None if self.labels is None else self.labels[indices]
        return dataclasses.replace(self, sequences=self.sequences.take(indices), labels=labels, ids=self.ids[indices])


SeriesLike: TypeAlias = "LabelledSeries | Ragged | npt.ArrayLike | Sequence[npt.ArrayLike]"


def series_of(given: SeriesLike, *, channels: int | None = None) -> Ragged:
    """Read series in any of the forms that there are.

    Parameters
    ----------
    given
        An array ``[example, time, channel]``, or ``[example, time]`` of one channel; a list of arrays
        ``[time, channel]`` or ``[time]`` of unequal lengths; `LabelledSeries`; `Ragged`. NaN is a missing value.
    channels
        How many a model was trained on.

    Returns
    -------
    Ragged
        ``[step, channel]`` of float64.

    Raises
    ------
    ShapeError
        If it is of another shape or not of numbers, or has other channels.
    DataError
        If there is no series; one has no step, or no value at all; or a value is infinite or beyond ±1e15.

    Examples
    --------
    >>> series_of([[1.0, 2.0, 3.0], [4.0]]).lengths.tolist()
    [3, 1]
    """
    if isinstance(given, LabelledSeries):
        given = given.sequences
    if hasattr(given, "columns"):
        raise ShapeError("expected series, got a table; read it with tidegate.data.labelled_frame(table, label)")
    ragged = given if isinstance(given, Ragged) else _gathered(given)
    _check_steps(ragged)
    flat = ragged.flat.astype(np.float64)
    ragged = Ragged(flat=flat[:, None] if flat.ndim == 1 else flat, offsets=ragged.offsets)
    _check_channels(ragged, channels)
    _check_values(ragged)
    return ragged


def labelled_frame(frame: IntoDataFrame, label: str | None, columns: Columns | None = None) -> LabelledSeries:
    """Read series and their labels from a long pandas or polars table.

    Parameters
    ----------
    frame
        A row for each series and time stamp; a time stamp that is left out is a missing step.
    label
        The column that says what a series is, the same in all its rows; ``None`` where there is none.
    columns
        Id, time and channels (``targets``); by default ``unique_id``, ``ds``, and ``y`` or every other numeric column.

    Raises
    ------
    ColumnError, DataError, TimeStampError
        As `read_frame`; a label that changes within a series among them.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"unique_id": ["a", "a", "b"], "ds": [0, 1, 0], "y": [1.0, 2.0, 3.0], "label": ["up", "up", "flat"]}
    >>> labelled_frame(pd.DataFrame(rows), "label").labels.tolist()
    ['up', 'flat']
    """
    return labelled_table(read_frame(frame, _label_columns(columns, label)), label)


def labelled_csv(
    path: str | os.PathLike[str], label: str | None, columns: Columns | None = None, *, sort: bool = False
) -> LabelledSeries:
    """Read series and their labels from a long CSV file; as `labelled_frame` and `read_csv`."""
    return labelled_table(read_csv(path, _label_columns(columns, label), sort=sort), label)


def _label_columns(columns: Columns | None, label: str | None) -> Columns:
    """Say of a table's columns that one of them is a label."""
    columns = Columns() if columns is None else columns
    return columns if label is None else dataclasses.replace(columns, static=(label,))


def labelled_table(table: SeriesTable, label: str | None) -> LabelledSeries:
    """Take the series of a table, with its static column ``label`` for what is said of them.

    Raises
    ------
    ColumnError
        If the table has no id column, so that all its rows are one series.
    DataError
        If the label of a series is missing.
    """
    if not table.has_id:
        raise ColumnError(f"expected a column that names the series; there is no column {table.columns.id!r}")
    labels: npt.NDArray[Any] | None = None
    if label is not None:
        as_text = label in table.categorical
        labels = table.categories[:, 0] if as_text else table.static[:, 0]
        missing = np.flatnonzero(labels == "" if as_text else np.isnan(labels))
        if missing.size:
            raise DataError(f"column {label!r}: the label of {table.name(int(missing[0]))} is missing")
    return LabelledSeries(
        sequences=Ragged(flat=table.values, offsets=table.offsets),
        labels=labels,
        channels=table.columns.targets,
        ids=table.ids,
        numbers=labels is not None and labels.dtype.kind == "f" and bool((labels % 1 != 0).any()),
        columns=table.columns,
    )


def _gathered(given: Any) -> Ragged:
    if isinstance(given, np.ndarray) and given.dtype != object:
        _check_kind(given)
        if given.ndim not in (2, 3):
            raise ShapeError(
                "expected an array [example, time, channel], [example, time] of one channel, or a list of arrays "
                f"[time, channel]; got shape {list(given.shape)}"
            )
        if not len(given):
            raise DataError("expected one series at least; got none")
        offsets = np.arange(len(given) + 1) * given.shape[1]
        return Ragged(flat=given.reshape(len(given) * given.shape[1], *given.shape[2:]), offsets=offsets)
    if not isinstance(given, list | tuple | np.ndarray):
        raise ShapeError(f"expected an array or a list of arrays, one a series; got a {type(given).__name__}")
    if not len(given):
        raise DataError("expected one series at least; got none")
    return Ragged.of([_sequence(index, each) for index, each in enumerate(given)])


def _sequence(index: int, given: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"series {index} is no array [time, channel]: its steps are of unequal lengths") from error
    if array.ndim not in (1, 2) or array.dtype == object:
        raise ShapeError(f"expected series {index} as [time, channel] or [time]; got shape {list(array.shape)}")
    _check_kind(array)
    return array


def _check_kind(array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in "biuf" and array.size:
        raise ShapeError(f"expected series of numbers; got dtype {array.dtype}")


def _check_steps(ragged: Ragged) -> None:
    empty = np.flatnonzero(ragged.lengths == 0)
    if empty.size:
        raise DataError(f"series {empty[0]} has length 0: there is nothing to read in it; leave it out")


def _check_channels(ragged: Ragged, channels: int | None) -> None:
    found = ragged.flat.shape[1:]
    if len(found) != 1 or found[0] == 0:
        raise ShapeError(f"expected series [time, channel] of one channel at least; got [time, {list(found)}]")
    if channels is not None and found[0] != channels:
        raise ShapeError(f"this model was trained on series of {channels} channel(s); got {found[0]}")


def _check_values(ragged: Ragged) -> None:
    flat = ragged.flat
    wrong = np.flatnonzero((np.abs(flat) > _LARGEST).any(axis=1))  # of NaN that is False
    if wrong.size:
        series = int(np.searchsorted(ragged.offsets, wrong[0], side="right")) - 1
        step = int(wrong[0] - ragged.offsets[series])
        channel = int((np.abs(flat[wrong[0]]) > _LARGEST).argmax())
        value = flat[wrong[0], channel]
        what = f"infinite ({value})" if np.isinf(value) else f"{value:g}, beyond ±{_LARGEST:g}"
        raise DataError(
            f"series {series}, step {step}, channel {channel} is {what}; correct it, or make it NaN if it is missing"
        )
    silent = np.logical_and.reduceat(np.isnan(flat).all(axis=1), ragged.offsets[:-1])
    if silent.any():
        raise DataError(f"series {silent.argmax()} has no value at all, all are missing; leave it out")
