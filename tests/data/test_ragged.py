from __future__ import annotations

import numpy as np
import pytest

from tidegate.data import Ragged, RaggedExamples
from tidegate.errors import DataError, ShapeError


def _three() -> Ragged:
    return Ragged.of([np.array([[1.0], [2.0]]), np.empty((0, 1)), np.array([[3.0]])])


def test_sequences_lie_one_after_the_other() -> None:
    ragged = _three()
    assert ragged.flat.tolist() == [[1], [2], [3]]
    assert ragged.offsets.tolist() == [0, 2, 2, 3]
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert len(ragged) == 3
    assert ragged[2].tolist() == [[3]]


def test_taking_follows_the_order_asked_for() -> None:
    taken = _three().take(np.array([2, 0, 2, 1]))
    assert [taken[index].ravel().tolist() for index in range(4)] == [[3], [1, 2], [3], []]


def test_padding_reaches_to_the_longest_of_the_batch() -> None:
    values, lengths = _three().padded(np.array([1, 2]), fill=-7)
    assert values.tolist() == [[[-7]], [[3]]]
    assert lengths.tolist() == [0, 1]
    values, lengths = _three().padded(np.array([1]))
    assert values.shape == (1, 1, 1)
    assert lengths.tolist() == [0]


def test_padding_keeps_the_dtype_of_ids() -> None:
    values, _ = Ragged.of([np.array([5, 6]), np.array([7])]).padded(np.array([0, 1]))
    assert values.dtype == np.int64
    assert values.tolist() == [[5, 6], [7, 0]]


def test_what_cannot_be_put_together_is_refused() -> None:
    with pytest.raises(DataError, match="expected one sequence at least; got none"):
        Ragged.of([])
    with pytest.raises(ShapeError, match=r"sequence 0 has shape \[2, 1\], sequence 1 has \[2, 2\]"):
        Ragged.of([np.zeros((2, 1)), np.zeros((2, 2))])
    with pytest.raises(ShapeError, match="offsets must run from 0 to 2"):
        Ragged(flat=np.zeros(2), offsets=np.array([0, 3]))
    with pytest.raises(ShapeError, match="offsets must not go back"):
        Ragged(flat=np.zeros(2), offsets=np.array([0, 2, 1, 2]))


def test_examples_are_cut_with_target_and_weight() -> None:
    examples = RaggedExamples(_three(), np.array([0, 1, 2]), np.array([1.0, 2.0, 4.0]))
    batch = examples.batch(np.array([2, 0]))
    assert batch.values.tolist() == [[[3], [0]], [[1], [2]]]
    assert batch.lengths is not None
    assert batch.target is not None
    assert batch.weight is not None
    assert (batch.lengths.tolist(), batch.target.tolist(), batch.weight.tolist()) == ([1, 2], [2, 0], [4, 1])
    part = examples.subset(np.array([2]))
    assert (len(part), part.lengths.tolist()) == (1, [1])
    assert part.batch(np.array([0])).values.tolist() == [[[3]]]


def test_rows_of_different_number_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected one of the targets a sequence: 3; got 2"):
        RaggedExamples(_three(), np.array([0, 1]))
    with pytest.raises(ShapeError, match="expected one of the weights a sequence: 3; got 1"):
        RaggedExamples(_three(), weight=np.array([1.0]))
