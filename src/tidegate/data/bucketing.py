"""Batches of sequences of like lengths, so that little is computed on padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from tidegate.data.batches import Batch, IntArray, Source, place
from tidegate.errors import ShapeError, SpecError
from tidegate.specs import checks

__all__ = ["BucketedBatches", "in_length_order"]


class BucketedBatches:
    """Deal examples out in a new random order each pass, those of like lengths together.

    A pass is shuffled, then cut into pools of some batches; within a pool examples are sorted by length and cut into
    batches, which are dealt in random order. So a batch is still a mixture, and its rows are nearly alike in length.
    What is dealt follows from ``(seed, pass)`` alone, and `state_dict` says where it stands, as of `Batches`.

    Parameters
    ----------
    source
        The examples.
    batch_size
        Examples a batch; the last pool may have one smaller batch.
    lengths
        Steps of each example, ``[example]``.
    seed
        Of the orders, at least 0.
    pool
        Batches whose examples are sorted together: 1 is plain shuffling, many make batches of one length.

    Raises
    ------
    SpecError
        If an option is out of its range, or there is no example.
    ShapeError
        If there is not one length an example.

    Examples
    --------
    >>> from tidegate.data import Arrays
    >>> batches = BucketedBatches(Arrays(np.array([5.0, 1.0, 4.0, 2.0])), 2, lengths=np.array([5, 1, 4, 2]))
    >>> sorted(sorted(batch.values.tolist()) for batch in batches)
    [[1.0, 2.0], [4.0, 5.0]]
    """

    continuous: ClassVar[bool] = False

    def __init__(self, source: Source, batch_size: int, *, lengths: IntArray, seed: int = 0, pool: int = 50) -> None:
        checks.whole("batch_size", batch_size)
        checks.whole("seed", seed, least=0)
        checks.whole("pool", pool)
        if len(source) == 0:
            raise SpecError("the source has no examples to deal out")
        if np.shape(lengths) != (len(source),):
            raise ShapeError(f"expected one length an example, [{len(source)}]; got shape {list(np.shape(lengths))}")
        self.source, self.batch_size, self.lengths, self.seed, self.pool = source, batch_size, lengths, seed, pool
        self._length = -(-len(source) // batch_size)
        self._epoch = 0
        self._position = 0

    def __len__(self) -> int:
        """Return the batches of one whole pass."""
        return self._length

    def __iter__(self) -> Iterator[Batch[np.ndarray]]:
        dealt = self._dealt(self._epoch)
        while self._position < self._length:
            self._position += 1  # before handing out: a state saved inside the loop counts this batch as done
            yield self.source.batch(dealt[self._position - 1])
        self._epoch += 1
        self._position = 0

    def state_dict(self) -> dict[str, int]:
        """Return ``{"epoch": passes completed, "position": batches handed out in the present pass}``."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken. Raises `StateError` if that place does not exist here."""
        self._epoch, self._position = place(state, self._length)

    def _dealt(self, epoch: int) -> list[IntArray]:
        """Give the examples of each batch of a pass."""
        key = np.array([self.seed, epoch], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        order = generator.permutation(len(self.source))
        span = self.pool * self.batch_size
        batches: list[IntArray] = []
        for start in range(0, len(order), span):
            pool = order[start : start + span]
            batches += _cut(pool[np.argsort(self.lengths[pool], kind="stable")], self.batch_size)
        return [batches[index] for index in generator.permutation(len(batches))]


def in_length_order(lengths: IntArray, batch_size: int) -> list[IntArray]:
    """Give the indices of batches for answering: sorted by length, the longest first.

    The longest come first so that a batch that is too large for the memory fails at once.

    >>> [batch.tolist() for batch in in_length_order(np.array([1, 9, 2]), 2)]
    [[1, 2], [0]]
    """
    return _cut(np.argsort(-lengths, kind="stable"), batch_size)


def _cut(order: IntArray, batch_size: int) -> list[IntArray]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
