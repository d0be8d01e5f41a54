"""Scores of decisions: how often a class was right, missed, or named in vain.

Every function takes ``target`` and ``predicted`` as whole-numbered codes ``[example]``, counted from 0, or, where an
example may have any number of labels, as 0 and 1 in ``[example, label]``. Scores of no example at all are NaN.

Where a quotient would be 0 / 0 it is 0, as in scikit-learn: the precision of a class that was never predicted, the
recall of one that never occurred, the F1 of such a class. A class of codes that neither occurred nor was predicted has
no score (NaN) and is left out of averages, again as in scikit-learn; a label of ``[example, label]`` always counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError, ShapeError, SpecError

__all__ = [
    "AVERAGES",
    "PrecisionRecallF1",
    "accuracy",
    "balanced_accuracy",
    "codes_of",
    "confusion_matrix",
    "precision_recall_f1",
]

AVERAGES = ("macro", "micro", "weighted", "binary")


class PrecisionRecallF1(NamedTuple):
    """What `precision_recall_f1` gives: numbers, or arrays ``[class]`` where nothing was averaged.

    ``support`` is how many examples have the class: of each class, or of all together.
    """

    precision: Any
    recall: Any
    f1: Any
    support: Any


def accuracy(target: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of examples that are right, ``mean 1{y = ŷ}``, 0 to 1; higher is better.

    An example of ``[example, label]`` is right where all of its labels are (the subset accuracy).

    Raises
    ------
    ShapeError
        If shapes differ, or are neither ``[example]`` nor ``[example, label]``.
    DataError
        If codes are not whole numbers of at least 0, or labels other than 0 and 1.

    Examples
    --------
    >>> accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    0.75
    """
    y, p = _pair(target, predicted)
    right = y == p if y.ndim == 1 else (y == p).all(axis=1)
    return float(right.mean()) if right.size else float("nan")


