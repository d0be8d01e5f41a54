from __future__ import annotations

import numpy as np
import pytest

from tidegate.data import Labels, MultiLabels, balanced_weights
from tidegate.errors import DataError


def test_classes_are_sorted_and_coded() -> None:
    labels = Labels.of(np.array(["b", "a", "b"]))
    assert labels.names == ("a", "b")
    assert labels.encode(["b", "a"]).tolist() == [1, 0]
    assert labels.decode(np.array([1, 0])).tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.array([3, 1, 3]), (1, 3)),
        (np.array([1.0, 2.0]), (1, 2)),
        ([True, False], (False, True)),
        (np.array([True, False]), (False, True)),
    ],
)
def test_numbers_and_booleans_are_labels_too(values: object, names: tuple[object, ...]) -> None:
    labels = Labels.of(values)  # type: ignore[arg-type]
    assert labels.names == names
    assert [type(name) for name in labels.names] == [type(name) for name in names]
    assert labels.decode(np.array([1])).dtype == np.array(names).dtype


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "a"], "expected labels of two classes at least, or there is nothing to tell apart; got only 'a'"),
        ([], "got none at all"),
        (["a", None], "the label of row 1 is None: leave such rows out"),
        ([1.0, np.nan], "the label of row 1 is nan"),
        ([1.5, 2.0], r"the label of row 0 is 1\.5"),
        (["a", 1], "expected labels of one kind; got int and str: make all of them text"),
    ],
)
def test_what_is_no_label_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Labels.of(values)


def test_a_label_unseen_in_training_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match="label 'c' of row 1 was not seen in training; known: 'a', 'b'"):
        Labels(("a", "b")).encode(["a", "c"])
    many = Labels(tuple(f"{number:02}" for number in range(12)))
    with pytest.raises(DataError, match=r"known: '00', .*'09', …"):
        many.encode(["x"])


def test_an_example_may_have_several_labels() -> None:
    labels = MultiLabels.of([["b", "a"], [], {"c"}])
    assert labels.names == ("a", "b", "c")
    marks = labels.encode([["c", "a"], []])
    assert marks.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert labels.decode(marks) == [["a", "c"], []]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a"], "expected the labels of an example as a list, which may be empty; row 0 has 'a'"),
        ([["a"], None], "row 1 has None"),
        ([[], []], "expected one label at least among the examples; got none"),
        ([["a", None]], "the label of row 0 is None"),
    ],
)
def test_what_is_no_list_of_labels_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        MultiLabels.of(values)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="label 'z' of row 0 was not seen in training"):
        MultiLabels(("a",)).encode([["z"]])


def test_balanced_weights_make_classes_count_alike() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2])
    weights = balanced_weights(codes, 4)
    assert weights.tolist() == [0.5, 1.5, 0.75, 0.0]
    assert [weights[codes[codes == code]].sum() for code in range(3)] == [1.5, 1.5, 1.5]
