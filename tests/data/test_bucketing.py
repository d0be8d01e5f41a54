from __future__ import annotations

import itertools

import numpy as np
import pytest

from tidegate.data import Arrays, BucketedBatches, in_length_order
from tidegate.errors import ShapeError, SpecError, StateError

LENGTHS = np.random.default_rng(0).integers(1, 100, 1000)


def _batches(seed: int = 0, pool: int = 50) -> BucketedBatches:
    return BucketedBatches(Arrays(np.arange(1000.0)), 8, lengths=LENGTHS, seed=seed, pool=pool)


def _pass(batches: BucketedBatches) -> list[list[float]]:
    return [batch.values.tolist() for batch in batches]


def test_a_pass_deals_every_example_once() -> None:
    batches = _batches()
    dealt = _pass(batches)
    assert len(dealt) == len(batches) == 125
    assert sorted(itertools.chain.from_iterable(dealt)) == list(range(1000))


def test_little_is_computed_on_padding() -> None:
    def padded(batches: BucketedBatches) -> float:
        cells = sum(len(rows) * LENGTHS[np.array(rows, int)].max() for rows in _pass(batches))
        return float(cells / LENGTHS.sum())

    assert padded(_batches()) < 1.03
    assert padded(_batches(pool=1)) > 1.5  # plain shuffling, to show what was won


def test_passes_differ_and_follow_from_the_seed() -> None:
    first, again, other = _batches(3), _batches(3), _batches(4)
    one, two = _pass(first), _pass(first)
    assert one != two
    assert [one, two] == [_pass(again), _pass(again)]
    assert one != _pass(other)
    lengths = [LENGTHS[int(rows[0])] for rows in one]
    assert lengths != sorted(lengths)  # batches do not come in the order of their lengths


def test_it_goes_on_where_it_was_left() -> None:
    whole = _pass(_batches())
    broken = _batches()
    start = [batch.values.tolist() for batch in itertools.islice(broken, 40)]
    resumed = _batches()
    resumed.load_state_dict(broken.state_dict())
    assert broken.state_dict() == {"epoch": 0, "position": 40}
    assert start + _pass(resumed) == whole
    with pytest.raises(StateError, match="a pass has 125 batches here"):
        resumed.load_state_dict({"epoch": 0, "position": 126})


def test_what_cannot_be_dealt_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected one length an example, \[1000\]; got shape \[999\]"):
        BucketedBatches(Arrays(np.arange(1000.0)), 8, lengths=LENGTHS[1:])
    with pytest.raises(SpecError, match="pool"):
        BucketedBatches(Arrays(np.arange(1000.0)), 8, lengths=LENGTHS, pool=0)


def test_answers_come_longest_first() -> None:
    order = in_length_order(np.array([2, 5, 5, 1]), 3)
    assert [batch.tolist() for batch in order] == [[1, 2, 0], [3]]
