"""The table of series: one flat array with offsets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import Calendar, calendar_of, written
from tidegate.errors import DataError, SpecError
from tidegate.specs import Columns, checks

__all__ = ["SeriesTable", "flat_rows", "future_times"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SeriesTable:
    """Many series in one flat array: series *i* is the rows ``offsets[i]`` to ``offsets[i + 1]``.

    Within a series the rows ascend in time, one a step of the frequency, none left out: what the input left out is
    there as a missing row. `tidegate.data.read_frame` and `tidegate.data.read_csv` make such tables.

    Parameters
    ----------
    ids
        ``[series]``, the ids as they were given, in the order of their first row.
    offsets
        ``[series + 1]`` of int64.
    times
        ``[rows]``: datetime64[us] (in UTC if there is a time zone) or int64.
    values
        ``[rows, target]`` of float64, in the units of the input; NaN where missing.
    columns
        The names, with ``targets`` and ``frequency`` filled in.
    has_id
        Whether the input had an id column; without one there is one series.
    timezone
        The zone of the input's time stamps, ``None`` for naive stamps and whole numbers.
    backend
        Whose data frames `tidegate.data.to_frame` gives back.
    notes
        What was noticed and mended: gaps filled as missing rows, missing values masked.
    dtypes
        The backend's own dtypes of the id and the time column, by name.
    """

    ids: np.ndarray
    offsets: IntArray
    times: np.ndarray
    values: np.ndarray
    columns: Columns
    has_id: bool = True
    timezone: str | None = None
    backend: Literal["pandas", "polars"] = "pandas"
    notes: tuple[str, ...] = ()
    dtypes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.ids)

    @property
    def lengths(self) -> IntArray:
        """Rows of each series, ``[series]``."""
        return np.diff(self.offsets)

    @property
    def observed(self) -> np.ndarray:
        """True where a value is there, ``[rows, target]``."""
        observed: np.ndarray = ~np.isnan(self.values)
        return observed

    @property
    def calendar(self) -> Calendar:
        """The frequency, ready to count steps."""
        frequency = self.columns.frequency
        if frequency is None:
            raise SpecError("this table was built without a frequency; set columns.frequency")
        return calendar_of(frequency, self.times, self.timezone)

    def rows(self, index: int) -> slice:
        """Return where series ``index`` lies in the flat arrays. Raises `IndexError` if there is no such series."""
        if not 0 <= index < len(self):
            raise IndexError(f"series {index} of {len(self)}")
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def name(self, index: int) -> str:
        """Name a series as messages do: ``series 'A'``, or ``the series`` where the table has no ids."""
        return f"series {self.ids[index : index + 1].tolist()[0]!r}" if self.has_id else "the series"

    def stamp(self, row: int) -> str:
        """Write the time of a flat row as messages do, in the table's time zone."""
        return written(self.times[row], self.timezone)

    def select(self, indices: Any) -> SeriesTable:
        """Keep the series at ``indices`` (whole numbers or a boolean mask), in that order."""
        chosen = np.arange(len(self))[indices]
        return self._cut(chosen, self.offsets[chosen], self.offsets[chosen + 1])

    def head(self, series: int) -> SeriesTable:
        """Keep the first ``series`` series, without copying. Raises `SpecError` unless 1 or more are asked for."""
        checks.whole("series", series)
        return self.select(slice(series))

    def truncate(self, stop: Any) -> SeriesTable:
        """Keep the rows of each series before ``stop`` (one number, or one a series; counted from its first row).

        Raises
        ------
        SpecError
            If a stop lies outside 1 … the length of its series.
        """
        stops = np.broadcast_to(np.asarray(stop, np.int64), (len(self),))
        wrong = np.flatnonzero((stops < 1) | (stops > self.lengths))
        if wrong.size:
            first = int(wrong[0])
            raise SpecError(
                f"{self.name(first)} has {self.lengths[first]} rows; it cannot be cut after {stops[first]} of them"
            )
        return self._cut(np.arange(len(self)), self.offsets[:-1], self.offsets[:-1] + stops)

    def tail(self, rows: int) -> SeriesTable:
        """Keep at most the last ``rows`` rows of each series. Raises `SpecError` unless 1 or more are asked for."""
        checks.whole("rows", rows)
        starts = np.maximum(self.offsets[:-1], self.offsets[1:] - rows)
        return self._cut(np.arange(len(self)), starts, self.offsets[1:])

    def before(self, time: Any) -> SeriesTable:
        """Keep the rows before ``time``; series that begin later are left out.

        ``time`` is whatever `numpy.datetime64` takes (in UTC if the table has a time zone), or a whole number.

        Raises
        ------
        DataError
            If no row is left.
        """
        bound = np.asarray(time, self.times.dtype)[()]
        earlier = np.concatenate([[0], np.cumsum(self.times < bound)])  # rows before `bound` up to each row
        kept = earlier[self.offsets[1:]] - earlier[self.offsets[:-1]]
        chosen = np.flatnonzero(kept)
        if not chosen.size:
            raise DataError(
                f"no row lies before {written(bound, self.timezone)}; the table begins at "
                f"{written(self.times.min(), self.timezone)}"
            )
        return self._cut(chosen, self.offsets[chosen], self.offsets[chosen] + kept[chosen])

    def _cut(self, chosen: IntArray, starts: IntArray, stops: IntArray) -> SeriesTable:
        rows = flat_rows(starts, stops - starts)
        offsets = np.concatenate([[0], np.cumsum(stops - starts)])
        return dataclasses.replace(
            self, ids=self.ids[chosen], offsets=offsets, times=self.times[rows], values=self.values[rows]
        )


def flat_rows(starts: IntArray, lengths: IntArray) -> IntArray | slice:
    """Join ranges ``starts[i] … starts[i] + lengths[i]``: a slice where they touch (so that cutting is a view)."""
    if len(starts) and (starts[1:] == starts[:-1] + lengths[:-1]).all():
        return slice(int(starts[0]), int(starts[-1] + lengths[-1]))
    ends = np.cumsum(lengths)
    rows: IntArray = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
    return rows


def future_times(table: SeriesTable, horizon: int) -> np.ndarray:
    """Continue each series by its frequency.

    Returns
    -------
    numpy.ndarray
        ``[series, horizon]`` in the dtype of ``table.times``; in UTC if the table has a time zone.

    Raises
    ------
    SpecError
        If ``horizon`` is not a whole number of at least 1.
    """
    checks.whole("horizon", horizon)
    number, rest = table.calendar.split(table.times[table.offsets[1:] - 1])
    steps = number[:, np.newaxis] + np.arange(1, horizon + 1)  # [series, horizon]
    return table.calendar.join(steps, np.broadcast_to(rest[:, np.newaxis], steps.shape))
