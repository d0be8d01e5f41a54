"""How wrong a backtest was, series by series: what a report ranks, bins and draws."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable
    from tidegate.forecast.backtest import Backtest

__all__ = ["Histogram", "histogram", "seasonal_scale", "series_mase", "step_errors", "unit_errors"]

_FEWEST, _MOST = 7, 41  # bins of a histogram


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histogram:
    """Shares of all errors by size; the outermost bins also hold what lies beyond them.

    Parameters
    ----------
    centres
        Middle of each bin, `[bin]`.
    shares
        Per cent of the errors in each bin, for each model, `[bin]`.
    """

    centres: np.ndarray
    shares: dict[str, np.ndarray]


def seasonal_scale(table: SeriesTable, season: int) -> np.ndarray:
    """Give the mean size of the change over one season, `[series, target]`: the denominator of MASE.

    NaN where a series has no two observed values a season apart, or never changes (Hyndman & Koehler, 2006).
    """
    owner = np.repeat(np.arange(len(table.ids)), np.diff(table.offsets))
    change = np.abs(table.values[season:] - table.values[:-season])  # [rows - season, target]
    change[owner[season:] != owner[:-season]] = np.nan  # across the border of two series
    scale = np.empty((len(table.ids), table.values.shape[1]))
    for target, column in enumerate(change.T):
        seen = np.isfinite(column)
        total = np.bincount(owner[season:][seen], weights=column[seen], minlength=len(scale))
        count = np.bincount(owner[season:][seen], minlength=len(scale))
        scale[:, target] = np.where(total > 0, total / np.maximum(count, 1), np.nan)
    return scale


def unit_errors(backtest: Backtest, scale: np.ndarray, models: Sequence[str]) -> dict[str, np.ndarray]:
    """Give forecast minus truth for each of ``models``, `[window, series, step, target]`, comparable across series.

    With one series and one target the errors keep the units of the data; with more they are divided by ``scale``
    (`[series, target]`), so that a large series does not hide the others.
    """
    single = scale.size == 1
    divisor = 1.0 if single else scale[None, :, None, :]
    return {name: (backtest.forecasts[name] - backtest.actual) / divisor for name in models}


def series_mase(backtest: Backtest, scale: np.ndarray, model: str) -> np.ndarray:
    """Give the mean absolute scaled error of one model, `[series, target]`; NaN where there is no truth or scale."""
    size: np.ndarray = np.abs(backtest.forecasts[model] - backtest.actual)  # [window, series, step, target]
    mase: np.ndarray = _mean(size, (0, 2)) / scale
    return mase


def step_errors(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give mean absolute error and mean error (the bias) of each horizon step, both `[step]`."""
    return _mean(np.abs(errors), (0, 1, 3)), _mean(errors, (0, 1, 3))


def histogram(errors: dict[str, np.ndarray]) -> Histogram:
    """Bin the errors of several models alike, symmetric about zero, out to the 99th percentile of the first one.

    The number of bins follows Rice's rule, twice the cube root of the number of errors; it is odd, so that one bin
    is centred on no error.
    """
    finite = {name: values[np.isfinite(values)] for name, values in errors.items()}
    first = next(iter(finite.values()))
    reach = float(np.quantile(np.abs(first), 0.99)) if first.size else 0.0
    bins = min(max(int(2 * np.cbrt(first.size)), _FEWEST), _MOST) // 2 * 2 + 1
    edges = np.linspace(-1, 1, bins + 1) * (reach or 1.0)
    shares = {}
    for name, values in finite.items():
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
        shares[name] = 100 * counts / max(values.size, 1)
    return Histogram(centres=(edges[:-1] + edges[1:]) / 2, shares=shares)


def _mean(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN, as it should be
        return np.asarray(np.nanmean(values, axis=axes))
