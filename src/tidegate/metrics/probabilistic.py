"""Scores of forecasts that say how sure they are: quantiles, samples, intervals.

As in `tidegate.metrics.regression`, a NaN in ``actual`` was not observed and is left out, and a NaN in the forecast of
an observed point makes the result NaN. Pinball loss, CRPS and MSIS are proper: who states what they believe scores
best in the long run (Gneiting & Raftery, 2007, "Strictly proper scoring rules, prediction, and estimation"). Coverage
and width belong together: each alone is easy to please.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import ShapeError, SpecError
from tidegate.metrics.forecasting import per_scale
from tidegate.metrics.regression import Axis, mean_observed

__all__ = ["coverage", "crps_quantiles", "crps_samples", "msis", "pinball", "width"]


def pinball(actual: npt.ArrayLike, forecast: npt.ArrayLike, probability: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Pinball (quantile) loss, ``mean max(p·(y − q), (p − 1)·(y − q))``, in the units of ``actual``; lower is better.

    Koenker & Bassett (1978), "Regression quantiles". At ``p = ½`` it is half the absolute error.

    Parameters
    ----------
    actual
        What was observed; NaN where nothing was.
    forecast
        The forecast quantile, of a shape that broadcasts with ``actual``.
    probability
        That of the quantile, ``0 < p < 1``: a number, or an array that broadcasts with the others (``[quantile]`` for
        a ``forecast`` of ``[time, quantile]`` and an ``actual`` of ``[time, 1]``).
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
    SpecError
        If a probability is not between 0 and 1.

    Examples
    --------
    >>> round(float(pinball([10.0, 10.0], [8.0, 12.0], 0.9)), 6)  # too low costs 0.9 a unit, too high 0.1
    1.0
    """
    p = _probabilities(probability)
    (y, q, p), observed = _observed(actual, forecast=forecast, probability=p)
    return mean_observed(_pinball(y - q, p), observed, axis)


def crps_quantiles(
    actual: npt.ArrayLike, quantiles: npt.ArrayLike, probabilities: npt.ArrayLike, *, axis: Axis = None
) -> Any:
    """Continuous ranked probability score from quantiles, in the units of ``actual``; lower is better.

    The CRPS is ``2·∫₀¹ pinball(y, q_p, p) dp`` (Laio & Tamea, 2007; Gneiting & Ranjan, 2011). This is its
    approximation by a sum, twice the mean of the pinball losses. It is close where the probabilities are the middles
    of equal parts of 0 … 1 (0.05, 0.15, … 0.95); others weigh some part of the distribution more. Compare only what
    was computed from the same probabilities.

    Parameters
    ----------
    actual
        What was observed, ``[...]``; NaN where nothing was.
    quantiles
        ``[..., quantile]``.
    probabilities
        ``[quantile]``, each ``0 < p < 1``, evenly spaced.
    axis
        The axes of ``actual`` to average over; ``None`` for all.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    SpecError
        If a probability is not between 0 and 1.

    Examples
    --------
    >>> round(float(crps_quantiles([3.0], [[1.0, 2.0, 4.0]], [0.25, 0.5, 0.75])), 6)  # 2 · (0.5 + 0.5 + 0.25) / 3
    0.833333
    """
    p, q = _probabilities(probabilities), np.asarray(quantiles, np.float64)
    if p.ndim != 1 or not p.size or q.shape[-1:] != p.shape:
        raise ShapeError(f"quantiles must be [..., quantile] and probabilities [quantile]; got {q.shape} and {p.shape}")
    y, q, observed = _with_members(actual, q, "quantiles")
    return mean_observed(2 * _pinball(y[..., np.newaxis] - q, p).mean(axis=-1), observed, axis)


