"""Scores of a detector of anomalies: of its ranking of points, and of the events that it reports.

Labels are 1 where a point belongs to an anomaly and 0 elsewhere; an event is a run of ones. Scores of a detector are
higher where a point is more abnormal; only their order counts. Nothing here is point-adjusted: an adjusted F1 marks a
whole event as found when one of its points is, and under it a random score looks like the state of the art (Kim et
al., 2022, "Towards a rigorous evaluation of time-series anomaly detection").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError, ShapeError

__all__ = ["EventScores", "auc_pr", "auc_roc", "detection_delay", "event_scores", "events"]


def auc_pr(label: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the precision-recall curve, as average precision; 0 to 1, higher is better.

    ``Σ (R_k − R_{k−1})·P_k`` over the distinct thresholds from the highest down, without interpolation (Davis &
    Goadrich, 2006, "The relationship between precision-recall and ROC curves"). A random score reaches the share of
    anomalous points, and so does a constant one.

    Parameters
    ----------
    label
        ``[time]``, 1 for an anomalous point and 0 for another.
    score
        ``[time]``, higher for more abnormal; equal scores share a threshold.

    Raises
    ------
    ShapeError
        If the two are not one-dimensional and of one length.
    DataError
        If a label is neither 0 nor 1, if all are the same, or if a score is NaN.

    Examples
    --------
    >>> round(auc_pr([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2]), 6)  # (1 + 2/3) / 2
    0.833333
    """
    truth, scores = ranked_pair(label, score)
    found, flagged = _curve(truth, scores)
    gained = np.diff(found, prepend=0.0)
    return float((gained * found / flagged).sum() / found[-1])


