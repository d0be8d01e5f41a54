"""Scores of forecasts of many windows, pooled, or apart by step, series, window or target.

Arrays end in ``[step, target]``; what stands before (windows; or windows and series) is pooled like the rest. ``keep``
names the axes that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tidegate import metrics
from tidegate.data import SeriesTable
from tidegate.errors import SpecError
from tidegate.forecast.baselines import FloatArray, IntArray
from tidegate.metrics.regression import mean_observed
from tidegate.specs import checks

__all__ = [
    "CRPS_PROBABILITIES",
    "Scores",
    "bounds_of",
    "check_levels",
    "interval_scores",
    "levels_of",
    "numbers",
    "point_scores",
    "quantile_scores",
    "score_table",
    "seasonal_scales",
    "wanted_probabilities",
    "written",
]

Scores: TypeAlias = dict[str, Any]
"""A metric's name to a number, or to an array of the axes that were kept."""

CRPS_PROBABILITIES = tuple(round(0.05 + 0.1 * index, 2) for index in range(10))
"""The middles of ten equal parts of 0 … 1. Every CRPS is made of them, so that one can be compared with another."""


def point_scores(
    actual: FloatArray,
    forecasts: Mapping[str, FloatArray],
    scale: FloatArray,
    squared_scale: FloatArray,
    *,
    keep: tuple[int, ...] = (),
) -> dict[str, Scores]:
    """Score every model's forecasts.

    MAE, RMSE, MAPE, sMAPE and R2 are pooled over every observed value. MASE and RMSSE are taken of each window and
    series over its steps, then averaged over those that have a scale; where steps are kept, MASE averages the scaled
    errors at each step and RMSSE is the root of their mean square. OWA is relative to the forecasts called
    ``"naive2"``, and left out where there are none.

    Parameters
    ----------
    actual
        ``[..., step, target]``; NaN where nothing was observed.
    forecasts
        A model's name to an array like ``actual``.
    scale, squared_scale
        ``[..., target]``, from `seasonal_scales`.
    keep
        The axes to score apart.
    """
    scores = {name: _point_scores(actual, values, scale, squared_scale, keep) for name, values in forecasts.items()}
    if "naive2" in scores:
        benchmark = scores["naive2"].copy()
        for one in scores.values():
            one["OWA"] = 0.5 * sum(_ratio(one[metric], benchmark[metric]) for metric in ("sMAPE", "MASE"))
    return scores


def quantile_scores(
    actual: FloatArray,
    quantiles: FloatArray,
    probabilities: FloatArray,
    *,
    levels: tuple[float, ...],
    keep: tuple[int, ...] = (),
) -> Scores:
    """Give pinball loss and CRPS, pooled over every observed value.

    The pinball loss is the mean over the bounds of the intervals of ``levels`` and the median. The CRPS is
    approximated as in `tidegate.metrics.crps_quantiles`, on `CRPS_PROBABILITIES`.

    Parameters
    ----------
    actual
        ``[..., step, target]``; NaN where nothing was observed.
    quantiles
        ``[..., step, target, quantile]``.
    probabilities
        ``[quantile]``, ascending: those of `wanted_probabilities`.
    levels
        In per cent.
    keep
        The axes of ``actual`` to score apart.
    """
    axes = _others(actual, keep)
    asked = np.searchsorted(probabilities, sorted({0.5, *(bound for level in levels for bound in bounds_of(level))}))
    grid = np.searchsorted(probabilities, CRPS_PROBABILITIES)
    loss = metrics.pinball(actual[..., None], quantiles[..., asked], probabilities[asked], axis=(*axes, actual.ndim))
    return {
        "pinball": loss,
        "CRPS": metrics.crps_quantiles(actual, quantiles[..., grid], probabilities[grid], axis=axes),
    }


def interval_scores(
    actual: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    scale: FloatArray,
    *,
    level: float,
    keep: tuple[int, ...] = (),
) -> Scores:
    """Give coverage (%) and width, pooled over every observed value, and MSIS, averaged as MASE is in `point_scores`.

    Arrays as there; ``lower`` and ``upper`` are like ``actual``.
    """
    axes = _others(actual, keep)

    def scaled(unit: FloatArray, axis: tuple[int, ...]) -> Any:
        return metrics.msis(actual, lower, upper, unit, level=level, axis=axis)

    return {
        "coverage": metrics.coverage(actual, lower, upper, axis=axes),
        "width": metrics.width(actual, lower, upper, axis=axes),
        "MSIS": _mean_scaled(scaled, actual, scale, keep),
    }


def levels_of(levels: Sequence[float]) -> tuple[float, ...]:
    """Check levels in per cent, and give them in ascending order, each once. Raises `SpecError`."""
    if not isinstance(levels, Iterable):
        raise SpecError(f"levels must be several numbers in per cent, such as [80, 95]; got {levels!r}")
    for level in levels:
        checks.number("a level", level)
        if not 0 < level < 100:
            raise SpecError(f"levels are in per cent, more than 0 and less than 100, such as 80; got {level!r}")
    return tuple(sorted({float(level) for level in levels}))


def check_levels(levels: Sequence[float], *, has_quantiles: bool) -> tuple[float, ...]:
    """Give levels as `levels_of` does, of a model that has intervals.

    Raises
    ------
    SpecError
        If one is not more than 0 and less than 100, or the model has no quantiles.
    """
    asked = levels_of(levels)
    if asked and not has_quantiles:
        raise SpecError(f"levels {list(levels)} need a model with quantiles, and this one gives points alone")
    return asked


