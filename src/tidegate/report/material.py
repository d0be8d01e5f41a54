"""What the sections and the charts of a forecast's report draw on: data, forecasts, and what follows from both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tidegate.report import accuracy
from tidegate.report.choice import Shown, choose, extremes
from tidegate.report.words import OWN, best_baseline

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable
    from tidegate.forecast.backtest import Backtest

__all__ = ["Material"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """The data of a report; parameters as those of `tidegate.report.ForecastReport`."""

    table: SeriesTable
    times: np.ndarray
    forecast: np.ndarray
    backtest: Backtest
    bands: Mapping[float, tuple[np.ndarray, np.ndarray]]

    @property
    def horizon(self) -> int:
        """Steps of a forecast."""
        return int(self.times.shape[1])

    @property
    def single(self) -> bool:
        """Whether there is one line to forecast, so that errors can be told in its units."""
        return len(self.backtest.ids) * len(self.backtest.targets) == 1

    @property
    def levels(self) -> list[float]:
        """Of the forecast's intervals, in per cent, ascending."""
        return sorted(self.bands)

    @cached_property
    def compared(self) -> list[str]:
        """The model, and the baseline that comes closest to it."""
        found = best_baseline(self.backtest.scores)
        return [OWN, *([found[0]] if found else [])]

    @cached_property
    def models(self) -> list[str]:
        """The model, the best baseline, then the others."""
        return list(dict.fromkeys([*self.compared, *self.backtest.forecasts]))

    @cached_property
    def backtest_row(self) -> np.ndarray:
        """Where each of the table's series stands in the backtest, `[series]`; −1 where it does not."""
        rows = {identity: row for row, identity in enumerate(self.backtest.ids.tolist())}
        return np.array([rows.get(identity, -1) for identity in self.table.ids.tolist()])

    @cached_property
    def mase(self) -> dict[str, np.ndarray]:
        """The MASE of each model on each of the table's series, `[series, target]`; NaN where it has none."""
        rows = self.backtest_row
        scores = accuracy.series_mase(self.backtest)
        return {model: np.where((rows >= 0)[:, None], found[rows], np.nan) for model, found in scores.items()}

    @cached_property
    def shown(self) -> list[Shown]:
        """The series of the menu."""
        return choose(self.mase[OWN])

    @cached_property
    def extremes(self) -> list[Shown]:
        """The most and the least accurately forecast series; none where there is nothing to rank."""
        return extremes(self.mase[OWN])

    @property
    def first(self) -> int:
        """The view shown first: the middling series of many, the first of a few."""
        return len(self.shown) // 2 if self.shown[0].group else 0

    def label(self, one: Shown) -> str:
        """Name a series, and its target where that says something."""
        targets = self.table.columns.targets
        series = [str(self.table.ids[one.series])] if self.table.has_id else []
        return " · ".join(series + [targets[one.target]] * (len(targets) > 1 or not series))

    def served_windows(self, row: int) -> np.ndarray:
        """Give the windows of the backtest in which its series ``row`` was forecast, in order.

        A series that is too short for all windows has fewer of them: the others hold no forecast.
        """
        return np.flatnonzero(np.isfinite(self.backtest.forecasts[OWN][:, row]).any(axis=(1, 2)))
