"""Batches: what a network is trained on, and the samplers that deal them out and can be restarted anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tidegate.data.arrays import numeric_array
from tidegate.errors import DataError, ShapeError, SpecError, StateError
from tidegate.specs import checks

__all__ = ["Arrays", "Batch", "Batches", "ContinuousBatches", "IntArray", "Source", "place"]

A = TypeVar("A")
IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch(Generic[A]):
    """Examples that go through a network together; ``A`` is `numpy.ndarray` or a tensor.

    Parameters
    ----------
    values
        The input, ``[batch, time, feature]``, or whatever the module takes (token ids ``[batch, time]``).
    target
        What the output is compared with, ``[batch, …]``; ``None`` when predicting.
    observed
        Shaped as ``values``: False where a value is missing or lies before the start of the series.
    target_observed
        Shaped as ``target``: False where the loss must not look.
    lengths
        Valid steps of each row, ``[batch]`` of int64; ``None`` if all steps are valid.
    past
        Covariates that are known up to the present, ``[batch, context, p]``, NaN where missing.
    known
        Covariates whose future is known, ``[batch, context + horizon, k]``, NaN where missing.
    static
        Covariates that do not change with time, ``[batch, s]``, NaN where missing.
    categories
        The codes of categories that do not change with time, ``[batch, c]`` of int64: 0 where missing or unknown.
    weight
        Weight in the loss of each example, ``[batch]``, or of each of its steps, ``[batch, horizon]``.
    series
        Index of the series each example was cut from, ``[batch]`` of int64.
    unit
        What an error of the series is measured in, ``[batch, target]``, in the units of the data; NaN where unknown.
    given
        True values of the steps that are to be forecast, where they are known already, NaN elsewhere.
    position
        Number of the first target step by the calendar of the series, ``[batch]`` of int64.
    answer
        What another model says of the examples, ``[batch, …]``, where one is to be learned from.
    """

    values: A
    target: A | None = None
    observed: A | None = None
    target_observed: A | None = None
    lengths: A | None = None
    past: A | None = None
    known: A | None = None
    static: A | None = None
    categories: A | None = None
    weight: A | None = None
    series: A | None = None
    unit: A | None = None
    given: A | None = None
    position: A | None = None
    answer: A | None = None


class Source(Protocol):
    """Examples that can be cut by index: `Arrays`, `tidegate.data.Windows`, or a class of your own."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Cut the examples at ``indices`` (``[batch]``, in this order)."""
        ...


