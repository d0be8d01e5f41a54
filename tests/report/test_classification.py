from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from tidegate.errors import OutputError
from tidegate.metrics import classification_scores
from tidegate.report import ClassificationReport, Example

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"


def scored(
    names: Sequence[str], *, skill: float = 3.0, seed: int = 0, examples: int = 200
) -> dict[str, dict[str, Any]]:
    """Score a made-up model, and a baseline that states how frequent the classes are."""
    rng = np.random.default_rng(seed)
    target = np.arange(examples) % len(names)
    logits = rng.normal(size=(examples, len(names))) + skill * np.eye(len(names))[target]
    own = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frequent = np.tile(np.bincount(target) / examples, (examples, 1))
    return {
        "tidegate": classification_scores(target, own, names),
        "majority": classification_scores(target, frequent, names),
    }


def make(names: Sequence[str] = ("ham", "spam"), **options: Any) -> ClassificationReport:
    given: dict[str, Any] = {
        "title": "Label of text",
        "scores": scored(names),
        "losses": {"loss": [0.7, 0.4], "val_loss": [0.8, 0.5]},
        "loss": "cross_entropy",
        "settings": {"Network": {"cell": "lstm", "hidden size": (64,)}},
    }
    return ClassificationReport(**{**given, **options})


def charts_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    charts: dict[str, Any] = json.loads(found.group(1))
    return charts


def sections_of(html: str) -> list[str]:
    return re.findall(r'<section id="([^"]+)">', html)


def test_the_same_content_gives_the_same_bytes_and_fetches_nothing() -> None:
    html = make().html()
    assert html == make().html()
    fetched = re.findall(r'(?:src|href|srcset)="([^"]*)"', html.partition('<script type="text/plain"')[0])
    assert all(value.startswith(("#", "data:")) for value in fetched)
    assert "url(" not in html.partition("</style>")[0]


def test_every_section_is_there_and_linked() -> None:
    example = Example(true="ham", predicted="spam", probability=0.9, pieces=[("hello", 1.0)])
    html = make(examples=[example]).html()
    expected = ["scores", "classes", "confusion", "reliability", "examples", "training", "data", "settings"]
    assert sections_of(html) == expected
    assert re.findall(r'<a href="#([^"]+)">', html) == expected
    assert set(re.findall(r'data-chart="([^"]+)"', html)) == set(charts_of(html)) == {"reliability", "training"}
    for said in ("hidden size", "Nothing that had to be mended or left out.", "The darker a word"):
        assert said in html
    assert "examples" not in sections_of(make().html())


def test_scores_stand_beside_the_baselines_with_the_best_in_bold() -> None:
    report = make()
    html = report.html()
    rows = re.findall(r'<th scope="row">(Tidegate|Majority class)</th>(.*?)</tr>', html)
    assert [name for name, _ in rows] == ["Tidegate", "Majority class"] * 2  # decisions, probabilities
    accuracy = round(report.scores["tidegate"]["accuracy"], 4)
    assert f'<td data-metric="accuracy"><span class="best">{accuracy:g}</span>' in rows[0][1]
    assert '<td data-metric="accuracy">0.5</td>' in rows[1][1]
    assert '<td data-metric="log loss"><span class="best">' in rows[2][1]
    assert '<td data-metric="calibration error"><span class="best">0</span>' in rows[3][1]
    assert "Precision, recall and F1 are those of the class spam." in html
    assert f"Tidegate is right about {100 * report.scores['tidegate']['accuracy']:g} % of 200 held-out examples" in html
    assert html.count('data-metric="macro F1"') == 0
    assert make(["a", "b", "c"]).html().count('data-metric="macro F1"') == 2


def test_classes_and_reliability_are_the_models_own() -> None:
    report = make(["a", "b", "c"])
    own, html = report.scores["tidegate"], report.html()
    for one in own["classes"]:
        row = re.search(rf'<th scope="row">{one["name"]}</th><td data-metric="precision">([^<]*)</td>', html)
        assert row is not None
        assert float(row.group(1)) == pytest.approx(one["precision"], rel=1e-3)
    drawn = charts_of(html)["reliability"]["data"][1]
    sure = [100 * value for value in own["reliability"]["confidence"] if value is not None]
    assert drawn["x"] == pytest.approx(sure, rel=1e-5)
    right = [100 * value for value in own["reliability"]["accuracy"] if value is not None]
    assert drawn["y"] == pytest.approx(right, rel=1e-5)


def test_many_classes_are_folded_away() -> None:
    html = make([f"class {place}" for place in range(31)]).html()
    assert "<summary>All 31 classes</summary>" in html
    assert "<summary>All" not in make([f"class {place}" for place in range(30)]).html()


def test_labels_that_do_not_exclude_each_other_have_no_matrix() -> None:
    target = np.array([[1, 0], [1, 1], [0, 1]])
    scores = {
        "tidegate": classification_scores(target, np.where(target, 0.9, 0.2), ["new", "red"]),
        "majority": classification_scores(target, np.full((3, 2), 2 / 3), ["new", "red"]),
    }
    html = make(scores=scores).html()
    assert "confusion" not in sections_of(html)
    assert (
        "Tidegate’s F1 over all labels of 3 held-out examples is 1; that of the best baseline, Majority class, is 0.8"
        in html
    )
    assert 'data-metric="micro F1"' in html


def test_hostile_names_and_texts_stay_text() -> None:
    example = Example(true=HOSTILE, predicted="b", probability=0.5, pieces=[(HOSTILE, 1.0), (HOSTILE, 0.0)])
    series = Example(true=HOSTILE, predicted="b", probability=0.5, series=np.zeros((4, 2)), channels=[HOSTILE, "y"])
    html = make(["b", HOSTILE], title=HOSTILE, examples=[example, series], notes=(HOSTILE,)).html()
    before, _, after = html.partition('<script type="text/plain" id="library">')
    assert "<img" not in before
    assert "<img" not in after.partition("</script>")[2]
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#x27;" in before


def test_every_chart_is_a_valid_plotly_figure() -> None:
    series = [np.sin(np.arange(50.0)), np.random.default_rng(0).normal(size=(900, 5))]
    examples = [Example(true="a", predicted="b", probability=0.5, series=values) for values in series]
    drawn = charts_of(make(examples=examples).html())
    assert list(drawn) == ["reliability", "example-0", "example-1", "training"]
    for spec in drawn.values():
        shown = spec.get("views", [{"data": [{}] * len(spec["data"])}])[0]["data"]
        traces = [{**trace, **more} for trace, more in zip(spec["data"], shown, strict=True)]
        go.Figure({"data": traces, "layout": spec["layout"]})  # raises on an unknown or ill-typed property


def test_without_a_recorded_training_or_examples_to_score_the_page_says_so() -> None:
    nothing = {"tidegate": classification_scores([], np.empty((0, 2)), ["a", "b"])}
    html = make(scores=nothing, losses={}).html()
    assert "its training is not recorded" in html
    assert "There are no held-out examples to score." in html
    assert "reliability" not in sections_of(html)
    assert charts_of(html) == {}


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    make().write(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == make().html()
    with pytest.raises(OutputError):
        make().write(tmp_path / "nowhere" / "report.html")
