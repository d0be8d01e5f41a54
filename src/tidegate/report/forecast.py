"""The report about a forecaster: what it forecast, how good it was, and what it was given."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate._core.files import write_text
from tidegate.report import accuracy, charts, tables
from tidegate.report.choice import Shown, choose
from tidegate.report.markup import figures, text
from tidegate.report.page import Section, chart, page
from tidegate.report.words import OWN, best_baseline, frequency_name, model_name, verdict

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable
    from tidegate.forecast.backtest import Backtest

__all__ = ["ForecastReport"]

_MOST_POINTS = 600  # of a line: more than a screen has columns for, and the file stays small


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ForecastReport:
    """A report about one fit of a forecaster.

    Parameters
    ----------
    table
        The data that the final model was fitted on.
    times, forecast
        The steps after the data: time stamps `[series, horizon]` and forecasts `[series, horizon, target]`, in the
        order of the table's series; NaN for a series without a forecast.
    backtest
        Forecasts of held-out windows by the model and the baselines. It may lack some of the table's series.
    losses
        Of each epoch of the final fit: ``loss``, and ``val_loss`` where there was a validation.
    loss
        What these losses measure.
    settings
        Groups of settings to list: name of the group, then names and values.
    notes
        What was noticed in the data and mended.
    """

    table: SeriesTable
    times: np.ndarray
    forecast: np.ndarray
    backtest: Backtest
    losses: Mapping[str, Sequence[float]]
    loss: str
    settings: Mapping[str, Mapping[str, object]]
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        targets = ", ".join(self.table.columns.targets)
        return page(
            f"Forecast of {targets}, {self._steps} ahead",
            self._lead(),
            self._sections(),
            self._charts(),
            first=self._first,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def _lead(self) -> str:
        windows = len(self.backtest.cutoffs)
        facts = {
            "Series": f"{len(self.table.ids):,}".replace(",", "\u202f"),
            "Rows": f"{len(self.table.times):,}".replace(",", "\u202f"),
            "Horizon": self._steps,
            "Frequency": frequency_name(self.table.columns.frequency),
            "Season": f"{self.backtest.season} steps" if self.backtest.season > 1 else "none found",
            "Backtest": f"{windows} window{'s' if windows > 1 else ''}",
        }
        return f'<p class="lead">{text(verdict(self.backtest.scores))}</p>{tables.facts(facts)}'

    def _sections(self) -> list[Section]:
        return [
            Section("forecast", "History and forecast", self._forecast_section()),
            Section("scores", "Scores beside the baselines", self._scores_section()),
            Section("backtest", "Forecasts against the truth", self._backtest_section()),
            Section("errors", "Errors", self._errors_section()),
            Section("training", "Training", self._training_section()),
            Section("data", "What was noticed in the data", tables.notes_list(self.notes)),
            Section("settings", "Settings", tables.settings_tables(self.settings)),
        ]

    def _forecast_section(self) -> str:
        return self._menu("forecast-series") + chart(
            "forecast",
            label="The observed values and, after them, the forecast",
            caption="Solid: what was observed, up to the last row of the data. Dashed, with dots: the forecast of the "
            "final model, which was fitted on all rows. Gaps in the solid line are missing values.",
        )

    def _scores_section(self) -> str:
        windows, series = len(self.backtest.cutoffs), len(self.backtest.ids)
        caption = (
            f"Over {windows} held-out window{'s' if windows > 1 else ''} of {self._steps} of {series} series. "
            "No model saw the values that it is scored on. The best of each column is bold and starred."
        )
        return tables.score_table(self.backtest.scores, caption) + tables.terms()

    def _backtest_section(self) -> str:
        return self._menu("backtest-series") + chart(
            "backtest",
            label="Held-out values, the model's forecasts of them, and the best baseline's",
            caption="Solid: what came. Dashed, with dots: what the model had forecast before. Dotted, with open "
            "diamonds: the best baseline. A model earns its keep where the dots lie nearer to the solid line.",
        )

    def _errors_section(self) -> str:
        unit = (
            "Errors are in units of the data."
            if self._single
            else "Errors are divided by each series' usual change over one season, so that series of all sizes count "
            "alike: 1 is the usual error of repeating the last season."
        )
        by_size = chart(
            "sizes",
            label="Share of forecast errors by their size",
            caption=f"A good model's bars crowd around zero, and about as many lie left as right. {unit} The "
            "outermost bars also hold all larger errors.",
        )
        by_step = chart(
            "steps",
            label="Mean error by steps ahead",
            caption="Errors usually grow with the steps ahead. The solid line is the mean error: steadily above zero "
            "the forecasts are too high, below it too low.",
        )
        return f"<h3>By size</h3>{by_size}<h3>By steps ahead</h3>{by_step}"

    def _training_section(self) -> str:
        if not any(self.losses.values()):
            return "<p>This model came from a file; its training is not recorded in it.</p>"
        return chart(
            "training",
            label="Loss of each epoch",
            caption="Both lines should fall and flatten. Where the dotted one (rows kept aside) rises while the "
            "dashed one falls, the model begins to learn the training rows by heart; the best epoch is kept.",
        )

    def _charts(self) -> dict[str, Any]:
        compared = accuracy.unit_errors(self.backtest, self._scale, self._compared)
        names = {model: model_name(model) for model in compared}
        unit = ", ".join(self.table.columns.targets) if self._single else "in usual seasonal changes"
        steps = {model: accuracy.step_errors(values) for model, values in compared.items()}
        return {
            "forecast": self._forecast_chart(),
            "backtest": self._backtest_chart(),
            "sizes": charts.errors_by_size(accuracy.histogram(compared), names, unit=unit),
            "steps": charts.errors_by_step(
                {model: size for model, (size, _) in steps.items()}, steps[OWN][1], names, unit=unit
            ),
            "training": charts.training_curve(self.losses, unit=f"loss ({self.loss})"),
        }

    def _forecast_chart(self) -> dict[str, Any]:
        views = []
        for one in self._shown:
            start, stop = int(self.table.offsets[one.series]), int(self.table.offsets[one.series + 1])
            past = slice(max(start, stop - _MOST_POINTS), stop)
            observed = charts.moments(self.table.times[past]), figures(self.table.values[past, one.target])
            coming = charts.moments(self.times[one.series]), figures(self.forecast[one.series, :, one.target])
            views.append([observed, coming])
        return charts.lines([("truth", "Observed"), ("model", "Forecast")], views, **self._axes)

    def _backtest_chart(self) -> dict[str, Any]:
        backtest = self.backtest
        lines = {"truth": backtest.actual} | {name: backtest.forecasts[name] for name in self._compared}
        views: list[list[tuple[list[Any], list[Any]]]] = []
        for one in self._shown:
            row = self._backtest_row[one.series]
            if row < 0:
                views.append([([], [])] * len(lines))
                continue
            # A series that is too short for all windows has fewer of them: the others hold no forecast.
            served = np.flatnonzero(np.isfinite(backtest.forecasts[OWN][:, row]).any(axis=(1, 2)))
            order = served[-max(1, _MOST_POINTS // backtest.times.shape[2]) :]
            times = _apart([charts.moments(backtest.times[window, row]) for window in order])
            heights = [_apart([figures(y[window, row, :, one.target]) for window in order]) for y in lines.values()]
            views.append([(times, line) for line in heights])
        parts = [("truth", "Truth"), ("model", model_name(OWN))]
        parts += [("baseline", model_name(name)) for name in self._compared[1:]]
        return charts.lines(parts, views, **self._axes)

    def _menu(self, identity: str) -> str:
        return tables.menu(self._shown, self._labels, self._first, identity)

    @property
    def _steps(self) -> str:
        horizon = self.times.shape[1]
        return f"{horizon} step{'s' if horizon > 1 else ''}"

    @property
    def _single(self) -> bool:
        return self._scale.size == 1

    @property
    def _axes(self) -> dict[str, Any]:
        targets = self.table.columns.targets
        zone = " (UTC)" if self.table.timezone else ""  # local time would draw an hour of autumn twice
        return {"x": self.table.columns.time + zone, "y": [targets[one.target] for one in self._shown]}

    @property
    def _labels(self) -> list[str]:
        targets = self.table.columns.targets
        named = len(targets) > 1
        labels = []
        for one in self._shown:
            series = [str(self.table.ids[one.series])] if self.table.has_id else []
            labels.append(" · ".join(series + [targets[one.target]] * (named or not series)))
        return labels

    @property
    def _first(self) -> int:
        """The view shown first: the middling series of many, the first of a few."""
        return len(self._shown) // 2 if self._shown[0].group else 0

    @cached_property
    def _compared(self) -> list[str]:
        """The model, and the baseline that comes closest to it."""
        found = best_baseline(self.backtest.scores)
        return [OWN, *([found[0]] if found else [])]

    @cached_property
    def _backtest_row(self) -> np.ndarray:
        """Where each of the table's series stands in the backtest, `[series]`; −1 where it does not."""
        rows = {identity: row for row, identity in enumerate(self.backtest.ids.tolist())}
        return np.array([rows.get(identity, -1) for identity in self.table.ids.tolist()])

    @cached_property
    def _scale(self) -> np.ndarray:
        """The usual seasonal change of the backtest's series, `[series, target]`."""
        rows = self._backtest_row
        whole = accuracy.seasonal_scale(self.table, self.backtest.season)
        scale = np.full((len(self.backtest.ids), whole.shape[1]), np.nan)
        scale[rows[rows >= 0]] = whole[rows >= 0]
        return scale

    @cached_property
    def _shown(self) -> list[Shown]:
        rows = self._backtest_row
        scores = accuracy.series_mase(self.backtest, self._scale, OWN)
        mase = np.where((rows >= 0)[:, None], scores[rows], np.nan)
        return choose(mase)


def _apart(windows: list[list[Any]]) -> list[Any]:
    """Join the points of several windows, with nothing between two, so that no line connects them."""
    joined: list[Any] = []
    for window in windows:
        joined += [*window, None]
    return joined[:-1]
