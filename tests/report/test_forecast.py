from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.errors import OutputError
from tidegate.report import ForecastReport

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"


class Page(HTMLParser):
    """Collects the elements of a page, and the text of each script and of everything else."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._script = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        else:
            self.words.append(data)

    @property
    def charts(self) -> Any:
        return json.loads(self.scripts["charts"])


def test_the_same_content_gives_the_same_bytes(make_report: Callable[..., ForecastReport]) -> None:
    assert make_report(series=2).html() == make_report(series=2).html()


def test_nothing_is_fetched(make_report: Callable[..., ForecastReport]) -> None:
    page = Page(make_report().html())
    fetching = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href", "srcset")]
    assert all(str(value).startswith(("#", "data:")) for value in fetching)
    assert "@import" not in page.scripts["style"]
    assert "url(" not in page.scripts["style"]
    assert "plotly.js (basic - minified) v4" in page.scripts["library"]


def test_hostile_ids_and_names_stay_text(make_report: Callable[..., ForecastReport]) -> None:
    html = make_report(ids=[HOSTILE, "b"], series=2, targets=(HOSTILE, "y"), notes=(HOSTILE,)).html()
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert "<img src=x" not in html
    assert any(HOSTILE in words for words in page.words)
    assert page.charts["forecast"]["views"][0]["title"].startswith("&lt;/script&gt;")
    assert {tag for tag, _ in page.tags} >= {"table", "select", "figure", "nav"}


def test_views_show_each_series_with_its_forecast_and_its_windows(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report(series=2, windows=2, horizon=6, rows=120)
    drawn = Page(report.html()).charts
    assert len(drawn["forecast"]["views"]) == 2
    observed, coming = drawn["forecast"]["views"][1]["data"]
    assert observed["x"][0] == "2024-03-01"  # the last sixty rows: beside more of them the forecast would not be seen
    assert observed["y"] == pytest.approx(report.table.values[-60:, 0].tolist(), rel=1e-5)
    assert coming["y"] == pytest.approx(report.forecast[1, :, 0].tolist(), rel=1e-5)
    truth, own, baseline = drawn["backtest"]["views"][0]["data"]
    assert len(truth["x"]) == len(truth["y"]) == 13
    assert "x" not in own  # the same: written once
    assert "x" not in baseline
    assert truth["y"][6] is own["y"][6] is None  # between two windows
    assert truth["y"][:6] == pytest.approx(report.backtest.actual[0, 0, :, 0].tolist(), rel=1e-5)
    assert baseline["y"][7:] == pytest.approx(
        report.backtest.forecasts["seasonal_naive"][1, 0, :, 0].tolist(), rel=1e-5
    )


def test_a_series_without_backtest_and_windows_without_room_leave_their_charts_empty(
    make_report: Callable[..., ForecastReport],
) -> None:
    report = make_report(series=3)
    backtest = report.backtest
    assert backtest.scale is not None
    assert backtest.squared_scale is not None
    for values in (backtest.actual, *backtest.forecasts.values()):
        values[0, 0] = np.nan
    backtest.times[0, 0] = np.datetime64("NaT")
    shorter = type(backtest)(
        **{
            **vars(backtest),
            "ids": backtest.ids[:2],
            "cutoffs": backtest.cutoffs[:, :2],
            "times": backtest.times[:, :2],
            "actual": backtest.actual[:, :2],
            "forecasts": {name: values[:, :2] for name, values in backtest.forecasts.items()},
            "scale": backtest.scale[:, :2],
            "squared_scale": backtest.squared_scale[:, :2],
        }
    )
    html = ForecastReport(**{**vars(report), "backtest": shorter}).html()
    views = Page(html).charts["backtest"]["views"]
    assert [len(view["data"][0]["y"]) for view in views] == [6, 13, 0]
    assert "NaT" not in Page(html).scripts["charts"]
    assert "store 2 (MASE –)" in html


def test_the_menu_lists_at_most_two_dozen_of_many_series(make_report: Callable[..., ForecastReport]) -> None:
    page = Page(make_report(series=200).html())
    selected = [attrs for tag, attrs in page.tags if tag == "option" and "selected" in attrs]
    assert len([tag for tag, _ in page.tags if tag == "option"]) == 2 * 24
    assert [attrs["value"] for attrs in selected] == ["12", "12"]  # around the median
    assert len(page.charts["forecast"]["views"]) == 24
    assert len(page.scripts["charts"]) < 300_000


def test_a_report_with_intervals_of_many_series_stays_small(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report(series=200, rows=1000, horizon=48, windows=3, levels=(50.0, 80.0, 95.0))
    assert len(Page(report.html()).scripts["charts"]) < 650_000


def test_one_series_needs_no_menu(make_report: Callable[..., ForecastReport]) -> None:
    assert not [tag for tag, _ in Page(make_report().html()).tags if tag == "select"]


def test_scores_stand_beside_the_baselines_with_the_best_in_bold(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report()
    html = report.html()
    rows = re.findall(r'<th scope="row">(Tidegate|Naive|Seasonal naive)[^<]*</th>(.*?)</tr>', html)
    assert [name for name, _ in rows] == ["Tidegate", "Naive", "Seasonal naive"]
    assert '<td data-metric="MAE"><span class="best">' in rows[0][1]
    assert 'data-metric="MAE"><span class="best">' not in rows[1][1]
    assert "smaller than that of the best baseline, Seasonal naive" in html
    assert "Lower is better." in html
    assert "Higher is better." in html


def test_the_forecast_has_a_fan_and_the_backtest_its_intervals(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report(series=2, levels=(50.0, 95.0))
    drawn = Page(report.html()).charts
    widest, inner, _, line = drawn["forecast"]["views"][1]["data"]
    assert [trace["meta"] for trace in drawn["forecast"]["data"]] == ["band", "band", "truth", "model"]
    for band, level in ((widest, 95.0), (inner, 50.0)):
        lower, upper = report.bands[level]
        assert band["lower"] == pytest.approx(lower[1, :, 0].tolist(), rel=1e-5)
        assert band["upper"] == pytest.approx(upper[1, :, 0].tolist(), rel=1e-5)
        assert len(band["lower"]) == len(line["x"])
    widest = drawn["backtest"]["views"][1]["data"][0]
    assert widest["lower"][6] is widest["upper"][6] is None  # between two windows
    assert widest["upper"][7:] == pytest.approx(report.backtest.bounds(95.0)[1][1, 1, :, 0].tolist(), rel=1e-5)


def test_coverage_and_width_stand_side_by_side(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report(series=2, levels=(50.0, 95.0))
    html = report.html()
    rows = re.findall(r'<th scope="row">([\d.]+ %)</th>(.*?)</tr>', html)
    assert [name for name, _ in rows] == ["50 %", "95 %"]
    assert re.findall(r'data-metric="([^"]*)">([^<]*)<', rows[1][1]) == [
        ("coverage, %", "94"),
        ("mean width", "2.5"),
        ("MSIS", "3.5"),
    ]
    assert "CRPS 0.75 · pinball loss 0.25" in html
    assert "Over 24 held-out values" in html
    assert "By chance alone the coverage of a perfect 80 % interval strays here by some 16 points." in html
    assert Page(html).charts["calibration"]["data"][1]["x"] == [10, 30, 50, 70, 90, 95]


def test_the_best_and_the_worst_series_have_small_charts_with_what_came_before(
    make_report: Callable[..., ForecastReport],
) -> None:
    report = make_report(series=30, windows=2, horizon=6, rows=120)
    html = report.html()
    page = Page(html)
    titles = re.findall(
        r"<figcaption><strong>(store \d+)</strong><br>MASE ([\d.]+); (?:Seasonal n|N)aive [\d.]+<", html
    )
    error = np.abs(report.backtest.forecasts["tidegate"] - report.backtest.actual).mean(axis=(0, 2))[:, 0] / 10
    ranked = [f"store {index}" for index in np.argsort(error)]
    assert [name for name, _ in titles] == [*ranked[:3], *ranked[:-4:-1]]
    assert float(titles[0][1]) == pytest.approx(error.min(), rel=1e-3)
    best = int(error.argmin())
    truth, own = page.charts["series-0"]["views"][0]["data"]
    rows = report.table.values[best * 120 : (best + 1) * 120, 0]
    assert truth["y"] == pytest.approx(rows[-24:].tolist(), rel=1e-5)  # as many before as were forecast
    assert own["x"][0] == truth["x"][12]
    assert own["y"][6] is None


def test_what_makes_no_sense_is_left_out_with_its_heading(make_report: Callable[..., ForecastReport]) -> None:
    def sections(**options: Any) -> set[str | None]:
        page = Page(make_report(**options).html())
        placed = {attrs.get("data-chart") for _, attrs in page.tags} - {None}
        assert placed == set(page.charts)
        linked = {str(attrs["href"])[1:] for tag, attrs in page.tags if tag == "a"}
        assert linked == {attrs["id"] for tag, attrs in page.tags if tag == "section" and "id" in attrs}
        return {*linked, *placed}

    plain = sections()
    assert not {"calibration", "series", "series-0"} & plain
    assert {"calibration", "steps"} <= sections(levels=(80.0,))
    assert {"series", "series-0", "series-1"} <= sections(series=2)
    assert "steps" not in sections(horizon=1)


def test_intervals_of_a_series_without_a_forecast_are_left_out(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report(series=2, levels=(80.0,))
    report.forecast[1] = np.nan
    for end in report.bands[80.0]:
        end[1] = np.nan
    band, _, line = Page(report.html()).charts["forecast"]["views"][1]["data"]
    assert band["lower"] == band["upper"] == line["y"] == [None] * 6


def test_settings_and_notes_are_told(make_report: Callable[..., ForecastReport]) -> None:
    words = "\n".join(Page(make_report(notes=("3 values are missing",)).html()).words)
    for said in ("hidden size", "64, 32", "3 values are missing", "none", "no"):
        assert said in words
    assert "Nothing: no gap" in make_report().html()


def test_without_a_recorded_training_the_section_says_so(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report()
    html = ForecastReport(**{**vars(report), "losses": {}}).html()
    assert "its training is not recorded" in html
    assert 'data-chart="training"' not in html


def test_time_zones_are_named(make_report: Callable[..., ForecastReport]) -> None:
    report = make_report()
    table = type(report.table)(**{**vars(report.table), "timezone": "Europe/Berlin"})
    drawn = Page(ForecastReport(**{**vars(report), "table": table}).html()).charts
    assert drawn["forecast"]["layout"]["xaxis"]["title"]["text"] == "date (UTC)"


def test_written_whole_or_not_at_all(make_report: Callable[..., ForecastReport], tmp_path: Path) -> None:
    report = make_report()
    report.write(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.html()
    with pytest.raises(OutputError, match="cannot write"):
        report.write(tmp_path / "absent" / "report.html")
