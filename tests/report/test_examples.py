from __future__ import annotations

import re

import numpy as np
import pytest

from tidegate.errors import ShapeError
from tidegate.report.examples import Example, drawn_examples, notable, shown_examples


def text_of(*pieces: tuple[str, float]) -> str:
    html = shown_examples([Example(true="a", predicted="a", probability=0.9, pieces=pieces)])
    found = re.search(r'<p class="words" dir="auto">(.*?)</p>', html, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_words_are_shaded_by_their_weight_and_blanks_are_not() -> None:
    assert text_of(("win ", 0.4), ("a", 0.0), (" <b>", 0.2), ("\nnow", 0.01)) == (
        '<mark class="w8" title="weight 0.4">win</mark> a <mark class="w4" title="weight 0.2">&lt;b&gt;</mark>\n'
        '<mark class="w1" title="weight 0.01">now</mark>'
    )


def test_texts_without_weights_letters_or_an_end() -> None:
    assert text_of(("win", 0.0), (" it", float("nan"))) == "win it"
    assert text_of() == text_of(("", 0.0)) == '<span class="faint">(empty)</span>'
    assert text_of((" ", 1.0)) == " "
    assert text_of(("x" * 1_000_000, 1.0)) == f'<mark class="w8" title="weight 1">{"x" * 600}</mark>…'
    assert text_of(("x" * 590, 0.0), ("y" * 20, 0.0), ("z", 0.0)) == "x" * 590 + "y" * 10 + "…"
    assert text_of(("a\x00b\ud800\x1bc\td\r\n", 0.0)) == "a\ufffdb\ufffd\ufffdc\td\r\n"


def test_mistakes_come_first_and_say_what_was_taken_for_what() -> None:
    html = shown_examples(
        [
            Example(true="ham", predicted="ham", probability=0.75, pieces=[("x", 1.0)]),
            Example(true="<ham>", predicted="spam", probability=0.98, pieces=[("y", 1.0)]),
        ]
    )
    assert re.findall(r"<h3>(\w+)</h3>", html) == ["Mistaken", "Right"]
    captions = re.findall(r"<figcaption><strong>(.*?)</strong><br>(.*?)</figcaption>", html)
    assert captions == [("&lt;ham&gt;, taken for spam", "probability 0.98"), ("ham", "probability 0.75")]


def test_series_become_small_charts() -> None:
    one = Example(true="a", predicted="b", probability=0.5, series=np.array([1.0, np.nan, 3.0]))
    several = Example(true="a", predicted="a", probability=0.5, series=np.zeros((4, 5)), channels=["x"])
    drawn = drawn_examples([one, several])
    assert list(drawn) == ["example-0", "example-1"]
    assert drawn["example-0"]["views"][0]["data"] == [
        {"y": [1, None, 3], "mode": "lines+markers", "x": [1, 2, 3]}  # no two of them are joined
    ]
    assert [trace["meta"] for trace in drawn["example-1"]["data"]] == ["truth", "model", "baseline"]
    html = shown_examples([one, several])
    assert re.findall(r'data-chart="([^"]+)"', html) == ["example-0", "example-1"]
    assert "probability 0.5; solid: x, dashed: channel 2, dotted: channel 3; 2 more are not drawn" in html


def test_of_long_series_no_peak_is_lost() -> None:
    values = np.zeros(10_000)
    values[1234], values[8765], values[5000:6000] = 7.0, -9.0, np.nan
    line = drawn_examples([Example(true="a", predicted="a", probability=1, series=values)])["example-0"]["views"][0][
        "data"
    ][0]
    points = dict(zip(line["x"], line["y"], strict=True))
    assert points[1235] == 7
    assert points[8766] == -9
    assert any(5000 < step <= 6000 and height is None for step, height in points.items())
    assert len(points) <= 200
    assert line["x"] == sorted(line["x"])


def test_the_surest_mistakes_are_chosen_and_none_twice() -> None:
    right = [True, False, True, True, False, False]
    confidence = [0.9, 0.7, 0.5, 0.6, 0.8, 0.7]
    assert notable(right, confidence, wrong=2, unsure=1, sure=1) == [4, 1, 2, 0]
    assert notable(right, confidence) == [4, 1, 5, 2, 3, 0]
    assert notable([], []) == []
    with pytest.raises(ShapeError) as caught:
        notable([True], [0.5, 0.6])
    assert str(caught.value) == "right and confidence must be [example], of one length; got (1,), (2,)"