def bounds_of(level: float) -> tuple[float, float]:
    """Give the probabilities of the ends of a central interval of ``level`` per cent.

    >>> bounds_of(80)
    (0.1, 0.9)
    """
    tail = round((100 - level) / 200, 12)  # 0.1, where plain arithmetic may say 0.09999999999999998
    return tail, round(1 - tail, 12)


def wanted_probabilities(levels: tuple[float, ...]) -> FloatArray:
    """Give what a model is asked for, ascending: the bounds of every level, the median, `CRPS_PROBABILITIES`.

    >>> wanted_probabilities((80,)).tolist()
    [0.05, 0.1, 0.15, 0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85, 0.9, 0.95]
    """
    return np.array(sorted({0.5, *CRPS_PROBABILITIES, *(bound for level in levels for bound in bounds_of(level))}))


def seasonal_scales(table: SeriesTable, ends: IntArray, season: int) -> tuple[FloatArray, FloatArray]:
    """Give the mean size and the mean square of the seasonal change before each end: of MASE and MSIS, and of RMSSE.

    Both are ``[n, target]``, of nothing but the rows before the flat rows ``ends`` [n] in the same series; NaN where no
    two observed values lie a season apart.
    """
    change = np.full_like(table.values, np.nan)
    change[season:] = table.values[season:] - table.values[:-season]
    place = np.arange(len(change)) - np.repeat(table.offsets[:-1], table.lengths)
    change[place < season] = np.nan  # across the border of two series
    known = ~np.isnan(change)
    size = np.where(known, np.abs(change), 0.0)

    def before(values: FloatArray) -> FloatArray:
        running = np.empty_like(values)
        for start, stop in zip(table.offsets[:-1], table.offsets[1:], strict=True):
            # Each series from zero: in one sum over all, a large series would swallow the digits of a small one.
            np.cumsum(values[start:stop], axis=0, out=running[start:stop])
        return running[ends - 1]

    count = before(known.astype(np.float64))
    scale, squared = (np.where(count > 0, before(values) / np.maximum(count, 1), np.nan) for values in (size, size**2))
    return scale, squared


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Lay scores out in columns, a model a line; a dash where a model has no such score."""
    names = list(dict.fromkeys(name for score in scores.values() for name in score))
    rows = [["", *names]]
    rows += [
        [model, *(f"{score[name]:.4g}" if name in score else "–" for name in names)] for model, score in scores.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def written(
    scores: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Mapping[float, Mapping[str, float]]]
) -> str:
    """Lay the scores of all models out, and below them those of each model's intervals, a level a line."""
    spans = {f"{model}, {level:g} %": each for model, levels in intervals.items() for level, each in levels.items()}
    return "\n\n".join(score_table(table) for table in (scores, spans) if table)


def numbers(scores: Mapping[Any, Scores]) -> dict[Any, dict[str, float]]:
    """Turn scores of which no axis was kept into plain numbers."""
    return {name: {metric: float(value) for metric, value in each.items()} for name, each in scores.items()}


def _point_scores(
    actual: FloatArray, forecast: FloatArray, scale: FloatArray, squared_scale: FloatArray, keep: tuple[int, ...]
) -> Scores:
    axes = _others(actual, keep)

    def absolute(unit: FloatArray, axis: tuple[int, ...]) -> Any:
        return metrics.mase(actual, forecast, unit, axis=axis)

    def root(unit: FloatArray, axis: tuple[int, ...]) -> Any:
        return metrics.rmsse(actual, forecast, unit, axis=axis)

    def square(unit: FloatArray, axis: tuple[int, ...]) -> Any:
        return root(unit, axis) ** 2

    if actual.ndim - 2 in keep:  # of one error the root is its size: at a step, squares are averaged first
        rmsse = np.sqrt(_mean_scaled(square, actual, squared_scale, keep))
    else:
        rmsse = _mean_scaled(root, actual, squared_scale, keep)
    return {
        "MAE": metrics.mae(actual, forecast, axis=axes),
        "RMSE": metrics.rmse(actual, forecast, axis=axes),
        "MAPE": metrics.mape(actual, forecast, axis=axes),
        "sMAPE": metrics.smape(actual, forecast, axis=axes),
        "R2": metrics.r2(actual, forecast, axis=axes),
        "MASE": _mean_scaled(absolute, actual, scale, keep),
        "RMSSE": rmsse,
    }


def _mean_scaled(
    score: Callable[[FloatArray, tuple[int, ...]], Any], actual: FloatArray, scale: FloatArray, keep: tuple[int, ...]
) -> Any:
    """Take a scaled score over the steps, unless they are kept; average it over all that can be measured.

    A forecast that is missing makes the average NaN; a series without a scale, or a window without truth, does not.
    """
    step = actual.ndim - 2
    observed = ~np.isnan(actual)
    if step in keep:
        unit = np.broadcast_to(scale[..., None, :], actual.shape)
        return mean_observed(score(unit, ()), observed & (unit > 0), _others(actual, keep))
    each, measurable = score(scale, (step,)), observed.any(axis=step) & (scale > 0)  # [..., target]
    return mean_observed(np.expand_dims(each, step), np.expand_dims(measurable, step), _others(actual, keep))


def _ratio(error: Any, benchmark: Any) -> Any:
    measurable = np.asarray(benchmark) > 0
    return np.where(measurable, error / np.where(measurable, benchmark, 1.0), np.nan)[()]


def _others(actual: FloatArray, keep: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(actual.ndim) if axis not in keep)
