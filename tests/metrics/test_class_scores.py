from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tidegate import metrics
from tidegate.errors import ShapeError, SpecError
from tidegate.metrics import classification_scores


def test_all_scores_of_two_classes() -> None:
    y, p = [0, 0, 1, 1], np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    found = classification_scores(y, p, ["ham", "spam"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["examples"] == 4
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == 0.75
    assert (found["positive"], found["precision"], found["recall"]) == ("spam", pytest.approx(2 / 3), 1)
    assert found["f1"] == pytest.approx(0.8)
    assert found["f1_macro"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["f1_weighted"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p))
    assert found["brier"] == pytest.approx(metrics.brier_score(y, p))
    assert found["ece"] == pytest.approx(metrics.expected_calibration_error(y, p))
    assert found["roc_auc"] == 1
    assert found["confusion"] == [[1, 1], [0, 2]]
    assert found["classes"][1] == {
        "name": "spam",
        "precision": pytest.approx(2 / 3),
        "recall": 1,
        "f1": pytest.approx(0.8),
        "support": 2,
        "predicted": 3,
    }
    assert sum(found["reliability"]["counts"]) == 4
    assert None in found["reliability"]["accuracy"]  # of empty bins
    assert classification_scores(y, p, ["ham", "spam"], positive="ham")["precision"] == 1


def test_more_classes_have_no_positive_one_and_what_is_undefined_is_null() -> None:
    found = classification_scores([0, 0], [[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]], ["a", "b", "c"])
    assert "positive" not in found
    assert "f1" not in found
    assert found["roc_auc"] is None
    assert found["classes"][1]["f1"] is None
    assert found["f1_macro"] == 1
    nothing = classification_scores([], np.empty((0, 2)), ["a", "b"])
    assert nothing["examples"] == 0
    assert nothing["accuracy"] is nothing["f1"] is nothing["log_loss"] is nothing["ece"] is None


def test_labels_that_do_not_exclude_each_other() -> None:
    y, p = [[1, 0], [1, 1], [0, 0]], np.array([[0.9, 0.6], [0.8, 0.4], [0.1, 0.2]])
    found = classification_scores(y, p, ["new", "red"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["hamming_loss"] == pytest.approx(2 / 6)
    assert (found["precision_micro"], found["recall_micro"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["f1_macro"] == pytest.approx((1 + 0) / 2)
    assert [one["predicted"] for one in found["classes"]] == [2, 1]
    assert not {"confusion", "balanced_accuracy", "positive"} & set(found)
    lower = classification_scores(y, p, ["new", "red"], threshold=0.4)
    assert lower["classes"][1]["recall"] == 1
    assert lower["threshold"] == 0.4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"names": ["a"]}, ShapeError, "there must be a name for each of the 2 columns of probabilities; got 1"),
        (
            {"names": ["a", "b"], "positive": "c"},
            SpecError,
            "positive must be one of two classes; got 'c' with 'a', 'b'",
        ),
    ],
)
def test_names_must_fit(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        classification_scores([0, 1], [[0.5, 0.5], [0.1, 0.9]], **options)
    assert str(caught.value) == message
