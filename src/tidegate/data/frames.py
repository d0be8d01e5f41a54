"""Data frames, pandas or polars: in as a `SeriesTable`, out as they came."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from tidegate.data.assemble import RawTable, assemble
from tidegate.data.batches import IntArray
from tidegate.data.stamps import parse_stamps
from tidegate.data.table import SeriesTable, future_times
from tidegate.errors import ColumnError, DataError, ShapeError, TimeStampError
from tidegate.specs import Columns

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["SeriesTable", "absent_column", "future_times", "read_frame", "resolve_columns", "to_frame"]


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
    native, backend = _native(frame)
    names = [name for name in native.columns if isinstance(name, str)]
    numeric = [name for name in names if native[name].dtype.is_numeric()]
    if columns.time not in names and getattr(getattr(frame, "index", None), "name", None) == columns.time:
        raise ColumnError(f"the time column {columns.time!r} is the table's index; call .reset_index() first")
    columns, has_id = resolve_columns(columns, names, numeric)
    if not len(native):
        raise DataError(f"the table has no rows, only the columns {', '.join(map(repr, names))}; give at least one row")
    if has_id:
        ids, codes = _ids(native[columns.id])
    else:
        ids, codes = np.array([0]), np.zeros(len(native), np.int64)
    times, timezone = _times(native[columns.time])
    values = np.column_stack([_values(native[name]) for name in columns.targets])
    raw = RawTable(
        ids=ids,
        codes=codes,
        times=times,
        values=values,
        columns=columns,
        has_id=has_id,
        place=_row,
        timezone=timezone,
        backend=backend,
        dtypes=_dtypes(native, columns, has_id=has_id),
    )
    return assemble(raw, sort=sort)


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


def resolve_columns(columns: Columns, names: Sequence[str], numeric: Sequence[str]) -> tuple[Columns, bool]:
    """Find the columns of a table among its ``names``.

    Returns
    -------
    columns, has_id
        ``columns`` with ``targets`` filled in; and whether there is an id column.

    Raises
    ------
    ColumnError
        If a column is absent or doubled, or no target is named and none is numeric.
    """
    _check_doubled(names)
    if columns.time not in names:
        raise absent_column(columns.time, "time", names)
    has_id = columns.id in names
    if not has_id and columns.id != _default_id():
        raise absent_column(columns.id, "id", names)
    for target in columns.targets:
        if target not in names:
            raise absent_column(target, "target", names)
    if columns.targets:
        return columns, has_id
    if "y" in names and "y" not in (columns.id, columns.time):
        targets: tuple[str, ...] = ("y",)
    else:
        targets = tuple(name for name in numeric if name not in (columns.id, columns.time))
    if not targets:
        raise ColumnError(
            f"no target is named, and the table has neither a column 'y' nor a numeric one; it has {_listed(names)}"
        )
    return dataclasses.replace(columns, targets=targets), has_id


def absent_column(name: str, role: str, names: Sequence[str]) -> ColumnError:
    """Say that a column is not there, what is, and which of those may be meant."""
    lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    meant = f"; is {lower[close[0]]!r} meant?" if close else f"; name the {role} column"
    return ColumnError(f"the {role} column {name!r} is not in the table, which has {_listed(names)}{meant}")


def _check_doubled(names: Sequence[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ColumnError(
            f"the table has {names.count(doubled[0])} columns named {doubled[0]!r}; rename or drop all but one"
        )


def _default_id() -> str:
    return Columns().id


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "no columns") + more


def _row(row: int) -> str:
    return f"row {row}"


def _native(frame: Any) -> tuple[nw.DataFrame[Any], Literal["pandas", "polars"]]:
    import narwhals as nw

    kinds: dict[Any, Literal["pandas", "polars"]] = {
        nw.Implementation.PANDAS: "pandas",
        nw.Implementation.POLARS: "polars",
    }
    if not hasattr(frame, "collect") and hasattr(frame, "columns"):
        _check_doubled([name for name in frame.columns if isinstance(name, str)])
    try:
        native = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        hint = "; call .collect() first" if hasattr(frame, "collect") else ""
        raise ColumnError(f"expected a pandas or polars DataFrame, got {type(frame).__name__}{hint}") from error
    if native.implementation not in kinds:
        raise ColumnError(
            f"expected a pandas or polars DataFrame, got one of {native.implementation}; convert it first"
        )
    return native, kinds[native.implementation]


def _dtypes(native: nw.DataFrame[Any], columns: Columns, *, has_id: bool) -> dict[str, Any]:
    import narwhals as nw

    dtypes = {columns.id: native[columns.id].to_native().dtype} if has_id else {}
    # Time stamps that came as text, as Python dates or as floats go back as time stamps and whole numbers.
    if isinstance(native[columns.time].dtype, (nw.Datetime, nw.Date)) or native[columns.time].dtype.is_integer():
        dtypes[columns.time] = native[columns.time].to_native().dtype
    return dtypes


def _ids(column: nw.Series[Any]) -> tuple[np.ndarray, IntArray]:
    """Give the ids, and each row the number of its id, in the order of their first row."""
    import narwhals as nw

    missing = column.is_null()
    if missing.any():
        row = int(np.flatnonzero(missing.to_numpy())[0])
        raise DataError(f"column {column.name!r}, {_row(row)}: the id is missing; fill it in or drop the row")
    if column.implementation is nw.Implementation.PANDAS:
        import pandas as pd

        codes, ids = pd.factorize(column.to_native(), use_na_sentinel=True)
        return _plain_ids(np.asarray(ids)), codes.astype(np.int64)
    unique = column.unique(maintain_order=True)
    plain = unique.cast(nw.String) if unique.dtype in (nw.Categorical, nw.Enum) else unique
    codes = column.replace_strict(unique.to_list(), list(range(len(unique))), return_dtype=nw.Int64).to_numpy()
    return _plain_ids(plain.to_numpy()), codes


def _plain_ids(ids: np.ndarray) -> np.ndarray:
    return ids if ids.dtype.kind in "iu" else ids.astype(object)


def _times(column: nw.Series[Any]) -> tuple[np.ndarray, str | None]:
    """Read the time column as datetime64[us] (UTC if it has a zone) or int64, and its zone."""
    import narwhals as nw

    name, kind = column.name, column.dtype
    missing = column.is_null()
    if missing.any():
        row = int(np.flatnonzero(missing.to_numpy())[0])
        raise TimeStampError(f"column {name!r}, {_row(row)}: the time stamp is missing; fill it in or drop the row")
    if kind.is_integer():
        return column.cast(nw.Int64).to_numpy().astype(np.int64), None
    if kind.is_float():
        return _whole_numbers(column), None
    if kind == nw.Date:
        return column.cast(nw.Datetime("us")).to_numpy().astype("datetime64[us]"), None
    if isinstance(kind, nw.Datetime):
        zone = kind.time_zone
        if zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.to_numpy().astype("datetime64[us]"), zone
    if kind in (nw.String, nw.Object):
        return parse_stamps(column.to_numpy().astype(object), name, _row)
    raise TimeStampError(
        f"column {name!r} holds {kind}, not time stamps; give dates, ISO 8601 text, or whole numbers that count steps"
    )


def _whole_numbers(column: nw.Series[Any]) -> np.ndarray:
    numbers = column.to_numpy()
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)) | (np.abs(numbers) > 2**53))
    if wrong.size:
        row = int(wrong[0])
        raise TimeStampError(
            f"column {column.name!r}, {_row(row)}: expected a time stamp or a whole number, got {numbers[row]!s}"
        )
    return numbers.astype(np.int64)


def _values(column: nw.Series[Any]) -> np.ndarray:
    """Read a target column as float64 with NaN where missing."""
    import narwhals as nw

    kind = column.dtype
    if kind.is_numeric() or kind == nw.Boolean:
        if column.implementation is nw.Implementation.PANDAS:
            return cast("np.ndarray", column.to_native().to_numpy(dtype=np.float64, na_value=np.nan))
        return column.cast(nw.Float64).to_numpy()
    if kind in (nw.String, nw.Object, nw.Categorical, nw.Enum):
        return _numbers_among(column.to_list(), column.name)
    if kind == nw.Unknown and column.is_null().all():  # a polars column of nothing but nulls
        return np.full(len(column), np.nan)
    raise DataError(f"column {column.name!r} holds {kind}, not numbers; convert it, or name another target")


def _numbers_among(given: list[Any], name: str) -> np.ndarray:
    values = np.full(len(given), np.nan)
    for row, value in enumerate(given):
        if value is None or value != value or type(value).__name__ == "NAType":  # noqa: PLR0124 - NaN differs from itself
            continue
        if isinstance(value, str) or not hasattr(value, "__float__"):
            raise DataError(
                f"column {name!r}, {_row(row)}: expected a number, got {value!r}; "
                "convert the column to numbers first, with missing values where there is none"
            )
        values[row] = float(value)
    return values


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
