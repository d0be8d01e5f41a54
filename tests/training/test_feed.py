from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from tidegate.data.batches import Arrays, Batch, Batches
from tidegate.errors import DataError, SpecError
from tidegate.training.feed import Feed, to_batch

CPU = torch.device("cpu")


class Unending:
    """Three batches a pass, without saying so."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(3):
            yield np.full((2, 1), float(number)), np.zeros((2, 1))


def loader(generator: torch.Generator | None = None) -> DataLoader[Any]:
    data = TensorDataset(torch.arange(10.0).reshape(-1, 1), torch.zeros(10, 1))
    return DataLoader(data, batch_size=3, shuffle=True, generator=generator)


def values(feed: Feed, count: int) -> list[Any]:
    return [feed.next().values.flatten().tolist() for _ in range(count)]


def test_one_pass_follows_another() -> None:
    feed = Feed(Batches(Arrays(np.arange(5.0).reshape(-1, 1), np.zeros(5)), 2), CPU)
    assert values(feed, 2) == [[0, 1], [2, 3]]
    assert (feed.passes, feed.position) == (0, 2)
    assert values(feed, 1) == [[4]]
    assert (feed.passes, feed.position) == (1, 0)
    assert values(feed, 1) == [[0, 1]]


def test_a_pass_without_a_length_is_noticed_to_end() -> None:
    feed = Feed(Unending(), CPU)
    assert feed.declared_length is None
    values(feed, 2)
    assert (feed.passes, feed.length) == (0, None)
    values(feed, 1)
    assert (feed.passes, feed.position, feed.length) == (1, 0, 3)


@pytest.mark.parametrize("kind", ["batches", "loader", "own generator", "unending"])
def test_it_goes_on_where_it_stood(kind: str) -> None:
    def batches() -> Any:
        if kind == "batches":
            return Batches(Arrays(np.arange(10.0).reshape(-1, 1), np.zeros(10)), 3, shuffle=True, seed=4)
        if kind == "unending":
            return Unending()
        return loader(torch.Generator().manual_seed(5) if kind == "own generator" else None)

    torch.manual_seed(1)
    feed = Feed(batches(), CPU)
    values(feed, 5)
    state, generator = feed.state_dict(), torch.get_rng_state()
    expected = values(feed, 6)

    torch.manual_seed(999)
    again = Feed(batches(), CPU)
    again.load_state_dict(state)
    torch.set_rng_state(generator)
    assert values(again, 6) == expected


def test_restored_batches_take_the_seed_that_was_drawn() -> None:
    source = Arrays(np.arange(10.0).reshape(-1, 1), np.zeros(10))
    first = Feed(Batches(source, 3, shuffle=True, seed=1), CPU)
    values(first, 1)
    second = Feed(Batches(source, 3, shuffle=True, seed=2), CPU)
    second.load_state_dict(first.state_dict())
    assert values(second, 5) == values(first, 5)


def test_what_can_be_gone_through_once_is_refused() -> None:
    with pytest.raises(SpecError, match="a generator can be gone through only once; give Batches, a DataLoader or"):
        Feed((number for number in range(3)), CPU)


def test_no_batches_and_wrong_lengths_are_errors() -> None:
    with pytest.raises(DataError, match="ended after 0; there is nothing to train on"):
        Feed([], CPU).next()

    class Wrong(list[Any]):
        def __len__(self) -> int:
            return 2

    pair = (torch.zeros(1, 1), torch.zeros(1, 1))
    short = Feed(Wrong([pair]), CPU)
    short.next()
    with pytest.raises(DataError, match="ended after 1, though their length is 2"):
        short.next()
    long = Feed(Wrong([pair] * 3), CPU)
    long.next()
    with pytest.raises(DataError, match="go on after 2, though that is their length"):
        long.next()


def test_pairs_triples_and_batches_become_batches() -> None:
    X, y, weight = np.ones((2, 1)), torch.zeros(2), np.array([1.0, 2.0])
    assert to_batch((X, y), CPU).weight is None
    assert to_batch([X, y, weight], CPU).weight.tolist() == [1.0, 2.0]  # type: ignore[union-attr]
    batch = to_batch(Batch(values=X, lengths=np.array([1, 1])), CPU)
    assert (batch.target, batch.lengths.dtype) == (None, torch.int64)  # type: ignore[union-attr]


def test_every_field_of_a_batch_becomes_a_tensor() -> None:
    names = [field.name for field in dataclasses.fields(Batch)]
    arrays = {name: np.full((2, 1), place) for place, name in enumerate(names)}
    batch = to_batch(Batch(**arrays), CPU)
    assert {"past", "known", "static", "categories", "weight", "position"} <= set(names)
    for place, name in enumerate(names):
        tensor = getattr(batch, name)
        assert isinstance(tensor, torch.Tensor)
        assert (tensor.dtype, tensor.tolist()) == (torch.int64, [[place], [place]])


def test_other_things_are_not_batches() -> None:
    with pytest.raises(DataError, match=r"must be a tidegate.data.Batch, \(X, y\) or .*; got a list of 1"):
        to_batch([1], CPU)
    with pytest.raises(DataError, match="must hold arrays or tensors; got a str"):
        to_batch(("a", "b"), CPU)
