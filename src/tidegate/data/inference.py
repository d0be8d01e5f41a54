"""The frequency of a table, read off its time stamps."""

from __future__ import annotations

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import DAY, HOUR, FixedSteps, MonthSteps, as_int, to_wall
from tidegate.errors import TimeStampError

__all__ = ["infer_frequency", "within_series"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_UNITS = ((DAY, "D"), (HOUR, "h"), (HOUR // 60, "min"), (HOUR // 3600, "s"), (1000, "ms"), (1, "us"))
_LEAST_SHARE = 0.1


def infer_frequency(times: np.ndarray, offsets: IntArray, timezone: str | None) -> str | int:
    """Find the step of a table.

    It is the most common distance between neighbouring rows; months, quarters and years are recognised by the days
    they fall on, weeks by their weekday, business days by weekends left out.

    Parameters
    ----------
    times
        ``[rows]`` datetime64[us] (in UTC if there is a time zone) or int64, ascending within each series.
    offsets
        ``[series + 1]``: where each series begins and ends.
    timezone
        Days and anything longer are counted by the clock of this zone.

    Returns
    -------
    str or int
        A pandas offset alias, or the step of whole numbers.

    Raises
    ------
    TimeStampError
        If no series has two rows.
    """
    inside = within_series(offsets)
    if not inside.any():
        raise TimeStampError(
            "the frequency cannot be inferred from one row a series; give the frequency, or tables with more rows"
        )
    step = _common(np.diff(as_int(times))[inside])
    if times.dtype.kind != "M":
        return step
    if step < DAY - HOUR:
        return _fixed_alias(step)
    clock = as_int(to_wall(times, timezone))
    deltas = np.diff(clock)[inside]
    step = _common(deltas)
    if step >= 28 * DAY:
        months = _months_alias(clock, inside)
        if months is not None:
            return months
    if step == DAY and _skips_weekends(clock, inside):
        return "B"
    if step % (7 * DAY) == 0:
        days = FixedSteps(DAY).split(clock)[0] % 7
        if (days == days[0]).all():
            weeks = step // (7 * DAY)
            return f"{weeks if weeks > 1 else ''}W-{_WEEKDAYS[(int(days[0]) + 3) % 7]}"  # 1970-01-01: a Thursday
    return _fixed_alias(step)


def within_series(offsets: IntArray) -> np.ndarray:
    """Say of each pair of neighbouring rows, ``[rows − 1]``, whether both belong to one series."""
    inside = np.ones(max(int(offsets[-1]) - 1, 0), bool)
    inside[offsets[1:-1] - 1] = False
    return inside


def _common(deltas: IntArray) -> int:
    """Give the most common distance, or a smaller one that divides all and is not rare: sparse rows on a finer grid."""
    least = int(deltas.min())
    if least == deltas.max():
        return least
    found, counts = np.unique(deltas, return_counts=True)
    common = int(found[counts.argmax()])
    if (found % common).any() and not (found % least).any() and counts[0] >= _LEAST_SHARE * counts.sum():
        return least
    return common


def _fixed_alias(step: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if step % size == 0)
    return unit if step == size else f"{step // size}{unit}"


def _skips_weekends(clock: IntArray, inside: np.ndarray) -> bool:
    weekday = (clock // DAY + 3) % 7  # 0 is Monday
    if (weekday >= 5).any():
        return False
    over_weekend = (weekday[:-1] == 4) & (np.diff(clock) == 3 * DAY)
    return bool((over_weekend & inside).any())


def _months_alias(clock: IntArray, inside: np.ndarray) -> str | None:
    for business in (False, True):
        for end in (False, True):
            distance = MonthSteps(1, end=end, business=business).distance(clock)
            if ((distance >= 0) & (distance < DAY)).all():
                return _months_name(clock, inside, end=end, business=business)
    distance = np.diff(MonthSteps(1).distance(clock))
    if not distance[inside].any():  # any fixed day of the month
        return _months_name(clock, inside, end=False, business=False)
    return None


def _months_name(clock: IntArray, inside: np.ndarray, *, end: bool, business: bool) -> str:
    month = MonthSteps(1).split(clock)[0]
    step = _common(np.diff(month)[inside])
    first = int(month[0]) % 12
    rule = ("B" if business else "") + "{}" + ("E" if end else "S")
    if step % 12 == 0:
        count, name = step // 12, f"{rule.format('Y')}-{_MONTHS[first]}"
    elif step % 3 == 0:
        anchor = first % 3 + (9 if end else 0)  # named by the quarter that a plain "QS" or "QE" starts or ends with
        count, name = step // 3, f"{rule.format('Q')}-{_MONTHS[anchor]}"
    else:
        count, name = step, rule.format("M")
    return name if count == 1 else f"{count}{name}"
