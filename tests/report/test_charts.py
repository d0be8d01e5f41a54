from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest

from tidegate.report import ForecastReport, charts


def test_moments_are_as_short_as_the_time_stamps_allow() -> None:
    days = np.array(["2024-01-31", "2024-02-29"], dtype="datetime64[us]")
    assert charts.moments(days) == ["2024-01-31", "2024-02-29"]
    assert charts.moments(days + np.timedelta64(90, "m")) == ["2024-01-31T01:30:00", "2024-02-29T01:30:00"]
    assert charts.moments(np.array([7, 8])) == [7, 8]


def test_every_chart_is_a_valid_plotly_figure(make_report: Callable[..., ForecastReport]) -> None:
    drawn = make_report(series=3, targets=("units", "price"))._charts()
    assert list(drawn) == ["forecast", "backtest", "sizes", "steps", "training"]
    for spec in drawn.values():
        for view in spec.get("views", [{"data": [{}] * len(spec["data"])}]):
            traces = [{**trace, **shown} for trace, shown in zip(spec["data"], view["data"], strict=True)]
            go.Figure({"data": traces, "layout": spec["layout"]})  # raises on an unknown or ill-typed property


def test_lines_are_told_apart_without_colour(make_report: Callable[..., ForecastReport]) -> None:
    drawn = make_report()._charts()
    for name in ("forecast", "backtest", "training", "steps"):
        dashes = [trace["line"]["dash"] for trace in drawn[name]["data"]]
        assert len(set(dashes)) == len(dashes)


def test_the_axis_of_a_hostile_column_name_shows_it_as_it_is() -> None:
    spec = charts.lines([("truth", "<b>")], [[([1], [2.0])]], x="<i>", y=["<u>"])
    assert spec["layout"]["xaxis"]["title"]["text"] == "&lt;i&gt;"
    assert spec["views"][0]["title"] == "&lt;u&gt;"
    assert spec["data"][0]["name"] == "&lt;b&gt;"


@pytest.mark.parametrize("points", [1, 2])
def test_a_lone_point_is_marked_so_that_it_can_be_seen(points: int) -> None:
    spec = charts.lines([("truth", "a")], [[([1] * points, [2.0] * points)]], x="t", y=["y"])
    assert spec["views"][0]["data"][0]["mode"] == ("lines+markers" if points == 1 else "lines")


def test_the_script_in_the_page_is_of_the_version_that_the_charts_are_checked_with() -> None:
    from plotly.offline import get_plotlyjs_version

    text = importlib.resources.files("tidegate.report").joinpath("assets", "plotly-basic.min.js").read_text("utf-8")
    found = re.search(r"plotly\.js \(basic - minified\) v(\d+)\.", text[:300])
    assert found is not None
    assert found.group(1) == get_plotlyjs_version().partition(".")[0]
