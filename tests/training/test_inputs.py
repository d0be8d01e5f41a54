from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from tidegate.data.batches import Arrays, Batch, Batches, IntArray
from tidegate.errors import SpecError
from tidegate.training.inputs import as_batches, hold_out

X, Y = np.arange(10.0).reshape(-1, 1), np.arange(10.0)


class Own:
    """A source of one's own."""

    def __len__(self) -> int:
        return 10

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        return Batch(values=X[indices], target=Y[indices])


class Stream(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    def __iter__(self) -> Any:
        return iter([(torch.zeros(1), torch.zeros(1))] * 3)


def values(data: Any, **options: Any) -> list[float]:
    batches = as_batches(data, **{"batch_size": 4, "shuffle": False, "seed": 0, **options})
    found: list[float] = []
    for batch in batches:
        part = batch.values if isinstance(batch, Batch) else batch[0]
        found.extend(part.flatten().tolist())
    return found


@pytest.mark.parametrize(
    "data",
    [(X, Y), (torch.tensor(X), torch.tensor(Y)), Arrays(X, Y), Own(), TensorDataset(torch.tensor(X), torch.tensor(Y))],
    ids=["arrays", "tensors", "Arrays", "own source", "dataset"],
)
def test_the_last_share_is_held_out_before_shuffling(data: Any) -> None:
    first, last = hold_out(data, 0.25)
    assert values(last) == [8, 9]
    assert values(first) == [0, 1, 2, 3, 4, 5, 6, 7]
    torch.manual_seed(0)
    shuffled = values(first, shuffle=True)
    assert sorted(shuffled) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert shuffled != sorted(shuffled)


def test_weights_come_third_and_bfloat16_is_widened() -> None:
    batches = as_batches(
        (torch.ones(2, 1, dtype=torch.bfloat16), np.ones(2), np.array([1.0, 3.0])), batch_size=2, shuffle=False, seed=0
    )
    (batch,) = batches
    assert (batch.weight.tolist(), batch.values.dtype) == ([1.0, 3.0], np.float32)


def test_a_stream_is_not_shuffled() -> None:
    assert len(list(as_batches(Stream(), batch_size=2, shuffle=True, seed=0))) == 2


def test_batches_stay_as_they_are() -> None:
    for batches in (Batches(Own(), 3), DataLoader(TensorDataset(torch.tensor(X))), [(X, Y)]):
        assert as_batches(batches, batch_size=4, shuffle=True, seed=0) is batches
        with pytest.raises(
            SpecError, match=f"validation_split cannot cut a {type(batches).__name__}; .*validation_data"
        ):
            hold_out(batches, 0.2)


def test_what_is_no_data_is_refused() -> None:
    for nothing in (3, X, torch.ones(2)):
        with pytest.raises(SpecError, match=rf"data must be \(X, y\), .*; got a {type(nothing).__name__}"):
            as_batches(nothing, batch_size=4, shuffle=True, seed=0)


def test_a_split_leaves_something_to_train_on() -> None:
    with pytest.raises(SpecError, match=r"validation_split=0.9 of 2 .* leaves none to train on"):
        hold_out((X[:2], Y[:2]), 0.9)
    with pytest.raises(SpecError, match="validation_split must be a probability"):
        hold_out((X, Y), 1.0)
