"""What is known of the steps after a table's end: covariates, and true values that have come in already."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from tidegate.data.assemble import RawTable, check_values
from tidegate.data.batches import IntArray
from tidegate.data.calendar import written
from tidegate.data.csvfile import raw_csv
from tidegate.data.features import future_features
from tidegate.data.framecolumns import native_frame
from tidegate.data.frames import raw_frame
from tidegate.data.naming import absent_column, check_doubled, listed
from tidegate.data.table import SeriesTable, future_times
from tidegate.errors import ColumnError, DataError, TimeStampError
from tidegate.specs import Columns, checks

__all__ = ["Future", "future_known", "read_future", "read_future_csv"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Future:
    """What is known of the steps that follow each series of a table.

    Parameters
    ----------
    known
        ``[series, horizon, k]`` of float64: the covariates ``columns.known``, none missing.
    targets
        ``[series, horizon, target]`` of float64: true values that are known already, NaN where not.
    """

    known: np.ndarray
    targets: np.ndarray


def read_future(frame: Any, table: SeriesTable, horizon: int, *, left_out: Collection[Any] = ()) -> Future:
    """Read the rows that follow a table out of a pandas or polars data frame.

    Rows find their place by id and time stamp, in any order. Those at or before the last row of their series, and
    those beyond the horizon, are passed over. Columns of targets are read where they are there, for true values that
    have come in already; static and past covariates and weights are not.

    Parameters
    ----------
    frame
        With the time column, the id column if the table has one, and every known covariate.
    table
        The table that the rows follow.
    horizon
        Steps after the last row of each series.
    left_out
        Ids of series that were left out of the table; their rows are passed over.

    Returns
    -------
    Future
        In the order of the table's series.

    Raises
    ------
    ColumnError
        If a column is absent, or there is neither a known covariate nor a target to read.
    DataError
        If a known covariate is missing for one of the steps, a value is no finite number, or an id is unknown.
    TimeStampError
        If a time stamp cannot be read, comes twice, lies off the grid, or is of another kind than the table's.

    Examples
    --------
    >>> import pandas as pd
    >>> from tidegate import Columns
    >>> from tidegate.data import read_frame
    >>> table = read_frame(pd.DataFrame({"ds": range(3), "y": 1.0, "price": [9, 8, 9]}), Columns(known=("price",)))
    >>> read_future(pd.DataFrame({"ds": [3, 4], "price": [7.0, 8.0]}), table, horizon=2).known.tolist()
    [[[7.0], [8.0]]]
    """
    columns = table.columns
    native, backend = native_frame(frame, columns.time)
    named = _columns(table, [name for name in native.columns if isinstance(name, str)])
    return _placed(raw_frame(native, backend, named, has_id=table.has_id), table, horizon, left_out, _same)


def read_future_csv(
    path: str | os.PathLike[str], table: SeriesTable, horizon: int, *, left_out: Collection[Any] = ()
) -> Future:
    """Read the rows that follow a table out of a CSV file, as `read_future` does out of a data frame.

    The file is as `tidegate.data.read_csv` takes it. Ids are compared as text.

    Raises
    ------
    MissingFileError, FileFormatError
        As `tidegate.data.read_csv`.
    ColumnError, DataError, TimeStampError
        As `read_future`, with line instead of row.
    """
    raw = raw_csv(path, lambda header, _: (_columns(table, header), table.has_id))
    return _placed(raw, table, horizon, left_out, str)


def future_known(
    table: SeriesTable, horizon: int, *, seasons: Sequence[int] = (), future: Future | None = None
) -> np.ndarray | None:
    """Give what `tidegate.data.Windows` takes as ``future``: known covariates, then features of the time stamps.

    Parameters
    ----------
    table
        The table, with or without the features of its own rows.
    horizon
        Steps after the last row of each series.
    seasons
        Lengths in steps, for ``columns.fourier``, as `tidegate.data.with_time_features` was given them.
    future
        Needed if there are known covariates.

    Returns
    -------
    numpy.ndarray or None
        ``[series, horizon, k]``; ``None`` if the columns name neither known covariates nor features.

    Raises
    ------
    DataError
        If there are known covariates and no ``future``, or the features cannot be made.
    """
    names = table.columns.known
    if names and future is None:
        first = written(future_times(table.head(1), 1)[0, 0], table.timezone)
        raise DataError(
            f"the known covariate{'s' if len(names) > 1 else ''} {listed(names)} must be given for the {horizon} "
            f"step{'s' if horizon > 1 else ''} after the end of each series, for {table.name(0)} from {first} on; "
            "give future= with those rows"
        )
    features = future_features(table, horizon, seasons)
    if future is None or not names:
        return features if features.shape[2] else None
    return np.concatenate([future.known, features], axis=2) if features.shape[2] else future.known


def _columns(table: SeriesTable, names: Sequence[str]) -> Columns:
    """Say what is read of a future: times, ids, known covariates, and those targets that are there."""
    check_doubled(names)
    columns = table.columns
    needed = (
        {columns.time: "time"} | ({columns.id: "id"} if table.has_id else {}) | dict.fromkeys(columns.known, "known")
    )
    for name, role in needed.items():
        if name not in names:
            raise absent_column(name, role, names)
    targets = tuple(name for name in columns.targets if name in names)
    if not targets and not columns.known:
        raise ColumnError(
            f"the table has no known covariates, and the future no target ({listed(columns.targets)}), so there is "
            f"nothing to read in its columns {listed(names)}"
        )
    return dataclasses.replace(columns, targets=targets, static=(), past=(), weight=None)


def _placed(
    raw: RawTable, table: SeriesTable, horizon: int, left_out: Collection[Any], key: Callable[[Any], Any]
) -> Future:
    """Bring rows to the step of the series that they belong to."""
    checks.whole("horizon", horizon)
    check_values(raw)
    series = _series(raw, table, left_out, key)
    _check_kind(raw, table)
    rows, places = _steps(raw, table, series, horizon)
    known = np.full((len(table) * horizon, raw.known.shape[1]), np.nan)
    known[places] = raw.known[rows]
    targets = np.full((len(table) * horizon, table.values.shape[1]), np.nan)
    for column, name in enumerate(raw.columns.targets):
        targets[places, table.columns.targets.index(name)] = raw.values[rows, column]
    future = Future(
        known=known.reshape(len(table), horizon, known.shape[1]),
        targets=targets.reshape(len(table), horizon, targets.shape[1]),
    )
    _check_complete(future.known, table)
    return future


def _series(raw: RawTable, table: SeriesTable, left_out: Collection[Any], key: Callable[[Any], Any]) -> IntArray:
    """Find the series of each row, ``[rows]``; −1 for those left out."""
    if not table.has_id:
        return raw.codes
    index = {key(name): place for place, name in enumerate(table.ids.tolist())}
    passed = {key(name) for name in left_out}
    ids = [key(name) for name in raw.ids.tolist()]
    for code, name in enumerate(ids):
        if name not in index and name not in passed:
            row = int(np.flatnonzero(raw.codes == code)[0])
            raise DataError(
                f"column {table.columns.id!r}, {raw.place(row)}: the future holds series {name!r}, which is not in the "
                f"table; its first is {next(iter(index))!r}; correct the id, or leave those rows out"
            )
    return np.array([index.get(name, -1) for name in ids], np.int64)[raw.codes]


def _check_kind(raw: RawTable, table: SeriesTable) -> None:
    kinds = [
        "whole numbers" if times.dtype.kind != "M" else f"time stamps with{'out' if zone is None else ''} a time zone"
        for times, zone in ((table.times, table.timezone), (raw.times, raw.timezone))
    ]
    if kinds[0] != kinds[1]:
        raise TimeStampError(
            f"column {table.columns.time!r}: the table holds {kinds[0]}, but the future {kinds[1]}; write both alike"
        )


def _steps(raw: RawTable, table: SeriesTable, series: IntArray, horizon: int) -> tuple[IntArray, IntArray]:
    """Give the rows within the horizon, and the place of each: series · horizon + step."""
    calendar = table.calendar
    number, rest = calendar.split(raw.times)
    last, place_in_step = calendar.split(table.times[table.offsets[1:] - 1])
    step = number - last[series] - 1
    rows = np.flatnonzero((series >= 0) & (step >= 0) & (step < horizon))
    off = rows[rest[rows] != place_in_step[series[rows]]]
    if off.size:
        row = int(off[0])
        expected = calendar.join(number[row : row + 1], place_in_step[series[row : row + 1]])[0]
        raise TimeStampError(
            f"column {table.columns.time!r}, {raw.place(row)}: {written(raw.times[row], table.timezone)} is off the "
            f"grid of {table.name(int(series[row]))}; the frequency {table.columns.frequency!r} expects "
            f"{written(expected, table.timezone)}; correct the time stamp"
        )
    places = series[rows] * horizon + step[rows]
    order = np.argsort(places, kind="stable")
    doubled = np.flatnonzero(np.diff(places[order]) == 0)
    if doubled.size:
        first, second = (int(rows[order[at]]) for at in (doubled[0], doubled[0] + 1))
        raise TimeStampError(
            f"column {table.columns.time!r}: {table.name(int(series[first]))} has the time stamp "
            f"{written(raw.times[first], table.timezone)} twice ({raw.place(first)} and {raw.place(second)}); "
            "keep one of the two"
        )
    return rows, places


def _check_complete(known: np.ndarray, table: SeriesTable) -> None:
    missing = np.isnan(known)
    if not missing.any():
        return
    horizon = known.shape[1]
    series, step, column = (int(place[0]) for place in np.nonzero(missing))
    stamp = written(future_times(table.select([series]), horizon)[0, step], table.timezone)
    others = np.count_nonzero(missing.any(axis=2)) - 1
    more = f", and with {others:,} more that lack{'s' if others == 1 else ''} a value" if others else ""
    raise DataError(
        f"the known covariate {table.columns.known[column]!r} is needed for the {horizon} "
        f"step{'s' if horizon > 1 else ''} after the end of each series, but is missing for {table.name(series)} at "
        f"{stamp}; give future= with that row{more}"
    )


def _same(name: Any) -> Any:
    return name
