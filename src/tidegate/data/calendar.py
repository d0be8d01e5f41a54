"""Frequencies: time stamps turned into step numbers and back, on whole arrays.

A frequency splits each time stamp into the *number* of its step and a *rest*, the place inside the step. Two stamps
lie on one grid when their rests agree, and the difference of their numbers says how many steps apart they are. So
gaps, stamps off the grid and the stamps of a forecast are arithmetic on integers, whatever the calendar.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.errors import SpecError, TimeStampError, UnsupportedError

__all__ = [
    "DAY",
    "HOUR",
    "BusinessSteps",
    "Calendar",
    "FixedSteps",
    "MonthSteps",
    "as_int",
    "calendar_of",
    "to_wall",
    "written",
]

HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR
_SPAN = 64 * DAY  # more than the distance of any stamp from its month's anchor, on both sides


class Steps(Protocol):
    """How one kind of frequency counts. Times are int64: microseconds since 1970, or the user's own whole numbers."""

    def split(self, times: IntArray) -> tuple[IntArray, IntArray]:
        """Give step numbers and rests."""
        ...

    def join(self, number: IntArray, rest: IntArray) -> IntArray:
        """Give the times back: ``join(*split(times)) == times``."""
        ...


@dataclasses.dataclass(frozen=True)
class FixedSteps:
    """Steps of one fixed size: whole numbers, or days and anything shorter."""

    size: int

    def split(self, times: IntArray) -> tuple[IntArray, IntArray]:
        """Give step numbers and rests."""
        number, rest = np.divmod(times, self.size)
        return number, rest

    def join(self, number: IntArray, rest: IntArray) -> IntArray:
        """Give the times back."""
        return number * self.size + rest


