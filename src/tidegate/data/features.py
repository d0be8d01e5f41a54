"""Features made of time stamps: sines and cosines over the cycles of the calendar, and over seasons counted in steps.

Each feature depends on its row's time stamp alone, so that a table, a part of it and its future agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import DAY, HOUR, BusinessSteps, Calendar, FixedSteps, MonthSteps, as_int, to_wall
from tidegate.data.table import SeriesTable, future_times
from tidegate.errors import DataError
from tidegate.specs import checks
from tidegate.specs.columns import CALENDAR

__all__ = [
    "calendar_features",
    "check_calendar",
    "fourier_features",
    "future_features",
    "time_features",
    "with_time_features",
]

_MONDAY = 3  # 1970-01-01 was a Thursday


def calendar_features(times: np.ndarray, names: Sequence[str], timezone: str | None = None) -> np.ndarray:
    """Give the place of each time stamp in cycles of the calendar.

    A place φ from 0 to 1 becomes sin 2πφ and cos 2πφ, so that the end of a cycle lies beside its beginning.
    ``"minute"`` and ``"hour"`` run smoothly with the clock; the others step from day to day (``"weekday"``,
    ``"monthday"`` in a month of 28 to 31 days, ``"yearday"`` in one of 365 or 366), from week to week (``"week"``, of
    the 52 or 53 of an ISO 8601 year) or from month to month (``"month"``).

    Parameters
    ----------
    times
        ``[…]`` of datetime64[us], in UTC if there is a time zone.
    names
        Out of `tidegate.specs.columns.CALENDAR`.
    timezone
        The zone whose clock counts.

    Returns
    -------
    numpy.ndarray
        ``[…, 2 · names]`` of float32: sine, cosine of the first, sine, cosine of the second, ….

    Raises
    ------
    SpecError
        If a name is unknown.

    Examples
    --------
    >>> times = np.array(["2026-01-05T00", "2026-01-05T06"], "datetime64[us]")
    >>> calendar_features(times, ["hour"]).round(3).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    clock = to_wall(times, timezone)
    features = np.empty((*times.shape, 2 * len(names)), np.float32)
    for place, name in enumerate(names):
        checks.one_of("calendar", name, CALENDAR)
        angle = 2 * np.pi * _phase(name, clock)
        features[..., 2 * place] = np.sin(angle)
        features[..., 2 * place + 1] = np.cos(angle)
    return features


