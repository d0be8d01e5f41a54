from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tidegate.errors import DataError, ShapeError
from tidegate.text.classifying.targets import Classes, labels_column


def test_one_class_each() -> None:
    classes = Classes.of(["b", "a", "c", "a"])
    target = classes.encode(["c", "a"])
    assert target.tolist() == [2, 0]
    assert classes.marks(target).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert Classes.of(["a", "b"]).marks(np.array([0, 1])).tolist() == [[0], [1]]
    assert classes.strata(target).tolist() == [2, 0]


def test_several_labels() -> None:
    classes = Classes.of([["b"], ("a", "b"), set(), np.array(["a", "b"])])
    target = classes.encode([["b"], [], ["a", "b"], ["b"]])
    assert classes.several
    assert classes.marks(target).tolist() == [[0, 1], [0, 0], [1, 1], [0, 1]]
    assert classes.strata(target).tolist() == [1, 0, 2, 1]


def weights(classes: Classes, target: Any, given: Any) -> Any:
    return classes.weights(target, given)


def test_weights_of_classes() -> None:
    classes = Classes.of(["a", "a", "a", "b"])
    target = classes.encode(["a", "a", "a", "b"])
    assert classes.weights(target, None) is None
    np.testing.assert_allclose(weights(classes, target, "balanced"), [2 / 3] * 3 + [2])
    np.testing.assert_allclose(weights(classes, target, {"b": 5}), [1, 1, 1, 5])


def test_weights_of_labels() -> None:
    classes = Classes.of([["a", "b"], ["b"], ["b"], ["b"]])
    target = classes.encode([["a", "b"], ["b"], ["b"], ["b"]])
    balanced = weights(classes, target, "balanced")
    # of b there is no other
    np.testing.assert_allclose(balanced, [[2.0, 1.0], [2 / 3, 1.0], [2 / 3, 1.0], [2 / 3, 1.0]])
    np.testing.assert_allclose(weights(classes, target, {"a": 3}), [[3, 1], [1, 1], [1, 1], [1, 1]])


@pytest.mark.parametrize(("labels", "name"), [([True, False], "true"), ([1, 2], "2"), ([1, 2], 2)])
def test_weights_are_found_by_the_names_that_json_writes(labels: list[Any], name: Any) -> None:
    classes = Classes.of(labels)
    found = weights(classes, classes.encode(labels), {name: 4.0})
    assert sorted(found.tolist()) == [1, 4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"c": 2}, "class_weight has 'c', which is not among the labels of the training: 'a', 'b'"),
        ({"a": 0, "b": 0}, "class_weight leaves no example that counts: nothing would be learned"),
    ],
)
def test_weights_that_cannot_be_are_refused(given: Any, message: str) -> None:
    classes = Classes.of(["a", "b"])
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        classes.weights(np.array([0, 1]), given)


def test_labels_that_cannot_be_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected one label a text: 3 texts; got 2 label\(s\)$"):
        labels_column(["a", "b"], 3)
    with pytest.raises(DataError, match=r"^expected a list or a column of labels, got str$"):
        labels_column("ab", 2)
    with pytest.raises(DataError, match=r"^expected one label a text, as in training; got lists of labels$"):
        Classes.of(["a", "b"]).encode([["a"]])
    with pytest.raises(DataError, match=r"^expected labels of two classes at least"):
        Classes.of(["a", "a"])
    with pytest.raises(DataError, match=r"^label 'z' of row 1 was not seen in training; known: 'a', 'b'$"):
        Classes.of(["a", "b"]).encode(["a", "z"])
