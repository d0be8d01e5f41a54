"""The columns of a data frame, pandas or polars, as arrays; what cannot be read is named by column and row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.covariates import StaticColumn
from tidegate.data.naming import check_doubled
from tidegate.data.stamps import parse_stamps
from tidegate.errors import ColumnError, DataError, TimeStampError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["ids_of", "matrix_of", "native_frame", "numbers_of", "row_place", "static_of", "times_of"]


def row_place(row: int) -> str:
    """Name a row of a frame as messages do."""
    return f"row {row}"


def native_frame(frame: Any, time: str) -> tuple[nw.DataFrame[Any], Literal["pandas", "polars"]]:
    """Take a data frame, and say whose it is.

    Parameters
    ----------
    frame
        Whatever the user gave.
    time
        The time column, which is not to be the index.

    Raises
    ------
    ColumnError
        If it is no data frame, the time column is its index, or two columns have one name.
    """
    import narwhals as nw

    kinds: dict[Any, Literal["pandas", "polars"]] = {
        nw.Implementation.PANDAS: "pandas",
        nw.Implementation.POLARS: "polars",
    }
    if not hasattr(frame, "collect") and hasattr(frame, "columns"):
        check_doubled([name for name in frame.columns if isinstance(name, str)])
    try:
        native = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        hint = "; call .collect() first" if hasattr(frame, "collect") else ""
        raise ColumnError(f"expected a pandas or polars DataFrame, got {type(frame).__name__}{hint}") from error
    if native.implementation not in kinds:
        raise ColumnError(
            f"expected a pandas or polars DataFrame, got one of {native.implementation}; convert it first"
        )
    names = [name for name in native.columns if isinstance(name, str)]
    if time not in names and getattr(getattr(frame, "index", None), "name", None) == time:
        raise ColumnError(f"the time column {time!r} is the table's index; call .reset_index() first")
    return native, kinds[native.implementation]


def matrix_of(native: nw.DataFrame[Any], names: Sequence[str], role: str) -> np.ndarray:
    """Read numeric columns as ``[rows, column]`` of float64, NaN where missing. Raises `DataError`."""
    columns = [numbers_of(native[name], role) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(native), 0))


def ids_of(column: nw.Series[Any]) -> tuple[np.ndarray, IntArray]:
    """Give the ids, and each row the number of its id, in the order of their first row. Raises `DataError`."""
    import narwhals as nw

    missing = column.is_null()
    if missing.any():
        row = int(np.flatnonzero(missing.to_numpy())[0])
        raise DataError(f"column {column.name!r}, {row_place(row)}: the id is missing; fill it in or drop the row")
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


def times_of(column: nw.Series[Any]) -> tuple[np.ndarray, str | None]:
    """Read the time column as datetime64[us] (UTC if it has a zone) or int64, and its zone. Raises `TimeStampError`."""
    import narwhals as nw

    name, kind = column.name, column.dtype
    missing = column.is_null()
    if missing.any():
        row = int(np.flatnonzero(missing.to_numpy())[0])
        raise TimeStampError(
            f"column {name!r}, {row_place(row)}: the time stamp is missing; fill it in or drop the row"
        )
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
        return parse_stamps(column.to_numpy().astype(object), name, row_place)
    raise TimeStampError(
        f"column {name!r} holds {kind}, not time stamps; give dates, ISO 8601 text, or whole numbers that count steps"
    )


def _whole_numbers(column: nw.Series[Any]) -> np.ndarray:
    numbers = column.to_numpy()
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)) | (np.abs(numbers) > 2**53))
    if wrong.size:
        row = int(wrong[0])
        raise TimeStampError(
            f"column {column.name!r}, {row_place(row)}: expected a time stamp or a whole number, got {numbers[row]!s}"
        )
    return numbers.astype(np.int64)


def numbers_of(column: nw.Series[Any], role: str) -> np.ndarray:
    """Read a numeric column, ``role`` in messages, as float64 with NaN where missing. Raises `DataError`."""
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
    raise DataError(f"column {column.name!r} holds {kind}, not numbers; convert it, or name another {role} column")


def static_of(column: nw.Series[Any]) -> StaticColumn:
    """Read a static covariate: numbers as such; text, booleans and categorical dtypes as categories.

    Raises
    ------
    DataError
        If it holds neither.
    """
    import narwhals as nw

    kind = column.dtype
    if kind.is_numeric() or (kind == nw.Unknown and column.is_null().all()):
        return StaticColumn(name=column.name, values=numbers_of(column, "static"))
    if kind not in (nw.Boolean, nw.String, nw.Object, nw.Categorical, nw.Enum):
        raise DataError(f"column {column.name!r} holds {kind}, neither numbers nor categories; convert it")
    if column.implementation is nw.Implementation.PANDAS:
        import pandas as pd

        codes, found = pd.factorize(column.to_native(), use_na_sentinel=True)
        values = np.asarray(found, object).tolist()
        if kind == nw.Object and not any(isinstance(value, (str, bool)) for value in values):
            return StaticColumn(name=column.name, values=numbers_of(column, "static"))
    else:
        values = column.drop_nulls().unique(maintain_order=True).to_list()
        codes = column.replace_strict(values, list(range(len(values))), return_dtype=nw.Int64).fill_null(-1).to_numpy()
    return _category(column.name, codes, [str(value) for value in values])


def _category(name: str, codes: np.ndarray, texts: list[str]) -> StaticColumn:
    """Bring values together that are written alike; empty text is a missing value."""
    levels = {text: place for place, text in enumerate(dict.fromkeys(text for text in texts if text))}
    place_of = np.array([*(levels.get(text, -1) for text in texts), -1])  # the last for −1
    return StaticColumn(name=name, values=place_of[codes], levels=tuple(levels))


def _numbers_among(given: list[Any], name: str) -> np.ndarray:
    values = np.full(len(given), np.nan)
    for row, value in enumerate(given):
        if value is None or value != value or type(value).__name__ == "NAType":  # noqa: PLR0124 - NaN differs from itself
            continue
        if isinstance(value, str) or not hasattr(value, "__float__"):
            raise DataError(
                f"column {name!r}, {row_place(row)}: expected a number, got {value!r}; "
                "convert the column to numbers first, with missing values where there is none"
            )
        values[row] = float(value)
    return values
