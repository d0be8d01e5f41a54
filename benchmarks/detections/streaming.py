"""NAB as it is meant: a detector that knows the first rows of a series runs over it, point by point."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

from detections.baselines import windowed_gaussian
from detections.corpus import FloatArray, Labelled
from forecasts.rows import cell, heading, row
from tidegate import AnomalyDetector
from tidegate.metrics import NAB_PROFILES, nab_score

__all__ = ["Run", "nab_rows", "over_all", "walk"]

_LOWEST = -1e6  # of a row that was not judged


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a stream said of a series.

    Attributes
    ----------
    scores
        ``[row]``; those of the rows for learning are the lowest.
    alarms
        ``[row]``: whether the detector itself, with its own threshold, said "anomaly".
    """

    scores: FloatArray
    alarms: FloatArray


def walk(detector: AnomalyDetector, values: FloatArray, learning: int) -> Run:
    """Fit on the rows for learning alone; score the others one by one."""
    running = detector.fit(values[:learning]).stream()
    running.update(values[:learning])
    scores, alarms = np.full(len(values), _LOWEST), np.zeros(len(values))
    for number in range(learning, len(values)):
        score = running.score_one(values[number])
        scores[number] = _LOWEST if np.isnan(score) else score
        alarms[number] = running.is_anomaly
    return Run(scores=scores, alarms=alarms)


def over_all(series: Sequence[Labelled], make: Callable[[FloatArray], AnomalyDetector]) -> list[Run]:
    """Walk over each series with a detector made for its rows for learning."""
    return [walk(make(each.values[: each.learning]), each.values, each.learning) for each in series]


def nab_rows(
    series: Sequence[Labelled], make: Callable[[FloatArray], AnomalyDetector], *, baselines: bool = True
) -> None:
    """Print the scores of all profiles, with NAB's threshold and with the detector's own."""
    windows = [each.windows for each in series]
    print(heading(["detector", "threshold", *NAB_PROFILES, "windows found", "false alarms"]), flush=True)
    start = time.perf_counter()
    runs = over_all(series, make)
    taken = time.perf_counter() - start
    _print("Tidegate, streaming", "NAB's", [run.scores for run in runs], windows, None)
    _print("Tidegate, streaming", "its own", [run.alarms for run in runs], windows, 1.0)
    if baselines:
        rng = np.random.default_rng(0)
        _print("windowed Gaussian", "NAB's", [windowed_gaussian(each.values) for each in series], windows, None)
        _print("random", "NAB's", [rng.random(len(each.values)) for each in series], windows, None)
        _print("nothing", "its own", [np.zeros(len(each.values)) for each in series], windows, 1.0)
    points = sum(len(each.values) - each.learning for each in series)
    print(f"\n{len(series)} series, {points:,} points, {taken:.0f} s with the fits")


def _print(
    name: str,
    threshold: str,
    scores: Sequence[FloatArray],
    windows: Sequence[Sequence[tuple[int, int]]],
    cut: float | None,
) -> None:
    found = [nab_score(scores, windows, profile=profile, threshold=cut) for profile in NAB_PROFILES]
    standard = found[0]
    figures = [cell(each.score, 1) for each in found]
    hits = f"{standard.detected} of {standard.windows}"
    print(row([name, threshold, *figures, hits, str(standard.false_alarms)]), flush=True)
