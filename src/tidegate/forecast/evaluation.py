"""Scores of a fitted model on many windows of a table, beside the baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tidegate.data import SeriesTable, Windows
from tidegate.forecast.baselines import FloatArray, IntArray
from tidegate.forecast.folds import MODEL, Forecast, QuantileForecast, truth_and_baselines
from tidegate.forecast.scores import (
    Scores,
    bounds_of,
    check_levels,
    interval_scores,
    numbers,
    point_scores,
    quantile_scores,
    seasonal_scales,
    wanted_probabilities,
    written,
)

__all__ = ["Evaluation", "evaluate_windows"]

_CHUNK = 2**23  # quantiles that are held at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores over a set of windows, in the units of the data.

    Attributes
    ----------
    windows, series
        How many windows were scored, of how many series.
    season
        Steps of a season: of seasonal naive, MASE, RMSSE and MSIS.
    scores, intervals
        As in `Backtest`.
    """

    windows: int
    series: int
    season: int
    scores: dict[str, dict[str, float]]
    intervals: dict[str, dict[float, dict[str, float]]] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return written(self.scores, self.intervals)


def evaluate_windows(
    table: SeriesTable,
    windows: Windows,
    forecast: Forecast,
    *,
    season: int,
    baselines: Sequence[str],
    quantiles: QuantileForecast | None = None,
    levels: Sequence[float] = (),
) -> Evaluation:
    """Score a model and the baselines on windows of a table.

    Parameters
    ----------
    table, windows
        The series with the truth, and where to forecast.
    forecast, quantiles
        The model's forecasts, and its quantiles if it has any.
    season
        Steps of a season.
    baselines
        Names out of `BASELINES` and `STATISTICAL`.
    levels
        Of the intervals to score, in per cent; they need ``quantiles``.

    Raises
    ------
    SpecError
        If a baseline or a level cannot be.
    MissingExtraError
        If a baseline needs a library that is not installed.
    """
    asked = check_levels(levels, has_quantiles=quantiles is not None)
    series, ends = windows.series, windows.ends
    actual, forecasts = truth_and_baselines(table, series, ends, windows.horizon, season, baselines)
    forecasts = {MODEL: forecast(series, ends), **forecasts}
    scale, squared_scale = seasonal_scales(table, ends, season)
    scores = numbers(point_scores(actual, forecasts, scale, squared_scale))
    intervals = {}
    if quantiles is not None:
        found, intervals[MODEL] = _in_chunks(actual, scale, series, ends, quantiles, asked)
        scores[MODEL] |= found
    return Evaluation(
        windows=len(windows), series=len(np.unique(series)), season=season, scores=scores, intervals=intervals
    )


def _in_chunks(
    actual: FloatArray,
    scale: FloatArray,
    series: IntArray,
    ends: IntArray,
    quantiles: QuantileForecast,
    levels: tuple[float, ...],
) -> tuple[dict[str, float], dict[float, dict[str, float]]]:
    """Score quantiles of many windows, [n, step, target], without holding them all; as on the whole."""
    probabilities = wanted_probabilities(levels)
    size = max(1, _CHUNK // (actual[0].size * len(probabilities)))
    parts: list[list[Scores]] = []  # of each chunk: the scores of its quantiles, then of each level, [window, target]
    for start in range(0, len(ends), size):
        part = slice(start, start + size)
        found = quantiles(series[part], ends[part], probabilities)
        scores = [quantile_scores(actual[part], found, probabilities, levels=levels, keep=(0, 2))]
        for level in levels:
            low, high = np.moveaxis(found[..., np.searchsorted(probabilities, bounds_of(level))], -1, 0)
            scores.append(interval_scores(actual[part], low, high, scale[part], level=level, keep=(0, 2)))
        parts.append(scores)
    count = (~np.isnan(actual)).sum(axis=1)
    measurable = (count > 0) & (scale > 0)

    def pooled(rank: int) -> dict[str, float]:
        columns = {name: np.concatenate([part[rank][name] for part in parts]) for name in parts[0][rank]}
        return {name: _mean(each, measurable if name == "MSIS" else count) for name, each in columns.items()}

    return pooled(0), {level: pooled(rank) for rank, level in enumerate(levels, start=1)}


def _mean(values: FloatArray, weights: np.ndarray) -> float:
    counted = weights > 0
    return float(np.average(values[counted], weights=weights[counted])) if counted.any() else float("nan")
