from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from tidegate import metrics
from tidegate.errors import DataError, ShapeError, SpecError

CODES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)
LABELS = st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=30)


def scikit_learns(y: np.ndarray, p: np.ndarray, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 0 / 0, which is 0 there
        return theirs.precision_recall_fscore_support(y, p, **options)


@given(pairs=CODES)
def test_codes_score_as_in_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    y, p = np.array(pairs).T
    assert metrics.accuracy(y, p) == pytest.approx(theirs.accuracy_score(y, p))
    np.testing.assert_array_equal(
        metrics.confusion_matrix(y, p, classes=5), theirs.confusion_matrix(y, p, labels=range(5))
    )
    recalls = [(p[y == k] == k).mean() for k in np.unique(y)]
    assert metrics.balanced_accuracy(y, p) == pytest.approx(np.mean(recalls))
    for average in ("macro", "micro", "weighted"):
        found = metrics.precision_recall_f1(y, p, average=average)
        assert found[:3] == pytest.approx(scikit_learns(y, p, average=average)[:3])
        assert found.support == len(y)
    each = metrics.precision_recall_f1(y, p, classes=5)
    present = np.isin(np.arange(5), [y, p])
    expected = scikit_learns(y, p, labels=range(5))
    for ours, other in zip(each[:3], expected[:3], strict=True):
        np.testing.assert_allclose(ours[present], other[present])
        assert np.isnan(ours[~present]).all()
    np.testing.assert_array_equal(each.support, expected[3])


@given(rows=LABELS)
def test_labels_score_as_in_scikit_learn(rows: list[list[int]]) -> None:
    y, p = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    assert metrics.accuracy(y, p) == pytest.approx(theirs.accuracy_score(y, p))
    for average in (None, "macro", "micro", "weighted"):
        found = metrics.precision_recall_f1(y, p, average=average)
        expected = scikit_learns(y, p, average=average)
        if average == "micro" and not (y.any() or p.any()):
            assert np.isnan(found[:3]).all()
        else:
            for ours, other in zip(found[:3], expected[:3], strict=True):
                np.testing.assert_allclose(ours, other)
    np.testing.assert_array_equal(metrics.precision_recall_f1(y, p).support, y.sum(axis=0))


def test_of_two_classes_either_may_be_the_positive_one() -> None:
    y, p = [1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]  # TP 2, FN 1, FP 1, TN 3
    assert metrics.precision_recall_f1(y, p, average="binary") == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert metrics.precision_recall_f1(y, p, average="binary", positive=0) == pytest.approx((3 / 4, 3 / 4, 3 / 4, 4))


def test_by_hand() -> None:
    y, p = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 1]
    assert metrics.confusion_matrix(y, p).tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    each = metrics.precision_recall_f1(y, p)
    np.testing.assert_allclose(each.precision, [1, 1 / 3, 0])
    np.testing.assert_allclose(each.recall, [2 / 3, 1 / 2, 0])
    np.testing.assert_allclose(each.f1, [4 / 5, 2 / 5, 0])
    assert each.support.tolist() == [3, 2, 1]
    assert metrics.precision_recall_f1(y, p, average="macro").f1 == pytest.approx(0.4)
    assert metrics.precision_recall_f1(y, p, average="weighted").f1 == pytest.approx((3 * 0.8 + 2 * 0.4) / 6)
    assert metrics.precision_recall_f1(y, p, average="micro").f1 == pytest.approx(metrics.accuracy(y, p)) == 0.5
    assert metrics.balanced_accuracy(y, p) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_nothing_divided_by_nothing() -> None:
    never_predicted = metrics.precision_recall_f1([0, 1], [0, 0])
    assert (never_predicted.precision[1], never_predicted.recall[1], never_predicted.f1[1]) == (0, 0, 0)
    never_there = metrics.precision_recall_f1([0, 0], [0, 1])
    assert (never_there.precision[1], never_there.recall[1], never_there.f1[1]) == (0, 0, 0)
    neither = metrics.precision_recall_f1([0, 2], [0, 2], classes=3)
    assert np.isnan(neither.precision[1])
    assert metrics.precision_recall_f1([0, 2], [0, 2], average="macro", classes=3)[:3] == (1, 1, 1)
    of_labels = metrics.precision_recall_f1([[1, 0]], [[1, 0]])
    assert of_labels.f1.tolist() == [1, 0]


def test_of_no_example_there_is_no_score() -> None:
    assert math.isnan(metrics.accuracy([], []))
    assert math.isnan(metrics.balanced_accuracy([], []))
    assert metrics.confusion_matrix([], [], classes=2).tolist() == [[0, 0], [0, 0]]
    for average in ("macro", "micro", "weighted"):
        assert np.isnan(metrics.precision_recall_f1([], [], average=average, classes=2)[:3]).all()
        assert np.isnan(metrics.precision_recall_f1(np.empty((0, 2)), np.empty((0, 2)), average=average)[:3]).all()


@pytest.mark.parametrize(
    ("target", "predicted", "error", "message"),
    [
        ([0, 1], [0], ShapeError, "target and predicted must have one shape; got (2,) and (1,)"),
        (0, 0, ShapeError, "target must be codes [example] or 0 and 1 [example, label]; got the shape ()"),
        ([0, 1], ["a", "b"], DataError, "predicted must be whole-numbered codes, counted from 0; got 'a'. "
         "Encode names first"),
        ([0, -1], [0, 1], DataError, "target must hold a code, counted from 0 everywhere; got -1 in example 1, counted "
         "from 0"),
        ([0, 1], [0, 0.5], DataError, "predicted must hold a code, counted from 0 everywhere; got 0.5 in example 1, "
         "counted from 0"),
        ([0, np.nan], [0, 1], DataError, "target must hold a code, counted from 0 everywhere; got nan in example 1, "
         "counted from 0"),
        ([[0, 1]], [[0, 2]], DataError, "predicted must hold 0 or 1 everywhere; got 2 in example 0, counted from 0"),
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused(target: Any, predicted: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        metrics.accuracy(target, predicted)
    assert str(caught.value) == message


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        metrics.precision_recall_f1([0], [0], average="samples")
    assert str(caught.value) == "average must be None or one of 'macro', 'micro', 'weighted', 'binary'; got 'samples'"
    with pytest.raises(SpecError) as caught:
        metrics.precision_recall_f1([0], [0], average="binary", positive=2, classes=2)
    assert (
        str(caught.value)
        == "positive must be one of the 2 classes, counted from 0; got 2. Say how many there are with classes"
    )
    with pytest.raises(DataError) as caught_data:
        metrics.confusion_matrix([0, 3], [0, 1], classes=3)
    assert str(caught_data.value) == "codes must lie below the number of classes, 3; got 3"
    with pytest.raises(ShapeError) as caught_shape:
        metrics.balanced_accuracy([[0, 1]], [[0, 1]])
    assert str(caught_shape.value) == (
        "one class an example was expected, [example]; got labels of shape (1, 2). Labels that do not exclude each "
        "other have no confusion matrix and no balanced accuracy"
    )
    with pytest.raises(ShapeError) as caught_shape:
        metrics.precision_recall_f1([[0, 1]], [[0, 1]], classes=3)
    assert str(caught_shape.value) == "labels of shape (1, 2) have 2 classes; got classes=3"
