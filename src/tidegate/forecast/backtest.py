"""Forecasts of the past: windows of truth that the model has not seen, with the baselines beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.data import SeriesTable
from tidegate.forecast.baselines import FloatArray
from tidegate.forecast.evaluation import Evaluation, evaluate_windows
from tidegate.forecast.folds import (
    MODEL,
    Folds,
    Forecast,
    QuantileForecast,
    fit_folds,
    make_folds,
    truth_and_baselines,
)
from tidegate.forecast.scores import (
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
from tidegate.metrics.regression import mean_observed
from tidegate.specs import checks

__all__ = [
    "Backtest",
    "Evaluation",
    "Folds",
    "Forecast",
    "QuantileForecast",
    "backtest_folds",
    "evaluate_windows",
    "fit_folds",
    "make_folds",
]

AXES = ("window", "series", "step", "target")
AnyArray: TypeAlias = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backtest:
    """Forecasts beside what came, in the units of the data.

    Attributes
    ----------
    ids
        [series].
    targets
        Names of the variables.
    cutoffs
        [window, series]: the last time stamp that was seen.
    times
        [window, series, step].
    actual
        [window, series, step, target]; NaN where nothing was observed, or the series had no room for the window.
    forecasts
        A model's name to an array like `actual`: ``"tidegate"`` first, then the baselines.
    season
        Steps of a season: of seasonal naive, Naive2, MASE, RMSSE and MSIS.
    scores
        A model's name to MAE, RMSE, MAPE (%), sMAPE (%), R2, MASE, RMSSE and, if Naive2 is among the baselines, OWA;
        for a model with quantiles also pinball (loss) and CRPS. All are pooled over every observed value but MASE and
        RMSSE, which are averaged over windows and series, and OWA, which is relative to Naive2. Lower is better,
        except for R2.
    scale, squared_scale
        [window, series, target]: mean size and mean square of the seasonal change before the window, by which MASE and
        MSIS, and RMSSE, measure.
    levels
        Of the intervals, in per cent.
    probabilities
        [quantile], ascending: the bounds of every level, the median, and those that CRPS is made of.
    quantiles
        A model's name to [window, series, step, target, quantile], for the models that have them.
    intervals
        A model's name to a level to coverage (%; the level is the aim), width and MSIS (lower is better).
    """

    ids: AnyArray
    targets: tuple[str, ...]
    cutoffs: AnyArray
    times: AnyArray
    actual: FloatArray
    forecasts: dict[str, FloatArray]
    season: int
    scores: dict[str, dict[str, float]]
    scale: FloatArray | None = None
    squared_scale: FloatArray | None = None
    levels: tuple[float, ...] = ()
    probabilities: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))
    quantiles: dict[str, FloatArray] = dataclasses.field(default_factory=dict)
    intervals: dict[str, dict[float, dict[str, float]]] = dataclasses.field(default_factory=dict)

    @property
    def windows(self) -> int:
        """How many windows each series was cut into."""
        return len(self.actual)

    def __str__(self) -> str:
        return written(self.scores, self.intervals)

    def bounds(self, level: float, model: str = MODEL) -> tuple[FloatArray, FloatArray]:
        """Give the lower and the upper ends of a model's intervals, each like `actual`.

        Raises
        ------
        SpecError
            If the backtest has no such level, or the model no quantiles.
        """
        checks.one_of("level", level, self.levels)
        checks.one_of("model", model, tuple(self.quantiles))
        low, high = np.searchsorted(self.probabilities, bounds_of(level))
        return self.quantiles[model][..., low], self.quantiles[model][..., high]

    def scores_by(self, *axes: str) -> dict[str, dict[str, FloatArray]]:
        """Give the scores apart, such as those of each step, ``"step"``, or of each series, ``"series"``.

        Parameters
        ----------
        axes
            Out of ``"window"``, ``"series"``, ``"step"`` and ``"target"``.

        Returns
        -------
        dict
            A model's name to a metric's to an array, whose axes are those asked for, in the order above. NaN where
            there is nothing to score. At a step MASE averages the scaled errors and RMSSE is the root of their mean
            square; without ``"step"`` both are as in `scores`.
        """
        keep = _kept(axes)
        scores = point_scores(self.actual, self.forecasts, *self._scales(), keep=keep)
        for name, quantiles in self.quantiles.items():
            scores[name] |= quantile_scores(self.actual, quantiles, self.probabilities, levels=self.levels, keep=keep)
        return scores

    def intervals_by(self, *axes: str) -> dict[str, dict[float, dict[str, FloatArray]]]:
        """Give coverage, width and MSIS apart, as `scores_by` does: of a model, of a level, of a metric an array."""
        keep, (scale, _) = _kept(axes), self._scales()
        return {
            name: {
                level: interval_scores(self.actual, *self.bounds(level, name), scale, level=level, keep=keep)
                for level in self.levels
            }
            for name in self.quantiles
        }

    def calibration(self, *axes: str) -> dict[str, FloatArray]:
        """Give how often the truth lay at or below each quantile: a model's name to shares, ``[…, quantile]``.

        Well calibrated is a share equal to the probability. Axes as in `scores_by`; NaN where nothing was observed.
        """
        observed = ~np.isnan(self.actual)[..., None]
        pooled = tuple(index for index in range(len(AXES)) if index not in _kept(axes))
        return {
            name: mean_observed(
                np.where(np.isnan(quantiles), np.nan, self.actual[..., None] <= quantiles), observed, pooled
            )
            for name, quantiles in self.quantiles.items()
        }

    def _scales(self) -> tuple[FloatArray, FloatArray]:
        unknown = np.full((*self.actual.shape[:2], self.actual.shape[3]), np.nan)
        return (
            unknown if self.scale is None else self.scale,
            unknown if self.squared_scale is None else self.squared_scale,
        )


def backtest_folds(
    table: SeriesTable,
    folds: Folds,
    models: Sequence[Forecast],
    *,
    season: int,
    baselines: Sequence[str],
    quantiles: Sequence[QuantileForecast] = (),
    levels: Sequence[float] = (),
) -> Backtest:
    """Forecast every window with the model of its fold and with the baselines, and score them.

    Parameters
    ----------
    table
        The series, with the truth.
    folds
        Where the forecasts begin.
    models
        One a window: the model that may forecast it.
    season
        Steps of a season.
    baselines
        Names out of `BASELINES` and `STATISTICAL`.
    quantiles
        One a window: the quantiles of the same models; none if they have none.
    levels
        Of the intervals to score, in per cent; they need ``quantiles``.

    Raises
    ------
    SpecError
        If a baseline or a level cannot be.
    MissingExtraError
        If a baseline needs a library that is not installed.
    """
    asked = check_levels(levels, has_quantiles=bool(quantiles))
    there = folds.ends >= 0
    windows, series = np.nonzero(there)
    ends = folds.ends[there]
    actual, forecasts = truth_and_baselines(table, series, ends, folds.horizon, season, baselines)
    own = np.full_like(actual, np.nan)
    probabilities = wanted_probabilities(asked) if quantiles else np.empty(0)
    spreads = {MODEL: np.full((*actual.shape, len(probabilities)), np.nan)} if quantiles else {}
    for window, forecast in enumerate(models):
        chosen = windows == window
        own[chosen] = forecast(series[chosen], ends[chosen])
        if quantiles:
            spreads[MODEL][chosen] = quantiles[window](series[chosen], ends[chosen], probabilities)
    scale, squared_scale = seasonal_scales(table, ends, season)
    return _scored(
        Backtest(
            ids=table.ids,
            targets=table.columns.targets,
            cutoffs=_placed(there, table.times[ends - 1]),
            times=_placed(there, table.times[ends[:, None] + np.arange(folds.horizon)]),
            actual=_placed(there, actual),
            forecasts={name: _placed(there, values) for name, values in {MODEL: own, **forecasts}.items()},
            season=season,
            scores={},
            scale=_placed(there, scale),
            squared_scale=_placed(there, squared_scale),
            levels=asked,
            probabilities=probabilities,
            quantiles={name: _placed(there, values) for name, values in spreads.items()},
        )
    )


def _scored(backtest: Backtest) -> Backtest:
    return dataclasses.replace(
        backtest,
        scores=numbers(backtest.scores_by()),
        intervals={name: numbers(each) for name, each in backtest.intervals_by().items()},
    )


def _placed(there: npt.NDArray[np.bool_], values: AnyArray) -> AnyArray:
    """Put values of windows in their places, [window, series, …]; where there was no room: NaN, NaT or −1."""
    empty = {"M": np.datetime64("NaT"), "f": np.nan}.get(values.dtype.kind, -1)
    whole = np.full((*there.shape, *values.shape[1:]), empty, dtype=values.dtype)
    whole[there] = values
    return whole


def _kept(axes: Sequence[str]) -> tuple[int, ...]:
    for axis in axes:
        checks.one_of("an axis", axis, AXES)
    return tuple(index for index, axis in enumerate(AXES) if axis in axes)
