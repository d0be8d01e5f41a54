"""Forecasts of the past: windows of truth that the model has not seen, with the baselines beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate import metrics
from tidegate.data import SeriesTable, Windows
from tidegate.errors import ShortSeriesError
from tidegate.forecast.baselines import BASELINES, FloatArray, IntArray

__all__ = ["Backtest", "Evaluation", "Folds", "backtest_folds", "evaluate_windows", "make_folds", "score_table"]

AnyArray: TypeAlias = npt.NDArray[Any]
Forecast: TypeAlias = Callable[[IntArray, IntArray], FloatArray]
"""``(series [n], ends [n]) -> [n, horizon, target]``: a fitted model on a table."""

MODEL = "tidegate"


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
        Steps of a season: of seasonal naive, Naive2 and MASE.
    scores
        A model's name to MAE, RMSE, MAPE (%), sMAPE (%), R2 and MASE. All are pooled over every observed value but
        MASE, which is averaged over windows and series. Lower is better, except for R2.
    """

    ids: AnyArray
    targets: tuple[str, ...]
    cutoffs: AnyArray
    times: AnyArray
    actual: FloatArray
    forecasts: dict[str, FloatArray]
    season: int
    scores: dict[str, dict[str, float]]

    @property
    def windows(self) -> int:
        """How many windows each series was cut into."""
        return len(self.actual)

    def __str__(self) -> str:
        return score_table(self.scores)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folds:
    """The windows of a backtest: ``ends`` [window, series] are flat rows where forecasts begin, −1 for no room."""

    ends: IntArray
    horizon: int


def make_folds(table: SeriesTable, *, windows: int, horizon: int, least: int) -> Folds:
    """Cut the last ``windows`` × ``horizon`` rows of every series into windows whose targets do not overlap.

    A series keeps at least ``least`` rows before its first window; one without room for all windows has fewer of
    them, the latest.

    Raises
    ------
    ShortSeriesError
        If no series has room for one window.
    """
    back = horizon * np.arange(windows, 0, -1)[:, None]  # [window, 1]
    ends = table.offsets[1:] - back
    ends = np.where(ends - table.offsets[:-1] >= least, ends, -1)
    if (ends < 0).all():
        raise ShortSeriesError(
            f"a backtest needs {least} rows and a horizon of {horizon} rows to forecast; "
            f"the longest series has {table.lengths.max()} rows: take fewer windows or a shorter horizon"
        )
    return Folds(ends=ends, horizon=horizon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores over a set of windows, in the units of the data.

    Attributes
    ----------
    windows, series
        How many windows were scored, of how many series.
    season
        Steps of a season: of seasonal naive and MASE.
    scores
        As in `Backtest`.
    """

    windows: int
    series: int
    season: int
    scores: dict[str, dict[str, float]]

    def __str__(self) -> str:
        return score_table(self.scores)


def evaluate_windows(
    table: SeriesTable, windows: Windows, forecast: Forecast, *, season: int, baselines: tuple[str, ...]
) -> Evaluation:
    """Score a model and the baselines on windows of a table."""
    actual, forecasts = _forecasts(table, windows.series, windows.ends, windows.horizon, season, baselines)
    forecasts = {MODEL: forecast(windows.series, windows.ends), **forecasts}
    scale = _mase_scale(table, windows.series, windows.ends, season)
    return Evaluation(
        windows=len(windows),
        series=len(np.unique(windows.series)),
        season=season,
        scores={name: _scores(actual, values, scale) for name, values in forecasts.items()},
    )


def backtest_folds(
    table: SeriesTable, folds: Folds, models: Sequence[Forecast], *, season: int, baselines: tuple[str, ...]
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
        Names out of `BASELINES`.
    """
    windows, series = np.nonzero(folds.ends >= 0)
    ends = folds.ends[windows, series]
    actual, forecasts = _forecasts(table, series, ends, folds.horizon, season, baselines)
    own = np.full_like(actual, np.nan)
    for window, forecast in enumerate(models):
        chosen = windows == window
        own[chosen] = forecast(series[chosen], ends[chosen])
    forecasts = {MODEL: own, **forecasts}
    scale = _mase_scale(table, series, ends, season)

    def spread(values: npt.NDArray[Any], empty: object) -> npt.NDArray[Any]:
        whole = np.full((*folds.ends.shape, *values.shape[1:]), empty, dtype=values.dtype)
        whole[windows, series] = values
        return whole

    nothing = np.datetime64("NaT") if table.times.dtype.kind == "M" else -1
    return Backtest(
        ids=table.ids,
        targets=table.columns.targets,
        cutoffs=spread(table.times[ends - 1], nothing),
        times=spread(table.times[ends[:, None] + np.arange(folds.horizon)], nothing),
        actual=spread(actual, np.nan),
        forecasts={name: spread(values, np.nan) for name, values in forecasts.items()},
        season=season,
        scores={name: _scores(actual, values, scale) for name, values in forecasts.items()},
    )


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Lay scores out in columns, a model a line."""
    names = list(next(iter(scores.values())))
    rows = [["", *names], *([model, *(f"{score[name]:.4g}" for name in names)] for model, score in scores.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _forecasts(
    table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int, baselines: tuple[str, ...]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    actual = table.values[ends[:, None] + np.arange(horizon)]
    return actual, {name: BASELINES[name](table, series, ends, horizon, season) for name in baselines}


def _scores(actual: FloatArray, forecast: FloatArray, scale: FloatArray) -> dict[str, float]:
    each = metrics.mase(actual, forecast, scale, axis=1)  # [n, target]
    known = each[np.isfinite(each)]
    return {
        "MAE": float(metrics.mae(actual, forecast)),
        "RMSE": float(metrics.rmse(actual, forecast)),
        "MAPE": float(metrics.mape(actual, forecast)),
        "sMAPE": float(metrics.smape(actual, forecast)),
        "R2": float(metrics.r2(actual, forecast)),
        "MASE": float(known.mean()) if known.size else float("nan"),
    }


def _mase_scale(table: SeriesTable, series: IntArray, ends: IntArray, season: int) -> FloatArray:
    """Give the in-sample error of the seasonal naive forecast before each end, [n, target]; NaN if there is none."""
    step = np.abs(table.values[season:] - table.values[:-season])
    within = np.arange(season, len(table.values)) >= np.repeat(table.offsets[:-1] + season, table.lengths)[season:]
    known = within[:, None] & ~np.isnan(step)
    head = np.zeros((season + 1, step.shape[1]))
    total = np.concatenate([head, np.cumsum(np.where(known, step, 0.0), axis=0)])  # [rows + 1, target]
    count = np.concatenate([head, np.cumsum(known, axis=0)])
    starts = table.offsets[series]
    with np.errstate(divide="ignore", invalid="ignore"):
        scale: FloatArray = (total[ends] - total[starts]) / (count[ends] - count[starts])
    return scale
