"""A fitted model that another one learns from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from tidegate.errors import DataError, SpecError
from tidegate.estimator.base import Estimator
from tidegate.specs import checks

__all__ = ["TEMPERATURE", "Teacher"]

E = TypeVar("E", bound=Estimator)

#: Where none is asked for.
TEMPERATURE = 2.0
_SHOWN = 10  # classes that a message names


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A fitted model whose answers ``fit(…, teacher=…)`` takes for a second truth (Hinton et al., 2015).

    Parameters
    ----------
    model
        A fitted estimator of the student's class. It is asked, and not changed.
    share
        How much its answers count in the loss, 0 to 1; the truth counts for the rest.
    temperature
        What the logits of both are divided by when probabilities are compared, above 0; ``None`` takes 2. Numbers and
        forecasts have no temperature.

    Raises
    ------
    SpecError
        If ``model`` is no estimator, or a number cannot be.
    NotFittedError
        If the model is not fitted.
    """

    model: Estimator
    share: float = 0.5
    temperature: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, Estimator):
            raise SpecError(f"a teacher is a fitted estimator; got {self.model!r}")
        checks.number("share", self.share)
        if not 0 <= self.share <= 1:
            raise SpecError(f"share must be from 0 to 1; got {self.share!r}")
        if self.temperature is not None:
            checks.at_least("temperature", self.temperature, 0, exclusive=True)
        self.model._require_fitted("distill")

    @property
    def softness(self) -> float:
        """The temperature, settled."""
        return TEMPERATURE if self.temperature is None else float(self.temperature)

    def of(self, student: E) -> E:
        """Give the model as one of the student's class. Raises `SpecError` for another."""
        if not isinstance(self.model, type(student)):
            raise SpecError(
                f"a {type(student).__name__} learns from a teacher of its own kind, a fitted {type(student).__name__}; "
                f"got a {type(self.model).__name__}"
            )
        return self.model

    def refuse_temperature(self, what: str) -> None:
        """Refuse a temperature where no probabilities are compared. Raises `SpecError`."""
        if self.temperature is not None:
            raise SpecError(
                f"temperature softens the probabilities of classes, and {what} has none; leave it out, got "
                f"temperature={self.temperature!r}"
            )

    def refuse_targets(self, known: str, given: str, what: str) -> NoReturn:
        """Refuse a student that says something else than its teacher. Raises `DataError`."""
        raise DataError(f"the teacher gives {known} for {what}, the data have {given}; a student learns the same")

    def require_classes(self, known: Sequence[Any], given: Sequence[Any]) -> None:
        """Refuse a student of other classes than the teacher's. Raises `DataError`."""
        if tuple(known) != tuple(given):
            raise DataError(
                f"the teacher tells {_named(known)} apart, the data have {_named(given)}; a student learns the "
                "teacher's classes, so give data with just these, or another teacher"
            )


def _named(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (f", … ({len(names)})" if len(names) > _SHOWN else "")
