from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from tidegate.report import ForecastReport, charts

Make = Callable[..., ForecastReport]


def test_moments_are_as_short_as_the_time_stamps_allow() -> None:
    days = np.array(["2024-01-31", "2024-02-29"], dtype="datetime64[us]")
    assert charts.moments(days) == ["2024-01-31", "2024-02-29"]
    assert charts.moments(days + np.timedelta64(90, "m")) == ["2024-01-31T01:30:00", "2024-02-29T01:30:00"]
    assert charts.moments(np.array([7, 8])) == [7, 8]


def outlined(trace: dict[str, Any], times: list[Any]) -> dict[str, Any]:
    """Turn the two ends of a band into what plotly draws, as the page's script does: along one, back the other."""
    lower, upper = trace.pop("lower"), trace.pop("upper")
    assert [end is None for end in lower] == [end is None for end in upper]
    assert len(lower) == len(times)
    return trace | {"x": [*times, *reversed(times)], "y": [*upper, *reversed(lower)]}


@pytest.mark.parametrize("levels", [(), (50.0, 80.0, 95.0)])
def test_every_chart_is_a_valid_plotly_figure(levels: tuple[float, ...], make_report: Make) -> None:
    drawn = make_report(series=3, targets=("units", "price"), levels=levels)._charts()
    ranked = [f"series-{place}" for place in range(6)]
    calibrated = ["calibration"] if levels else []
    assert list(drawn) == ["forecast", *calibrated, "backtest", "sizes", "steps", *ranked, "training"]
    for spec in drawn.values():
        for view in spec.get("views", [{"data": [{}] * len(spec["data"])}]):
            traces = [{**trace, **shown} for trace, shown in zip(spec["data"], view["data"], strict=True)]
            times: list[Any] = []
            for trace in traces:
                if trace["meta"] != "band":
                    times = trace.setdefault("x", times)
            line = next(trace for trace in traces if trace["meta"] == "model")
            whole = [outlined(trace, line["x"]) if trace["meta"] == "band" else trace for trace in traces]
            go.Figure({"data": whole, "layout": spec["layout"]})  # raises on an unknown or ill-typed property


def test_bands_are_drawn_beneath_the_lines_the_widest_first_and_told_apart_by_their_edges() -> None:
    view = charts.View(
        lines=[([1, 2], [5.0, 6.0])], bands=[charts.Band([4, 5], [6, 7]), charts.Band([3, 4], [7, 8])], title="y"
    )
    spec = charts.lines([("model", "m")], [view], x="t", levels=[50.0, 95.0])
    assert [trace["name"] for trace in spec["data"]] == ["95 %", "50 %", "m"]
    assert [trace["line"]["dash"] for trace in spec["data"][:2]] == ["dot", "dash"]
    assert spec["data"][0]["legendrank"] > spec["data"][1]["legendrank"]
    assert spec["views"][0]["data"][0] == {"lower": [3, 4], "upper": [7, 8]}
    assert spec["views"][0]["data"][2]["y"] == [5.0, 6.0]


def test_as_many_baselines_as_there_are_have_styles_of_their_own() -> None:
    from tidegate.forecast.baselines import BASELINES
    from tidegate.forecast.statistical import STATISTICAL

    names = {name: name for name in ("tidegate", *BASELINES, *STATISTICAL)}
    sizes = {name: np.array([1.0, float(place)]) for place, name in enumerate(names)}
    traces = charts.errors_by_step(sizes, np.array([0.5, -0.5]), names, unit="y")["data"]
    assert [trace["name"] for trace in traces] == [*names, "tidegate’s bias"]
    assert [trace["meta"] for trace in traces] == ["model", *["baseline"] * 7, "truth"]
    assert len({trace["line"]["dash"] for trace in traces}) == len(traces)
    assert traces[2]["y"] == [1, 2]
    assert traces[-1]["y"] == [0.5, -0.5]


def test_calibration_is_drawn_beside_the_diagonal() -> None:
    spec = charts.calibration({50.0: 48.0, 95.0: 99.5})
    promised, observed = spec["data"]
    assert promised["x"] == promised["y"] == [0, 100]
    assert (observed["x"], observed["y"]) == ([50, 95], [48, 99.5])
    assert spec["layout"]["xaxis"]["range"] == spec["layout"]["yaxis"]["range"] == [0, 102]


def test_lines_are_told_apart_without_colour(make_report: Make) -> None:
    drawn = make_report()._charts()
    for name in ("forecast", "backtest", "training", "steps"):
        dashes = [trace["line"]["dash"] for trace in drawn[name]["data"]]
        assert len(set(dashes)) == len(dashes)


def test_the_axis_of_a_hostile_column_name_shows_it_as_it_is() -> None:
    spec = charts.lines([("truth", "<b>")], [charts.View(lines=[([1], [2.0])], title="<u>")], x="<i>")
    assert spec["layout"]["xaxis"]["title"]["text"] == "&lt;i&gt;"
    assert spec["views"][0]["title"] == "&lt;u&gt;"
    assert spec["data"][0]["name"] == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("heights", "mode"),
    [([2.0], "lines+markers"), ([2.0, None, 3.0], "lines+markers"), ([2.0, 3.0], "lines"), ([2.0, 3.0, None], "lines")],
)
def test_points_of_the_truth_that_no_line_joins_are_marked(heights: list[float | None], mode: str) -> None:
    spec = charts.lines([("truth", "a")], [charts.View(lines=[(list(range(len(heights))), heights)])], x="t")
    assert spec["views"][0]["data"][0]["mode"] == mode


def test_the_script_in_the_page_is_of_the_version_that_the_charts_are_checked_with() -> None:
    from plotly.offline import get_plotlyjs_version

    text = importlib.resources.files("tidegate.report").joinpath("assets", "plotly-basic.min.js").read_text("utf-8")
    found = re.search(r"plotly\.js \(basic - minified\) v(\d+)\.", text[:300])
    assert found is not None
    assert found.group(1) == get_plotlyjs_version().partition(".")[0]
