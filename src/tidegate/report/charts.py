"""The figures of a report, as plotly specifications in plain types.

A trace says in ``meta`` which part it plays; the page gives each part its colour, for light, dark and paper.
Whatever colour tells apart, the kind of line and marker tell apart as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tidegate.report.accuracy import Histogram
from tidegate.report.markup import chart_text, figures

__all__ = ["errors_by_size", "errors_by_step", "lines", "moments", "training_curve"]

Spec = dict[str, Any]
_MARKED = 60  # points of a line that carry a marker: with more it becomes a band
_STYLES: dict[str, tuple[Spec, Spec]] = {
    "truth": ({"dash": "solid", "width": 1.6}, {"symbol": "circle", "size": 4}),
    "model": ({"dash": "dash", "width": 2.2}, {"symbol": "circle", "size": 6, "maxdisplayed": _MARKED}),
    "baseline": ({"dash": "dot", "width": 1.8}, {"symbol": "diamond-open", "size": 7, "maxdisplayed": _MARKED}),
}


def lines(
    parts: Sequence[tuple[str, str]], views: Sequence[Sequence[tuple[Any, Any]]], *, x: str, y: Sequence[str]
) -> Spec:
    """Draw lines over time, one view a series.

    Parameters
    ----------
    parts
        Of each line, the part that it plays (``"truth"``, ``"model"``, ``"baseline"``) and its name.
    views
        For each view the x and y values of every line.
    x
        Title of the axis of time.
    y
        For each view the title of the other axis.
    """
    traces = [_line(part, name) for part, name in parts]
    data = [
        [{"x": xs, "y": ys, "mode": _mode(part, ys)} for (part, _), (xs, ys) in zip(parts, view, strict=True)]
        for view in views
    ]
    return {
        "data": traces,
        "layout": _layout(x, ""),
        "views": [{"data": traces_of, "title": chart_text(title)} for traces_of, title in zip(data, y, strict=True)],
    }


def training_curve(losses: Mapping[str, Sequence[float]], *, unit: str) -> Spec:
    """Draw the loss of each epoch, on the training rows and, where there is one, on the validation rows."""
    named = (("loss", "model", "training rows"), ("val_loss", "baseline", "validation rows"))
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
    traces = []
    for part, (model, heights) in zip(("model", "baseline"), sizes.items(), strict=False):
        heights_drawn = figures(heights)
        drawn = {"x": steps, "y": heights_drawn, "mode": _mode(part, heights_drawn)}
        traces.append(_line(part, f"{names[model]}: mean size") | drawn)
    first = names[next(iter(sizes))]
    drawn = {"x": steps, "y": figures(bias), "mode": "lines"}
    traces.append(_line("truth", f"{first}: mean error (bias)") | drawn)
    return {"data": traces, "layout": _layout("steps ahead", f"error, {unit}")}


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


def _mode(part: str, heights: Sequence[Any]) -> str:
    """Mark the points of forecasts; of a truth none, but a lone point must be seen."""
    return "lines" if part == "truth" and len(heights) > 1 else "lines+markers"


def _layout(x: str, y: str) -> Spec:
    return {
        "xaxis": {"title": {"text": chart_text(x)}},
        "yaxis": {"title": {"text": chart_text(y)}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x unified",
    }
