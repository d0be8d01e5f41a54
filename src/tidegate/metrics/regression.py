"""Errors of a forecast or a regression, on arrays of any shape.

Every function takes ``actual`` and ``forecast`` (shapes that broadcast) and an ``axis`` to average over (``None``:
all of it). Where ``actual`` is NaN nothing was observed, and the point is left out; where no point is left the result
is NaN. A NaN in the forecast of an observed point makes the result NaN: a model that gives no number earns no score.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.errors import ShapeError

__all__ = ["Axis", "mae", "mape", "mean_observed", "mse", "observed_pair", "r2", "rmse", "smape"]

Axis: TypeAlias = int | tuple[int, ...] | None


def mae(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Mean absolute error, ``mean |y − f|``, in the units of ``actual``; lower is better.

    Parameters
    ----------
    actual
        What was observed; NaN where nothing was.
    forecast
        What was forecast, of a shape that broadcasts with ``actual``.
    axis
        The axes to average over; ``None`` for all.

    Returns
    -------
    float or numpy.ndarray
        A number if ``axis`` is ``None``, else an array of the remaining axes; NaN where nothing was observed.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.

    Examples
    --------
    >>> float(mae([1.0, 2.0, float("nan")], [2.0, 4.0, 9.0]))
    1.5
    """
    y, f, observed = observed_pair(actual, forecast)
    return mean_observed(np.abs(y - f), observed, axis)


def mse(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Mean squared error, ``mean (y − f)²``, in squared units; lower is better. Arguments as in `mae`."""
    y, f, observed = observed_pair(actual, forecast)
    return mean_observed((y - f) ** 2, observed, axis)


def rmse(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Root mean squared error, ``√(mean (y − f)²)``, in the units of ``actual``; lower is better.

    Arguments as in `mae`.
    """
    return np.sqrt(mse(actual, forecast, axis=axis))


def mape(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Mean absolute percentage error, ``mean 100·|y − f| / |y|``, in per cent; lower is better.

    It is undefined at ``y = 0``: such points are left out. It punishes forecasts above the truth more than those
    below (Hyndman & Koehler, 2006, "Another look at measures of forecast accuracy"). Arguments as in `mae`.
    """
    y, f, observed = observed_pair(actual, forecast)
    defined = observed & (y != 0)
    return mean_observed(100 * np.abs(y - f) / np.where(defined, np.abs(y), 1.0), defined, axis)


def smape(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Symmetric mean absolute percentage error, ``mean 200·|y − f| / (|y| + |f|)``, 0 to 200; lower is better.

    The form of the M4 competition (Makridakis, Spiliotis & Assimakopoulos, 2020, "The M4 Competition: 100,000 time
    series and 61 forecasting methods"). Where both are 0 the forecast is perfect and the point counts as 0.
    Arguments as in `mae`.
    """
    y, f, observed = observed_pair(actual, forecast)
    size = np.abs(y) + np.abs(f)
    return mean_observed(200 * np.abs(y - f) / np.where(size == 0, 1.0, size), observed, axis)


def r2(actual: npt.ArrayLike, forecast: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Coefficient of determination, ``1 − Σ(y − f)² / Σ(y − ȳ)²``; 1 is perfect, higher is better.

    0 is as good as the mean of ``actual``, which no forecast could know; negative values are common in forecasting.
    Where ``actual`` is constant it is 1 for a perfect forecast and −∞ for any other. Arguments as in `mae`.
    """
    y, f, observed = observed_pair(actual, forecast)
    centre = np.expand_dims(mean_observed(y, observed, axis), _axes(axis, y.ndim))
    unexplained = np.asarray(mean_observed((y - f) ** 2, observed, axis))
    spread = np.asarray(mean_observed((y - centre) ** 2, observed, axis))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((spread == 0) & (unexplained == 0), 0.0, unexplained / spread)
    return (1 - ratio)[()]


def observed_pair(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give both as float64 of one shape, with the mask of the observed points. Raises `ShapeError`.

    Unobserved points hold 0 in both, so that nothing has to be said about arithmetic on NaN.
    """
    y, f = np.asarray(actual, np.float64), np.asarray(forecast, np.float64)
    try:
        y, f = np.broadcast_arrays(y, f)
    except ValueError as error:
        raise ShapeError(f"actual {np.shape(actual)} and forecast {np.shape(forecast)} must broadcast") from error
    observed = ~np.isnan(y)
    return np.where(observed, y, 0.0), np.where(observed, f, 0.0), observed


def mean_observed(values: np.ndarray, observed: np.ndarray, axis: Axis) -> Any:
    """Average where ``observed``; NaN where nothing is."""
    count = observed.sum(axis=axis)
    total = np.where(observed, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)[()]


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return axis if isinstance(axis, tuple) else (axis,)
