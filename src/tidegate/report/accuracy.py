"""How wrong a backtest was, series by series: what a report ranks, bins and draws."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np

from tidegate import metrics

if TYPE_CHECKING:
    from tidegate.forecast.backtest import Backtest

__all__ = ["Histogram", "coverages", "histogram", "series_mase", "step_errors", "unit_errors"]

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


def unit_errors(backtest: Backtest, model: str) -> np.ndarray:
    """Give a model's forecast minus truth, `[window, series, step, target]`, comparable across series.

    With one series and one target the errors keep the units of the data; with more they are divided by the usual
    change over one season before the window, so that a large series does not hide the others. NaN where that is 0.
    """
    errors: np.ndarray = backtest.forecasts[model] - backtest.actual
    _, series, _, targets = errors.shape
    if series * targets == 1:
        return errors
    if backtest.scale is None:
        return np.full_like(errors, np.nan)
    return errors / np.where(backtest.scale > 0, backtest.scale, np.nan)[:, :, None, :]


def series_mase(backtest: Backtest) -> dict[str, np.ndarray]:
    """Give the mean absolute scaled error of each model, `[series, target]`; NaN where there is no truth or scale."""
    return {model: np.asarray(found["MASE"]) for model, found in backtest.scores_by("series", "target").items()}


def step_errors(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give mean absolute error and mean error (the bias) of each horizon step, both `[step]`."""
    return _mean(np.abs(errors), (0, 1, 3)), _mean(errors, (0, 1, 3))


def coverages(backtest: Backtest, model: str) -> dict[float, float]:
    """Give the share of the truth, in per cent, within each central interval that the backtest has both ends of.

    These are the levels that were asked for, and those that the CRPS is made of; a level to its coverage, ascending.
    """
    probabilities, quantiles = backtest.probabilities, backtest.quantiles[model]
    found = {}
    for low in range(len(probabilities) // 2):
        high = int(np.searchsorted(probabilities, 1 - probabilities[low] - 1e-9))
        if high < len(probabilities) and abs(probabilities[low] + probabilities[high] - 1) < 1e-9:
            level = round(100 * float(probabilities[high] - probabilities[low]), 6)
            found[level] = float(metrics.coverage(backtest.actual, quantiles[..., low], quantiles[..., high]))
    return dict(sorted(found.items()))


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