@dataclasses.dataclass(frozen=True)
class MonthSteps:
    """Steps of whole months, counted from the first or last (business) day of a month.

    The rest holds the distance from that day, so months on any fixed day (the 15th, or the day before the last)
    are a grid too.
    """

    months: int
    end: bool = False
    business: bool = False

    def split(self, times: IntArray) -> tuple[IntArray, IntArray]:
        """Give step numbers and rests."""
        month = (times // DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        number, phase = np.divmod(month, self.months)
        return number, phase * _SPAN + (times - self._anchor(month) + _SPAN // 2)

    def join(self, number: IntArray, rest: IntArray) -> IntArray:
        """Give the times back."""
        phase, shifted = np.divmod(rest, _SPAN)
        return self._anchor(number * self.months + phase) + shifted - _SPAN // 2

    def distance(self, times: IntArray) -> IntArray:
        """Give the distance from the anchor day in microseconds; 0 … one day where the stamp falls on that day."""
        return self.split(times)[1] % _SPAN - _SPAN // 2

    def _anchor(self, month: IntArray) -> IntArray:
        day = (month + self.end).astype("datetime64[M]").astype("datetime64[D]") - self.end
        if self.business:
            day = np.busday_offset(day, 0, roll="preceding" if self.end else "following")
        return day.astype(np.int64) * DAY


@dataclasses.dataclass(frozen=True)
class BusinessSteps:
    """Steps of business days, Monday to Friday."""

    days: int = 1

    def split(self, times: IntArray) -> tuple[IntArray, IntArray]:
        """Give step numbers and rests."""
        date, clock = np.divmod(times, DAY)
        day = date.astype("datetime64[D]")
        weekend = ~np.is_busday(day)
        count = np.busday_count(np.datetime64(0, "D"), day).astype(np.int64)
        number, phase = np.divmod(count, self.days)
        return number, phase * 2 * DAY + weekend * DAY + clock

    def join(self, number: IntArray, rest: IntArray) -> IntArray:
        """Give the times back (those of weekends excepted, which are on no grid of business days)."""
        phase, clock = np.divmod(rest, 2 * DAY)
        day = np.busday_offset(np.datetime64(0, "D"), number * self.days + phase, roll="forward")
        return day.astype(np.int64) * DAY + clock


@dataclasses.dataclass(frozen=True)
class Calendar:
    """A frequency, ready to count.

    Parameters
    ----------
    frequency
        A pandas offset alias, or a whole number where times count steps.
    steps
        How it counts.
    timezone
        Where days and anything longer are counted: by the clock of that zone, so that a day may last 23 or 25 hours.
        ``None`` for steps shorter than a day, which are counted in UTC, and for naive stamps.
    """

    frequency: str | int
    steps: Steps
    timezone: str | None = None

    def split(self, times: np.ndarray) -> tuple[IntArray, IntArray]:
        """Give step numbers and rests of ``times`` (datetime64[us], in UTC if there is a time zone; or int64)."""
        return self.steps.split(as_int(to_wall(times, self.timezone)))

    def join(self, number: IntArray, rest: IntArray) -> np.ndarray:
        """Give the times back, in the dtype that `split` takes for this frequency."""
        times = self.steps.join(number, rest)
        if isinstance(self.frequency, int):
            return times
        return _from_wall(times.view("datetime64[us]"), self.timezone)


def calendar_of(frequency: str | int, times: np.ndarray, timezone: str | None) -> Calendar:
    """Read a frequency.

    Raises
    ------
    SpecError
        If it is not an offset alias that pandas knows.
    TimeStampError
        If time stamps come with a whole number, or whole numbers with an alias.
    UnsupportedError
        If the alias has no fixed rule (for example business hours, custom holidays), or is finer than a microsecond.
    """
    stamps = times.dtype.kind == "M"
    if stamps == isinstance(frequency, int):
        held, wanted = ("time stamps", "an alias such as 'h'") if stamps else ("whole numbers", "a whole number")
        raise TimeStampError(
            f"the time column holds {held}, but the frequency is {frequency!r}; give {wanted}, or None to infer it"
        )
    if isinstance(frequency, int):
        return Calendar(frequency, FixedSteps(frequency))
    steps, by_clock = _steps_of(frequency)
    return Calendar(frequency, steps, timezone if by_clock else None)


def _steps_of(alias: str) -> tuple[Steps, bool]:
    from pandas import offsets
    from pandas.tseries.frequencies import to_offset

    try:
        offset = to_offset(alias)
    except ValueError as error:
        raise SpecError(f"frequency {alias!r} is not a pandas offset alias such as 'h', 'D', 'W-SUN', 'MS'") from error
    if offset is None or offset.n < 1:
        raise SpecError(f"frequency must be a positive offset such as 'h' or '2D'; got {alias!r}")
    if isinstance(offset, offsets.Day):  # before Tick, which it was until pandas 3
        return FixedSteps(offset.n * DAY), True
    if isinstance(offset, offsets.Tick) and offset.nanos % 1000 == 0:
        return FixedSteps(offset.nanos // 1000), False
    if isinstance(offset, offsets.Week):
        return FixedSteps(offset.n * 7 * DAY), True
    if type(offset) is offsets.BusinessDay:
        return BusinessSteps(offset.n), True
    for months, prefix in ((1, "MonthBegin MonthEnd"), (3, "QuarterBegin QuarterEnd"), (12, "YearBegin YearEnd")):
        for end, name in enumerate(prefix.split()):
            if isinstance(offset, getattr(offsets, name)):
                return MonthSteps(offset.n * months, end=bool(end)), True
            business = getattr(offsets, f"Business{name}" if months == 1 else f"B{name}")
            if isinstance(offset, business):
                return MonthSteps(offset.n * months, end=bool(end), business=True), True
    raise UnsupportedError(
        f"frequency {alias!r} is not supported; take microseconds up to hours, 'D', 'B', 'W', or months, quarters "
        "and years ('MS', 'ME', 'QS', 'QE', 'YS', 'YE' and their business forms)"
    )


def as_int(times: np.ndarray) -> IntArray:
    """View times as int64 (microseconds, or the numbers themselves)."""
    return times.view(np.int64)


def written(time: Any, timezone: str | None) -> str:
    """Write one time as messages do: ``2026-03-01``, ``2026-03-01 13:00:00+01:00``, ``17``."""
    if np.asarray(time).dtype.kind != "M":
        return str(time)
    import pandas as pd

    stamp = pd.Timestamp(time)
    if timezone is not None:
        return str(stamp.tz_localize("UTC").tz_convert(timezone))
    return str(stamp).removesuffix(" 00:00:00")


def to_wall(times: np.ndarray, timezone: str | None) -> np.ndarray:
    """Turn UTC stamps into those that a clock in ``timezone`` shows; without a zone they are returned as they are."""
    if timezone is None:
        return times
    import pandas as pd

    flat = pd.DatetimeIndex(times.ravel()).tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return flat.to_numpy().astype("datetime64[us]").reshape(times.shape)


def _from_wall(times: np.ndarray, timezone: str | None) -> np.ndarray:
    if timezone is None:
        return times
    import pandas as pd

    flat = pd.DatetimeIndex(times.ravel())
    # Of an hour that the clock shows twice the first is taken; an hour that it skips becomes the next moment.
    first = np.ones(len(flat), bool)
    local = flat.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").reshape(times.shape)
