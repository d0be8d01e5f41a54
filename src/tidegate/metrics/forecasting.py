"""Errors of a forecast beside those of a naive one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import ShapeError, SpecError
from tidegate.metrics.regression import Axis, mean_observed, observed_pair

__all__ = ["mase", "owa", "per_scale", "rmsse", "seasonal_scale", "squared_seasonal_scale"]


def seasonal_scale(history: npt.ArrayLike, season: int = 1, *, axis: int = -1) -> Any:
    """Mean absolute error of the seasonal naive forecast inside the history, ``mean |y_t − y_{t−m}|``.

    It is the denominator of `mase`, in the units of ``history``.

    Parameters
    ----------
    history
        The rows that a model may be fitted on, in the order of time; NaN where nothing was observed. Pairs of which
        one is missing are left out.
    season
        Steps of a season, ``m``; 1 for a series without one.
    axis
        The axis of time.

    Returns
    -------
    float or numpy.ndarray
        ``history`` without its time axis; NaN where there is no pair (a history of ``season`` rows or fewer).

    Raises
    ------
    SpecError
        If ``season`` is not a whole number of at least 1.

    Examples
    --------
    >>> float(seasonal_scale([1.0, 2.0, 4.0, 7.0]))
    2.0
    """
    change, observed = _seasonal_change(history, season, axis)
    return mean_observed(np.abs(change), observed, -1)


def squared_seasonal_scale(history: npt.ArrayLike, season: int = 1, *, axis: int = -1) -> Any:
    """Mean squared error of the seasonal naive forecast inside the history, ``mean (y_t − y_{t−m})²``.

    It is the denominator of `rmsse`, in the squared units of ``history``. Arguments, result and refusals as in
    `seasonal_scale`.

    Examples
    --------
    >>> float(squared_seasonal_scale([1.0, 2.0, 4.0, 6.0]))
    3.0
    """
    change, observed = _seasonal_change(history, season, axis)
    return mean_observed(change**2, observed, -1)


def mase(actual: npt.ArrayLike, forecast: npt.ArrayLike, scale: npt.ArrayLike, *, axis: Axis = -1) -> Any:
    """Mean absolute scaled error: ``mean |y − f| / scale``; below 1 beats the naive in-sample, lower is better.

    Hyndman & Koehler (2006), "Another look at measures of forecast accuracy"; with the season's scale as in the M4
    competition (Makridakis et al., 2020).

    Parameters
    ----------
    actual, forecast
        As in `tidegate.metrics.mae`; time is the last axis by default.
    scale
        Of each series, from `seasonal_scale`: the shape that is left when ``axis`` is averaged away, or a number.
    axis
        The axes to average over.

    Returns
    -------
    float or numpy.ndarray
        NaN where ``scale`` is 0 or NaN, as the error has no measure there (a history without change, or shorter than
        a season); such series are to be left out of a mean, and counted.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast, or ``scale`` has another shape than the errors.
    """
    y, f, observed = observed_pair(actual, forecast)
    return per_scale(mean_observed(np.abs(y - f), observed, axis), scale, "scale")


def rmsse(actual: npt.ArrayLike, forecast: npt.ArrayLike, squared_scale: npt.ArrayLike, *, axis: Axis = -1) -> Any:
    """Root mean squared scaled error: ``√(mean (y − f)² / squared_scale)``; lower is better.

    The measure of the M5 competition (Makridakis, Spiliotis & Assimakopoulos, 2022, "M5 accuracy competition:
    Results, findings, and conclusions"), which scales by steps of one row (a season of 1) from the first sale on.
    Arguments, NaN and refusals as in `mase`.

    Parameters
    ----------
    actual, forecast
        As in `tidegate.metrics.mae`; time is the last axis by default.
    squared_scale
        Of each series, from `squared_seasonal_scale`: the shape that is left when ``axis`` is averaged away, or a
        number.
    axis
        The axes to average over.

    Examples
    --------
    >>> float(rmsse([4.0, 8.0], [7.0, 5.0], squared_scale=4.0))
    1.5
    """
    y, f, observed = observed_pair(actual, forecast)
    return np.sqrt(per_scale(mean_observed((y - f) ** 2, observed, axis), squared_scale, "squared_scale"))


def owa(smape: float, mase: float, naive_smape: float, naive_mase: float) -> float:
    """Overall weighted average, ``½·(sMAPE / sMAPE_naive + MASE / MASE_naive)``; 1 equals Naive 2, lower is better.

    Makridakis et al. (2020). Each argument is the mean over all series first, so that it is a ratio of means.

    Parameters
    ----------
    smape, mase
        Of the forecast.
    naive_smape, naive_mase
        Of the benchmark: in M4 the naive forecast of the seasonally adjusted series, Naive 2.

    Raises
    ------
    SpecError
        If an error of the benchmark is not more than 0: nothing can be measured by it.

    Examples
    --------
    >>> owa(10.0, 0.9, naive_smape=20.0, naive_mase=1.0)
    0.7
    """
    for name, error in (("naive_smape", naive_smape), ("naive_mase", naive_mase)):
        if not error > 0:
            raise SpecError(f"{name} must be more than 0 to measure others by it; got {error!r}")
    return 0.5 * (smape / naive_smape + mase / naive_mase)


def per_scale(error: npt.ArrayLike, scale: npt.ArrayLike, name: str) -> Any:
    """Divide errors by the scale of their series, called ``name`` in messages; NaN where it is 0 or NaN.

    Raises
    ------
    ShapeError
        If ``scale`` is neither a number nor of the shape of the errors.
    """
    size, unit = np.asarray(error, np.float64), np.asarray(scale, np.float64)
    if unit.ndim and unit.shape != size.shape:
        raise ShapeError(f"{name} must be a number or have the shape {size.shape} of the errors; got {unit.shape}")
    measurable = unit > 0
    return np.where(measurable, size / np.where(measurable, unit, 1.0), np.nan)[()]


def _seasonal_change(history: npt.ArrayLike, season: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Give ``y_t − y_{t−m}`` along the last axis, 0 where one of the two is missing, and where neither is."""
    if isinstance(season, bool) or not hasattr(season, "__index__") or season < 1:
        raise SpecError(f"season must be a whole number of at least 1; got {season!r}")
    y = np.moveaxis(np.asarray(history, np.float64), axis, -1)
    change = y[..., season:] - y[..., :-season]
    observed = ~np.isnan(change)
    return np.where(observed, change, 0.0), observed
