"""The table of series: one flat array with offsets."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import Calendar, calendar_of, written
from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.specs import Columns, checks

__all__ = ["SeriesTable", "Vocabulary", "flat_rows", "future_times"]

Vocabulary: TypeAlias = tuple[str, ...]
"""The values of a category that a model knows; value *i* has the code *i* + 1."""

_ROWS = ("times", "values", "past", "known", "weights")
_SERIES = ("ids", "static", "categories")


def _no_columns() -> np.ndarray:
    return np.empty((0, 0))


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
    past
        ``[rows, p]`` of float64: the covariates ``columns.past``, NaN where missing.
    known
        ``[rows, k]``: the covariates ``columns.known`` as float64, then what `tidegate.data.with_time_features` has
        added; float32 if it holds nothing but such features.
    static
        ``[series, s]`` of float64: those covariates of ``columns.static`` that are numbers, NaN where missing.
    categories
        ``[series, c]`` of text (dtype object): those that are categories, ``""`` where missing.
    weights
        ``[rows]`` of float64, at least 0: how much a row counts in the loss; ``None`` if all count alike.
    categorical
        Which of ``columns.static`` are categories, in their order.
    features
        The names of the last columns of ``known``: features made of the time stamps.

    Raises
    ------
    ShapeError
        If covariates have another number of rows (or of series) than the table.
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
    past: np.ndarray = dataclasses.field(default_factory=_no_columns)
    known: np.ndarray = dataclasses.field(default_factory=_no_columns)
    static: np.ndarray = dataclasses.field(default_factory=_no_columns)
    categories: np.ndarray = dataclasses.field(default_factory=_no_columns)
    weights: np.ndarray | None = None
    categorical: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = dict.fromkeys(_ROWS[2:], len(self.times)) | dict.fromkeys(_SERIES[1:], len(self.ids))
        for name, length in lengths.items():
            array = getattr(self, name)
            if array is None or len(array) == length:
                continue
            if array.ndim != 2 or array.shape[1]:
                what = "rows" if name in _ROWS else "series"
                raise ShapeError(f"{name} must have {length} {what}, as the table has; got shape {array.shape}")
            object.__setattr__(self, name, np.empty((length, 0)))

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

    @functools.cached_property
    def first_steps(self) -> IntArray | None:
        """The number of the step that each series begins with, by the calendar, ``[series]``.

        Row *r* of the series is step ``first_steps[series] + r``. ``None`` in a table without a frequency.
        """
        return None if self.columns.frequency is None else self.calendar.split(self.times[self.offsets[:-1]])[0]

    @property
    def numeric(self) -> tuple[str, ...]:
        """Which of ``columns.static`` are numbers: the names of the columns of ``static``."""
        return tuple(name for name in self.columns.static if name not in self.categorical)

    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """List the values of each column of ``categories``, sorted, without the missing one."""
        return tuple(tuple(sorted(set(column) - {""})) for column in self.categories.T.tolist())

    def category_codes(self, vocabularies: Sequence[Vocabulary]) -> IntArray:
        """Give the categories as numbers.

        Parameters
        ----------
        vocabularies
            One a column of ``categories``, as `vocabularies` of the table trained on gives them.

        Returns
        -------
        numpy.ndarray
            ``[series, c]`` of int64: 1 for the first value of a vocabulary, …; 0 for one that is missing, or in no
            vocabulary.

        Raises
        ------
        ShapeError
            If there are not as many vocabularies as columns.
        """
        if len(vocabularies) != self.categories.shape[1]:
            raise ShapeError(
                f"{self.categories.shape[1]} categories need as many vocabularies; got {len(vocabularies)}"
            )
        codes = np.zeros(self.categories.shape, np.int64)
        for column, vocabulary in enumerate(vocabularies):
            number = {value: place for place, value in enumerate(vocabulary, start=1)}
            codes[:, column] = [number.get(value, 0) for value in self.categories[:, column].tolist()]
        return codes

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
        arrays = {name: getattr(self, name)[chosen] for name in _SERIES}
        arrays |= {name: array[rows] for name in _ROWS if (array := getattr(self, name)) is not None}
        return dataclasses.replace(self, offsets=offsets, **arrays)


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
