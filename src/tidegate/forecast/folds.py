"""The windows of a backtest, what the model of each may be fitted on, and what it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from tidegate.data import SeriesTable
from tidegate.errors import ShortSeriesError
from tidegate.forecast.baselines import FloatArray, IntArray
from tidegate.forecast.statistical import find_baselines
from tidegate.specs import checks

__all__ = [
    "MODEL",
    "Folds",
    "Forecast",
    "QuantileForecast",
    "fit_folds",
    "make_folds",
    "training_rows",
    "truth_and_baselines",
]

Forecast: TypeAlias = Callable[[IntArray, IntArray], FloatArray]
"""``(series [n], ends [n]) -> [n, horizon, target]``: a fitted model on a table."""
QuantileForecast: TypeAlias = Callable[[IntArray, IntArray, FloatArray], FloatArray]
"""``(series [n], ends [n], probabilities [q]) -> [n, horizon, target, q]``, for ascending probabilities."""
Model = TypeVar("Model")

MODEL = "tidegate"  # what scores call the model, beside the baselines


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


def training_rows(
    table: SeriesTable, *, windows: int, horizon: int, window: int, train_rows: int | None = None
) -> SeriesTable:
    """Keep the rows that the model of one window may be fitted on.

    Parameters
    ----------
    table
        The series.
    windows, horizon
        As in `make_folds`.
    window
        Which of them, from 0.
    train_rows
        At most so many rows of each series, the latest (a sliding training window); ``None`` for all (an expanding
        one).

    Returns
    -------
    SeriesTable
        Everything before the window; series without any row there are left out.

    Raises
    ------
    ShortSeriesError
        If no row lies before the window.
    """
    stops = table.lengths - horizon * (windows - window)
    if (stops < 1).all():
        raise ShortSeriesError(
            f"no row lies before the last {horizon * (windows - window)}, which are held out; "
            f"the longest series has {table.lengths.max()} rows: take fewer windows or a shorter horizon"
        )
    if (stops < 1).any():
        table, stops = table.select(stops >= 1), stops[stops >= 1]
    past = table.truncate(stops)
    return past if train_rows is None else past.tail(train_rows)


def fit_folds(
    table: SeriesTable,
    fit: Callable[[SeriesTable], Model],
    *,
    windows: int,
    horizon: int,
    refit: bool = False,
    train_rows: int | None = None,
) -> list[Model]:
    """Fit the models of a backtest, each on nothing but rows before the windows that it will forecast.

    Parameters
    ----------
    table
        The series.
    fit
        Makes a fresh model of the rows that it is given; scaling, transforms and calibration are its own, so that they
        happen inside each fold.
    windows, horizon
        As in `make_folds`.
    refit
        A model for each window, on the rows before it; otherwise one, on the rows before the first window.
    train_rows
        As in `training_rows`.

    Returns
    -------
    list
        A model a window, ready for `tidegate.forecast.backtest.backtest_folds`; the same one throughout without
        ``refit``.

    Raises
    ------
    SpecError
        If ``train_rows`` is not a whole number of at least 1.
    ShortSeriesError
        As in `training_rows`.
    """
    if train_rows is not None:
        checks.whole("train_rows", train_rows)

    def fitted(window: int) -> Model:
        return fit(training_rows(table, windows=windows, horizon=horizon, window=window, train_rows=train_rows))

    return [fitted(window) for window in range(windows)] if refit else [fitted(0)] * windows


def truth_and_baselines(
    table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int, names: Sequence[str]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Give what came after the flat rows ``ends`` [n] of ``series`` [n], and what the baselines had said.

    Returns
    -------
    actual
        ``[n, horizon, target]``; NaN where nothing was observed.
    forecasts
        A baseline's name to an array like ``actual``.

    Raises
    ------
    SpecError, MissingExtraError
        As in `tidegate.forecast.statistical.find_baselines`.
    """
    baselines = find_baselines(names)
    actual = table.values[ends[:, None] + np.arange(horizon)]
    return actual, {name: baseline(table, series, ends, horizon, season) for name, baseline in baselines.items()}