def crps_samples(actual: npt.ArrayLike, samples: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Continuous ranked probability score from samples, ``mean |x − y| − ½·mean |x − x′|``; lower is better.

    The energy form (Gneiting & Raftery, 2007, eq. 21), exact for the empirical distribution of the samples: ``x`` and
    ``x′`` run over all pairs, a sample with itself among them. With one sample it is the absolute error. In the units
    of ``actual``. Time and memory grow as the sort does, not with the number of pairs.

    Parameters
    ----------
    actual
        What was observed, ``[...]``; NaN where nothing was.
    samples
        ``[..., sample]``, in any order.
    axis
        The axes of ``actual`` to average over; ``None`` for all.

    Raises
    ------
    ShapeError
        If the shapes do not fit, or there is no sample.

    Examples
    --------
    >>> float(crps_samples([3.0], [[1.0, 2.0, 3.0, 6.0]]))  # (2 + 1 + 0 + 3) / 4 − (1 + 2 + 5 + 1 + 4 + 3) / 16
    0.5
    """
    x = np.asarray(samples, np.float64)
    if not x.ndim or not x.shape[-1]:
        raise ShapeError(f"samples must be [..., sample] with at least one sample; got {x.shape}")
    y, x, observed = _with_members(actual, x, "samples")
    # Σᵢⱼ |xᵢ − xⱼ| = 2·Σ (2i − n − 1)·x₍ᵢ₎ over the sorted values. The weights add up to 0, so it may be taken from
    # x − y, which keeps the digits of samples that lie far from 0 and close together.
    error = np.sort(x - y[..., np.newaxis], axis=-1)
    count = error.shape[-1]
    weights = np.arange(1 - count, count, 2) / count**2
    return mean_observed(np.abs(error).mean(axis=-1) - error @ weights, observed, axis)


def msis(
    actual: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    scale: npt.ArrayLike,
    *,
    level: float,
    axis: Axis = -1,
) -> Any:
    """Mean scaled interval score: the width and a fine for what lies outside, by the scale; lower is better.

    ``mean [(u − l) + (2/α)·(l − y)·1{y < l} + (2/α)·(y − u)·1{y > u}] / scale`` with ``α = 1 − level/100``: the score
    of the M4 competition at a level of 95 (Makridakis et al., 2020), after Gneiting & Raftery (2007).

    Parameters
    ----------
    actual
        What was observed; NaN where nothing was. Time is the last axis by default.
    lower, upper
        Bounds of the central interval, of shapes that broadcast with ``actual``.
    scale
        Of each series, from `tidegate.metrics.seasonal_scale`: the shape that is left when ``axis`` is averaged away,
        or a number.
    level
        How many per cent of the truth the interval is to hold, between 0 and 100.
    axis
        The axes to average over.

    Returns
    -------
    float or numpy.ndarray
        NaN where ``scale`` is 0 or NaN, as in `tidegate.metrics.mase`.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast, or ``scale`` has another shape than the errors.
    SpecError
        If ``level`` is not between 0 and 100.

    Examples
    --------
    >>> round(float(msis([5.0, 9.0], [4.0, 4.0], [8.0, 8.0], scale=2.0, level=80)), 6)  # (4 + 4 + 10 · 1) / 2 / 2
    4.5
    """
    if isinstance(level, bool) or not hasattr(level, "__float__") or not 0 < level < 100:
        raise SpecError(f"level must be a number of per cent, 0 < level < 100; got {level!r}")
    (y, low, high), observed = _observed(actual, lower=lower, upper=upper)
    fine = 2 / (1 - level / 100)
    score = high - low + fine * (np.maximum(low - y, 0) + np.maximum(y - high, 0))
    return per_scale(mean_observed(score, observed, axis), scale, "scale")


def coverage(actual: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Share of the truth that lies in the interval, ``100·mean 1{l ≤ y ≤ u}``, in per cent.

    Neither low nor high is better: the level of the interval is the aim. Meaningless without `width` beside it.

    Parameters
    ----------
    actual
        What was observed; NaN where nothing was.
    lower, upper
        Bounds of the interval, which belong to it; of shapes that broadcast with ``actual``.
    axis
        The axes to average over; ``None`` for all.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.

    Examples
    --------
    >>> float(coverage([1.0, 2.0, 3.0, float("nan")], [0.0, 2.0, 0.0, 0.0], [2.0, 4.0, 1.0, 1.0], axis=-1).round(3))
    66.667
    """
    (y, low, high), observed = _observed(actual, lower=lower, upper=upper)
    inside = np.where((low <= y) & (y <= high), 100.0, 0.0)
    return mean_observed(np.where(np.isnan(low) | np.isnan(high), np.nan, inside), observed, axis)


def width(actual: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, *, axis: Axis = None) -> Any:
    """Mean width of the interval, ``mean (u − l)``, in the units of ``actual``; lower is better at equal coverage.

    Over the observed points only, which are those that `coverage` counts. Arguments as there; a negative width says
    that bounds cross.

    Examples
    --------
    >>> float(width([1.0, float("nan")], [0.0, 0.0], [4.0, 9.0]))
    4.0
    """
    (_, low, high), observed = _observed(actual, lower=lower, upper=upper)
    return mean_observed(high - low, observed, axis)


def _pinball(error: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Give the loss of each ``error`` = truth − quantile."""
    loss: np.ndarray = np.maximum(probability * error, (probability - 1) * error)
    return loss


def _probabilities(value: npt.ArrayLike) -> np.ndarray:
    p = np.asarray(value, np.float64)
    if not ((p > 0) & (p < 1)).all():
        raise SpecError(f"probabilities must lie between 0 and 1, the ends excluded; got {value!r}")
    return p


def _observed(actual: npt.ArrayLike, **others: npt.ArrayLike) -> tuple[list[np.ndarray], np.ndarray]:
    """Give all as float64 of one shape, 0 where ``actual`` is NaN, and the mask of where it is not."""
    named = {"actual": np.asarray(actual, np.float64)}
    named |= {name: np.asarray(value, np.float64) for name, value in others.items()}
    try:
        arrays = np.broadcast_arrays(*named.values())
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in named.items())
        raise ShapeError(f"these must broadcast: {shapes}") from error
    observed = ~np.isnan(arrays[0])
    return [np.where(observed, array, 0.0) for array in arrays], observed


def _with_members(actual: npt.ArrayLike, members: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give ``actual`` [...] and its quantiles or samples [..., member], 0 where it is NaN, and where it is not."""
    y = np.asarray(actual, np.float64)
    if y.shape != members.shape[:-1]:
        raise ShapeError(
            f"{name} must have the shape of actual, {y.shape}, and one axis more at the end; got {members.shape}"
        )
    observed = ~np.isnan(y)
    return np.where(observed, y, 0.0), np.where(observed[..., np.newaxis], members, 0.0), observed
