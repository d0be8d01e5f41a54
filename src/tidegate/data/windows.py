"""Windows: an index into a table of series, cut when a batch is made."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tidegate.data.batches import Batch, IntArray
from tidegate.data.table import SeriesTable
from tidegate.errors import ShortSeriesError
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
    """

    table: SeriesTable
    context: int
    horizon: int
    series: IntArray
    ends: IntArray

    def __post_init__(self) -> None:
        checks.whole("context", self.context)
        checks.whole("horizon", self.horizon, least=0)

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
    ) -> Windows:
        """Take every window whose target lies between two bounds.

        Windows are ordered by series, then time, and are laid from the last possible one backwards, so that with a
        ``stride`` the newest rows are in. One without any observed value in its context, or in its target, is dropped.

        Parameters
        ----------
        table, context, horizon
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
        windows = cls(table=table, context=context, horizon=horizon, series=series, ends=ends)._useful()
        if not len(windows):
            raise _too_short(table, context, horizon, least_context, bounded=start is not None or stop is not None)
        return windows

    @classmethod
    def last(cls, table: SeriesTable, *, context: int) -> Windows:
        """Take one window a series, with its end at the end of the series, and no target."""
        return cls(table=table, context=context, horizon=0, series=np.arange(len(table)), ends=table.offsets[1:])

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
        """
        series, ends = self.series[indices], self.ends[indices]
        rows = ends[:, np.newaxis] + np.arange(-self.context, 0)  # [batch, context]
        begins = self.table.offsets[series][:, np.newaxis]
        values, observed = _masked(self.table.values[np.maximum(rows, begins)], rows >= begins)
        target = target_observed = None
        if self.horizon:
            ahead = ends[:, np.newaxis] + np.arange(self.horizon)  # [batch, horizon]
            target, target_observed = _masked(self.table.values[ahead], np.ones(ahead.shape, bool))
        return Batch(values=values, observed=observed, target=target, target_observed=target_observed, series=series)

    def times(self, indices: IntArray) -> np.ndarray:
        """Return the time stamps of the targets, ``[batch, horizon]``."""
        rows: IntArray = self.ends[indices][:, np.newaxis] + np.arange(self.horizon)
        return np.asarray(self.table.times[rows])

    def _useful(self) -> Windows:
        seen = np.concatenate([[0], np.cumsum(self.table.observed.any(axis=1))])  # rows with a value, before each
        begins = np.maximum(self.ends - self.context, self.table.offsets[self.series])
        useful = (seen[self.ends] > seen[begins]) & (seen[self.ends + self.horizon] > seen[self.ends])
        return self if useful.all() else self.subset(useful)


def _masked(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    observed = ~np.isnan(values) & inside[:, :, np.newaxis]
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
