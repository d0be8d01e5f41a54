"""All scores of a classifier in one dictionary of JSON types: what an evaluation prints, stores and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import ShapeError, SpecError
from tidegate.metrics.class_probabilities import (
    brier_score,
    expected_calibration_error,
    log_loss,
    probability_pair,
    reliability,
    roc_auc,
)
from tidegate.metrics.classification import accuracy, balanced_accuracy, confusion_matrix, precision_recall_f1

__all__ = ["classification_scores"]


def classification_scores(
    target: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    names: Sequence[str],
    *,
    positive: str | None = None,
    threshold: float = 0.5,
) -> dict[str, Any]:
    """Score a classifier on examples that it has not seen.

    Parameters
    ----------
    target
        Codes ``[example]``, or 0 and 1 ``[example, label]``.
    probabilities
        ``[example, class]``. The class of an example is the likeliest (the first of equal ones); of labels, all that
        reach ``threshold``.
    names
        Of the classes, in the order of the columns.
    positive
        Of two classes, the one that ``precision``, ``recall`` and ``f1`` are about; ``None`` for the second.
    threshold
        From which probability on a label counts as given; only of labels.

    Returns
    -------
    dict
        Numbers under the names of the functions in `tidegate.metrics`, ``None`` where undefined (NaN there):

        - ``examples``, ``accuracy``, ``precision_macro``, ``recall_macro``, ``f1_macro``, ``log_loss``, ``brier``,
          ``ece`` (15 bins), ``roc_auc``;
        - of codes ``balanced_accuracy``, ``f1_weighted`` and ``confusion`` ``[true][predicted]``, and of two classes
          ``positive``, ``precision``, ``recall`` and ``f1``;
        - of labels ``precision_micro``, ``recall_micro``, ``f1_micro``, ``hamming_loss`` (the share of single labels
          that are wrong), ``threshold``;
        - ``classes``: a dictionary for each, with ``name``, ``precision``, ``recall``, ``f1``, ``support`` and
          ``predicted`` (how often it occurred and was predicted);
        - ``reliability``: ``edges``, ``counts``, ``confidence``, ``accuracy``, as in `tidegate.metrics.reliability`.

    Raises
    ------
    SpecError
        If ``positive`` is no name or given with other than two classes.
    ShapeError, DataError
        If the arrays do not fit, as in `tidegate.metrics.log_loss`.

    Examples
    --------
    >>> scores = classification_scores([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ["ham", "spam"])
    >>> round(scores["accuracy"], 3), scores["positive"], scores["precision"], scores["recall"]
    (0.667, 'spam', 1.0, 0.5)
    """
    y, p = probability_pair(target, probabilities)
    if len(names) != p.shape[1]:
        raise ShapeError(
            f"there must be a name for each of the {p.shape[1]} columns of probabilities; got {len(names)}"
        )
    if positive is not None and (y.ndim != 1 or len(names) != 2 or positive not in names):
        raise SpecError(f"positive must be one of two classes; got {positive!r} with {', '.join(map(repr, names))}")
    predicted = p.argmax(axis=1) if y.ndim == 1 else (p >= threshold).astype(np.int64)
    own = _of_codes(y, predicted, names, positive) if y.ndim == 1 else _of_labels(y, predicted, threshold)
    macro = precision_recall_f1(y, predicted, average="macro", classes=len(names))
    found = {
        "examples": len(y),
        "accuracy": accuracy(y, predicted),
        **own,
        "precision_macro": macro.precision,
        "recall_macro": macro.recall,
        "f1_macro": macro.f1,
        "log_loss": log_loss(y, p),
        "brier": brier_score(y, p),
        "ece": expected_calibration_error(y, p),
        "roc_auc": roc_auc(y, p),
        "classes": _classes(y, predicted, names),
        "reliability": vars(reliability(y, p)),
    }
    if y.ndim == 1:
        found["confusion"] = confusion_matrix(y, predicted, classes=len(names))
    return {name: _plain(value) for name, value in found.items()}


def _of_codes(y: np.ndarray, predicted: np.ndarray, names: Sequence[str], positive: str | None) -> dict[str, Any]:
    weighted = precision_recall_f1(y, predicted, average="weighted", classes=len(names))
    found = {"balanced_accuracy": balanced_accuracy(y, predicted), "f1_weighted": weighted.f1}
    if len(names) != 2:
        return found
    chosen = names[1] if positive is None else positive
    of = precision_recall_f1(y, predicted, average="binary", positive=list(names).index(chosen), classes=2)
    return {**found, "positive": chosen, "precision": of.precision, "recall": of.recall, "f1": of.f1}


def _of_labels(y: np.ndarray, predicted: np.ndarray, threshold: float) -> dict[str, Any]:
    micro = precision_recall_f1(y, predicted, average="micro")
    return {
        "threshold": threshold,
        "hamming_loss": float((y != predicted).mean()) if y.size else math.nan,
        "precision_micro": micro.precision,
        "recall_micro": micro.recall,
        "f1_micro": micro.f1,
    }


def _classes(y: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    each = precision_recall_f1(y, predicted, classes=len(names))
    named = predicted.sum(axis=0) if y.ndim == 2 else np.bincount(predicted, minlength=len(names))
    columns = {"precision": each.precision, "recall": each.recall, "f1": each.f1, "support": each.support}
    columns["predicted"] = named
    return [
        {"name": str(name)} | {column: values[k] for column, values in columns.items()} for k, name in enumerate(names)
    ]


def _plain(value: Any) -> Any:
    """Give JSON types; ``None`` for what is not a finite number."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
