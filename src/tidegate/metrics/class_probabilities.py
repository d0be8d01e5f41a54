"""Scores of classifiers that say how sure they are.

Every function takes ``target`` as codes ``[example]`` with ``probabilities`` ``[example, class]`` whose rows add up
to 1, or, where an example may have any number of labels, 0 and 1 in ``[example, label]`` with the probability of each
label by itself. Log loss and Brier score are proper: who states what they believe scores best in the long run
(Gneiting & Raftery, 2007). Scores of no example at all are NaN.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.metrics.classification import codes_of

__all__ = [
    "Reliability",
    "brier_score",
    "expected_calibration_error",
    "log_loss",
    "probability_pair",
    "reliability",
    "roc_auc",
]

_LEAST = float(np.finfo(np.float64).eps)  # a probability of 0 for what came costs 36.04 nats, not infinitely many
_SLACK = 1e-3  # rows of bfloat16 add up to 1 within this


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """How sure a classifier was, and how often it was right, in bins of equal width.

    Parameters
    ----------
    edges
        Of the bins, 0 to 1, ``[bin + 1]``; the upper edge belongs to a bin, the lower does not, but 0 to the first.
    counts
        How many fell into each, ``[bin]``.
    confidence, accuracy
        What was stated, and what came of it, on average, ``[bin]``; NaN where the bin is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def log_loss(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Mean negative logarithm of the probability of what came, ``−mean ln p_y``, in nats; 0 at best, lower is better.

    Of labels ``[example, label]`` the mean over all of them of ``−y·ln p − (1 − y)·ln(1 − p)``. Probabilities are
    kept from 0 and 1 by 2.2e-16, as scikit-learn does with float64, so that one mistake costs at most 36.04.

    Raises
    ------
    ShapeError
        If shapes do not fit together.
    DataError
        If codes or labels are none, or probabilities do not lie within 0 to 1 or their rows do not add up to 1.

    Examples
    --------
    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.25, 0.75]]), 4)  # (ln 2 + ln 4/3) / 2
    0.4904
    """
    y, p = probability_pair(target, probabilities)
    came = np.take_along_axis(p, y[:, np.newaxis], axis=1) if y.ndim == 1 else np.where(y == 1, p, 1 - p)
    return _mean(-np.log(np.clip(came, _LEAST, 1 - _LEAST)))


def brier_score(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Mean squared distance of the probabilities from what came, ``mean Σ_k (p_k − y_k)²``, 0 to 2; lower is better.

    Brier (1950), "Verification of forecasts expressed in terms of probability", in its original form: for two classes
    it is twice the squared error of the positive class, which scikit-learn gives. Of labels ``[example, label]`` it
    is the mean of ``(p − y)²`` over all of them, 0 to 1. Raises as `log_loss`.

    Examples
    --------
    >>> brier_score([0, 1], [[0.5, 0.5], [0.0, 1.0]])
    0.25
    """
    y, p = probability_pair(target, probabilities)
    if y.ndim == 2:
        return _mean((p - y) ** 2)
    return _mean(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1))


def reliability(target: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 15) -> Reliability:
    """Sort examples into bins by how sure the classifier was, and count how often it was right.

    Of codes the confidence is the largest probability of a row, and right is who had the class of it (the first of
    several equal ones). Of labels ``[example, label]`` every one is sorted by its own probability, and ``accuracy``
    is how often it was there.

    Parameters
    ----------
    target, probabilities
        As everywhere here.
    bins
        How many, of equal width; 15 as in Guo et al. (2017).

    Raises
    ------
    SpecError
        If ``bins`` is not a whole number of at least 1.
    ShapeError, DataError
        As in `log_loss`.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise SpecError(f"bins must be a whole number of at least 1; got {bins!r}")
    y, p = probability_pair(target, probabilities)
    sure, right = (p.max(axis=1, initial=0.0), p.argmax(axis=1) == y) if y.ndim == 1 else (p.ravel(), y.ravel())
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts > 0, counts, np.nan)
    return Reliability(
        edges=edges,
        counts=counts,
        confidence=np.bincount(place, weights=sure, minlength=bins) / filled,
        accuracy=np.bincount(place, weights=right, minlength=bins) / filled,
    )


def expected_calibration_error(target: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, ``Σ_b n_b / n · |acc_b − conf_b|``, 0 to 1; lower is better.

    Naeini et al. (2015), Guo et al. (2017), "On calibration of modern neural networks". Bins, arguments and errors as
    in `reliability`. It is not proper: who always states the share of the largest class has 0. It grows as examples
    become few, since each bin's accuracy then strays by chance.

    Examples
    --------
    >>> round(expected_calibration_error([0, 0, 1, 1], [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.3, 0.7]]), 6)
    0.25
    """
    found = reliability(target, probabilities, bins=bins)
    if not found.counts.sum():
        return float("nan")
    filled = found.counts > 0
    gaps = np.abs(found.accuracy[filled] - found.confidence[filled])
    return float(found.counts[filled] @ gaps / found.counts.sum())


def roc_auc(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Area under the ROC curve, each class against the rest, mean over classes, 0 to 1; higher is better, ½ is chance.

    The chance that an example with the class has a higher probability of it than one without, ties counting half
    (Hanley & McNeil, 1982; the Mann–Whitney statistic). A class that all examples or none have is left out; NaN where
    no class is left. Raises as `log_loss`. `auc_roc` takes labels 0 and 1, and one score each that is no probability.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]])
    0.75
    """
    y, p = probability_pair(target, probabilities)
    has = y == 1 if y.ndim == 2 else y[:, np.newaxis] == np.arange(p.shape[1])
    areas = [_area(has[:, k], p[:, k]) for k in range(p.shape[1]) if 0 < has[:, k].sum() < len(has)]
    return float(np.mean(areas)) if areas else float("nan")


def probability_pair(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Give both, checked: int64 ``[example]`` or ``[example, label]``, and float64 ``[example, class]``."""
    y, p = codes_of(target, "target"), np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.shape[1] or len(p) != len(y) or (y.ndim == 2 and y.shape != p.shape):
        raise ShapeError(
            f"probabilities [example, class] must have a row for every example and a column for every class; got "
            f"{p.shape} with a target of shape {y.shape}"
        )
    outside = ~((p >= 0) & (p <= 1)).all(axis=1)
    if outside.any():
        raise DataError(f"probabilities must lie within 0 to 1; those of example {int(outside.argmax())} do not")
    if y.ndim == 1 and len(y):
        _check_rows(y, p)
    return y, p


def _check_rows(y: np.ndarray, p: np.ndarray) -> None:
    sums = p.sum(axis=1)
    off = np.abs(sums - 1) > _SLACK
    if off.any():
        example = int(off.argmax())
        raise DataError(
            f"probabilities of an example must add up to 1; those of example {example} make {sums[example]:.6g}"
        )
    if y.max() >= p.shape[1]:
        raise DataError(f"codes must lie below the number of classes, {p.shape[1]}; got {y.max()}")


def _area(has: np.ndarray, scores: np.ndarray) -> float:
    """Give the Mann–Whitney statistic as a share of all pairs."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # of equal scores, the mean of their ranks, counted from 1
    positives = int(has.sum())
    above = ranks[place][has].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(has) - positives)))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
