"""Sequences of unequal lengths: one flat array with offsets, padded when a batch is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import Batch, IntArray, Source
from tidegate.errors import DataError, ShapeError

__all__ = ["Ragged", "RaggedExamples", "RaggedSource"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """Sequences that lie one after the other in a flat array.

    Parameters
    ----------
    flat
        The steps of all sequences, ``[step, …]``: ids, or features.
    offsets
        Where each sequence begins, and where the last one ends, ``[sequence + 1]`` of int64.

    Raises
    ------
    ShapeError
        If offsets do not run from 0 to the number of steps without going back.

    Examples
    --------
    >>> words = Ragged.of([np.array([3, 1]), np.array([2])])
    >>> words.padded(np.array([1, 0]))[0].tolist()
    [[2, 0], [3, 1]]
    """

    flat: npt.NDArray[Any]
    offsets: IntArray

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(self.flat):
            raise ShapeError(f"offsets must run from 0 to {len(self.flat)}, the steps of all; got {offsets!r}")
        if (np.diff(offsets) < 0).any():
            raise ShapeError("offsets must not go back: each sequence begins where the one before ends")

    @classmethod
    def of(cls, sequences: Sequence[npt.NDArray[Any]]) -> Ragged:
        """Put arrays ``[time, …]``, alike in all but their first axis, one after the other.

        Raises
        ------
        DataError
            If there is none.
        ShapeError
            If they differ in more than their lengths.
        """
        if len(sequences) == 0:
            raise DataError("expected one sequence at least; got none")
        arrays = [np.asarray(sequence) for sequence in sequences]
        for index, array in enumerate(arrays):
            if array.ndim == 0 or array.shape[1:] != arrays[0].shape[1:]:
                raise ShapeError(
                    f"sequences must be alike in all but their lengths; sequence 0 has shape {list(arrays[0].shape)}, "
                    f"sequence {index} has {list(array.shape)}"
                )
        offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])]).astype(np.int64)
        return cls(flat=np.concatenate(arrays), offsets=offsets)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        """Give one sequence, a view."""
        return self.flat[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> IntArray:
        """Steps of each sequence, ``[sequence]``."""
        lengths: IntArray = np.diff(self.offsets)
        return lengths

    def take(self, indices: IntArray) -> Ragged:
        """Give the sequences at ``indices``, in this order."""
        lengths = self.lengths[indices]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        steps = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths)
        return Ragged(flat=self.flat[steps], offsets=offsets)

    def padded(self, indices: IntArray, fill: float = 0) -> tuple[npt.NDArray[Any], IntArray]:
        """Copy sequences into one array, as long as the longest of them, ``fill`` where they have ended.

        Returns
        -------
        values : ndarray
            ``[batch, time, …]`` with one step at least.
        lengths : ndarray
            ``[batch]`` of int64.
        """
        lengths = self.lengths[indices]
        longest = max(int(lengths.max(initial=0)), 1)
        inside = np.arange(longest) < lengths[:, None]  # [batch, time]
        values = np.full((len(indices), longest, *self.flat.shape[1:]), fill, self.flat.dtype)
        values[inside] = self.take(indices).flat
        return values, lengths


class RaggedSource(Source, Protocol):
    """A source whose examples are of unequal lengths."""

    @property
    def lengths(self) -> IntArray:
        """Steps of each example, ``[example]``."""
        ...


class RaggedExamples:
    """Examples whose inputs are sequences of unequal lengths.

    Parameters
    ----------
    sequences
        The inputs.
    target
        What is to be said of each, ``[example, …]``; ``None`` when predicting.
    weight
        How much each counts in the loss, ``[example]``.
    fill
        What stands behind the end of a sequence in a batch.

    Raises
    ------
    ShapeError
        If there are more or fewer targets or weights than sequences.

    Examples
    --------
    >>> examples = RaggedExamples(Ragged.of([np.arange(2.0), np.arange(3.0)]), np.array([0, 1]))
    >>> examples.batch(np.array([1])).values.tolist()
    [[0.0, 1.0, 2.0]]
    """

    def __init__(
        self,
        sequences: Ragged,
        target: npt.NDArray[Any] | None = None,
        weight: npt.NDArray[Any] | None = None,
        *,
        fill: float = 0,
    ) -> None:
        for name, array in (("targets", target), ("weights", weight)):
            if array is not None and len(array) != len(sequences):
                raise ShapeError(f"expected one of the {name} a sequence: {len(sequences)}; got {len(array)}")
        self.sequences, self.target, self.weight, self.fill = sequences, target, weight, fill

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def lengths(self) -> IntArray:
        """Steps of each example, ``[example]``."""
        return self.sequences.lengths

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Copy the examples at ``indices`` into a batch, padded to the longest of them."""
        values, lengths = self.sequences.padded(indices, self.fill)
        return Batch(
            values=values,
            lengths=lengths,
            target=None if self.target is None else self.target[indices],
            weight=None if self.weight is None else self.weight[indices],
        )

    def subset(self, indices: IntArray) -> RaggedExamples:
        """Give the examples at ``indices``, in this order."""
        return RaggedExamples(
            self.sequences.take(indices),
            None if self.target is None else self.target[indices],
            None if self.weight is None else self.weight[indices],
            fill=self.fill,
        )
