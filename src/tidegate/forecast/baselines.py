"""Forecasts that need no training. A score means little without theirs beside it.

Each is a function of windows: which series, and where in the table's flat array the forecast begins. Only what lies
before that place is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.data import SeriesTable

__all__ = ["BASELINES", "Baseline", "drift", "naive", "naive2", "seasonal_naive"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Baseline: TypeAlias = Callable[[SeriesTable, IntArray, IntArray, int, int], FloatArray]
"""``(table, series [n], ends [n], horizon, season) -> [n, horizon, target]``"""


def naive(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:  # noqa: ARG001
    """Repeat the last observed value."""
    columns = np.arange(table.values.shape[1])
    last: FloatArray = table.values[_last_observed(table, series, ends), columns]  # [n, target]
    return np.repeat(last[:, None], horizon, axis=1)


def seasonal_naive(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:
    """Repeat the last season.

    What is missing in it is taken from the season before, and so on; where there is none, from the last observed
    value. A series shorter than a season gets `naive`.
    """
    steps = ends[:, None] - season + np.arange(min(season, horizon))  # [n, step] rows of the last season
    starts = table.offsets[series][:, None]
    found = np.full((*steps.shape, table.values.shape[1]), np.nan)
    while (open_ := np.isnan(found) & (steps >= starts)[..., None]).any():
        found = np.where(open_, table.values[np.maximum(steps, 0)], found)
        steps = steps - season
    found = np.where(np.isnan(found), naive(table, series, ends, found.shape[1], season), found)
    return np.tile(found, (1, -(-horizon // found.shape[1]), 1))[:, :horizon]


def drift(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:  # noqa: ARG001
    """Go on along the straight line from the first to the last observed value."""
    columns = np.arange(table.values.shape[1])
    first, last = _first_observed(table, series), _last_observed(table, series, ends)  # [n, target]
    start, stop = table.values[first, columns], table.values[last, columns]
    slope: FloatArray = (stop - start) / np.maximum(last - first, 1)
    ahead = (ends[:, None] - last)[:, None] + np.arange(horizon)[None, :, None]  # steps from the last observed value
    line: FloatArray = stop[:, None] + slope[:, None] * ahead
    return line


def naive2(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:
    """Repeat the last seasonally adjusted value: the benchmark of the M4 competition.

    A series is adjusted by classical multiplicative decomposition if its autocorrelation at the season is
    significant at 90 % (Makridakis et al., 2020, and the competition's published code); otherwise, and for values of
    0 or below, this is `naive`.
    """
    plain = naive(table, series, ends, horizon, season)
    if season == 1:
        return plain
    for row, (index, end) in enumerate(zip(series, ends, strict=True)):
        history = table.values[table.offsets[index] : end]
        for column in range(history.shape[1]):
            known = history[:, column]
            if np.isnan(known).any() or (known <= 0).any() or not _is_seasonal(known, season):
                continue
            factors = _seasonal_factors(known, season)  # of the `season` steps that follow
            last = known[-1] / factors[-1]
            plain[row, :, column] = last * np.resize(factors, horizon)
    return plain


BASELINES: dict[str, Baseline] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "drift": drift,
    "naive2": naive2,
}


def _is_seasonal(values: FloatArray, season: int) -> bool:
    """Test the autocorrelation at ``season`` against 1.645 standard errors of Bartlett's formula."""
    if len(values) < 3 * season:
        return False
    centred = values - values.mean()
    power = float(centred @ centred)
    if power == 0:
        return False
    lags = [float(centred[lag:] @ centred[:-lag]) / power for lag in range(1, season + 1)]
    limit = 1.645 * np.sqrt((1 + 2 * np.square(lags[:-1]).sum()) / len(values))
    return bool(abs(lags[-1]) > limit)


def _seasonal_factors(values: FloatArray, season: int) -> FloatArray:
    """Give the factors of the next ``season`` steps: averages of value over centred moving average, of mean 1."""
    kernel = np.full(season, 1 / season)
    if season % 2 == 0:
        kernel = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(values, kernel, mode="valid")
    margin = (len(kernel) - 1) // 2
    ratio = np.full(len(values), np.nan)
    ratio[margin : margin + len(trend)] = values[margin : margin + len(trend)] / trend
    padded = np.concatenate([np.full(-len(values) % season, np.nan), ratio]).reshape(-1, season)  # ends at the end
    factors = np.nanmean(padded, axis=0)
    return np.asarray(factors / factors.mean(), dtype=np.float64)


def _last_observed(table: SeriesTable, series: IntArray, ends: IntArray) -> IntArray:
    """Give the flat row of the last observed value before each end, [n, target]; the series' first row if none."""
    rows = np.arange(len(table.values))[:, None]
    seen = np.maximum.accumulate(np.where(table.observed, rows, -1), axis=0)
    found: IntArray = np.maximum(seen[ends - 1], table.offsets[series][:, None])
    return found


def _first_observed(table: SeriesTable, series: IntArray) -> IntArray:
    """Give the flat row of each series' first observed value, [n, target]; its last row if none."""
    rows = len(table.values) - 1 - np.arange(len(table.values))
    ahead = np.minimum.accumulate(np.where(table.observed[::-1], rows[:, None], len(rows)), axis=0)[::-1]
    found: IntArray = np.minimum(ahead[table.offsets[series]], (table.offsets[series + 1] - 1)[:, None])
    return found
