"""The charts of a detector's report: what each of them shows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate.report import charts
from tidegate.report.charts import View
from tidegate.report.choice import MOST
from tidegate.report.markup import figures

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable

__all__ = ["Watched", "drawn_rows", "score_chart", "signal_chart", "watched"]

_BINS = 400  # of a line, each with up to three points: more than a screen has columns for, and the file stays small


@dataclasses.dataclass(frozen=True)
class Watched:
    """One line of the menu: a variable of a series."""

    series: int
    target: int


def watched(table: SeriesTable, score: np.ndarray, threshold: np.ndarray) -> list[Watched]:
    """Choose what the report shows: all of a few, else the series that exceed their thresholds furthest."""
    targets = len(table.columns.targets)
    series = list(range(len(table)))
    most = max(1, MOST // targets)
    if len(series) > most:
        with np.errstate(invalid="ignore"):
            above = np.nan_to_num(score - threshold, nan=-np.inf)
        peaks = [float(above[table.rows(index)].max()) for index in series]
        series = sorted(sorted(series, key=lambda index: -peaks[index])[:most])
    return [Watched(index, target) for index in series for target in range(min(targets, MOST))]


def drawn_rows(values: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Choose the rows that are drawn of one series: of many, the highest score and both ends of the values of each bin.

    Parameters
    ----------
    values, score
        ``[row]``; NaN where there is none.
    """
    count = len(values)
    if count <= 3 * _BINS:
        return np.arange(count)
    edges = np.linspace(0, count, _BINS + 1).astype(np.int64)
    chosen = {0, count - 1}
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        for part, last in ((score, False), (values, False), (values, True)):
            within = part[start:stop]
            if np.isfinite(within).any():
                chosen.add(start + int(np.nanargmin(within) if last else np.nanargmax(within)))
            else:
                chosen.add(start)  # a gap stays one
    return np.array(sorted(chosen))


def signal_chart(
    table: SeriesTable, shown: list[Watched], score: np.ndarray, flags: np.ndarray, labels: np.ndarray | None
) -> dict[str, Any]:
    """Draw the values, and over them those that were found, and those that labels name."""
    views = []
    for one in shown:
        rows = table.rows(one.series)
        values = table.values[rows, one.target]
        drawn = drawn_rows(values, score[rows])
        values, times = values[drawn], charts.moments(table.times[rows][drawn])
        lines = [(times, figures(values)), (times, figures(np.where(flags[rows][drawn], values, np.nan)))]
        if labels is not None:
            lines.append((times, figures(np.where(labels[rows][drawn] > 0, values, np.nan))))
        views.append(View(lines=lines, title=table.columns.targets[one.target]))
    parts = [("truth", "Observed"), ("model", "Found")]
    parts += [("baseline", "Labelled")] if labels is not None else []
    spec = charts.lines(parts, views, x=_axis(table))
    for place, trace in enumerate(spec["data"][1:], start=1):  # each is marked, however many, and none joined
        trace["marker"] = {**trace["marker"], "size": 8}
        del trace["marker"]["maxdisplayed"]
        for view in spec["views"]:
            view["data"][place]["mode"] = "markers"
    return spec


def score_chart(table: SeriesTable, shown: list[Watched], score: np.ndarray, threshold: np.ndarray) -> dict[str, Any]:
    """Draw the scores and the threshold."""
    views = []
    for one in shown:
        rows = table.rows(one.series)
        drawn = drawn_rows(table.values[rows, one.target], score[rows])
        times = charts.moments(table.times[rows][drawn])
        lines = [(times, figures(score[rows][drawn])), (times, figures(threshold[rows][drawn]))]
        views.append(View(lines=lines, title="score"))
    return charts.lines([("truth", "Score"), ("baseline", "Threshold")], views, x=_axis(table))


def _axis(table: SeriesTable) -> str:
    return table.columns.time if table.has_id or table.columns.time != "ds" else "time"
