"""The figures of a report, as plotly specifications in plain types.

A trace says in ``meta`` which part it plays; the page gives each part its colour, for light, dark and paper.
Whatever colour tells apart, the kind of line and marker tell apart as well.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tidegate.report.accuracy import Histogram
from tidegate.report.markup import chart_text, figures

__all__ = ["Band", "View", "calibration", "errors_by_size", "errors_by_step", "lines", "moments", "training_curve"]

Spec = dict[str, Any]
Drawn: TypeAlias = list[Any]
"""What one line has at each point: time stamps, or numbers, ``None`` where there is nothing to draw."""
_MARKED = 60  # points of a line that carry a marker: with more it becomes a band
_STYLES: dict[str, tuple[Spec, Spec]] = {
    "truth": ({"dash": "solid", "width": 1.6}, {"symbol": "circle", "size": 4}),
    "model": ({"dash": "dash", "width": 2.2}, {"symbol": "circle", "size": 6, "maxdisplayed": _MARKED}),
    "baseline": ({"dash": "dot", "width": 1.8}, {"symbol": "diamond-open", "size": 7, "maxdisplayed": _MARKED}),
}
# Where several baselines are drawn: the first as it is everywhere, the others told apart from it without colour.
_BASELINES = (
    ("dot", "diamond-open"),
    ("dashdot", "square-open"),
    ("longdash", "triangle-up-open"),
    ("longdashdot", "cross-open"),
    ("1px,6px", "x-open"),
    ("8px,2px,2px,2px,2px,2px", "star-open"),
    ("14px,6px", "triangle-down-open"),
    ("4px,8px", "pentagon-open"),
)
# The edges of nested bands, the widest first: shade and edge tell them apart without colour.
_EDGES = ("dot", "dash", "solid")


@dataclasses.dataclass(frozen=True)
class Band:
    """The two ends of an interval at each point of the model's line; ``None`` where it has a gap."""

    lower: Drawn
    upper: Drawn


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What a chart shows of one series.

    Parameters
    ----------
    lines
        The x and y values of each line.
    bands
        One for each level.
    title
        Of the axis of values.
    """

    lines: Sequence[tuple[Drawn, Drawn]]
    bands: Sequence[Band] = ()
    title: str = ""


def lines(
    parts: Sequence[tuple[str, str]],
    views: Sequence[View],
    *,
    x: str,
    levels: Sequence[float] = (),
    small: bool = False,
) -> Spec:
    """Draw lines over time, and intervals as bands around the model's, one view a series.

    Parameters
    ----------
    parts
        Of each line, the part that it plays (``"truth"``, ``"model"``, ``"baseline"``) and its name.
    views
        What is drawn in each view; where it has bands, their ends go with the points of the model's line.
    x
        Title of the axis of time.
    levels
        Of the bands, in per cent, ascending.
    small
        Without a legend and titles, which stand elsewhere.
    """
    widest_first = range(len(levels))[::-1]
    traces = [_band(levels[rank], len(levels) - 1 - rank) for rank in widest_first]
    traces += [_fine(_line(part, name)) if small else _line(part, name) for part, name in parts]
    drawn: list[Spec] = []
    for view in views:
        bands: list[Spec] = [dataclasses.asdict(view.bands[rank]) for rank in widest_first]
        bands += [{"y": ys, "mode": _mode(part, ys)} for (part, _), (_, ys) in zip(parts, view.lines, strict=True)]
        before: Drawn | None = None
        for line, (xs, _) in zip(bands[len(levels) :], view.lines, strict=True):
            if xs is not before:  # time stamps are long: a line without any has those of the line before it
                line["x"] = before = xs
        drawn.append({"data": bands, "title": chart_text(view.title)})
    layout = _layout("" if small else x, "") | ({"showlegend": False} if small else {})
    return {"data": traces, "layout": layout, "views": drawn}


def training_curve(losses: Mapping[str, Sequence[float]], *, unit: str, of: str = "rows") -> Spec:
    """Draw the loss of each epoch, on the training rows and, where there is one, on the validation rows."""
    named = (("loss", "model", f"training {of}"), ("val_loss", "baseline", f"validation {of}"))
    traces = []
    for key, part, name in named:
        if values := list(losses.get(key, ())):
            epochs = list(range(1, len(values) + 1))
            heights = figures(np.asarray(values, dtype=np.float64))
            traces.append(_line(part, name) | {"x": epochs, "y": heights, "mode": _mode(part, heights)})
    return {"data": traces, "layout": _layout("epoch", unit)}


def errors_by_size(shares: Histogram, names: Mapping[str, str], *, unit: str) -> Spec:
    """Draw how often errors of each size occur: bars for the first model, a dotted outline for the others."""
    centres = figures(shares.centres)
    traces: list[Spec] = []
    for model, heights in shares.shares.items():
        drawn = {"x": centres, "y": figures(heights), "name": chart_text(names[model]), "hovertemplate": "%{y:.1f} %"}
        if not traces:
            traces.append({"type": "bar", "meta": "model", **drawn})
        else:
            line = {**_STYLES["baseline"][0], "shape": "hvh"}
            traces.append({"type": "scatter", "mode": "lines", "meta": "baseline", "line": line, **drawn})
    layout = _layout(f"forecast − truth, {unit}", "per cent of all errors") | {"bargap": 0.05}
    return {"data": traces, "layout": layout}


def errors_by_step(sizes: Mapping[str, np.ndarray], bias: np.ndarray, names: Mapping[str, str], *, unit: str) -> Spec:
    """Draw the mean absolute error of each step ahead for every model, and the first model's bias."""
    steps = list(range(1, len(bias) + 1))
    first, *others = sizes
    styles = [_STYLES["model"], *(_baseline(place) for place in range(len(others)))]
    traces = []
    for model, (line, marker) in zip(sizes, styles, strict=True):
        part = "model" if model == first else "baseline"
        heights = figures(sizes[model])
        traces.append(
            _line(part, names[model])
            | {"x": steps, "y": heights, "mode": _mode(part, heights), "line": line, "marker": marker}
        )
    drawn = {"x": steps, "y": figures(bias), "mode": "lines"}
    traces.append(_line("truth", f"{names[first]}’s bias") | drawn)
    return {"data": traces, "layout": _layout("steps ahead", f"error, {unit}")}


