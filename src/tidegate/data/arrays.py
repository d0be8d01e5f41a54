"""The tutorial's way: one array in, windows and their targets out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError, ShapeError, ShortSeriesError
from tidegate.specs import checks

__all__ = ["numeric_array", "sliding_windows"]


def sliding_windows(
    values: npt.ArrayLike, context: int, horizon: int = 1, *, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a sequence into windows of ``context`` steps and the ``horizon`` steps that follow each.

    Parameters
    ----------
    values
        The sequence in the order of time, ``[time]`` or ``[time, feature]``.
    context
        Steps that a model sees.
    horizon
        Steps that it has to forecast.
    stride
        Steps from the start of one window to the start of the next.

    Returns
    -------
    X
        ``[window, context, feature]``; one feature if ``values`` is ``[time]``.
    y
        ``[window, horizon]`` if ``values`` is ``[time]``, else ``[window, horizon, feature]``.

    Raises
    ------
    SpecError
        If ``context``, ``horizon`` or ``stride`` is not a whole number of at least 1.
    ShapeError
        If ``values`` has another shape or is not numeric.
    DataError
        If a value is NaN or infinite.
    ShortSeriesError
        If there are fewer steps than one window needs.

    Examples
    --------
    >>> X, y = sliding_windows([0, 1, 2, 3, 4], context=3)
    >>> X[:, :, 0].tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3]], [[3], [4]])
    """
    for name, option in (("context", context), ("horizon", horizon), ("stride", stride)):
        checks.whole(name, option)
    sequence = numeric_array("values", values)
    if sequence.ndim > 2:
        raise ShapeError(f"values must be [time] or [time, feature]; got shape {sequence.shape}")
    window = context + horizon
    if len(sequence) < window:
        raise ShortSeriesError(
            f"a window needs {window} steps (context {context} + horizon {horizon}); values has {len(sequence)}; "
            "give a longer sequence or a shorter context"
        )
    view = np.lib.stride_tricks.sliding_window_view(sequence, window, axis=0)[::stride]  # [window, (feature,) step]
    if sequence.ndim == 2:
        view = view.swapaxes(1, 2)  # [window, step, feature]
    X, y = view[:, :context].copy(), view[:, context:].copy()
    return (X[:, :, np.newaxis] if sequence.ndim == 1 else X), y


def numeric_array(name: str, given: Any) -> np.ndarray:
    """Turn ``given`` into an array of finite numbers with at least one row; ``name`` stands in the messages.

    Raises
    ------
    ShapeError
        If it is empty or not numeric.
    DataError
        If a float is NaN or infinite; the message names the row.
    """
    array = np.asarray(given)
    if array.ndim == 0 or array.size == 0:
        raise ShapeError(f"{name} must hold at least one row; got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ShapeError(f"{name} must be an array of numbers; got dtype {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(axis) for axis in np.argwhere(~np.isfinite(array))[0])
        raise DataError(
            f"{name} must be finite; row {place[0]} holds {array[place]} (at index {place}); "
            "drop such rows, or fill them before training"
        )
    return array