class Arrays:
    """Examples that lie in arrays, one example a row.

    Parameters
    ----------
    X
        Inputs, ``[example, …]``; for a recurrent network ``[example, time, feature]``.
    y
        Targets, ``[example, …]``.
    lengths
        Valid steps of each example, whole numbers from 1 to ``time``.
    weight
        Weight of each example in the loss, at least 0.

    Raises
    ------
    ShapeError
        If an array is empty, not numeric, or has another number of examples than ``X``.
    DataError
        If a float is NaN or infinite, a length lies outside 1 … time, or a weight is negative.

    Examples
    --------
    >>> source = Arrays(np.zeros((10, 4, 1)), np.arange(10.0))
    >>> source.batch(np.array([3, 1])).target
    array([3., 1.])
    """

    def __init__(
        self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, *, lengths: Any = None, weight: Any = None
    ) -> None:
        self.X = numeric_array("X", X)
        self.y = None if y is None else numeric_array("y", y)
        self.lengths = None if lengths is None else numeric_array("lengths", lengths)
        self.weight = None if weight is None else numeric_array("weight", weight)
        for name, array in (("y", self.y), ("lengths", self.lengths), ("weight", self.weight)):
            if array is not None and len(array) != len(self.X):
                raise ShapeError(f"X has {len(self.X)} examples, but {name} has {len(array)}; give one row an example")
        if self.lengths is not None:
            self.lengths = _valid_lengths(self.lengths, self.X)
        if self.weight is not None:
            _check_weight(self.weight)

    def __len__(self) -> int:
        return len(self.X)

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Copy the examples at ``indices`` into a batch."""
        return Batch(
            values=self.X[indices],
            target=None if self.y is None else self.y[indices],
            lengths=None if self.lengths is None else self.lengths[indices],
            weight=None if self.weight is None else self.weight[indices],
        )

    def subset(self, start: int, stop: int) -> Arrays:
        """Return the examples ``start`` to ``stop`` (exclusive) as views. Raises `SpecError` if there are none."""
        if not 0 <= start < stop <= len(self):
            raise SpecError(f"expected 0 ≤ start < stop ≤ {len(self)} (the examples); got start={start}, stop={stop}")
        part = object.__new__(Arrays)  # views of checked arrays need no second check
        for name in ("X", "y", "lengths", "weight"):
            whole = getattr(self, name)
            setattr(part, name, None if whole is None else whole[start:stop])
        return part

    def split(self, share: float) -> tuple[Arrays, Arrays]:
        """Hold out the last ``share`` of the examples (in the order given, so later windows never train earlier ones).

        Returns
        -------
        tuple of Arrays
            ``(first, last)``; ``last`` has ``round(share × examples)`` examples, at least one.

        Raises
        ------
        SpecError
            If ``share`` is not a number with 0 < share < 1, or no example would be left on one side.
        """
        checks.at_least("share", share, 0, exclusive=True)
        checks.probability("share", share)
        held = max(1, round(share * len(self)))
        if held >= len(self):
            raise SpecError(f"holding out {share:g} of {len(self)} example(s) leaves none to train on; give more data")
        return self.subset(0, len(self) - held), self.subset(len(self) - held, len(self))


class Batches:
    """Deal the examples of a source out in batches; where the dealing stands can be saved and restored.

    Iterating gives the rest of the present pass: all of it at first, what is left after `load_state_dict` or a loop
    that was broken off. At its end the next pass begins, with a new permutation if ``shuffle``. The permutation follows
    from ``(seed, pass)`` alone, so a restarted run sees the same batches in the same order.

    Parameters
    ----------
    source
        The examples.
    batch_size
        Examples a batch; the last batch of a pass may be smaller.
    shuffle
        Deal in a new random order each pass.
    seed
        Of the permutations, at least 0.
    rank, world_size
        This process's place among those that share the data. The order is the same everywhere; each takes every
        ``world_size``-th example. As in torch's ``DistributedSampler`` the first examples are dealt twice where
        that is needed to give all processes equally many.
    drop_last
        Leave a smaller last batch out.
    chances
        How often each example is dealt beside the others, ``[example]``, at least 0. A pass then draws as many examples
        as there are, with replacement. Only with ``shuffle``.

    Raises
    ------
    SpecError
        If an option is out of its range, or no batch would be left.
    ShapeError
        If there is not one chance an example.

    Examples
    --------
    >>> batches = Batches(Arrays(np.arange(5.0)), 2)
    >>> [batch.values.tolist() for batch in batches]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> batches.state_dict()
    {'epoch': 1, 'position': 0}
    """

    continuous: ClassVar[bool] = False

    def __init__(
        self,
        source: Source,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        chances: np.ndarray | None = None,
    ) -> None:
        checks.whole("batch_size", batch_size)
        checks.whole("seed", seed, least=0)
        checks.whole("world_size", world_size)
        checks.whole("rank", rank, least=0)
        if rank >= world_size:
            raise SpecError(f"rank must be less than world_size ({world_size}); got {rank}")
        if len(source) == 0:
            raise SpecError("the source has no examples to deal out; give more or longer series, or a shorter context")
        self._upto = None if chances is None else _cumulated(chances, len(source), shuffle=shuffle)
        self.source = source
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._examples = -(-len(source) // world_size)  # of this process, a pass
        self._length = self._examples // batch_size if drop_last else -(-self._examples // batch_size)
        if self._length == 0:
            raise SpecError(
                f"drop_last=True leaves no batch: {self._examples} examples, batch_size={batch_size}; "
                "take a smaller batch_size"
            )
        self._epoch = 0
        self._position = 0

    def __len__(self) -> int:
        """Return the batches of one whole pass."""
        return self._length

    def __iter__(self) -> Iterator[Batch[np.ndarray]]:
        order = self._order(self._epoch)
        while self._position < self._length:
            start = self._position * self.batch_size
            self._position += 1  # before handing out: a state saved inside the loop counts this batch as done
            yield self.source.batch(order[start : start + self.batch_size])
        self._epoch += 1
        self._position = 0

    def state_dict(self) -> dict[str, int]:
        """Return ``{"epoch": passes completed, "position": batches handed out in the present pass}``."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken. Raises `StateError` if that place does not exist here."""
        self._epoch, self._position = place(state, self._length)

    def _order(self, epoch: int) -> IntArray:
        total = len(self.source)
        if self.shuffle:
            key = np.array([self.seed, epoch], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            order = generator.permutation(total) if self._upto is None else self._drawn(generator, total)
        else:
            order = np.arange(total)
        if self.world_size == 1:
            return order
        return np.resize(order, self._examples * self.world_size)[self.rank :: self.world_size]

    def _drawn(self, generator: np.random.Generator, total: int) -> IntArray:
        """Draw examples by their chances; one draw is spread over the whole range, so that few are missed by luck."""
        assert self._upto is not None
        even = (np.arange(total) + generator.random()) / total  # systematic sampling (Madow & Madow, 1944)
        drawn: IntArray = np.searchsorted(self._upto, even * self._upto[-1], side="right")
        return generator.permutation(np.minimum(drawn, total - 1))


class ContinuousBatches:
    """Cut one long sequence into rows that run side by side, for stateful training.

    The sequence is divided into ``batch_size`` rows of equal length (a remainder at its end is left out). Each batch
    holds the next ``steps`` steps of every row, so row *i* of one batch continues row *i* of the one before, and a
    recurrent state can be carried on: truncated backpropagation through time. The last batch of a pass may have
    fewer steps. A batch with ``state_dict()["position"] == 1`` is the first of its pass; the state begins anew there.

    Parameters
    ----------
    values
        The sequence, ``[time, feature]``, or ``[time]`` of token ids.
    target
        What each step's output is compared with, ``[time, …]``.
    batch_size
        Rows.
    steps
        Steps of a batch.

    Raises
    ------
    ShapeError
        If the two differ in length or there are fewer steps than rows.
    DataError
        If a float is NaN or infinite.

    Examples
    --------
    >>> batches = ContinuousBatches(np.arange(6), np.arange(1, 7), batch_size=2, steps=2)
    >>> [batch.values.tolist() for batch in batches]
    [[[0, 1], [3, 4]], [[2], [5]]]
    """

    continuous: ClassVar[bool] = True

    def __init__(self, values: npt.ArrayLike, target: npt.ArrayLike, *, batch_size: int, steps: int) -> None:
        checks.whole("batch_size", batch_size)
        checks.whole("steps", steps)
        sequence, truth = numeric_array("values", values), numeric_array("target", target)
        if len(sequence) != len(truth):
            raise ShapeError(f"values has {len(sequence)} time steps, but target has {len(truth)}; give one a step")
        self.batch_size = batch_size
        self.steps = steps
        self._row = len(sequence) // batch_size
        if self._row == 0:
            raise ShapeError(f"{len(sequence)} time steps cannot be cut into {batch_size} rows; lower batch_size")
        self._values = self._in_rows(sequence)
        self._target = self._in_rows(truth)
        self._length = -(-self._row // steps)
        self._epoch = 0
        self._position = 0

    def __len__(self) -> int:
        """Return the batches of one whole pass."""
        return self._length

    def __iter__(self) -> Iterator[Batch[np.ndarray]]:
        while self._position < self._length:
            start = self._position * self.steps
            self._position += 1
            chunk = slice(start, start + self.steps)
            yield Batch(values=self._values[:, chunk], target=self._target[:, chunk])
        self._epoch += 1
        self._position = 0

    def state_dict(self) -> dict[str, int]:
        """Return ``{"epoch": passes completed, "position": batches handed out in the present pass}``."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken. Raises `StateError` if that place does not exist here."""
        self._epoch, self._position = place(state, self._length)

    def _in_rows(self, array: np.ndarray) -> np.ndarray:
        used = array[: self._row * self.batch_size]
        return used.reshape(self.batch_size, self._row, *array.shape[1:])  # [batch, row, …]


def _valid_lengths(lengths: np.ndarray, X: np.ndarray) -> np.ndarray:
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or X.ndim < 2:
        raise ShapeError(
            f"lengths must be whole numbers [example] beside X [example, time, …]; "
            f"got {lengths.dtype} {lengths.shape} beside X {X.shape}"
        )
    wrong = np.flatnonzero((lengths < 1) | (lengths > X.shape[1]))
    if wrong.size:
        raise DataError(f"lengths must lie in 1 … {X.shape[1]} (time of X); row {wrong[0]} has {lengths[wrong[0]]}")
    return lengths.astype(np.int64)


def _check_weight(weight: np.ndarray) -> None:
    if weight.ndim != 1:
        raise ShapeError(f"weight must be [example]; got shape {weight.shape}")
    negative = np.flatnonzero(weight < 0)
    if negative.size:
        raise DataError(f"weights must be at least 0; row {negative[0]} has {weight[negative[0]]}")


def _cumulated(chances: np.ndarray, examples: int, *, shuffle: bool) -> np.ndarray:
    if not shuffle:
        raise SpecError("chances say how often an example is drawn; without shuffle=True each comes once, in order")
    if chances.shape != (examples,):
        raise ShapeError(f"chances must be [{examples}], one an example; got {list(chances.shape)}")
    if not (np.isfinite(chances).all() and (chances >= 0).all() and chances.any()):
        raise SpecError("chances must be finite and at least 0, and some of them more")
    return np.cumsum(chances, dtype=np.float64)


def place(state: Mapping[str, int], length: int) -> tuple[int, int]:
    """Read passes and batches from a sampler's state. Raises `StateError` if a pass of ``length`` has no such place."""
    try:
        epoch, position = int(state["epoch"]), int(state["position"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"expected a state with 'epoch' and 'position'; got {state!r}") from error
    if epoch < 0 or not 0 <= position <= length:
        raise StateError(
            f"the state stands at batch {position} of pass {epoch}, but a pass has {length} batches here; "
            "restore it with the same data, batch_size and world_size"
        )
    return epoch, position
