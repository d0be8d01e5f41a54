"""The report of a tagger: what it shows, that it is complete in itself, and that nothing in the data breaks it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tidegate.report.tagging import MarkedSpan, SentenceExample, TaggingReport, notable_sentences, tagging_verdict
from tidegate.text.tagging.evaluation import compare

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"


def span(start: int, stop: int, kind: str, *, right: bool, confidence: float | None = None) -> MarkedSpan:
    return MarkedSpan(start=start, stop=stop, type=kind, right=right, confidence=confidence)


MISTAKEN = SentenceExample(
    tokens=["Ann", "left", "New", "York"],
    true=[span(0, 1, "person", right=True), span(2, 4, "place", right=False)],
    found=[span(0, 1, "person", right=True, confidence=0.9), span(3, 4, "place", right=False, confidence=0.6)],
)
RIGHT = SentenceExample(
    tokens=["Bob"], true=[span(0, 1, "person", right=True)], found=[span(0, 1, "person", right=True, confidence=1.0)]
)


def make(**options: Any) -> TaggingReport:
    truth = [["B-person", "O", "B-place", "I-place"], ["B-person"]]
    found = [["B-person", "O", "O", "B-place"], ["B-person"]]
    given: dict[str, Any] = {
        "title": "Tags of train.conll",
        "evaluation": compare(truth, found, {"most frequent tag of the word": [["O"] * 4, ["O"]]}),
        "sentences": 2,
        "losses": {"loss": [0.7, 0.4], "val_loss": [0.8, 0.5], "val_f1": [0.1, 0.6]},
        "settings": {"Network": {"cell": "lstm"}},
        "examples": [MISTAKEN, RIGHT],
    }
    return TaggingReport(**{**given, **options})


def charts_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    charts: dict[str, Any] = json.loads(found.group(1))
    return charts


def test_the_same_content_gives_the_same_bytes_and_fetches_nothing() -> None:
    html = make().html()
    assert html == make().html()
    fetched = re.findall(r'(?:src|href|srcset)="([^"]*)"', html.partition('<script type="text/plain"')[0])
    assert all(value.startswith(("#", "data:")) for value in fetched)


def test_every_section_is_there_and_linked() -> None:
    html = make().html()
    expected = ["scores", "types", "confusion", "examples", "training", "data", "settings"]
    assert re.findall(r'<section id="([^"]+)">', html) == expected
    assert re.findall(r'<a href="#([^"]+)">', html) == expected
    assert set(re.findall(r'data-chart="([^"]+)"', html)) == set(charts_of(html)) == {"training", "curve"}
    assert charts_of(html)["curve"]["data"][0]["y"] == [10, 60]
    assert "examples" not in re.findall(r'<section id="([^"]+)">', make(examples=[]).html())


def test_without_a_validation_there_is_no_curve_of_f1() -> None:
    html = make(losses={"loss": [0.7]}).html()
    assert set(re.findall(r'data-chart="([^"]+)"', html)) == set(charts_of(html)) == {"training"}
    html = make(losses={}).html()
    assert charts_of(html) == {}
    assert "its training is not recorded in it" in html


def test_scores_stand_beside_the_baselines() -> None:
    html = make().html()
    row = re.search(r'<tr class="own"><th scope="row">Tidegate</th>(.*?)</tr>', html)
    assert row is not None
    assert re.findall(r'data-metric="([^"]+)"><span class="best">([^<]+)<', row[1]) == [
        ("F1", "66.67"),
        ("precision", "66.67"),
        ("recall", "66.67"),
        ("accuracy", "60"),
    ]
    assert "Tidegate’s F1 is 66.67 %; that of the best baseline, most frequent tag of the word, is 0 %." in html


def test_spans_that_were_missed_or_made_up_stand_in_the_matrix() -> None:
    section = make().html().partition('<section id="confusion">')[2].partition("</section>")[0]
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>(.*?)</tr>', section)
    assert {name: re.findall(r">(\d+)</td>", cells) for name, cells in rows} == {
        "person": ["2", "0", "0"],
        "place": ["0", "0", "1"],
        "no such span": ["0", "1", "0"],
    }


def test_sentences_show_what_was_found_and_what_is_true() -> None:
    section = make().html().partition('<section id="examples">')[2].partition("</section>")[0]
    assert '<mark class="span t0">Ann <small>person 90 %</small></mark> left New ' in section
    assert '<mark class="span differs t1">York <small>place 60 %</small></mark>' in section
    assert '<mark class="span differs t1">New York <small>place</small></mark>' in section
    assert section.count("Truth") == 1  # of the mistaken one alone


def test_examples_are_the_surest_mistakes_and_the_richest_others() -> None:
    missed = SentenceExample(tokens=["a"], true=[span(0, 1, "x", right=False)], found=[])
    empty = SentenceExample(tokens=["a"], true=[], found=[])
    assert notable_sentences([empty, RIGHT, missed, MISTAKEN]) == [MISTAKEN, missed, RIGHT]
    assert notable_sentences([RIGHT, missed, MISTAKEN], wrong=1, right=0) == [MISTAKEN]


def test_nothing_in_the_data_breaks_the_page() -> None:
    truth = [[f"B-{HOSTILE}"]]
    example = SentenceExample(
        tokens=[HOSTILE + "\x07\ud800"], true=[], found=[span(0, 1, HOSTILE, right=False, confidence=0.5)]
    )
    html = make(title=HOSTILE, evaluation=compare(truth, truth, {}), notes=[HOSTILE], examples=[example]).html()
    assert "<img" not in html
    assert "\x07" not in html
    html.encode("utf-8")


def test_long_sentences_are_cut() -> None:
    long = SentenceExample(tokens=["word"] * 500, true=[], found=[span(0, 1, "person", right=False, confidence=0.5)])
    html = make(examples=[long]).html()
    assert html.count("word ") < 200
    assert " …</p>" in html


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"tidegate": {"F1": 50.0}}, "Tidegate’s F1 is 50 %."),
        (
            {"tidegate": {"F1": 50.0}, "a": {"F1": 10.0}, "b": {"F1": 60.0}},
            "Tidegate’s F1 is 50 %; that of the best baseline, b, is 60 %. For these data that baseline is as good or "
            "better.",
        ),
    ],
)
def test_the_verdict(scores: dict[str, dict[str, float]], said: str) -> None:
    assert tagging_verdict(scores) == said
