"""Scores of a detector where labels are known, beside those of detectors that know nothing, or next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.covering import FloatArray
from tidegate.anomaly.judge import Verdict, combined
from tidegate.data import SeriesTable
from tidegate.errors import DataError
from tidegate.metrics import auc_pr, auc_roc, detection_delay, event_scores
from tidegate.metrics.vus import vus_pr, vus_roc

__all__ = ["evaluate_labels", "read_labels"]

Flags = npt.NDArray[np.bool_]


def evaluate_labels(
    table: SeriesTable, verdicts: Sequence[Verdict], labels: npt.ArrayLike, *, least: float, width: int, seed: int
) -> dict[str, dict[str, float]]:
    """Score verdicts by labels; beside them random scores, and the distance from the mean.

    The baselines flag as many rows as the detector does, those with their highest scores.

    Parameters
    ----------
    table, verdicts
        The rows, and what was said of them.
    labels
        ``[row]``, 1 for an anomaly and 0 for none.
    least
        The score of rows that could not be judged.
    width
        Of the buffer around events that volumes under the surface allow for, in rows.
    seed
        Of the random scores.

    Returns
    -------
    dict
        Of ``"tidegate"``, ``"random"`` and ``"deviation"`` each: ``VUS-PR``, ``VUS-ROC``, ``AUC-PR``, ``AUC-ROC``
        (means over the series that have anomalies, and rows that are none), and of the rows that were flagged
        ``event precision``, ``event recall``, ``event F1`` and ``delay`` in rows. No point is adjusted.

    Raises
    ------
    DataError
        If there are not as many labels as rows, or others than 0 and 1, or no series has both.
    """
    truth, both = read_labels(table, labels)
    score = np.concatenate([verdict.score for verdict in verdicts])
    score = np.where(np.isnan(score), least, score)
    flags = np.concatenate([verdict.is_anomaly for verdict in verdicts])
    found = {"tidegate": _scores(table, both, truth, score, flags, width)}
    others: dict[str, Callable[[], FloatArray]] = {
        "random": lambda: np.random.default_rng(seed).random(len(truth)),
        "deviation": lambda: _deviation(table),
    }
    for name, make in others.items():
        other = make()
        most = np.zeros(len(other), bool)
        most[np.argsort(-other, kind="stable")[: int(flags.sum())]] = True
        found[name] = _scores(table, both, truth, other, most, width)
    return found


def read_labels(table: SeriesTable, labels: npt.ArrayLike) -> tuple[FloatArray, list[int]]:
    """Check labels, and find the series that can be scored by them. Raises `DataError` as `evaluate_labels`.

    Returns
    -------
    truth
        ``[row]``, 0 or 1.
    both
        The places of the series that have rows of both.
    """
    try:
        truth = np.asarray(labels, np.float64).ravel()
    except (TypeError, ValueError):
        raise DataError("labels must be 0 or 1; got some that are no numbers") from None
    if len(truth) != len(table.times):
        raise DataError(f"expected a label a row, {len(table.times)} of them; got {len(truth)}")
    if not np.isin(truth, (0, 1)).all():
        row = int(np.flatnonzero(~np.isin(truth, (0, 1)))[0])
        raise DataError(f"labels must be 0 or 1; row {row} has {truth[row]:g}")
    both = [index for index in range(len(table)) if 0 < truth[table.rows(index)].mean() < 1]
    if not both:
        raise DataError("no series has both anomalies and rows that are none by its labels; scores would say nothing")
    return truth, both


def _scores(
    table: SeriesTable, both: Sequence[int], truth: FloatArray, score: FloatArray, flags: Flags, width: int
) -> dict[str, float]:
    parts = [(truth[table.rows(index)], score[table.rows(index)]) for index in both]
    ranked = {
        "VUS-PR": [vus_pr(label, each, width) for label, each in parts],
        "VUS-ROC": [vus_roc(label, each, width) for label, each in parts],
        "AUC-PR": [auc_pr(label, each) for label, each in parts],
        "AUC-ROC": [auc_roc(label, each) for label, each in parts],
    }
    counts = np.zeros(3)
    delays = []
    for index in range(len(table)):
        label, flagged = truth[table.rows(index)], flags[table.rows(index)]
        events = event_scores(label, flagged)
        counts += (events.detected, events.missed, events.false_alarms)
        if events.detected:
            delays += [detection_delay(label, flagged)] * events.detected
    detected, missed, false = counts.tolist()
    return {name: float(np.mean(values)) for name, values in ranked.items()} | {
        "event precision": _share(detected, detected + false),
        "event recall": _share(detected, detected + missed),
        "event F1": _share(2 * detected, 2 * detected + missed + false),
        "delay": float(np.mean(delays)) if delays else float("nan"),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _deviation(table: SeriesTable) -> FloatArray:
    """Give how many standard deviations each row lies from the mean of its series."""
    parts = []
    for index in range(len(table)):
        values = table.values[table.rows(index)]
        seen = ~np.isnan(values)
        count = np.maximum(seen.sum(0), 1)
        apart = np.abs(values - np.where(seen, values, 0).sum(0) / count)
        spread = np.sqrt(np.where(seen, apart**2, 0).sum(0) / count)
        parts.append(combined(apart, np.where(spread > 0, spread, 1.0)))
    joined: FloatArray = np.nan_to_num(np.concatenate(parts), nan=0.0)
    return joined