def auc_roc(label: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: how often an anomalous point scores above another; 0 to 1, higher is better.

    Ties count one half, so that a constant score has 0.5 (Fawcett, 2006, "An introduction to ROC analysis"). Where
    anomalies are rare it flatters; `auc_pr` does not. Arguments and refusals as there.

    Examples
    --------
    >>> auc_roc([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2])
    0.75
    """
    truth, scores = ranked_pair(label, score)
    found, flagged = _curve(truth, scores)
    hit, alarm = np.append(0.0, found / found[-1]), np.append(0.0, flagged - found)
    return float((np.diff(alarm) * (hit[1:] + hit[:-1])).sum() / 2 / alarm[-1])


def events(label: npt.ArrayLike, *, name: str = "label") -> np.ndarray:
    """Give the runs of ones as ``[event, 2]``: the first row of each and its last, both included.

    Parameters
    ----------
    label
        ``[time]``, 0 or 1.
    name
        What messages call it.

    Raises
    ------
    ShapeError
        If it is not one-dimensional.
    DataError
        If a value is neither 0 nor 1.

    Examples
    --------
    >>> events([0, 1, 1, 0, 1]).tolist()
    [[1, 2], [4, 4]]
    """
    truth = zeros_and_ones(label, name)
    steps = np.diff(truth.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1], axis=1)


@dataclass(frozen=True, kw_only=True)
class EventScores:
    """How many events were found, how many alarms were false, and what follows from that.

    Parameters
    ----------
    detected
        True events that at least one flagged point lies in.
    missed
        True events without one.
    false_alarms
        Flagged runs that touch no true event.
    """

    detected: int
    missed: int
    false_alarms: int

    @property
    def precision(self) -> float:
        """``detected / (detected + false_alarms)``, 0 to 1, higher is better; NaN where nothing was flagged."""
        return _share(self.detected, self.detected + self.false_alarms)

    @property
    def recall(self) -> float:
        """``detected / (detected + missed)``, 0 to 1, higher is better; NaN where there is no true event."""
        return _share(self.detected, self.detected + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two, 0 to 1, higher is better; NaN where there is neither event nor alarm."""
        return _share(2 * self.detected, 2 * self.detected + self.missed + self.false_alarms)


def event_scores(label: npt.ArrayLike, flagged: npt.ArrayLike) -> EventScores:
    """Compare flagged runs with true events: an event is detected when any flagged point lies in it.

    The overlapping-segment rule of Orion (Alnegheimish et al., 2022, "Sintel") and of Hundman et al. (2018): each true
    event counts once, however many runs touch it, and a flagged run is false when it touches none. Long runs are easy
    to please by; look at `detection_delay` and at the length of what was flagged beside it.

    Parameters
    ----------
    label
        ``[time]``, 1 within a true event.
    flagged
        ``[time]``, 1 or True where the detector raised an alarm.

    Raises
    ------
    ShapeError
        If the two are not one-dimensional and of one length.
    DataError
        If a value is neither 0 nor 1.

    Examples
    --------
    >>> found = event_scores([0, 1, 1, 0, 0, 1], [0, 0, 1, 0, 1, 0])
    >>> found.detected, found.missed, found.false_alarms, found.f1
    (1, 1, 1, 0.5)
    """
    truth, alarms = _binary_pair(label, flagged)
    detected = int(np.sum(_touched(events(truth), alarms)))
    false_alarms = int(np.sum(~_touched(events(alarms), truth)))
    return EventScores(detected=detected, missed=len(events(truth)) - detected, false_alarms=false_alarms)


def detection_delay(label: npt.ArrayLike, flagged: npt.ArrayLike) -> float:
    """Mean number of steps from the start of a true event to the first flagged point in it; lower is better, 0 best.

    Over the detected events only, so it says nothing without the recall of `event_scores` beside it: who flags only
    what is plain from its first point has no delay. Arguments and refusals as there.

    Returns
    -------
    float
        In steps; NaN where no event was detected.

    Examples
    --------
    >>> detection_delay([0, 1, 1, 1, 0, 1, 1], [0, 0, 0, 1, 0, 1, 0])  # 2 steps and none
    1.0
    """
    truth, alarms = _binary_pair(label, flagged)
    where = np.flatnonzero(alarms)
    runs = events(truth)
    if not where.size or not len(runs):
        return float("nan")
    first = where[np.minimum(np.searchsorted(where, runs[:, 0]), where.size - 1)]
    within = (first >= runs[:, 0]) & (first <= runs[:, 1])
    return float((first - runs[:, 0])[within].mean()) if within.any() else float("nan")


def ranked_pair(label: npt.ArrayLike, score: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give labels as booleans and scores as float64, both ``[time]``, fit for a curve.

    Raises
    ------
    ShapeError, DataError
        As in `auc_pr`.
    """
    truth, scores = zeros_and_ones(label, "label"), np.asarray(score, np.float64)
    if scores.shape != truth.shape:
        raise ShapeError(f"score must have the length of label, {truth.size}; got the shape {scores.shape}")
    unknown = np.isnan(scores)
    if unknown.any():
        raise DataError(
            f"score must be a number at every point; it is NaN at row {int(unknown.argmax())}: leave out the points "
            f"that have no score, and their labels"
        )
    if truth.all() or not truth.any():
        raise DataError(f"label must hold both 0 and 1 for a curve; all {truth.size} are {int(truth.any())}")
    return truth, scores


def zeros_and_ones(label: npt.ArrayLike, name: str) -> np.ndarray:
    """Give ``[time]`` as booleans, called ``name`` in messages.

    Raises
    ------
    ShapeError
        If it is not one-dimensional.
    DataError
        If a value is neither 0 nor 1.
    """
    values = np.asarray(label)
    if values.ndim != 1:
        raise ShapeError(f"{name} must be [time]; got the shape {values.shape}")
    strange = (values != 0) & (values != 1)
    if strange.any():
        row = int(strange.argmax())
        raise DataError(f"{name} must be 0 or 1 at every point; got {values[row].item()!r} at row {row}")
    truth: np.ndarray = values == 1
    return truth


def _binary_pair(label: npt.ArrayLike, flagged: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    truth, alarms = zeros_and_ones(label, "label"), zeros_and_ones(flagged, "flagged")
    if truth.shape != alarms.shape:
        raise ShapeError(f"flagged must have the length of label, {truth.size}; got {alarms.size}")
    return truth, alarms


def _curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give, at each distinct threshold from the highest down, how many anomalous points and how many in all."""
    order = np.argsort(-scores, kind="stable")
    last_of_its_score = np.append(scores[order][1:] != scores[order][:-1], True)
    flagged = np.arange(1, scores.size + 1, dtype=np.float64)
    return np.cumsum(truth[order])[last_of_its_score].astype(np.float64), flagged[last_of_its_score]


def _touched(runs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Say of each run whether any point of ``mask`` lies in it."""
    before = np.append(0, np.cumsum(mask))
    touched: np.ndarray = before[runs[:, 1] + 1] > before[runs[:, 0]]
    return touched


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
