"""The report about a forecaster: what it forecast, how good it was, and what it was given."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate._core.files import write_text
from tidegate.report import accuracy, charts, drawings, tables
from tidegate.report.choice import Shown
from tidegate.report.closing import closing_sections
from tidegate.report.markup import number, text, whole
from tidegate.report.material import Material
from tidegate.report.page import Section, chart, page
from tidegate.report.words import INTERVAL_METRICS, METRICS, OWN, frequency_name, short_name, verdict

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable
    from tidegate.forecast.backtest import Backtest

__all__ = ["ForecastReport"]

_NOTHING = "Nothing: no gap, no missing value, no series too short."
_INTERVALS = {"coverage": "coverage, %", "width": "mean width", "MSIS": "MSIS"}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ForecastReport:
    """A report about one fit of a forecaster.

    What makes no sense for it is left out: intervals where there are points only, a ranking of one series.

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
    bands
        Intervals after the data: a level in per cent to the lower and the upper ends, each like ``forecast``.
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
    bands: Mapping[float, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        targets = ", ".join(self.table.columns.targets)
        return page(
            f"Forecast of {targets}, {self._steps} ahead",
            self._lead(),
            self._sections(),
            self._charts(),
            first=self._material.first,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def _lead(self) -> str:
        facts = {
            "Series": whole(len(self.table.ids)),
            "Rows": whole(len(self.table.times)),
            "Horizon": self._steps,
            "Frequency": frequency_name(self.table.columns.frequency),
            "Season": f"{self.backtest.season} steps" if self.backtest.season > 1 else "none found",
            "Backtest": self._windows,
        }
        return f'<p class="lead">{text(verdict(self.backtest.scores))}</p>{tables.facts(facts)}'

    def _sections(self) -> list[Section]:
        return [
            Section("forecast", "History and forecast", self._forecast_section()),
            Section("scores", "Scores beside the baselines", self._scores_section()),
            Section("calibration", "Intervals against the truth", self._calibration_section()),
            Section("backtest", "Forecasts against the truth", self._backtest_section()),
            Section("errors", "Errors", self._errors_section()),
            Section("series", "Best and worst series", self._series_section()),
            *closing_sections(self.losses, self.notes, self.settings, of="rows", nothing=_NOTHING),
        ]

    def _forecast_section(self) -> str:
        bands = " Shaded: intervals, which are to hold as many of the values as their levels say." if self.bands else ""
        return self._menu("forecast-series") + chart(
            "forecast",
            label="The observed values and, after them, the forecast",
            caption="Solid: the latest that was observed, up to the last row of the data. Dashed, with dots: the "
            f"forecast of the final model, which was fitted on all rows.{bands} Gaps in the solid line are missing "
            "values.",
        )

    def _scores_section(self) -> str:
        caption = (
            f"Over {self._windows.replace('window', 'held-out window')} of {self._steps} of "
            f"{len(self.backtest.ids)} series. "
            "No model saw the values that it is scored on. The best of each column is bold and starred."
        )
        shown = {name: METRICS[name] for name in METRICS if any(name in each for each in self.backtest.scores.values())}
        return tables.score_table(self.backtest.scores, caption) + tables.terms(shown)

    def _calibration_section(self) -> str:
        if not self._calibrated:
            return ""
        scores, levels = self.backtest.scores[OWN], self.backtest.intervals[OWN]
        count = int(np.isfinite(self.backtest.actual).sum())
        table = tables.figure_table(
            {f"{level:g} %": values for level, values in levels.items()},
            _INTERVALS,
            f"Over {whole(count)} held-out values; the width is in the units of the data.",
            head="Level",
        )
        drawn = chart(
            "calibration",
            label="Observed coverage of the intervals against their levels",
            caption="Dots on the solid line: the intervals hold what they promise. Below it they are too narrow, above "
            f"it wider than they need be. {_by_chance(count)}",
        )
        others = f"CRPS {number(scores['CRPS'])} · pinball loss {number(scores['pinball'])}"
        said = f'{table}<p class="faint">{others}</p>{tables.terms(INTERVAL_METRICS)}'
        return f'<div class="columns drawn"><div>{said}</div><div>{drawn}</div></div>'

    def _backtest_section(self) -> str:
        bands = " Shaded: the intervals that it had forecast." if self._calibrated else ""
        return self._menu("backtest-series") + chart(
            "backtest",
            label="Held-out values, the model's forecasts of them, and the best baseline's",
            caption=f"Solid: what came. Dashed, with dots: what the model had forecast before.{bands} Dotted, with "
            "open diamonds: the best baseline. A model earns its keep where the dots lie nearer to the solid line.",
        )

    def _errors_section(self) -> str:
        unit = (
            "Errors are in units of the data."
            if self._material.single
            else "Errors are divided by each series' usual change over one season, so that series of all sizes count "
            "alike: 1 is the usual error of repeating the last season."
        )
        by_size = chart(
            "sizes",
            label="Share of forecast errors by their size",
            caption=f"A good model's bars crowd around zero, and about as many lie left as right. {unit} The "
            "outermost bars also hold all larger errors.",
        )
        if self._material.horizon == 1:
            return by_size
        by_step = chart(
            "steps",
            label="Mean error of the model and of each baseline by steps ahead",
            caption="Errors usually grow with the steps ahead; where the dashed line lies below all others, the model "
            "is the better choice for that step. The solid line is its mean error: steadily above zero its forecasts "
            "are too high, below it too low.",
        )
        return f"<h3>By size</h3>{by_size}<h3>By steps ahead</h3>{by_step}"

    def _series_section(self) -> str:
        groups: dict[str, list[str]] = {}
        for place, one in enumerate(self._material.extremes):
            drawn = chart(
                f"series-{place}",
                label=f"Held-out values and forecasts of {self._material.label(one)}",
                caption=self._measured(one),
                small=self._material.label(one),
            )
            groups.setdefault(one.group, []).append(drawn)
        if not groups:
            return ""
        shown = "".join(
            f'<h3>{text(group)}</h3><div class="columns drawn">{"".join(each)}</div>' for group, each in groups.items()
        )
        return (
            "<p>By the model’s MASE over the held-out windows; the best baseline’s stands beside it. Solid: what came, "
            f"and as much of what was before. Dashed, with dots: the forecasts.</p>{shown}"
        )

    def _measured(self, one: Shown) -> str:
        """Say how accurate the model was on a series, beside the best baseline of that series."""
        scores = {model: float(mase[one.series, one.target]) for model, mase in self._material.mase.items()}
        others = {model: mase for model, mase in scores.items() if model != OWN and math.isfinite(mase)}
        said = f"MASE {number(scores[OWN])}"
        if not others:
            return said
        best = min(others, key=lambda model: others[model])
        return f"{said}; {short_name(best)} {number(others[best])}"

    def _charts(self) -> dict[str, Any]:
        material = self._material
        unit = ", ".join(self.table.columns.targets) if material.single else "in seasonal changes"
        drawn = {"forecast": drawings.forecast_chart(material)}
        if self._calibrated:
            drawn["calibration"] = charts.calibration(accuracy.coverages(self.backtest, OWN))
        drawn |= {"backtest": drawings.backtest_chart(material), "sizes": drawings.errors_by_size(material, unit)}
        if material.horizon > 1:
            drawn["steps"] = drawings.errors_by_step(material, unit)
        for place, one in enumerate(material.extremes):
            drawn[f"series-{place}"] = drawings.series_chart(material, one)
        drawn["training"] = charts.training_curve(self.losses, unit=f"loss ({self.loss})")
        return drawn

    def _menu(self, identity: str) -> str:
        material = self._material
        return tables.menu(material.shown, [material.label(one) for one in material.shown], material.first, identity)

    @property
    def _steps(self) -> str:
        horizon = self._material.horizon
        return f"{horizon} step{'s' if horizon > 1 else ''}"

    @property
    def _windows(self) -> str:
        windows = len(self.backtest.cutoffs)
        return f"{windows} window{'s' if windows > 1 else ''}"

    @property
    def _calibrated(self) -> bool:
        """Whether the backtest has intervals."""
        return bool(self.backtest.levels and self.backtest.intervals.get(OWN))

    @cached_property
    def _material(self) -> Material:
        return Material(
            table=self.table,
            times=self.times,
            forecast=self.forecast,
            backtest=self.backtest,
            bands=self.bands,
        )


def _by_chance(count: int) -> str:
    """Say how far the coverage of a perfect interval of 80 per cent strays among so many values."""
    if not count:
        return ""
    points = round(196 * math.sqrt(0.8 * 0.2 / count), 1)  # two standard errors of a share, were values independent
    return f"By chance alone the coverage of a perfect 80 % interval strays here by some {number(points)} points."
