"""What the report of a classifier says in words: its scores, what they mean, and what they amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tidegate.report.markup import number, whole
from tidegate.report.words import OWN, best_models, model_name

__all__ = ["DECISIONS", "PROBABILITIES", "class_verdict", "shown_scores"]

#: Scores of what the model decided, and what they mean: the columns of a table, in order.
DECISIONS: dict[str, str] = {
    "accuracy": "Share of examples that are right; where an example may have several labels, all of them must be. "
    "Higher is better.",
    "balanced accuracy": "Mean share of right ones of each class, so that rare classes count as much as frequent ones. "
    "Higher is better.",
    "precision": "Of the examples that were taken for the class, the share that is of it. Higher is better.",
    "recall": "Of the examples of the class, the share that was found. Higher is better.",
    "F1": "The harmonic mean of precision and recall: high only where both are. Higher is better.",
    "micro F1": "F1 over all labels of all examples together: frequent labels weigh more. Higher is better.",
    "macro F1": "The mean of the F1 of each class: rare classes weigh as much as frequent ones. Higher is better.",
}
#: Scores of how sure it was, likewise.
PROBABILITIES: dict[str, str] = {
    "ROC AUC": "How often an example of a class is given a higher probability of it than another example; the mean "
    "over classes. ½ is chance. Higher is better.",
    "log loss": "Mean negative logarithm of the probability of what came, in nats: dear where the model was sure and "
    "wrong. Lower is better.",
    "Brier score": "Mean squared distance of the probabilities from what came, 0 to 2, or 0 to 1 for single labels. "
    "Lower is better.",
    "calibration error": "Mean gap between how sure the model was and how often it was right, in 15 bins; who always "
    "states how frequent the classes are has none. Lower is better.",
}
_KEYS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
}


def shown_scores(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Give the numbers of `tidegate.metrics.classification_scores` under the names for people; NaN for ``None``.

    They are rounded to four decimals, so that what looks alike is alike. Of two classes the macro F1 is left out,
    beside the F1 of the one that matters.
    """
    return {
        model: {
            name: math.nan if values[key] is None else round(float(values[key]), 4)
            for key, name in _KEYS.items()
            if key in values and not (key == "f1_macro" and "f1" in values)
        }
        for model, values in scores.items()
    }


def class_verdict(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in a sentence or two how the model compares with the best baseline.

    >>> class_verdict({"tidegate": {"examples": 200, "accuracy": 0.95}, "majority": {"accuracy": 0.6}})
    'Tidegate is right about 95 % of 200 held-out examples; the best baseline, Majority class, about 60 %.'
    """
    own = scores[OWN]
    several = "f1_micro" in own
    metric = "micro F1" if several else "accuracy"
    shown = shown_scores(scores)
    value = shown[OWN].get(metric, math.nan)
    if not math.isfinite(value):
        return "There are no held-out examples to score."
    count = f"{whole(int(own['examples']))} held-out examples"
    said = (
        f"Tidegate’s F1 over all labels of {count} is {number(value)}"
        if several
        else f"Tidegate is right about {_per_cent(value)} of {count}"
    )
    others = {model: values for model, values in shown.items() if model != OWN}
    best = best_models(others, metric)
    if not best:
        return f"{said}."
    baseline = min(best, key=list(others).index)
    theirs = shown[baseline][metric]
    measured = f"is {number(theirs)}" if several else f"about {_per_cent(theirs)}"
    sentence = f"{said}; {'that of ' if several else ''}the best baseline, {model_name(baseline)}, {measured}."
    return sentence if value > theirs else f"{sentence} For these data that baseline is as good or better."


def _per_cent(share: float) -> str:
    return f"{number(100 * share)} %"
