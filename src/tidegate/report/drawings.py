"""The charts of a forecast's report: what each of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tidegate.report import accuracy, charts
from tidegate.report.charts import Band, View
from tidegate.report.choice import Shown
from tidegate.report.markup import figures
from tidegate.report.material import Material
from tidegate.report.words import OWN, short_name

__all__ = ["backtest_chart", "errors_by_size", "errors_by_step", "forecast_chart", "series_chart"]

_MOST_POINTS = 600  # of a line: more than a screen has columns for, and the file stays small
_LEAST_POINTS = 60  # of the past, where there are so many
_HORIZONS, _SEASONS = 5, 3  # of the past: beside more of it a forecast would not be seen on a phone
_SMALL_POINTS = 180  # of a line in a small chart


def forecast_chart(material: Material) -> dict[str, Any]:
    """Draw the end of each series, and the forecast after it."""
    table, views = material.table, []
    usual = max(_LEAST_POINTS, _HORIZONS * material.horizon, _SEASONS * material.backtest.season)
    for one in material.shown:
        start, stop = int(table.offsets[one.series]), int(table.offsets[one.series + 1])
        past = slice(max(start, stop - min(usual, _MOST_POINTS)), stop)
        observed = charts.moments(table.times[past]), figures(table.values[past, one.target])
        coming = charts.moments(material.times[one.series]), figures(material.forecast[one.series, :, one.target])
        bands = [
            _band([tuple(end[one.series, :, one.target] for end in material.bands[level])]) for level in material.levels
        ]
        views.append(View(lines=[observed, coming], bands=bands, title=_target(material, one)))
    parts = [("truth", "Observed"), ("model", "Forecast")]
    return charts.lines(parts, views, x=_time_axis(material), levels=material.levels)


def backtest_chart(material: Material) -> dict[str, Any]:
    """Draw the held-out windows of each series, and what had been forecast."""
    views = [_held_out(material, one, material.compared, _MOST_POINTS) for one in material.shown]
    parts = [("truth", "Truth"), ("model", short_name(OWN))]
    parts += [("baseline", short_name(name)) for name in material.compared[1:]]
    return charts.lines(parts, views, x=_time_axis(material), levels=_levels(material))


def series_chart(material: Material, one: Shown) -> dict[str, Any]:
    """Draw the held-out windows of one series small, with some of what came before them."""
    table, row = material.table, int(material.backtest_row[one.series])
    view = _held_out(material, one, [OWN], _SMALL_POINTS)
    first = material.backtest.times[_latest(material, row, _SMALL_POINTS)[0], row, 0]
    start, stop = int(table.offsets[one.series]), int(table.offsets[one.series + 1])
    begin = start + int(np.searchsorted(table.times[start:stop], first))
    past = slice(max(start, begin - (stop - begin)), stop)  # as much of the past as is forecast
    truth = charts.moments(table.times[past]), figures(table.values[past, one.target])
    view = View(lines=[truth, *view.lines[1:]], bands=view.bands)
    parts = [("truth", "Truth"), ("model", short_name(OWN))]
    return charts.lines(parts, [view], x="", levels=_levels(material), small=True)


def errors_by_size(material: Material, unit: str) -> dict[str, Any]:
    """Draw how often the model's errors, and the best baseline's, are how large."""
    errors = {name: accuracy.unit_errors(material.backtest, name) for name in material.compared}
    return charts.errors_by_size(accuracy.histogram(errors), _names(errors), unit=unit)


def errors_by_step(material: Material, unit: str) -> dict[str, Any]:
    """Draw the error of every model at each step ahead."""
    sizes, biases = {}, {}
    for name in material.models:  # one after another: the errors of all at once may not fit the memory
        sizes[name], biases[name] = accuracy.step_errors(accuracy.unit_errors(material.backtest, name))
    return charts.errors_by_step(sizes, biases[OWN], _names(sizes), unit=unit)


def _held_out(material: Material, one: Shown, models: Sequence[str], most: int) -> View:
    """Give truth, forecasts and intervals of the latest windows of one series, at most so many points."""
    backtest, row = material.backtest, int(material.backtest_row[one.series])
    heights = [backtest.actual, *(backtest.forecasts[name] for name in models)]
    title = _target(material, one)
    levels = _levels(material)
    if row < 0:
        return View(lines=[([], [])] * len(heights), bands=[Band([], [])] * len(levels), title=title)
    order = _latest(material, row, most)
    times = _apart([charts.moments(backtest.times[window, row]) for window in order])
    lines = [_apart([figures(y[window, row, :, one.target]) for window in order]) for y in heights]
    ends = [backtest.bounds(level) for level in levels]
    bands = [
        _band([(low[window, row, :, one.target], high[window, row, :, one.target]) for window in order])
        for low, high in ends
    ]
    return View(lines=[(times, line) for line in lines], bands=bands, title=title)


def _latest(material: Material, row: int, most: int) -> np.ndarray:
    """Give the latest windows of a series of the backtest that have at most so many points together; one at least."""
    return material.served_windows(row)[-max(1, most // material.horizon) :]


def _levels(material: Material) -> list[float]:
    return list(material.backtest.levels) if OWN in material.backtest.quantiles else []


def _band(windows: Sequence[tuple[np.ndarray, ...]]) -> Band:
    """Join the ends of an interval in several windows; where one end is missing, the other is left out, too."""
    ends = []
    for lower, upper in windows:
        whole = np.isfinite(lower) & np.isfinite(upper)
        ends.append([figures(np.where(whole, end, np.nan)) for end in (lower, upper)])
    return Band(*(_apart([window[side] for window in ends]) for side in (0, 1)))


def _apart(windows: list[list[Any]]) -> list[Any]:
    """Join the points of several windows, with nothing between two, so that no line connects them."""
    joined: list[Any] = []
    for window in windows:
        joined += [*window, None]
    return joined[:-1]


def _target(material: Material, one: Shown) -> str:
    return material.table.columns.targets[one.target]


def _time_axis(material: Material) -> str:
    # Local time would draw an hour of autumn twice.
    return material.table.columns.time + (" (UTC)" if material.table.timezone else "")


def _names(models: dict[str, Any]) -> dict[str, str]:
    return {name: short_name(name) for name in models}
