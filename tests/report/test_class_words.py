from __future__ import annotations

from typing import Any

import pytest

from tidegate.report.class_words import DECISIONS, PROBABILITIES, class_verdict, shown_scores
from tidegate.report.words import best_models


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (0.6, "about 60 %."),
        (0.9, "about 90 %. For these data that baseline is as good or better."),
        (0.95, "about 95 %. For these data that baseline is as good or better."),
    ],
)
def test_the_verdict_is_honest(baseline: float, said: str) -> None:
    scores = {
        "tidegate": {"examples": 1200, "accuracy": 0.9},
        "linear": {"accuracy": baseline},
        "majority": {"accuracy": 0.5},
    }
    expected = f"Tidegate is right about 90 % of 1\u202f200 held-out examples; the best baseline, linear, {said}"
    assert class_verdict(scores) == expected


def test_without_baselines_there_is_no_comparison() -> None:
    assert class_verdict({"tidegate": {"examples": 8, "accuracy": 0.75}}) == (
        "Tidegate is right about 75 % of 8 held-out examples."
    )


def test_numbers_have_names_for_people_and_nothing_is_undefined_as_none() -> None:
    own: dict[str, Any] = {"accuracy": 0.123456, "f1_macro": 0.5, "roc_auc": None, "classes": []}
    shown = shown_scores({"tidegate": own, "other": {**own, "f1": 0.4}})
    assert list(shown["tidegate"]) == ["accuracy", "macro F1", "ROC AUC"]
    assert shown["tidegate"]["accuracy"] == 0.1235
    assert shown["tidegate"]["ROC AUC"] != shown["tidegate"]["ROC AUC"]
    assert list(shown["other"]) == ["accuracy", "F1", "ROC AUC"]


@pytest.mark.parametrize(("metric", "meaning"), [*DECISIONS.items(), *PROBABILITIES.items()])
def test_the_best_is_on_the_side_that_the_explanation_names(metric: str, meaning: str) -> None:
    best = best_models({"low": {metric: 0.1}, "high": {metric: 0.9}}, metric)
    assert best == {"high" if meaning.endswith("Higher is better.") else "low"}
    assert meaning.endswith(("Higher is better.", "Lower is better."))
