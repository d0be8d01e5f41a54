"""The five public data sets, cut as the literature cuts them, or one step earlier for choosing.

A problem is what a model may be fitted on, with what it is scored on. Of the *test* part nothing is read unless it is
asked for: of a table that holds all parts only the rows before it are read.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from tidegate.data import SeriesTable, read_csv, read_frame
from tidegate.forecast.baselines import FloatArray, IntArray
from tidegate.specs import Columns

__all__ = ["SETS", "EndSet", "Ends", "Everywhere", "Problem", "RowSet", "data_folder", "in_order", "standardised"]

ROOT = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """Give the folder of the data: $TIDEGATE_DATA, or ../shared/data."""
    return Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data")) / "forecasting"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """One window a series, behind its last row.

    Attributes
    ----------
    label
        What is scored.
    past
        The rows that are known.
    truth
        ``[series, step]``: what came.
    season
        Steps of a season: of the seasonal naive forecast, the scale of MASE and MSIS, and Naive2.
    """

    label: str
    past: SeriesTable
    truth: FloatArray
    season: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Everywhere:
    """Every window whose target lies in the last rows of one table of several variables.

    Attributes
    ----------
    label
        What is scored.
    table
        One series, z-scored by the rows to fit on; it ends with the last row that is scored.
    fit_rows
        Rows at its beginning that a model may be fitted on.
    start
        The first row that is scored; contexts reach back into the rows before.
    season
        Steps of a season.
    """

    label: str
    table: SeriesTable
    fit_rows: int
    start: int
    season: int

    @property
    def past(self) -> SeriesTable:
        """The rows to fit on."""
        return self.table.truncate(self.fit_rows)

    def ends(self, horizon: int) -> IntArray:
        """Give the row where each forecast of a horizon begins."""
        return np.arange(self.start, len(self.table.values) - horizon + 1)


Problem: TypeAlias = Ends | Everywhere


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndSet:
    """Many series, the last horizon of which is scored; ``season`` is that of the published scores."""

    title: str
    file: str
    horizon: int
    season: int
    measures: tuple[str, ...]
    baselines: tuple[str, ...] = ("seasonal_naive", "naive")

    @property
    def horizons(self) -> tuple[int, ...]:
        """The one horizon."""
        return (self.horizon,)

    def load(self, *, validate: bool, windows: int = 2) -> list[Problem]:
        """Give the test part, or so many horizons at the end of the training part, the earliest first."""
        train = read_csv(data_folder() / f"{self.file}_train.csv.gz", Columns(targets=("y",)))
        if validate:
            return [*last_windows(train, self.horizon, self.season, windows)]
        truth = read_csv(data_folder() / f"{self.file}_test.csv.gz", Columns(targets=("y",)))
        return [Ends(label="test part", past=train, truth=in_order(truth, train), season=self.season)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowSet:
    """One table of several variables, cut by rows: fit before ``train``, validate before ``validation``, then test.

    ``time`` is the column of time stamps; ``None``: the file has none, and a day from 2000-01-01 on is made up for
    each row, because a table needs one. No model here reads it.
    """

    title: str
    file: str
    horizons: tuple[int, ...]
    season: int
    train: int
    validation: int
    test: int
    time: str | None
    measures: tuple[str, ...]
    baselines: tuple[str, ...] = ("seasonal_naive", "naive")

    def load(self, *, validate: bool, windows: int = 1) -> list[Problem]:  # noqa: ARG002 - every window is taken
        """Give the test part, or the validation part."""
        stop = self.validation if validate else self.test
        frame = pd.read_csv(data_folder() / f"{self.file}.csv.gz", nrows=stop)
        if self.time is None:
            frame.insert(0, "ds", pd.date_range("2000-01-01", periods=len(frame), freq="D"))
        else:
            frame["ds"] = pd.to_datetime(frame.pop(self.time))
        table = standardised(read_frame(frame, Columns(time="ds")), self.train)
        label, start = ("validation part", self.train) if validate else ("test part", self.validation)
        return [Everywhere(label=label, table=table, fit_rows=self.train, start=start, season=self.season)]


def last_windows(train: SeriesTable, horizon: int, season: int, windows: int) -> list[Ends]:
    """Hold out the last horizon of each series, and those before it, one at a time, the earliest first.

    A series with less than a horizon and a season before a window is left out of it.
    """
    found = []
    for back in range(windows, 0, -1):
        long = train.lengths >= back * horizon + horizon + season
        table = train.select(long)
        whole = table.truncate(table.lengths - (back - 1) * horizon)
        truth = np.stack([whole.values[whole.rows(index), 0][-horizon:] for index in range(len(whole))])
        short = "" if long.all() else f", {np.count_nonzero(~long)} short series left out"
        label = f"validation, {back * horizon} rows before the end{short}"
        found.append(Ends(label=label, past=whole.truncate(whole.lengths - horizon), truth=truth, season=season))
    return found


def in_order(table: SeriesTable, like: SeriesTable) -> FloatArray:
    """Give the values [series, step] of a table of equally long series, ordered as another's series."""
    place = {name: index for index, name in enumerate(table.ids.tolist())}
    return np.stack([table.values[table.rows(place[name]), 0] for name in like.ids.tolist()])


def standardised(table: SeriesTable, rows: int) -> SeriesTable:
    """Take from each variable the mean of its first rows, and divide by their (population) standard deviation."""
    first = table.values[:rows]
    return dataclasses.replace(table, values=(table.values - first.mean(axis=0)) / first.std(axis=0))


_M4 = ("sMAPE", "MASE", "OWA", "MSIS 95 %", "coverage 80 %", "width 80 %", "coverage 95 %", "width 95 %")
_M4_BASELINES = ("seasonal_naive", "naive", "naive2")
_LONG = (96, 192, 336, 720)
_ROWS = (
    *(f"{name} {horizon}" for horizon in _LONG for name in ("MSE", "MAE")),
    *("mean MSE", "mean MAE", "coverage 80 %", "coverage 95 %"),
)

SETS: dict[str, EndSet | RowSet] = {
    "m4-hourly": EndSet(
        title="M4 hourly", file="m4_hourly", horizon=48, season=24, measures=_M4, baselines=_M4_BASELINES
    ),
    "m4-weekly": EndSet(
        title="M4 weekly", file="m4_weekly", horizon=13, season=1, measures=_M4, baselines=_M4_BASELINES
    ),
    "tourism": EndSet(
        title="Tourism monthly",
        file="tourism_monthly",
        horizon=24,
        season=12,
        measures=("MASE", "MSIS 95 %", "coverage 80 %", "width 80 %", "coverage 95 %", "width 95 %"),
    ),
    "etth1": RowSet(
        title="ETTh1",
        file="etth1",
        horizons=_LONG,
        season=24,
        train=8_640,
        validation=11_520,
        test=14_400,
        time="date",
        measures=_ROWS,
    ),
    "exchange": RowSet(
        title="Exchange rate",
        file="exchange_rate",
        horizons=_LONG,
        season=1,
        train=5_311,  # 70 % of 7,588 rows, and the last 20 % are 1,517
        validation=6_071,
        test=7_588,
        time=None,
        measures=(*_ROWS, "MSE 96 / last value's"),
    ),
}