def fourier_features(steps: IntArray, seasons: Sequence[int], pairs: int) -> np.ndarray:
    """Give sines and cosines of the numbers of steps over seasons and their fractions.

    Pair *j* of a season of *m* steps is sin(2πjn/m) and cos(2πjn/m) at step *n*, for 2j < m; the fastest,
    2j = m, has a cosine only, as its sine is 0 at every step. A cycle that two seasons share (24 steps: the first of
    24, the seventh of 168) is there once.

    Parameters
    ----------
    steps
        ``[…]`` of int64.
    seasons
        Lengths in steps.
    pairs
        Pairs a season.

    Returns
    -------
    numpy.ndarray
        ``[…, feature]`` of float32; the features in the order of `time_features`.

    Examples
    --------
    >>> fourier_features(np.arange(4), [4], pairs=1)[:, 0].round(3).tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    columns = []
    for part, season, pair in _waves(seasons, pairs):
        cycle = 2 * np.pi * (np.arange(season) * pair % season) / season  # whole numbers first: exact at any step
        wave = np.sin(cycle) if part == "sin" else np.cos(cycle)
        columns.append(wave.astype(np.float32)[steps % season])
    return np.stack(columns, axis=-1) if columns else np.empty((*steps.shape, 0), np.float32)


def time_features(table: SeriesTable, times: np.ndarray, seasons: Sequence[int] = ()) -> tuple[np.ndarray, list[str]]:
    """Make the features that a table's columns ask for.

    Parameters
    ----------
    table
        Gives ``columns.calendar``, ``columns.fourier``, the frequency and the time zone.
    times
        ``[…]``, as the table has them.
    seasons
        Lengths in steps, for ``columns.fourier``.

    Returns
    -------
    features, names
        ``[…, feature]`` of float32; ``hour.sin``, ``hour.cos``, …, and ``fourier.1/24.sin``, ``fourier.1/24.cos``,
        ``fourier.2/24.sin``, …: pairs a season.

    Raises
    ------
    DataError
        If they cannot be made: no calendar, a feature that says nothing at the frequency, or no season.
    """
    check_calendar(table)
    columns = table.columns
    if columns.fourier and not _waves(seasons, columns.fourier):
        raise DataError(f"fourier={columns.fourier} needs a season, and there is none; give season=, or fourier=0")
    features = calendar_features(times, columns.calendar, table.timezone)
    names = [f"{name}.{part}" for name in columns.calendar for part in ("sin", "cos")]
    if not columns.fourier:
        return features, names
    steps = table.calendar.split(times)[0]
    waves = fourier_features(steps, seasons, columns.fourier)
    names += [f"fourier.{pair}/{season}.{part}" for part, season, pair in _waves(seasons, columns.fourier)]
    return np.concatenate([features, waves], axis=-1), names


def with_time_features(table: SeriesTable, seasons: Sequence[int] = ()) -> SeriesTable:
    """Append the features that ``columns.calendar`` and ``columns.fourier`` ask for to ``known``.

    They are those of each row's time stamp, in rows that fill gaps too, and take the place of what an earlier call
    appended. Their names stand in ``features``.

    Raises
    ------
    DataError
        As `time_features`.

    Examples
    --------
    >>> import pandas as pd
    >>> from tidegate import Columns
    >>> from tidegate.data import read_frame
    >>> hours = pd.date_range("2026-01-01", periods=48, freq="h")
    >>> table = read_frame(pd.DataFrame({"ds": hours, "y": range(48)}), Columns(calendar=("weekday",), fourier=1))
    >>> with_time_features(table, seasons=[24]).features
    ('weekday.sin', 'weekday.cos', 'fourier.1/24.sin', 'fourier.1/24.cos')
    """
    if not (table.columns.calendar or table.columns.fourier):
        return table
    features, names = time_features(table, table.times, seasons)
    own = table.known[:, : len(table.columns.known)]
    known = np.concatenate([own, features], axis=1) if own.shape[1] else features
    return dataclasses.replace(table, known=known, features=tuple(names))


def future_features(table: SeriesTable, horizon: int, seasons: Sequence[int] = ()) -> np.ndarray:
    """Make the features of the ``horizon`` steps that follow each series, ``[series, horizon, feature]`` of float32.

    Raises
    ------
    DataError
        As `time_features`.
    """
    if not (table.columns.calendar or table.columns.fourier):
        return np.empty((len(table), horizon, 0), np.float32)
    return time_features(table, future_times(table, horizon), seasons)[0]


def check_calendar(table: SeriesTable) -> None:
    """Refuse features of the calendar where there is none, or that say nothing at its frequency. Raises `DataError`."""
    names = table.columns.calendar
    if not names:
        return
    if table.times.dtype.kind != "M":
        raise DataError(
            f"calendar={names!r} needs time stamps, but column {table.columns.time!r} counts whole numbers; "
            "leave calendar out, and describe seasons with fourier="
        )
    idle = [name for name in names if name in _idle(table.calendar)]
    if idle:
        raise DataError(
            f"calendar names {idle[0]!r}, which says nothing at the frequency {table.columns.frequency!r}; leave it out"
        )


def _idle(calendar: Calendar) -> tuple[str, ...]:
    """Name the features that are the same at every step, or as good as the same."""
    steps = calendar.steps
    if isinstance(steps, MonthSteps):
        yearly = steps.months % 12 == 0
        return ("minute", "hour", "monthday", *(("yearday", "week", "month") if yearly else ()))
    if isinstance(steps, BusinessSteps):
        return ("minute", "hour", *(("weekday",) if steps.days % 5 == 0 else ()))
    assert isinstance(steps, FixedSteps)
    lengths = {"minute": HOUR, "hour": DAY, "weekday": 7 * DAY}
    return tuple(name for name, length in lengths.items() if steps.size % length == 0)


def _waves(seasons: Sequence[int], pairs: int) -> list[tuple[str, int, int]]:
    """List part, season and number of each wave; none is constant, and no cycle comes twice."""
    waves: list[tuple[str, int, int]] = []
    seen: set[Fraction] = set()
    for season in seasons:
        for pair in range(1, min(pairs, season // 2) + 1):
            if (rate := Fraction(pair, season)) in seen:
                continue
            seen.add(rate)
            parts = ("cos",) if 2 * pair == season else ("sin", "cos")
            waves += [(part, season, pair) for part in parts]
    return waves


def _phase(name: str, clock: np.ndarray) -> np.ndarray:
    """Say where in the cycle each stamp lies, from 0 to 1 (exclusive)."""
    micros = as_int(clock)
    if name in ("minute", "hour"):
        cycle = HOUR if name == "minute" else DAY
        return np.asarray(micros % cycle / cycle)
    day = micros // DAY
    if name == "weekday":
        return np.asarray((day + _MONDAY) % 7 / 7)
    dates = day.astype("datetime64[D]")
    if name == "month":
        return np.asarray(dates.astype("datetime64[M]").astype(np.int64) % 12 / 12)
    if name == "week":
        return _week(day)
    unit = "M" if name == "monthday" else "Y"
    begin, end = _span(dates, unit)
    return np.asarray((day - begin) / (end - begin))


def _week(day: IntArray) -> np.ndarray:
    thursday = day - (day + _MONDAY) % 7 + 3  # a week belongs to the year of its Thursday
    begin, end = _span(thursday.astype("datetime64[D]"), "Y")
    first = begin + (3 - (begin + _MONDAY)) % 7  # the first Thursday of the year
    weeks = (end - 1 - first) // 7 + 1
    return np.asarray((thursday - first) // 7 / weeks)


def _span(dates: np.ndarray, unit: str) -> tuple[IntArray, IntArray]:
    """Give the first day of each date's month or year, and of the next one."""
    span = dates.astype(f"datetime64[{unit}]")
    return span.astype("datetime64[D]").astype(np.int64), (span + 1).astype("datetime64[D]").astype(np.int64)
