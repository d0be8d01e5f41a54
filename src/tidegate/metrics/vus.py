"""Volume under the surface: curves that forgive a label for being some steps off, over all widths of forgiveness.

Paparrizos, Boniol, Palpanas, Tsay, Elmore & Franklin (2022), "Volume under the surface: a new accuracy evaluation
measure for time-series anomaly detection", PVLDB 15(11). A width ``ℓ`` puts a buffer of ``ℓ // 2`` steps on both sides
of every event, in which the label falls as ``√(1 − distance/ℓ)``; where buffers meet their labels add up, to 1 at most,
and their events are one. With the softened label ``r``, the label ``y`` and the points ``p`` that a threshold flags:

- true positives ``r·p``, false positives ``(1 − r)·p``, positives ``P = ½·Σ(y + r)``, negatives ``time − P``;
- recall ``min(r·p / P, 1)`` times the existence factor, the share of events in which a flagged point lies;
- precision ``r·p / Σp``; false positive rate ``(1 − r)·p`` per negative.

The areas under the curves of recall are taken by trapezoids over the thresholds, and their mean over ``ℓ = 0 … L`` is
the volume. As in the authors' program the thresholds are those of ``thresholds`` ranks spread evenly over the sorted
scores, the curve of precision begins at (0, 1) and ends at the last threshold, that of ROC ends at (1, 1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegate.errors import SpecError
from tidegate.metrics.anomaly import events, ranked_pair

__all__ = ["buffered_events", "softened_label", "vus_pr", "vus_roc"]


def vus_pr(label: npt.ArrayLike, score: npt.ArrayLike, width: int, *, thresholds: int = 250) -> float:
    """Volume under the surface of precision and recall, VUS-PR; 0 to 1, higher is better.

    The measure that TSB-AD ranks by (Liu & Paparrizos, 2024, "The elephant in the room"). See the module for the
    definition. A random score reaches about the share of anomalous points.

    Parameters
    ----------
    label
        ``[time]``, 1 for an anomalous point and 0 for another.
    score
        ``[time]``, higher for more abnormal.
    width
        The widest buffer ``L``, in steps: the period of the series, or the window of the detector.
    thresholds
        How many thresholds are looked at, at most the points there are.

    Raises
    ------
    ShapeError
        If label and score are not one-dimensional and of one length.
    DataError
        If a label is neither 0 nor 1, if all are the same, or if a score is NaN.
    SpecError
        If ``width`` is not a whole number of at least 0, or ``thresholds`` not one of at least 2.

    Examples
    --------
    >>> vus_pr([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.3, 0.0], width=0)
    1.0
    """
    return float(np.mean([area for area, _ in _areas(label, score, width, thresholds)]))


def vus_roc(label: npt.ArrayLike, score: npt.ArrayLike, width: int, *, thresholds: int = 250) -> float:
    """Volume under the surface of recall and false positive rate, VUS-ROC; 0 to about 1, higher is better.

    Arguments and refusals as in `vus_pr`. Where anomalies are rare it flatters, as every ROC does.

    Examples
    --------
    >>> vus_roc([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.3, 0.0], width=0)
    1.0
    """
    return float(np.mean([area for _, area in _areas(label, score, width, thresholds)]))


def softened_label(label: npt.ArrayLike, width: int) -> np.ndarray:
    """Give the label ``r`` of a buffer of ``width``: 1 within an event, falling beside it, ``[time]`` from 0 to 1.

    Examples
    --------
    >>> softened_label([0, 0, 1, 0, 0, 0], 4).round(3).tolist()
    [0.707, 0.866, 1.0, 0.866, 0.707, 0.0]
    """
    soft = np.asarray(label, np.float64).copy()
    reach = width // 2
    slope = np.sqrt(1 - np.arange(1, reach + 1) / max(width, 1))
    for first, last in events(label):
        after = soft[last + 1 : last + 1 + reach]
        after += slope[: after.size]
        before = soft[max(first - reach, 0) : first]
        before += slope[: before.size][::-1]
    return np.minimum(soft, 1.0)


def buffered_events(runs: np.ndarray, width: int, length: int) -> np.ndarray:
    """Give ``[event, 2]`` with their buffers, first and last row within ``length``; those that touch are one."""
    reach = width // 2
    apart = np.flatnonzero(runs[:-1, 1] + reach < runs[1:, 0] - reach)
    first = runs[np.append(0, apart + 1), 0] - reach
    last = runs[np.append(apart, len(runs) - 1), 1] + reach
    return np.stack([np.maximum(first, 0), np.minimum(last, length - 1)], axis=1)


def _areas(label: npt.ArrayLike, score: npt.ArrayLike, width: int, thresholds: int) -> list[tuple[float, float]]:
    """Give the areas under precision-recall and ROC of each width of buffer, 0 to ``width``."""
    _check_whole(width, "width", 0)
    _check_whole(thresholds, "thresholds", 2)
    truth, scores = ranked_pair(label, score)
    order = np.argsort(-scores, kind="stable")
    ranks = np.linspace(0, scores.size - 1, min(thresholds, scores.size)).astype(int)
    cuts = scores[order][ranks]  # a point is flagged at a cut that its score reaches
    flagged = scores.size - np.searchsorted(np.sort(scores), cuts, side="left")
    runs = events(truth)
    areas = []
    for each in range(width + 1):
        soft = softened_label(truth, each)
        hits = np.cumsum(soft[order])[flagged - 1]
        bounds = buffered_events(runs, each, scores.size)
        areas.append(_area_of_each(hits, flagged, _existence(scores, bounds, cuts), truth.sum(), soft))
    return areas


def _existence(scores: np.ndarray, bounds: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Give the share of events, ``[event, 2]``, in which a point reaches each cut."""
    peaks = np.sort([scores[first : last + 1].max() for first, last in bounds])
    share: np.ndarray = 1 - np.searchsorted(peaks, cuts, side="left") / len(peaks)
    return share


def _area_of_each(
    hits: np.ndarray, flagged: np.ndarray, existence: np.ndarray, anomalous: int, soft: np.ndarray
) -> tuple[float, float]:
    """Give the two areas of one width from what each threshold flags."""
    positives = (anomalous + soft.sum()) / 2
    recall = np.append(0.0, np.minimum(hits / positives, 1.0) * existence)
    precision = np.append(1.0, hits / flagged)
    alarm = np.concatenate([[0.0], (flagged - hits) / (soft.size - positives), [1.0]])
    return _trapezoids(recall, precision), _trapezoids(alarm, np.append(recall, 1.0))


def _trapezoids(x: np.ndarray, y: np.ndarray) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2)


def _check_whole(value: int, name: str, least: int) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise SpecError(f"{name} must be a whole number of at least {least}; got {value!r}")
