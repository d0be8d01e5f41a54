"""The description of a table's columns."""

from __future__ import annotations

import dataclasses
from typing import Any

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["CALENDAR", "Columns"]

CALENDAR = ("minute", "hour", "weekday", "monthday", "yearday", "week", "month")
_SEVERAL = ("targets", "static", "past", "known")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of a table is what.

    A column is one thing only; the id column alone may be named in ``static`` too.

    Parameters
    ----------
    id
        Names the series of a row. A table without this column holds one series.
    time
        Time stamps, or whole numbers that count steps.
    targets
        The variables to forecast, in order. Empty: ``y`` if there is such a column, else every numeric column that
        is named as nothing else (a wide table, a column a variable).
    frequency
        The distance between two rows of a series: a pandas offset alias (``"h"``, ``"D"``, ``"MS"``, …), or a whole
        number where ``time`` counts steps. ``None`` infers it.
    static
        Covariates that do not change within a series: numbers, or categories (text, booleans, categorical dtypes).
        The id column here makes the id itself a category, so that a network can know its series one by one.
    past
        Numeric covariates that are known up to the last row of a series and no further, such as measured weather.
    known
        Numeric covariates that are known for the steps to forecast too, such as holidays or prices.
    weight
        How much a row counts in the loss beside the others: numbers of at least 0.
    calendar
        Features made of the time stamps, each a sine and a cosine over its cycle: ``"minute"`` (of the hour),
        ``"hour"`` (of the day), ``"weekday"``, ``"monthday"``, ``"yearday"``, ``"week"`` (of the year, ISO 8601),
        ``"month"``. They count as known covariates.
    fourier
        Pairs of sine and cosine for each season, by the number of the step: the season itself, half of it, a third,
        …. They count as known covariates, and serve where ``time`` counts steps too. 0 for none.

    Raises
    ------
    SpecError
        If a name is no text, a column is two things, a calendar feature is unknown, or a number out of its range.
    """

    id: str = "unique_id"
    time: str = "ds"
    targets: tuple[str, ...] = ()
    frequency: str | int | None = None
    static: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    weight: str | None = None
    calendar: tuple[str, ...] = ()
    fourier: int = 0

    def __post_init__(self) -> None:
        for field in (*_SEVERAL, "calendar"):
            given = getattr(self, field)
            kinds = "features" if field == "calendar" else "column names"
            if isinstance(given, list):
                object.__setattr__(self, field, tuple(given))
            elif not isinstance(given, tuple):
                raise SpecError(f"{field} must be a tuple of {kinds}; got {given!r}")
        self._check_names()
        for name in self.calendar:
            checks.one_of("calendar", name, CALENDAR)
            if self.calendar.count(name) > 1:
                raise SpecError(f"calendar names {name!r} twice; name each feature once")
        if self.frequency == "":
            raise SpecError("frequency must be an offset alias such as 'D', or a whole number; got ''")
        if self.frequency is not None and not isinstance(self.frequency, str):
            checks.whole("frequency", self.frequency)
        checks.whole("fourier", self.fourier, least=0)

    def _check_names(self) -> None:
        roles: dict[tuple[str, bool], str] = {}
        for role, name in self._named():
            if not isinstance(name, str) or not name:
                raise SpecError(f"column names must be text; got {name!r}")
            key = (name, role == "static" and name == self.id)
            before = roles.get(key)
            if before is not None:
                both = before if before == role else f"{before} and {role}"
                raise SpecError(f"a column can be one thing only; {name!r} is named twice, in {both}")
            roles[key] = role

    def _named(self) -> list[tuple[str, Any]]:
        """Pair every name with its role, in the order of the fields."""
        several = [(field, name) for field in _SEVERAL for name in getattr(self, field)]
        weight = [] if self.weight is None else [("weight", self.weight)]
        return [("id", self.id), ("time", self.time), *several, *weight]
