"""From errors of windows to errors of points: every point has several windows that cover it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "average_of_observed", "covering_errors", "median_of_observed", "smoothed"]

FloatArray = npt.NDArray[np.floating]


def covering_errors(chunks: Iterable[FloatArray], *, steps: int, together: str = "median") -> FloatArray:
    """Give each point the median of its errors in all windows that cover it, or their mean.

    The median, and not the mean: a window with an anomaly anywhere is built badly everywhere, and beside an anomaly
    half of the windows that cover a point still lie clear of it. It also takes no notice of the few windows of which
    the point is the edge.

    Parameters
    ----------
    chunks
        Errors of windows that follow each other at a distance of one step, ``[window, step, target]``; together all
        windows of one series. NaN where there is no error.
    steps
        Of a window.
    together
        ``"median"`` or ``"mean"``.

    Returns
    -------
    numpy.ndarray
        ``[window + steps − 1, target]``: of the first step of the first window to the last of the last; NaN where no
        window has an error.
    """
    carried: FloatArray | None = None  # windows that cover points of the next chunk too
    results = []
    for chunk in chunks:
        carried = np.full((steps - 1, *chunk.shape[1:]), np.nan, chunk.dtype) if carried is None else carried
        windows = np.concatenate([carried, chunk])
        results.append(_averages(windows, len(chunk), steps, together))
        carried = windows[len(windows) - (steps - 1) :]
    if carried is None:
        raise ValueError("there must be at least one chunk")
    if steps > 1:  # the points that only the last windows reach
        beyond = np.full_like(carried, np.nan)
        results.append(_averages(np.concatenate([carried, beyond]), steps - 1, steps, together))
    return np.concatenate(results)


def _averages(windows: FloatArray, points: int, steps: int, together: str) -> FloatArray:
    """Give the averages for the last ``points`` windows' first steps; ``steps − 1`` windows lie before them."""
    back = np.arange(steps)
    which = np.arange(steps - 1, steps - 1 + points)[:, np.newaxis] - back  # [point, step]: the window that began there
    return average_of_observed(windows[which, back], together)


def average_of_observed(errors: FloatArray, together: str) -> FloatArray:
    """Give the ``"median"`` or the ``"mean"`` over the second axis, as `median_of_observed` does."""
    if together == "median" or errors.shape[1] == 1:
        return median_of_observed(errors)
    observed = ~np.isnan(errors)
    count = observed.sum(axis=1)
    total = np.where(observed, errors, 0.0).sum(axis=1)
    average: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return average


def median_of_observed(errors: FloatArray) -> FloatArray:
    """Give the median over the second axis of ``[point, step, target]``, without NaN; NaN where all are."""
    if errors.shape[1] == 1:
        return errors[:, 0]
    ordered = np.sort(errors, axis=1)  # NaN last
    count = (~np.isnan(ordered)).sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.maximum(count, 1) // 2, axis=1)
    return ((low + high) / 2)[:, 0]


def smoothed(errors: FloatArray, rows: int) -> FloatArray:
    """Give the root mean square of ``rows`` errors around each, ``[row, target]``; NaN stays, and is left out."""
    if rows == 1:
        return errors
    observed = ~np.isnan(errors)
    start = np.arange(len(errors)) - (rows - 1) // 2
    first, last = np.maximum(start, 0), np.minimum(start + rows, len(errors))

    def around(values: FloatArray) -> FloatArray:
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        summed: FloatArray = total[last] - total[first]
        return summed

    square = around(np.where(observed, errors, 0.0) ** 2)
    count = around(observed.astype(np.float64))
    result: FloatArray = np.where(observed, np.sqrt(np.maximum(square, 0.0) / np.maximum(count, 1.0)), np.nan)
    return result
