from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.report.regression import RegressionReport

ACTUAL, PREDICTED = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])


def report(**changes: Any) -> RegressionReport:
    given: dict[str, Any] = {
        "title": "Levels <of> gauges",
        "scores": {
            "tidegate": {"examples": 3, "R2": 0.73, "MAE": 0.5, "RMSE": 0.6455},
            "mean": {"examples": 3, "R2": 0.0, "MAE": 1.1, "RMSE": 1.247},
            "nearest": {"examples": 3, "R2": None, "MAE": 1.0, "RMSE": 1.1},
        },
        "actual": ACTUAL,
        "predicted": PREDICTED,
        "losses": {"loss": [1.0, 0.5]},
        "loss": "mse",
        "settings": {"Model": {"pooling": "mean"}},
    }
    return RegressionReport(**{**given, **changes})


def charts(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_what_the_page_says() -> None:
    html = report().html()
    assert "<h1>Levels &lt;of&gt; gauges</h1>" in html
    assert "Tidegate is off by 0.6455 (root mean square) over 3 held-out examples; the best baseline, Nearest" in html
    assert "Mean of training" in html
    for anchor in ("scores", "agreement", "residuals", "training", "settings"):
        assert f'<section id="{anchor}">' in html


def test_what_is_drawn() -> None:
    drawn = charts(report().html())
    assert set(drawn) == {"agreement", "residuals", "training"}
    line, dots = drawn["agreement"]["data"]
    assert (line["x"], line["y"]) == ([1, 4], [1, 4])
    assert (dots["x"], dots["y"], dots["mode"]) == ([1, 2, 4], [1.5, 2, 3], "markers")
    assert drawn["residuals"]["data"][1]["y"] == [0.5, 0, -1]


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (
            {"tidegate": {"R2": 0, "MAE": 1, "RMSE": 2}, "mean": {"R2": 0, "MAE": 1, "RMSE": 2}},
            "Tidegate is off by 2 (root mean square) over 3 held-out examples; the best baseline, Mean of training, "
            "by 2. For these data that baseline is as good or better.",
        ),
        (
            {"tidegate": {"R2": 0, "MAE": 1, "RMSE": 2}},
            "Tidegate is off by 2 (root mean square) over 3 held-out examples.",
        ),
    ],
)
def test_the_verdict(scores: Any, sentence: str) -> None:
    assert report(scores=scores).verdict() == sentence


def test_a_model_from_a_file_has_no_curve(tmp_path: Path) -> None:
    report(losses={}).write(tmp_path / "report.html")
    assert set(charts((tmp_path / "report.html").read_text())) == {"agreement", "residuals"}
