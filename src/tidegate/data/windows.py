"""Windows: an index into a table of series, cut when a batch is made."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tidegate.data.batches import Batch, IntArray
from tidegate.data.table import SeriesTable
from tidegate.errors import ShapeError, ShortSeriesError
from tidegate.specs import checks

__all__ = ["Windows"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Contexts and the targets that follow them, as positions in a `SeriesTable`.

    Window *i* has as context the ``context`` rows before ``ends[i]`` and as target the ``horizon`` rows from
    ``ends[i]`` on. Nothing is copied before `batch`, so that memory grows with the table, not with the windows.

    Parameters
    ----------
    table
        The series.
    context
        Steps of the input.
    horizon
        Steps of the target; 0 for windows to predict from.
    series
        ``[window]``: which series each window lies in.
    ends
        ``[window]``: the flat row of its first target step, one past its last context step.
    ahead
        Steps after the context that known covariates are cut for, where that is more than ``horizon``.
    future
        ``[series, step, k]``: the known covariates of the steps after each series' last row, as
        `tidegate.data.future_known` gives them; those beyond are NaN.
    codes
        ``[series, c]``: the categories as numbers, as `SeriesTable.category_codes` gives them; ``None`` leaves them
        out.
    units
        ``[series, target]``: what the errors of each series are measured in; ``None`` leaves it out.

    Raises
    ------
    SpecError
        If ``context``, ``horizon`` or ``ahead`` is no whole number, or too small.
    ShapeError
        If ``future`` or ``codes`` does not fit the table.
    """

    table: SeriesTable
    context: int
    horizon: int
    series: IntArray
    ends: IntArray
    ahead: int = 0
    future: np.ndarray | None = None
    codes: IntArray | None = None
    units: np.ndarray | None = None

    def __post_init__(self) -> None:
        checks.whole("context", self.context)
        checks.whole("horizon", self.horizon, least=0)
        checks.whole("ahead", self.ahead, least=0)
        series, known = len(self.table), self.table.known.shape[1]
        if self.future is not None and (self.future.ndim != 3 or self.future.shape[::2] != (series, known)):
            raise ShapeError(f"future must be [{series} series, step, {known} known]; got {list(self.future.shape)}")
        if self.codes is not None and self.codes.shape != self.table.categories.shape:
            raise ShapeError(
                f"codes must have the shape of the table's categories, {list(self.table.categories.shape)}; "
                f"got {list(self.codes.shape)}"
            )

    @classmethod
    def sliding(
        cls,
        table: SeriesTable,
        *,
        context: int,
        horizon: int,
        stride: int = 1,
        start: Any = None,
        stop: Any = None,
        least_context: int = 1,
        codes: IntArray | None = None,
    ) -> Windows:
        """Take every window whose target lies between two bounds.

        Windows are ordered by series, then time, and are laid from the last possible one backwards, so that with a
        ``stride`` the newest rows are in. One without any observed value in its context, or in its target, is dropped,
        as is one whose target's observed rows all have the weight 0.

        Parameters
        ----------
        table, context, horizon, codes
            As above, ``horizon`` at least 1.
        stride
            Steps from one window of a series to the next.
        start, stop
            Rows counted from the beginning of the series, one number or one a series: all target rows lie in
            ``start … stop − 1``. By default the whole series.
        least_context
            Context rows that a window must have; what lacks at its left is padded.

        Raises
        ------
        SpecError
            If ``context``, ``horizon``, ``stride`` or ``least_context`` is no whole number of at least 1.
        ShortSeriesError
            If no window is left; the message names the longest series.
        """
        for name, option in (("horizon", horizon), ("stride", stride), ("least_context", least_context)):
            checks.whole(name, option)
        lengths = table.lengths
        low = np.maximum(_bound(start, 0, table), min(least_context, context))
        high = np.minimum(_bound(stop, lengths, table), lengths) - horizon  # the last possible first target row
        counts = np.maximum(0, (high - low) // stride + 1)
        series = np.repeat(np.arange(len(table)), counts)
        rank = np.asarray(np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))  # in its series
        ends = (table.offsets[:-1] + high)[series] - (counts[series] - 1 - rank) * stride
        windows = cls(table=table, context=context, horizon=horizon, series=series, ends=ends, codes=codes)._useful()
        if not len(windows):
            raise _too_short(table, context, horizon, least_context, bounded=start is not None or stop is not None)
        return windows

    @classmethod
    def last(
        cls,
        table: SeriesTable,
        *,
        context: int,
        ahead: int = 0,
        future: np.ndarray | None = None,
        codes: IntArray | None = None,
    ) -> Windows:
        """Take one window a series, with its end at the end of the series, and no target."""
        return cls(
            table=table,
            context=context,
            horizon=0,
            series=np.arange(len(table)),
            ends=table.offsets[1:],
            ahead=ahead,
            future=future,
            codes=codes,
        )

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.ends)

    def subset(self, indices: Any) -> Windows:
        """Keep the windows at ``indices`` (whole numbers, a slice or a boolean mask), in that order."""
        return dataclasses.replace(self, series=self.series[indices], ends=self.ends[indices])

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Cut windows out of the table.

        Returns
        -------
        Batch
            ``values`` ``[batch, context, target]`` of float64 with ``observed`` beside it: where a value is missing,
            or lies before the start of its series (padding stands at the left), ``observed`` is False and ``values``
            holds 0.0, which means nothing: whoever scales the window fills it afterwards. ``target`` and
            ``target_observed`` ``[batch, horizon, target]`` likewise (``None`` for a horizon of 0). ``series``
            ``[batch]``; ``lengths`` is ``None``, as the end of each row is valid and its beginning is masked.

            Covariates are ``None`` where the table has none, and NaN where missing or before the start of the series:
            ``past`` ``[batch, context, p]``, ``known`` ``[batch, context + horizon, k]`` (or ``context + ahead``),
            ``static`` ``[batch, s]``, ``categories`` ``[batch, c]``. ``weight`` ``[batch, horizon]`` holds the weights
            of the target's rows, ``position`` ``[batch]`` the number of the first target step by the calendar.
        """
        series, ends = self.series[indices], self.ends[indices]
        rows = ends[:, np.newaxis] + np.arange(-self.context, 0)  # [batch, context]
        begins = self.table.offsets[series][:, np.newaxis]
        values, observed = _masked(self.table.values.take(np.maximum(rows, begins), axis=0), rows >= begins)
        target = target_observed = weight = None
        if self.horizon:
            ahead = ends[:, np.newaxis] + np.arange(self.horizon)  # [batch, horizon]
            target, target_observed = _masked(self.table.values.take(ahead, axis=0))
            weight = None if self.table.weights is None else self.table.weights[ahead]
        return Batch(
            values=values,
            observed=observed,
            target=target,
            target_observed=target_observed,
            past=self._inside(self.table.past, series, rows) if self.table.past.shape[1] else None,
            known=self._known(series, ends) if self.table.known.shape[1] else None,
            static=self.table.static[series] if self.table.static.shape[1] else None,
            categories=self.codes[series] if self.codes is not None and self.codes.shape[1] else None,
            weight=weight,
            series=series,
            unit=None if self.units is None else self.units[series],
            position=self._position(series, ends),
        )

    def _known(self, series: IntArray, ends: IntArray) -> np.ndarray:
        rows = ends[:, np.newaxis] + np.arange(-self.context, max(self.horizon, self.ahead))
        known = self._inside(self.table.known, series, rows)
        if self.future is not None:
            beyond = rows - self.table.offsets[series + 1][:, np.newaxis]  # steps after the last row, from 0
            window, step = np.nonzero((beyond >= 0) & (beyond < self.future.shape[1]))
            known[window, step] = self.future[series[window], beyond[window, step]]
        return known

    def _inside(self, array: np.ndarray, series: IntArray, rows: IntArray) -> np.ndarray:
        """Give ``array`` at ``rows`` ([batch, step]), NaN where they lie outside their series."""
        begins, stops = self.table.offsets[series][:, np.newaxis], self.table.offsets[series + 1][:, np.newaxis]
        inside = array.take(np.clip(rows, begins, stops - 1), axis=0)  # many times as fast as an index of two axes
        outside = np.flatnonzero((rows < begins) | (rows >= stops))
        inside.reshape(-1, array.shape[1])[outside] = np.nan
        return inside

    def _position(self, series: IntArray, ends: IntArray) -> IntArray | None:
        first = self.table.first_steps
        return None if first is None else first[series] + ends - self.table.offsets[series]

    def times(self, indices: IntArray) -> np.ndarray:
        """Return the time stamps of the targets, ``[batch, horizon]``."""
        rows: IntArray = self.ends[indices][:, np.newaxis] + np.arange(self.horizon)
        return np.asarray(self.table.times[rows])

    def _useful(self) -> Windows:
        observed = np.asarray(self.table.observed.any(axis=1))
        weights = self.table.weights
        seen = _before(observed)
        counting = seen if weights is None else _before(observed & (weights > 0))
        begins = np.maximum(self.ends - self.context, self.table.offsets[self.series])
        useful = (seen[self.ends] > seen[begins]) & (counting[self.ends + self.horizon] > counting[self.ends])
        return self if useful.all() else self.subset(useful)


def _before(rows: np.ndarray) -> IntArray:
    """Count the rows before each that are true, [rows + 1]."""
    counts: IntArray = np.concatenate([[0], np.cumsum(rows)])
    return counts


def _masked(values: np.ndarray, inside: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    observed = ~np.isnan(values)
    if inside is not None:
        observed &= inside[:, :, np.newaxis]
    return np.where(observed, values, 0.0), observed


def _bound(given: Any, default: Any, table: SeriesTable) -> IntArray:
    return np.broadcast_to(np.asarray(default if given is None else given, np.int64), (len(table),))


def _too_short(
    table: SeriesTable, context: int, horizon: int, least_context: int, *, bounded: bool
) -> ShortSeriesError:
    longest = int(table.lengths.argmax())
    return ShortSeriesError(
        f"no series has a window with observed values of {min(least_context, context)} context and {horizon} target "
        f"rows{' within the bounds given' if bounded else ''}; the longest, {table.name(longest)}, has "
        f"{table.lengths[longest]} rows; give longer series, or a shorter context or horizon"
    )
