"""The report of a detector."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from tidegate.data.table import SeriesTable
from tidegate.report import AnomalyReport
from tidegate.report.anomaly_charts import drawn_rows, watched
from tidegate.specs import Columns


def report(*, series: int = 1, targets: int = 2, rows: int = 50, labels: bool = False, **changes: Any) -> AnomalyReport:
    count = series * rows
    generator = np.random.default_rng(0)
    table = SeriesTable(
        ids=np.array([f"<m{index}>" for index in range(series)], dtype=object),
        offsets=np.arange(0, count + 1, rows),
        times=np.tile(np.datetime64("2026-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h"), series),
        values=generator.normal(size=(count, targets)),
        columns=Columns(targets=tuple(f"v{index}" for index in range(targets)), frequency="h"),
        has_id=series > 1,
    )
    score = generator.random(count)
    score[[10, 11, 20]] = (5.0, 7.0, 6.0)
    score[:3] = np.nan
    shares = np.full((count, targets), 1 / targets) if targets > 1 else np.empty((count, 0))
    own = {"VUS-PR": 0.5, "event F1": 1.0, "delay": 0.0}
    options: dict[str, Any] = {
        "table": table,
        "score": score,
        "threshold": np.full(count, 2.0),
        "is_anomaly": score > 2,
        "shares": shares,
        "events": 2,
        "labels": (score > 5.5).astype(float) if labels else None,
        "scores": {"tidegate": own, "random": {"VUS-PR": 0.1, "event F1": 0.0, "delay": np.nan}} if labels else {},
        "losses": {"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]},
        "loss": "huber of scaled values",
        "settings": {"Detection": {"context": 12}},
        "notes": (),
    }
    return AnomalyReport(**{**options, **changes})


def charts(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def test_what_was_found_is_told_and_listed() -> None:
    page = report().html()
    assert "3 of 50 rows lie above the threshold (6.383 % of those that could be judged); they form 2 events." in page
    listed = re.findall(r'<tr><th scope="row">(2026[^<]*)</th><td data-metric="rows">(\d)</td>', page)
    assert listed == [("2026-01-01 10:00:00", "2"), ("2026-01-01 20:00:00", "1")]  # the highest first
    assert re.findall(r'data-metric="v1, %">([\d.]+)<', page) == ["50", "50"]
    assert "Scores beside simple detectors" not in page


def test_signal_and_score_are_drawn_with_their_threshold() -> None:
    drawn = charts(report(labels=True).html())
    assert list(drawn) == ["signal", "score", "training"]
    assert [trace["name"] for trace in drawn["signal"]["data"]] == ["Observed", "Found", "Labelled"]
    assert len(drawn["signal"]["views"]) == 2  # of each variable one
    observed, found, labelled = drawn["signal"]["views"][0]["data"]
    marked = [place for place, value in enumerate(found["y"]) if value is not None]
    assert marked == [10, 11, 20]
    assert found["y"][10] == observed["y"][10]
    assert [place for place, value in enumerate(labelled["y"]) if value is not None] == [11, 20]
    assert (found["mode"], observed["mode"]) == ("markers", "lines")
    score, threshold = drawn["score"]["views"][0]["data"]
    assert score["y"][:4] == [None, None, None, score["y"][3]]
    assert set(threshold["y"]) == {2}


def test_scores_stand_beside_simple_detectors() -> None:
    page = report(labels=True).html()
    assert "Random scores" in page
    assert '<td data-metric="VUS-PR"><strong>0.5</strong>' in page or "0.5" in page
    assert "No point is adjusted" in page


def test_names_are_escaped_and_series_can_be_chosen() -> None:
    page = report(series=3, targets=1).html()
    assert "<m1>" not in page
    assert page.count("<option") == 3
    assert "&lt;m0&gt; · 2026-01-01 10:00:00" in page
    assert "<select" not in report(targets=1).html()


def test_nothing_found() -> None:
    page = report(is_anomaly=np.zeros(50, bool), events=0).html()
    assert "No row lies above the threshold." in page
    assert "they form 0 events" in page


def test_the_same_content_gives_the_same_bytes() -> None:
    assert report(labels=True).html() == report(labels=True).html()


def test_of_many_rows_those_that_stand_out_are_drawn() -> None:
    generator = np.random.default_rng(0)
    values, score = generator.normal(size=20_000), generator.random(20_000)
    values[777], values[7_777], score[17_777] = 50, -50, 9
    score[9_000:9_200] = values[9_000:9_200] = np.nan
    drawn = drawn_rows(values, score)
    assert len(drawn) <= 1202
    assert {0, 777, 7_777, 17_777, 19_999} <= set(drawn.tolist())
    assert np.isnan(values[drawn]).any()
    assert drawn_rows(values[:1200], score[:1200]).tolist() == list(range(1200))


@pytest.mark.parametrize(("series", "targets", "expected"), [(3, 2, 6), (30, 1, 24), (30, 5, 20)])
def test_of_many_series_those_that_exceed_the_threshold_are_shown(series: int, targets: int, expected: int) -> None:
    one = report(series=series, targets=targets)
    shown = watched(one.table, one.score, one.threshold)
    assert len(shown) == expected
    assert shown[0].series == 0  # the one with the events
