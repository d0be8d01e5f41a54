"""What is to be said of texts: one class each, or any number of labels; and how much each counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.data.labels import Label, Labels, MultiLabels, balanced_weights
from tidegate.data.textfile import LabelledTexts
from tidegate.errors import DataError, ShapeError
from tidegate.text.classifying.recipe import ClassWeight

__all__ = ["Classes", "labels_column", "require_known"]

Floats = npt.NDArray[np.float64]

_SHOWN = 10  # labels that a message names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes or labels of a training, and how they are written as numbers.

    Parameters
    ----------
    labels
        Their names.

    Examples
    --------
    >>> Classes.of(["ham", "spam"]).several, Classes.of([["fast", "cheap"], []]).several
    (False, True)
    """

    labels: Labels | MultiLabels

    @classmethod
    def of(cls, values: Sequence[Any]) -> Classes:
        """Collect those of a training: several an example if they come as lists. Raises `DataError`."""
        several = any(_is_list(value) for value in values)
        return cls(labels=MultiLabels.of(values) if several else Labels.of(values))

    @property
    def several(self) -> bool:
        """Whether an example may have any number of labels."""
        return isinstance(self.labels, MultiLabels)

    @property
    def names(self) -> tuple[Label, ...]:
        """The names, sorted."""
        return self.labels.names

    def encode(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """Give codes ``[example]``, or marks ``[example, label]``. Raises `DataError` for one unseen in training."""
        if not self.several and any(_is_list(value) for value in values):
            raise DataError("expected one label a text, as in training; got lists of labels")
        return self.labels.encode(values)

    def marks(self, target: npt.NDArray[Any]) -> Floats:
        """Give 1 for the class or the labels of each example: ``[example, output]``; of two classes the second only."""
        if self.several:
            return target.astype(np.float64)
        marks: Floats = np.eye(len(self.labels))[target]
        return marks[:, 1:] if len(self.labels) == 2 else marks

    def strata(self, target: npt.NDArray[Any]) -> IntArray:
        """Give what each example has in common with those that it may stand for: its class, or its set of labels."""
        if not self.several:
            return target
        strata: IntArray = np.unique(target, axis=0, return_inverse=True)[1].reshape(-1)
        return strata

    def weights(self, target: npt.NDArray[Any], given: ClassWeight) -> Floats | None:
        """Give how much each example counts, ``[example]``, or each of its labels, ``[example, label]``.

        Raises
        ------
        DataError
            If a weight is for a class that is not there, or no example would count.
        """
        if given is None:
            return None
        if isinstance(given, Mapping):
            each = self._named_weights(given)
            weights = np.where(target > 0, each, 1.0) if self.several else each[target]
        elif self.several:
            weights = _balanced_marks(target)
        else:
            weights = balanced_weights(target, len(self.labels))[target]
        if not weights.any():
            raise DataError("class_weight leaves no example that counts: nothing would be learned")
        return weights

    def _named_weights(self, given: Mapping[Label, float]) -> Floats:
        places = {_name(name): place for place, name in enumerate(self.names)}
        weights = np.ones(len(places))
        for name, weight in given.items():
            if _name(name) not in places:
                known = ", ".join(map(repr, self.names))
                raise DataError(f"class_weight has {name!r}, which is not among the labels of the training: {known}")
            weights[places[_name(name)]] = weight
        return weights


def labels_column(values: Iterable[Any], texts: int) -> list[Any]:
    """Take labels as a list, as many as texts. Raises `DataError`, `ShapeError`."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"expected a list or a column of labels, got {type(values).__name__}")
    found = list(values)
    if len(found) != texts:
        raise ShapeError(f"expected one label a text: {texts} texts; got {len(found)} label(s)")
    return found


def require_known(table: LabelledTexts, classes: Classes) -> None:
    """Refuse a label of a file that training did not have. Raises `DataError` with its line."""
    known = set(classes.names)
    for line, given in zip(table.lines, table.labels or [], strict=False):
        for label in given if _is_list(given) else [given]:
            if label not in known:
                names = ", ".join(map(repr, classes.names[:_SHOWN])) + (", …" if len(known) > _SHOWN else "")
                place = f"column {table.columns.label!r}, line {line}"
                raise DataError(f"{place}: the label {label!r} was not seen in training; known: {names}")


def _balanced_marks(marks: npt.NDArray[Any]) -> Floats:
    """Weigh the texts that have a label and those that lack it alike, label by label; all weigh 1 in the mean."""
    there = marks.sum(axis=0)
    with np.errstate(divide="ignore"):
        having, lacking = len(marks) / 2 / there, len(marks) / 2 / (len(marks) - there)
    uneven = (there > 0) & (there < len(marks))
    return np.where(uneven, np.where(marks > 0, having, lacking), 1.0)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset | np.ndarray)


def _name(label: Label) -> str:
    """Write a label as JSON writes names, from which weights come back: ``true``, ``3``."""
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)
