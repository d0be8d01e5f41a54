"""Labels as a model counts them: the classes of a training, their codes, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence, Set
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.errors import DataError

__all__ = ["Label", "Labels", "MultiLabels", "balanced_weights"]

Label: TypeAlias = str | int | bool


@dataclasses.dataclass(frozen=True)
class Labels:
    """The classes of a problem in which every example has one; a class is known by its place.

    Parameters
    ----------
    names
        The classes: all texts, all whole numbers, or both booleans.

    Examples
    --------
    >>> labels = Labels.of(["spam", "ham", "ham"])
    >>> labels.names, labels.encode(["ham", "spam"]).tolist()
    (('ham', 'spam'), [0, 1])
    """

    names: tuple[Label, ...]

    @classmethod
    def of(cls, values: Iterable[Any], *, what: str = "label") -> Labels:
        """Collect the classes of a training, sorted.

        Raises
        ------
        DataError
            If a label is missing or neither text, whole number nor boolean; if they are of several kinds; or if there
            are fewer than two classes.
        """
        names = sorted(_distinct([_plain(value, row, what) for row, value in enumerate(values)], what))
        if len(names) < 2:
            came = f"only {names[0]!r}" if names else "none at all"
            raise DataError(f"expected {what}s of two classes at least, or there is nothing to tell apart; got {came}")
        return cls(tuple(names))

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)

    def encode(self, values: Iterable[Any], *, what: str = "label") -> IntArray:
        """Give the code of each label, ``[example]`` of int64. Raises `DataError` for one unseen in training."""
        codes = {name: code for code, name in enumerate(self.names)}
        found = [_known(codes, _plain(value, row, what), row, what) for row, value in enumerate(values)]
        return np.array(found, np.int64)

    def decode(self, codes: IntArray) -> npt.NDArray[Any]:
        """Give the labels of codes, in an array: of whole numbers, of booleans, or of texts (objects)."""
        kind = object if isinstance(self.names[0], str) else np.array(self.names[:1]).dtype
        return np.array(self.names, kind)[codes]


@dataclasses.dataclass(frozen=True)
class MultiLabels:
    """The labels of a problem in which an example may have none, one or several.

    Examples
    --------
    >>> labels = MultiLabels.of([["fast", "cheap"], [], ["cheap"]])
    >>> labels.names, labels.encode([["fast"], []]).tolist()
    (('cheap', 'fast'), [[0.0, 1.0], [0.0, 0.0]])
    """

    names: tuple[Label, ...]

    @classmethod
    def of(cls, values: Iterable[Sequence[Any] | Set[Any]], *, what: str = "label") -> MultiLabels:
        """Collect the labels of a training, sorted. Raises `DataError` as `Labels.of`, and if there is none."""
        each = [_plain(label, row, what) for row, labels in enumerate(values) for label in _several(labels, row, what)]
        names = sorted(_distinct(each, what))
        if not names:
            raise DataError(f"expected one {what} at least among the examples; got none: there is nothing to learn")
        return cls(tuple(names))

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.names)

    def encode(self, values: Iterable[Sequence[Any] | Set[Any]], *, what: str = "label") -> npt.NDArray[np.float32]:
        """Mark the labels of each example, ``[example, label]`` of 0 and 1. Raises `DataError` for one unseen."""
        codes = {name: code for code, name in enumerate(self.names)}
        rows = [_several(labels, row, what) for row, labels in enumerate(values)]
        marks = np.zeros((len(rows), len(codes)), np.float32)
        for row, labels in enumerate(rows):
            for label in labels:
                marks[row, _known(codes, _plain(label, row, what), row, what)] = 1
        return marks

    def decode(self, marks: npt.NDArray[Any]) -> list[list[Label]]:
        """Give the labels that are marked, of each example."""
        return [[self.names[code] for code in np.flatnonzero(row)] for row in marks]


def balanced_weights(codes: IntArray, classes: int) -> npt.NDArray[np.float64]:
    """Weigh classes so that all count alike: examples / (classes · examples of the class), ``[class]``.

    A class without an example has weight 0. After King & Zeng (2001), as scikit-learn's ``"balanced"``.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666666666666, 2.0]
    """
    counts = np.bincount(codes, minlength=classes).astype(np.float64)
    return np.divide(len(codes) / classes, counts, out=np.zeros(classes), where=counts > 0)


def _plain(value: Any, row: int, what: str) -> Label:
    """Give a label as Python has it, whatever array or frame it comes from."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)  # numbers read from a file whose column has a point somewhere
    if isinstance(plain, str | int):
        return plain
    raise DataError(
        f"expected a {what} as text, whole number or boolean; the {what} of row {row} is {value!r}: "
        "leave such rows out, or say what they are"
    )


def _several(labels: Any, row: int, what: str) -> Sequence[Any]:
    if isinstance(labels, str) or not isinstance(labels, Sequence | np.ndarray | Set):
        raise DataError(f"expected the {what}s of an example as a list, which may be empty; row {row} has {labels!r}")
    return sorted(labels) if isinstance(labels, Set) else list(labels)


def _distinct(values: Sequence[Label], what: str) -> set[Any]:
    kinds = {type(value) for value in values}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"expected {what}s of one kind; got {names}: make all of them text")
    return set(values)


def _known(codes: dict[Label, int], label: Label, row: int, what: str) -> int:
    if label not in codes:
        names = list(codes)
        shown = ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
        raise DataError(f"{what} {label!r} of row {row} was not seen in training; known: {shown}")
    return codes[label]
