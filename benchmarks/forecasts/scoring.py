"""Scores as the published ones are defined: the M4 competition's, and MSE and MAE over every window."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from forecasts.sets import Ends, Everywhere
from tidegate.forecast.baselines import BASELINES, FloatArray, IntArray, naive2
from tidegate.metrics import coverage, mase, msis, owa, seasonal_scale, smape

__all__ = ["LEVELS", "PROBABILITIES", "Ask", "Bounds", "Scores", "baseline_scores", "end_scores", "every_score"]

LEVELS = (80.0, 95.0)
PROBABILITIES = np.array([0.025, 0.1, 0.9, 0.975])  # the ends of both levels
_CHUNK = 128  # windows: with 720 steps, 8 variables and 4 quantiles 24 MB

Scores: TypeAlias = dict[str, float]
Bounds: TypeAlias = Mapping[float, tuple[FloatArray, FloatArray]]
"""Level in per cent to lower and upper ends, ``[series, step]``."""
Ask: TypeAlias = Callable[[IntArray], tuple[FloatArray, FloatArray | None]]
"""``ends [n] -> (point [n, horizon, target], quantiles [n, horizon, target, 4] at `PROBABILITIES`, or None)``"""


@functools.cache  # a problem is scored by every seed
def _references(problem: Ends) -> tuple[FloatArray, float, float]:
    """Give the scale of each series, and sMAPE and MASE of Naive2."""
    past, horizon = problem.past, problem.truth.shape[1]
    scale = np.array([seasonal_scale(past.values[past.rows(index), 0], problem.season) for index in range(len(past))])
    told = naive2(past, np.arange(len(past)), past.offsets[1:], horizon, problem.season)[..., 0]
    return scale, float(smape(problem.truth, told)), float(np.mean(mase(problem.truth, told, scale, axis=1)))


def end_scores(problem: Ends, point: FloatArray, bounds: Bounds | None = None) -> Scores:
    """Score forecasts ``[series, step]`` of the end of each series; widths are in units of MASE's scale."""
    scale, naive_smape, naive_mase = _references(problem)
    truth = problem.truth
    found = {"sMAPE": float(smape(truth, point)), "MASE": float(np.mean(mase(truth, point, scale, axis=1)))}
    found["OWA"] = float(owa(found["sMAPE"], found["MASE"], naive_smape, naive_mase))
    for level, (low, high) in (bounds or {}).items():
        score = msis(truth, low, high, scale, level=level, axis=1)
        found[f"MSIS {level:g} %"] = float(np.mean(score))
        found[f"coverage {level:g} %"] = float(coverage(truth, low, high))
        found[f"width {level:g} %"] = float(np.mean((high - low) / scale[:, None]))
    return found


def every_score(problem: Everywhere, ask: Ask, horizons: Sequence[int], chunk: int = _CHUNK) -> Scores:
    """Score forecasts on every window of each of some horizons, in chunks of windows.

    The windows of each horizon are all that end within the table, so that shorter ones have more of them.
    """
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    all_ends = problem.ends(min(horizons))
    for start in range(0, len(all_ends), chunk):
        ends = all_ends[start : start + chunk]
        point, quantiles = ask(ends)
        for horizon in horizons:
            kept = ends + horizon <= len(problem.table.values)
            truth = problem.table.values[ends[kept][:, None] + np.arange(horizon)]
            error = point[kept, :horizon] - truth
            for name, values in (("MSE", error**2), ("MAE", np.abs(error)), *_inside(truth, quantiles, kept)):
                key = f"{name} {horizon}"
                sums[key] = sums.get(key, 0.0) + float(values.sum())
                counts[key] = counts.get(key, 0) + values.size
    return {key: total / counts[key] for key, total in sums.items()}


def _inside(truth: FloatArray, quantiles: FloatArray | None, kept: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Give coverage (in per cent) and width of each level, element by element."""
    if quantiles is None:
        return []
    found: list[tuple[str, np.ndarray]] = []
    for level, low, high in ((80, 1, 2), (95, 0, 3)):
        lower, upper = (quantiles[kept, : truth.shape[1], :, place] for place in (low, high))
        found.append((f"coverage {level} %", 100.0 * ((lower <= truth) & (truth <= upper))))
        found.append((f"width {level} %", upper - lower))
    return found


def with_means(scores: Scores) -> Scores:
    """Add the means over horizons: ``mean MSE``, ``mean MAE``, and of coverage and width."""
    found = dict(scores)
    for name, mean in (("MSE", "mean MSE"), ("MAE", "mean MAE"), *((kind, kind) for kind in _KINDS)):
        values = [value for key, value in scores.items() if key.rsplit(" ", 1)[0] == name]
        if values:
            found[mean] = statistics.fmean(values)
    return found


_KINDS = [f"{kind} {level:g} %" for kind in ("coverage", "width") for level in LEVELS]


def baseline_scores(problem: Ends | Everywhere, name: str, horizons: Sequence[int]) -> Scores:
    """Score one of `BASELINES` on a problem."""
    baseline, season, longest = BASELINES[name], problem.season, max(horizons)
    if isinstance(problem, Ends):
        past = problem.past
        return end_scores(problem, baseline(past, np.arange(len(past)), past.offsets[1:], longest, season)[..., 0])

    def ask(ends: IntArray) -> tuple[FloatArray, None]:
        return baseline(problem.table, np.zeros_like(ends), ends, longest, season), None

    return with_means(every_score(problem, ask, horizons, chunk=1_024))
