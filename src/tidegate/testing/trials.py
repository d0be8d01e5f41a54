"""What an estimator is tried on: a table of series, or examples with what is to be said of them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from tidegate.estimator import Estimator
from tidegate.specs import Columns
from tidegate.testing.verdicts import hold

__all__ = ["ExamplesTrial", "TableTrial", "Trial", "as_trial", "columns_of"]


class Trial(Protocol):
    """Data that an estimator can be fitted on and asked about, and what must not matter about it."""

    def given(self, action: str) -> tuple[Any, ...]:
        """Give the arguments of ``fit``, ``fine_tune``, ``predict``, ``score`` or ``evaluate``."""
        ...

    def nothing(self) -> tuple[Any, ...]:
        """Give arguments of ``fit`` that hold no row."""
        ...

    def ask(self, model: Any) -> pd.DataFrame:
        """Ask a fitted model; the answers are indexed by what they are about, sorted."""
        ...

    def parts(self, model: Estimator) -> list[Trial]:
        """Cut the data into what can be asked about alone: two parts at least."""
        ...

    def turned(self, model: Estimator) -> Trial:
        """Give the same data in another order."""
        ...

    def copied(self) -> Trial:
        """Give a copy that shares nothing."""
        ...

    def require_unchanged(self, before: Trial) -> None:
        """Raise `AssertionError` if the data are no longer as they were ``before``."""
        ...


def as_trial(data: pd.DataFrame | Trial) -> Trial:
    """Take a long table as it is."""
    return TableTrial(data) if isinstance(data, pd.DataFrame) else data


def columns_of(estimator: Estimator) -> Columns:
    """Give the names of the id and time columns that the estimator was told."""
    columns = getattr(estimator, "columns", Columns())
    return columns if isinstance(columns, Columns) else Columns()


@dataclasses.dataclass(frozen=True, eq=False)
class TableTrial:
    """A long table of at least two series."""

    frame: pd.DataFrame

    def given(self, action: str) -> tuple[Any, ...]:  # noqa: ARG002 - every action takes the table
        """Give the table."""
        return (self.frame,)

    def nothing(self) -> tuple[Any, ...]:
        """Give the table without its rows."""
        return (self.frame.head(0),)

    def ask(self, model: Any) -> pd.DataFrame:
        """Predict; the answers come with the input's id and time columns as their index."""
        answer = model.predict(self.frame)
        hold(isinstance(answer, pd.DataFrame), f"predict gave a {type(answer).__name__} for a pandas frame")
        columns = columns_of(model)
        keys = [name for name in (columns.id, columns.time) if name in answer.columns]
        hold(bool(keys), f"predict must name the series: none of {columns.id!r}, {columns.time!r} is in its answer")
        hold(len(answer.columns) > len(keys), f"predict answers nothing beside the columns {keys}")
        indexed: pd.DataFrame = answer.set_index(keys).sort_index()
        return indexed

    def parts(self, model: Estimator) -> list[Trial]:
        """Cut the table into its series."""
        return [TableTrial(part) for part in self._series(model)]

    def turned(self, model: Estimator) -> Trial:
        """Put the first series last, and turn the order of all round."""
        parts = self._series(model)
        return TableTrial(pd.concat([*parts[1:], parts[0]][::-1], ignore_index=True))

    def copied(self) -> Trial:
        """Give a deep copy."""
        return TableTrial(self.frame.copy(deep=True))

    def require_unchanged(self, before: Trial) -> None:
        """Compare with an earlier copy."""
        assert_frame_equal(self.frame, before.given("predict")[0])

    def _series(self, model: Estimator) -> list[pd.DataFrame]:
        name = columns_of(model).id
        named = name in self.frame.columns
        hold(named, f"the checks need a long table with the id column {name!r}; got {list(self.frame.columns)}")
        parts = [part for _, part in self.frame.groupby(name, sort=False)]
        hold(len(parts) > 1, "the checks need a table of at least two series")
        return parts


@dataclasses.dataclass(frozen=True, eq=False)
class ExamplesTrial:
    """Examples, one an item, each with its target: series, texts or sentences.

    Parameters
    ----------
    inputs
        What ``predict`` takes: a list.
    target
        What ``fit``, ``score`` and ``evaluate`` take beside it: a list.
    keys
        The number of each example, by which its answer is known; by default their order.
    """

    inputs: Sequence[Any]
    target: Sequence[Any]
    keys: tuple[int, ...] | None = None

    def given(self, action: str) -> tuple[Any, ...]:
        """Give the inputs, and what is to be said of them where the action compares."""
        return (self.inputs,) if action == "predict" else (self.inputs, self.target)

    def nothing(self) -> tuple[Any, ...]:
        """Give no example."""
        return ([], [])

    def ask(self, model: Any) -> pd.DataFrame:
        """Predict, with probabilities where the model gives any."""
        answer = model.predict(self.inputs)
        hold(len(answer) == len(self.inputs), f"predict gave {len(answer)} answers to {len(self.inputs)} examples")
        plain = [each if np.isscalar(each) else repr(each) for each in answer]
        frame = pd.DataFrame({"answer": plain}, index=pd.Index(self._keys, name="example"))
        if hasattr(model, "predict_proba"):
            for label, column in enumerate(np.asarray(model.predict_proba(self.inputs)).T):
                frame[f"probability {label}"] = column
        return frame.sort_index()

    def parts(self, model: Estimator) -> list[Trial]:  # noqa: ARG002
        """Give each of the first examples alone."""
        hold(len(self.inputs) > 1, "the checks need at least two examples")
        return [self._at([index]) for index in range(len(self.inputs))]

    def turned(self, model: Estimator) -> Trial:  # noqa: ARG002
        """Give the examples from the last to the first."""
        return self._at(range(len(self.inputs) - 1, -1, -1))

    def copied(self) -> Trial:
        """Give a deep copy."""
        return copy.deepcopy(self)

    def require_unchanged(self, before: Trial) -> None:
        """Compare with an earlier copy."""
        inputs, target = before.given("fit")
        hold(_equal(self.inputs, inputs), "the examples are others now")
        hold(_equal(self.target, target), "the targets are others now")

    @property
    def _keys(self) -> tuple[int, ...]:
        return tuple(range(len(self.inputs))) if self.keys is None else self.keys

    def _at(self, indices: Sequence[int]) -> ExamplesTrial:
        keys = self._keys
        return ExamplesTrial(
            [self.inputs[index] for index in indices],
            [self.target[index] for index in indices],
            tuple(keys[index] for index in indices),
        )


def _equal(one: Sequence[Any], two: Sequence[Any]) -> bool:
    if len(one) != len(two):
        return False
    return all(
        np.array_equal(mine, other, equal_nan=True) if isinstance(mine, np.ndarray) else mine == other
        for mine, other in zip(one, two, strict=True)
    )
