from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as theirs

from tidegate import metrics
from tidegate.errors import DataError, ShapeError, SpecError


def drawn(examples: int = 60, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw classes and probabilities, the latter rounded so that there are ties."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 6, size=(examples, classes)).astype(float)
    return np.arange(examples) % classes, weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_codes_score_as_in_scikit_learn(classes: int) -> None:
    y, p = drawn(classes=classes)
    assert metrics.log_loss(y, p) == pytest.approx(theirs.log_loss(y, p))
    assert metrics.brier_score(y, p) == pytest.approx(theirs.brier_score_loss(y, p, scale_by_half=False))
    one = p[:, 1] if classes == 2 else p
    assert metrics.roc_auc(y, p) == pytest.approx(theirs.roc_auc_score(y, one, multi_class="ovr", average="macro"))


def test_labels_score_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, (50, 3)), rng.integers(0, 8, (50, 3)) / 8 + 0.05
    each = [theirs.log_loss(y[:, k], p[:, k]) for k in range(3)]
    assert metrics.log_loss(y, p) == pytest.approx(np.mean(each))
    each = [theirs.brier_score_loss(y[:, k], p[:, k]) for k in range(3)]
    assert metrics.brier_score(y, p) == pytest.approx(np.mean(each))
    assert metrics.roc_auc(y, p) == pytest.approx(theirs.roc_auc_score(y, p, average="macro"))


def test_one_mistake_that_was_sure_of_itself_costs_no_more_than_36_nats() -> None:
    assert metrics.log_loss([0], [[0.0, 1.0]]) == pytest.approx(theirs.log_loss([0], [[0.0, 1.0]], labels=[0, 1]))
    assert metrics.log_loss([0], [[0.0, 1.0]]) == pytest.approx(36.0437, abs=1e-4)
    assert metrics.log_loss([1], [[0.0, 1.0]]) == pytest.approx(0, abs=1e-15)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    y, p = drawn(classes=3, seed=2)
    areas = []
    for k in range(3):
        has, has_not = p[y == k, k], p[y != k, k]
        areas.append(np.mean([(a > b) + (a == b) / 2 for a in has for b in has_not]))
    assert metrics.roc_auc(y, p) == pytest.approx(np.mean(areas))


def test_a_class_that_all_or_none_have_has_no_area() -> None:
    y, p = np.array([0, 0, 1]), np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.7, 0.0]])
    assert metrics.roc_auc(y, p) == pytest.approx((1 / 2 + 1) / 2)  # the third class is left out
    assert math.isnan(metrics.roc_auc([0, 0], p[:2]))


def test_the_calibration_error_by_hand() -> None:
    p = np.array([[0.2, 0.8], [0.2, 0.8], [0.75, 0.25], [0.55, 0.45], [0.5, 0.5]])
    y = [1, 0, 0, 1, 0]
    # Bins of a fifth, the upper edge within: 0.8, 0.8, 0.75 (2 of 3 right) and 0.55, 0.5 (1 of 2 right).
    found = metrics.reliability(y, p, bins=5)
    np.testing.assert_allclose(found.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert found.counts.tolist() == [0, 0, 2, 3, 0]
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.525, 2.35 / 3, np.nan])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 1 / 2, 2 / 3, np.nan])
    expected = 2 / 5 * 0.025 + 3 / 5 * (2.35 - 2) / 3
    assert metrics.expected_calibration_error(y, p, bins=5) == pytest.approx(expected)


def test_the_confidence_of_labels_is_their_own_probability() -> None:
    found = metrics.reliability([[0, 1], [0, 0]], [[0.1, 0.9], [0.0, 0.9]], bins=2)
    assert found.counts.tolist() == [2, 2]  # a probability of 0 belongs to the first bin
    np.testing.assert_allclose(found.confidence, [0.05, 0.9])
    np.testing.assert_allclose(found.accuracy, [0, 0.5])


def test_a_classifier_that_is_as_right_as_it_says_has_no_calibration_error() -> None:
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1, 200_000)
    y = (rng.uniform(size=sure.size) > sure).astype(int)
    p = np.stack([sure, 1 - sure], axis=1)
    assert metrics.expected_calibration_error(y, p) < 0.005
    too_sure = np.stack([np.minimum(sure + 0.1, 1), np.maximum(0.9 - sure, 0)], axis=1)
    assert metrics.expected_calibration_error(y, too_sure) == pytest.approx(0.09, abs=0.01)  # 0.1, less what 1 cuts off


def test_of_no_example_there_is_no_score() -> None:
    for score in (metrics.log_loss, metrics.brier_score, metrics.expected_calibration_error, metrics.roc_auc):
        assert math.isnan(score([], np.empty((0, 2))))
        assert math.isnan(score(np.empty((0, 2)), np.empty((0, 2))))


@pytest.mark.parametrize(
    ("target", "probabilities", "error", "message"),
    [
        ([0, 1], [[0.5, 0.5]], ShapeError, "probabilities [example, class] must have a row for every example and a "
         "column for every class; got (1, 2) with a target of shape (2,)"),
        ([0, 1], [0.5, 0.5], ShapeError, "probabilities [example, class] must have a row for every example and a "
         "column for every class; got (2,) with a target of shape (2,)"),
        ([[0, 1]], [[0.5, 0.5, 0.5]], ShapeError, "probabilities [example, class] must have a row for every example "
         "and a column for every class; got (1, 3) with a target of shape (1, 2)"),
        ([0, 1], [[0.5, 0.5], [1.5, -0.5]], DataError, "probabilities must lie within 0 to 1; those of example 1 do "
         "not"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], DataError, "probabilities must lie within 0 to 1; those of example 1 do "
         "not"),
        ([0, 1], [[0.5, 0.5], [0.7, 0.7]], DataError, "probabilities of an example must add up to 1; those of example "
         "1 make 1.4"),
        ([0, 2], [[0.5, 0.5], [0.3, 0.7]], DataError, "codes must lie below the number of classes, 2; got 2"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(target: Any, probabilities: Any, error: type[Exception], message: str) -> None:
    for score in (metrics.log_loss, metrics.brier_score, metrics.reliability, metrics.roc_auc):
        with pytest.raises(error) as caught:
            score(target, probabilities)
        assert str(caught.value) == message


@pytest.mark.parametrize("bins", [0, 1.5, True])
def test_bins_must_be_counted(bins: Any) -> None:
    with pytest.raises(SpecError) as caught:
        metrics.expected_calibration_error([0], [[1.0, 0.0]], bins=bins)
    assert str(caught.value) == f"bins must be a whole number of at least 1; got {bins!r}"
