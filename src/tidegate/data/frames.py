"""Data frames, pandas or polars: in as a `SeriesTable`, out as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tidegate.data.assemble import RawTable, assemble
from tidegate.data.batches import IntArray
from tidegate.data.framecolumns import ids_of, matrix_of, native_frame, numbers_of, row_place, static_of, times_of
from tidegate.data.naming import resolve_columns
from tidegate.data.table import SeriesTable
from tidegate.errors import DataError, ShapeError
from tidegate.specs import Columns

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["raw_frame", "read_frame", "to_frame"]


def read_frame(frame: Any, columns: Columns | None = None, *, sort: bool = False) -> SeriesTable:
    """Read a pandas or polars data frame.

    Long tables have a row for each series and time stamp; without an id column (``columns.id``, when it was not
    given another name than the default) all rows are one series. Wide tables have a column a variable, see `Columns`.
    Rows of different series may interleave. Booleans count as 0 and 1. Other columns are ignored.

    Parameters
    ----------
    frame
        A `pandas.DataFrame` or `polars.DataFrame`.
    columns
        Which column is what; `Columns()` if left out.
    sort
        Bring the rows of each series into the order of time, instead of refusing others.

    Returns
    -------
    SeriesTable
        What was mended (gaps, missing values) stands in its ``notes``.

    Raises
    ------
    ColumnError
        If a column is absent or doubled, or the object is no data frame.
    DataError
        If a value is text, infinite or beyond ±1e15, or a series has no value; the message names column, row
        (counted from 0) and value.
    TimeStampError
        If time stamps are unreadable, missing, doubled, out of order, off the grid, or of several frequencies.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=3), "y": [1.0, None, 3.0]})
    >>> table = read_frame(frame)
    >>> table.columns.frequency, table.notes
    ('D', ("column 'y': 1 missing value masked in 1 series; the first in the series, row 1",))
    """
    columns = Columns() if columns is None else columns
    native, backend = native_frame(frame, columns.time)
    names = [name for name in native.columns if isinstance(name, str)]
    numeric = [name for name in names if native[name].dtype.is_numeric()]
    columns, has_id = resolve_columns(columns, names, numeric)
    return assemble(raw_frame(native, backend, columns, has_id=has_id), sort=sort)


def raw_frame(
    native: nw.DataFrame[Any], backend: Literal["pandas", "polars"], columns: Columns, *, has_id: bool
) -> RawTable:
    """Read the columns that are named, all of which are there.

    Raises
    ------
    DataError
        If there are no rows, an id is missing, or a column is of another kind than it should be.
    TimeStampError
        If a time stamp is missing or cannot be read.
    """
    if not len(native):
        names = ", ".join(map(repr, native.columns))
        raise DataError(f"the table has no rows, only the columns {names}; give at least one row")
    if has_id:
        ids, codes = ids_of(native[columns.id])
    else:
        ids, codes = np.array([0]), np.zeros(len(native), np.int64)
    times, timezone = times_of(native[columns.time])
    return RawTable(
        ids=ids,
        codes=codes,
        times=times,
        values=matrix_of(native, columns.targets, "target"),
        past=matrix_of(native, columns.past, "past"),
        known=matrix_of(native, columns.known, "known"),
        columns=columns,
        has_id=has_id,
        place=row_place,
        static=tuple(static_of(native[name]) for name in columns.static if name != columns.id),
        weights=None if columns.weight is None else numbers_of(native[columns.weight], "weight"),
        timezone=timezone,
        backend=backend,
        dtypes=_dtypes(native, columns, has_id=has_id),
    )


def to_frame(
    table: SeriesTable, times: np.ndarray, columns: Mapping[str, np.ndarray], *, series: IntArray | None = None
) -> Any:
    """Make a long data frame that looks like the one ``table`` was read from.

    Parameters
    ----------
    table
        Gives backend, names, the ids' dtype and the time zone.
    times
        ``[row]`` or ``[series, step]``, as `future_times` gives them.
    columns
        The columns beside id and time, each shaped as ``times``.
    series
        Index of the series of each (first) axis entry of ``times``; all series in order if left out.

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        The id column (if the table has one), the time column, and ``columns`` in their order.

    Raises
    ------
    ShapeError
        If the shapes do not agree.
    """
    index = np.arange(len(table)) if series is None else np.asarray(series)
    for name, array in {"series": index, **columns}.items():
        expected = times.shape[:1] if name == "series" else times.shape
        if np.shape(array) != expected:
            raise ShapeError(f"{name} must have shape {expected}, beside times {times.shape}; got {np.shape(array)}")
    rows = np.repeat(index, int(np.prod(times.shape[1:])))
    content: dict[str, np.ndarray] = {table.columns.id: table.ids[rows]} if table.has_id else {}
    content[table.columns.time] = times.ravel()
    content |= {name: np.ravel(array) for name, array in columns.items()}
    build = _pandas_frame if table.backend == "pandas" else _polars_frame
    return build(content, table)


def _dtypes(native: nw.DataFrame[Any], columns: Columns, *, has_id: bool) -> dict[str, Any]:
    import narwhals as nw

    dtypes = {columns.id: native[columns.id].to_native().dtype} if has_id else {}
    # Time stamps that came as text, as Python dates or as floats go back as time stamps and whole numbers.
    if isinstance(native[columns.time].dtype, (nw.Datetime, nw.Date)) or native[columns.time].dtype.is_integer():
        dtypes[columns.time] = native[columns.time].to_native().dtype
    return dtypes


def _pandas_frame(content: Mapping[str, np.ndarray], table: SeriesTable) -> Any:
    import pandas as pd

    frame = pd.DataFrame(content)
    time = table.columns.time
    if table.timezone is not None:
        frame[time] = frame[time].dt.tz_localize("UTC").dt.tz_convert(table.timezone)
    return frame.astype(dict(table.dtypes))


def _polars_frame(content: Mapping[str, np.ndarray], table: SeriesTable) -> Any:
    import polars as pl

    frame = pl.DataFrame(dict(content))
    time = table.columns.time
    if table.timezone is not None:
        frame = frame.with_columns(pl.col(time).dt.replace_time_zone("UTC").dt.convert_time_zone(table.timezone))
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in table.dtypes.items())
