"""Units that stay or go as a whole: which weights belong to each, how much they weigh, what is left without some."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Features", "Group", "Span", "kept", "kept_sizes", "read", "width", "without"]

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

_ROUNDING = 1e-9  # 100 · 0.29 is a little less than 29


@dataclasses.dataclass(frozen=True, kw_only=True)
class Use:
    """Where the units of a group stand in a tensor.

    Parameters
    ----------
    tensor, axis
        Its name, and along which axis.
    start
        The place of the first unit.
    blocks
        How many times they stand there, one set behind the other: once for each gate.
    weighs
        Whether these numbers tell how much a unit matters; biases and norms do not.
    """

    tensor: str
    axis: int
    start: int = 0
    blocks: int = 1
    weighs: bool = True

    def places(self, numbers: npt.NDArray[np.int64], units: int) -> npt.NDArray[np.int64]:
        """Give the places of some of the ``units``, ``[block, number]``."""
        return self.start + np.arange(self.blocks)[:, None] * units + numbers


class Group:
    """Units among which one choice is made: those of a layer and direction, or of several that must agree.

    Parameters
    ----------
    units
        How many there are.
    keep
        How many stay.
    """

    def __init__(self, units: int, keep: int) -> None:
        self.units, self.keep = units, keep
        self.uses: list[Use] = []

    def use(self, tensor: str, axis: int, *, start: int = 0, blocks: int = 1, weighs: bool = True) -> None:
        """Note that a tensor has numbers of these units; see `Use`."""
        self.uses.append(Use(tensor=tensor, axis=axis, start=start, blocks=blocks, weighs=weighs))

    def magnitudes(self, arrays: Arrays) -> npt.NDArray[np.float64]:
        """Give the magnitude of each unit, ``[unit]``.

        It is the sum over tensors of the sum of squares of what the unit has there, each in units of its mean over the
        units: a tensor counts alike whatever its size, and whatever the scale of what it reads.
        """
        total = np.zeros(self.units)
        for use in self.uses:
            if use.weighs:
                array = arrays[use.tensor].astype(np.float64)
                others = tuple(axis for axis in range(array.ndim) if axis != use.axis)
                squares = np.square(array).sum(axis=others)
                each = squares[use.places(np.arange(self.units), self.units)].sum(axis=0)
                total += each / each.mean() if each.any() else 0.0
        return total

    def weakest(self, arrays: Arrays) -> npt.NDArray[np.int64]:
        """Give the numbers of the units that go, ascending; of equally strong ones the last."""
        order = np.argsort(-self.magnitudes(arrays), kind="stable")
        return np.sort(order[self.keep :])


@dataclasses.dataclass(frozen=True)
class Span:
    """Features one behind the other: the outputs of the units of a group, or others, which all stay."""

    size: int
    group: Group | None = None


#: All features of a step, in their order.
Features: TypeAlias = tuple[Span, ...]


def read(features: Features, tensor: str, axis: int = 1, *, start: int = 0, weighs: bool = True) -> None:
    """Note that a tensor has a place for each of the features along an axis, from ``start`` on."""
    for span in features:
        if span.group is not None:
            span.group.use(tensor, axis, start=start, weighs=weighs)
        start += span.size


def width(features: Features, *, pruned: bool = False) -> int:
    """Count features, as they are or as they will be."""
    return sum(span.group.keep if pruned and span.group is not None else span.size for span in features)


def kept(units: int, share: float) -> int:
    """Count the units that stay when a share goes: rounded up, at least 1.

    >>> kept(64, 0.5), kept(5, 0.5), kept(1, 0.9), kept(100, 0.29)
    (32, 3, 1, 71)
    """
    return max(1, units - math.floor(units * share + _ROUNDING))


def kept_sizes(sizes: Sequence[int], share: float) -> tuple[int, ...]:
    """Count those of each layer.

    Layers of unlike sizes stay unlike, the largest with one unit more where need be: those of one size are another
    module, with other names for its tensors.

    >>> kept_sizes((64, 32), 0.5), kept_sizes((6, 5), 0.5)
    ((32, 16), (4, 3))
    """
    left = [kept(size, share) for size in sizes]
    if len(set(sizes)) > 1 and len(set(left)) == 1:
        left[sizes.index(max(sizes))] += 1
    return tuple(left)


def without(arrays: Arrays, groups: Iterable[Group]) -> dict[str, npt.NDArray[Any]]:
    """Give the arrays without the weakest units of each group; what belongs to none of them is as it was."""
    gone: dict[tuple[str, int], list[npt.NDArray[np.int64]]] = {}
    for group in groups:
        weakest = group.weakest(arrays)
        for use in group.uses:
            gone.setdefault((use.tensor, use.axis), []).append(use.places(weakest, group.units).ravel())
    left = dict(arrays)
    for (tensor, axis), places in gone.items():
        left[tensor] = np.ascontiguousarray(np.delete(left[tensor], np.concatenate(places), axis))
    return left
