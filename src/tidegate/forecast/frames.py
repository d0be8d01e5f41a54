"""Forecasts as the data frames that are handed back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tidegate.data import future_times, to_frame
from tidegate.errors import SpecError
from tidegate.forecast.answers import Answers
from tidegate.forecast.scores import bounds_of
from tidegate.specs import checks

__all__ = ["forecast_frame", "interval_names", "probabilities_of", "require_intervals"]

POINTS = ("median", "mean")


def probabilities_of(levels: Sequence[float]) -> list[float]:
    """Give the probabilities of the lower and upper ends of intervals, ascending.

    >>> probabilities_of((80, 95))
    [0.025, 0.1, 0.9, 0.975]
    """
    return sorted(bound for level in levels for bound in bounds_of(level))


def interval_names(target: str, level: float) -> tuple[str, str]:
    """Name the columns of an interval: ``y_hat_lo_80`` and ``y_hat_hi_80``."""
    return f"{target}_hat_lo_{level:g}", f"{target}_hat_hi_{level:g}"


def require_intervals(answers: Answers, what: str) -> None:
    """Refuse what needs a spread where the model has none. Raises `SpecError`."""
    if not answers.has_quantiles:
        raise SpecError(
            f"{what} needs a predictive distribution, and this model gives points alone; fit it with "
            "uncertainty=Uncertainty(head='quantiles'), or keep rows apart to calibrate: Uncertainty(calibration=0.1)"
        )


def forecast_frame(answers: Answers, *, levels: tuple[float, ...], point: str) -> Any:
    """Forecast from the end of every series of a table: a frame like the one that the table was read from."""
    table = answers.table
    checks.one_of("point", point, POINTS)
    series, ends = np.arange(len(table)), table.offsets[1:]
    if point == "mean":
        require_intervals(answers, "point='mean'")
        centre = answers.mean(series, ends)
    else:
        centre = answers.point(series, ends)
    columns = {}
    bounds = None
    if levels:
        require_intervals(answers, f"levels={list(levels)}")
        bounds = answers.quantiles(series, ends, np.array(probabilities_of(levels)))
    for index, target in enumerate(table.columns.targets):
        columns[f"{target}_hat"] = centre[..., index]
        for rank, level in enumerate(levels):
            assert bounds is not None
            low, high = interval_names(target, level)
            columns[low] = bounds[..., index, len(levels) - 1 - rank]
            columns[high] = bounds[..., index, len(levels) + rank]
    return to_frame(table, future_times(table, answers.horizon), columns)