def balanced_accuracy(target: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean recall of the classes that occur, 0 to 1; higher is better, and 1 / classes is guessing.

    Brodersen et al. (2010), "The balanced accuracy and its posterior distribution": large classes do not drown small
    ones. Takes codes ``[example]`` only. Raises as `confusion_matrix`.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    counts = confusion_matrix(target, predicted)
    occurring = counts.sum(axis=1) > 0
    if not occurring.any():
        return float("nan")
    return float((counts.diagonal()[occurring] / counts.sum(axis=1)[occurring]).mean())


def confusion_matrix(target: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int | None = None) -> np.ndarray:
    """Count how often each class was taken for each: int64 ``[true, predicted]``.

    Parameters
    ----------
    target, predicted
        Codes ``[example]``.
    classes
        How many there are; ``None`` for as many as the largest code needs.

    Raises
    ------
    ShapeError
        If shapes differ or are not ``[example]``.
    DataError
        If codes are not whole numbers from 0 to below ``classes``.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    y, p = _pair(target, predicted)
    if y.ndim != 1:
        raise ShapeError(
            f"one class an example was expected, [example]; got labels of shape {y.shape}. "
            "Labels that do not exclude each other have no confusion matrix and no balanced accuracy"
        )
    size = _class_count(y, p, classes)
    return np.bincount(y * size + p, minlength=size * size).reshape(size, size).astype(np.int64)


def precision_recall_f1(
    target: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    average: str | None = None,
    positive: int = 1,
    classes: int | None = None,
) -> PrecisionRecallF1:
    """Precision ``TP / (TP + FP)``, recall ``TP / (TP + FN)`` and F1 ``2·TP / (2·TP + FP + FN)``, 0 to 1.

    Higher is better. F1 is the harmonic mean of the other two (van Rijsbergen, 1979, "Information Retrieval").

    Parameters
    ----------
    target, predicted
        Codes ``[example]``, or 0 and 1 ``[example, label]``.
    average
        ``None``: of each class by itself. ``"macro"``: the mean over classes. ``"weighted"``: that mean, each class
        as often as it occurs. ``"micro"``: TP, FP and FN of all classes together; of codes this is the accuracy,
        three times. ``"binary"``: of the class ``positive`` alone.
    positive
        The class that ``"binary"`` is about.
    classes
        How many there are; ``None`` for as many as the largest code needs.

    Returns
    -------
    PrecisionRecallF1
        With ``support``. Zero divisions: see the head of this module.

    Raises
    ------
    SpecError
        If ``average`` is unknown, or ``positive`` no class.
    ShapeError, DataError
        As in `accuracy` and `confusion_matrix`.

    Examples
    --------
    >>> precision, recall, f1, support = precision_recall_f1([0, 1, 1, 1], [0, 0, 1, 1], average="binary")
    >>> float(precision), round(float(recall), 3), float(f1), int(support)
    (1.0, 0.667, 0.8, 3)
    """
    if average is not None and average not in AVERAGES:
        raise SpecError(f"average must be None or one of {', '.join(map(repr, AVERAGES))}; got {average!r}")
    hits, named, support, counted = _hits(target, predicted, classes)
    if average == "binary" and not 0 <= positive < len(hits):
        raise SpecError(
            f"positive must be one of the {len(hits)} classes, counted from 0; got {positive}. Say how many "
            "there are with classes"
        )
    if average == "micro":
        hits, named, support = (part.sum(keepdims=True) for part in (hits, named, support))
        counted = named + support > 0
    precision, recall, f1 = (np.where(counted, part, np.nan) for part in _ratios(hits, named, support))
    if average is None:
        return PrecisionRecallF1(precision, recall, f1, support)
    if average == "binary":
        return PrecisionRecallF1(precision[positive], recall[positive], f1[positive], support[positive])
    weight = np.where(counted, support if average == "weighted" else 1, 0)
    if not weight.any():  # nothing occurred: NaN where no class counts, else 0 as every class has it
        weight = counted.astype(np.int64)
    means = _mean(precision, weight), _mean(recall, weight), _mean(f1, weight)
    return PrecisionRecallF1(*means, int(support.sum()))


def codes_of(values: npt.ArrayLike, name: str) -> np.ndarray:
    """Give codes ``[example]`` or labels ``[example, label]`` as int64. Raises `ShapeError`, `DataError`."""
    given = np.asarray(values)
    if given.ndim not in (1, 2):
        raise ShapeError(f"{name} must be codes [example] or 0 and 1 [example, label]; got the shape {given.shape}")
    if not given.size:
        return given.astype(np.int64)
    if given.dtype.kind not in "biuf":
        raise DataError(
            f"{name} must be whole-numbered codes, counted from 0; got {given.ravel().tolist()[0]!r}. "
            "Encode names first"
        )
    if given.ndim == 2:
        wrong, wanted = (given != 0) & (given != 1), "0 or 1"
    else:
        wrong, wanted = ~((given >= 0) & (given < 2**31) & (given == np.floor(given))), "a code, counted from 0"
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise DataError(
            f"{name} must hold {wanted} everywhere; got {given[tuple(place)]} in example {place[0]}, counted from 0"
        )
    return given.astype(np.int64)


def _pair(target: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    y, p = codes_of(target, "target"), codes_of(predicted, "predicted")
    if y.shape != p.shape:
        raise ShapeError(f"target and predicted must have one shape; got {y.shape} and {p.shape}")
    return y, p


def _hits(
    target: npt.ArrayLike, predicted: npt.ArrayLike, classes: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give, of each class, how often it was right, predicted and true, and whether it counts in averages."""
    y, p = _pair(target, predicted)
    if y.ndim == 2:
        if classes not in (None, y.shape[1]):
            raise ShapeError(f"labels of shape {y.shape} have {y.shape[1]} classes; got classes={classes}")
        return (y & p).sum(axis=0), p.sum(axis=0), y.sum(axis=0), np.full(y.shape[1], len(y) > 0)
    size = _class_count(y, p, classes)
    hits, named, support = (np.bincount(codes, minlength=size) for codes in (y[y == p], p, y))
    return hits, named, support, named + support > 0


def _ratios(hits: np.ndarray, named: np.ndarray, support: np.ndarray) -> list[np.ndarray]:
    """Give precision, recall and F1; 0 where one would be 0 / 0."""
    return [
        share / np.maximum(of, 1)  # where `of` is 0 so is `share`
        for share, of in ((hits, named), (hits, support), (2 * hits, named + support))
    ]


def _mean(scores: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum()
    return float(np.nan_to_num(scores) @ weight / total) if total else float("nan")


def _class_count(y: np.ndarray, p: np.ndarray, classes: int | None) -> int:
    largest = max((int(codes.max()) for codes in (y, p) if codes.size), default=-1)
    if classes is None:
        return largest + 1
    if largest >= classes:
        raise DataError(f"codes must lie below the number of classes, {classes}; got {largest}")
    return classes
