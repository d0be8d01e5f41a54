"""Series and what is said of them, as they are given to ``fit``, ``score`` and ``evaluate``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data.ragged import Ragged
from tidegate.data.sequences import LabelledSeries, SeriesLike, series_of
from tidegate.errors import DataError, ShapeError
from tidegate.specs import Columns

__all__ = ["columns_of", "numbers_of", "require_channels", "require_width", "said_of", "weights_of"]

_LARGEST = 1e15  # as of the values of series


def said_of(X: SeriesLike, y: npt.ArrayLike | None, *, channels: int | None = None) -> tuple[Ragged, npt.NDArray[Any]]:
    """Read series together with their labels or numbers, which either stand in ``X`` or are ``y``.

    Raises
    ------
    DataError
        If there are none, or twice.
    ShapeError
        If there are not as many as series; and as `series_of`.
    """
    own = X.labels if isinstance(X, LabelledSeries) else None
    if own is not None and y is not None:
        raise DataError("the series have labels of their own; leave y out, or give series without labels")
    if own is None and y is None:
        raise DataError("expected a label or a number for each series; got none: give y")
    sequences = series_of(X, channels=channels)
    given = own if own is not None else _column(y)
    if len(given) != len(sequences):
        raise ShapeError(f"expected one label a series: {len(sequences)} series; got {len(given)} label(s)")
    return sequences, given


def columns_of(X: SeriesLike) -> Columns | None:
    """Give the columns of the table that series come from, if they come from one."""
    return X.columns if isinstance(X, LabelledSeries) else None


def numbers_of(given: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Take what is said of series for numbers. Raises `DataError` for one that is none."""
    numbers = np.empty(len(given))
    for row, value in enumerate(given.tolist()):
        try:
            numbers[row] = float(value)
        except (TypeError, ValueError):
            numbers[row] = np.nan
        if not np.isfinite(numbers[row]):
            raise DataError(f"expected finite numbers to regress; that of series {row} is {value!r}")
        if abs(numbers[row]) > _LARGEST:  # its square may be infinite
            raise DataError(f"the number of series {row} is {value!r}, beyond ±{_LARGEST:g}; take a larger unit")
    return numbers


def weights_of(given: npt.ArrayLike | None, series: int) -> npt.NDArray[np.float64] | None:
    """Check weights of examples. Raises `ShapeError`, `DataError`."""
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.shape != (series,):
        raise ShapeError(f"expected one weight a series, [{series}]; got shape {list(weights.shape)}")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise DataError(f"weights must be finite and at least 0; that of series {wrong[0]} is {weights[wrong[0]]}")
    if not weights.any():
        raise DataError("all weights are 0: nothing would be learned")
    return weights


def require_channels(sequences: Ragged) -> None:
    """Refuse a channel of which no series of training has a value. Raises `DataError`."""
    missing = np.isnan(sequences.flat).all(axis=0)
    if missing.any():
        raise DataError(f"channel {missing.argmax()} has no value in any series, all are missing; leave it out")


def require_width(sequences: Ragged, channels: int) -> None:
    """Refuse series that a teacher cannot read. Raises `ShapeError`."""
    given = sequences.flat.shape[1]
    if given != channels:
        raise ShapeError(
            f"the teacher reads series of {channels} channel(s), the student's have {given}; give the same"
        )


def _column(y: Any) -> npt.NDArray[Any]:
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ShapeError(f"expected labels as [series]; got shape {list(array.shape)}")
    if isinstance(y, list | tuple) and array.dtype.kind == "U":  # numpy makes texts of ["a", 1]
        array = np.array(y, dtype=object)
    return array