def calibration(
    coverages: Mapping[float, float], *, x: str = "level of the interval, %", y: str = "observed coverage, %"
) -> Spec:
    """Draw what came against what was promised, the share of the truth within intervals say, both in per cent."""
    promised = figures(np.array(list(coverages)))
    held = figures(np.array(list(coverages.values())))
    traces = [
        _line("truth", "As promised") | {"x": [0, 100], "y": [0, 100], "mode": "lines", "hoverinfo": "skip"},
        _line("model", "Observed") | {"x": promised, "y": held, "mode": "lines+markers", "hovertemplate": "%{y:.1f} %"},
    ]
    layout = _layout(x, y)
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"range": [0, 102], "dtick": 20}
    return {"data": traces, "layout": layout}


def agreement(actual: np.ndarray, predicted: np.ndarray) -> Spec:
    """Draw what was said against what was true, a dot an example, and the line on which they agree."""
    ends = figures(np.array([min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]))
    traces = [
        _line("truth", "As it is") | {"x": ends, "y": ends, "mode": "lines", "hoverinfo": "skip"},
        _line("model", "Predicted") | {"x": figures(actual), "y": figures(predicted), "mode": "markers"},
    ]
    return {"data": traces, "layout": _layout("true", "predicted")}


def residuals(actual: np.ndarray, predicted: np.ndarray) -> Spec:
    """Draw how far off each example was, against what was true."""
    ends = figures(np.array([actual.min(), actual.max()]))
    traces = [
        _line("truth", "As it is") | {"x": ends, "y": [0, 0], "mode": "lines", "hoverinfo": "skip"},
        _line("model", "Residual") | {"x": figures(actual), "y": figures(predicted - actual), "mode": "markers"},
    ]
    return {"data": traces, "layout": _layout("true", "predicted − true")}


def moments(times: np.ndarray) -> list[Any]:
    """Give time stamps as plotly reads them: whole numbers, dates, or dates with the time of day."""
    if not np.issubdtype(times.dtype, np.datetime64):
        return [int(value) for value in times]
    days = times.astype("datetime64[D]")
    if (days == times).all():
        return [str(value) for value in np.datetime_as_string(days)]
    seconds = times.astype("datetime64[s]")
    return [str(value) for value in np.datetime_as_string(seconds if (seconds == times).all() else times)]


def _line(part: str, name: str) -> Spec:
    line, marker = _STYLES[part]
    return {"type": "scatter", "meta": part, "name": chart_text(name), "line": line, "marker": marker}


def _fine(trace: Spec) -> Spec:
    """Draw a line for a small chart: thinner, with smaller and fewer markers."""
    line, marker = trace["line"] | {"width": 1.3}, trace["marker"] | {"size": 3, "maxdisplayed": _MARKED}
    return trace | {"line": line, "marker": marker}


def _band(level: float, rank: int) -> Spec:
    """Give the trace of a band, counted from the widest; the page fills in its outline and its shade."""
    edge = _EDGES[rank % len(_EDGES)]
    return {
        "type": "scatter",
        "meta": "band",
        "name": f"{level:g} %",
        "mode": "lines",
        "fill": "toself",
        "hoverinfo": "skip",
        "line": {"dash": edge, "width": 0.8},
        "legendrank": 2000 - rank,
    }


def _baseline(place: int) -> tuple[Spec, Spec]:
    """Give the style of one of several baselines."""
    line, marker = _STYLES["baseline"]
    dash, symbol = _BASELINES[place % len(_BASELINES)]
    return line | {"dash": dash}, marker | {"symbol": symbol}


def _mode(part: str, heights: Sequence[Any]) -> str:
    """Mark the points of forecasts; of a truth none, but where no two are joined by a line they must be seen."""
    joined = any(before is not None and after is not None for before, after in itertools.pairwise(heights))
    return "lines" if part == "truth" and joined else "lines+markers"


def _layout(x: str, y: str) -> Spec:
    return {
        "xaxis": {"title": {"text": chart_text(x)}},
        "yaxis": {"title": {"text": chart_text(y)}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x unified",
    }
