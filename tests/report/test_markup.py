from __future__ import annotations

import json

import numpy as np
import pytest

from tidegate.report.markup import chart_text, embedded_json, figures, number, text


def test_json_in_a_page_cannot_end_its_script_and_means_the_same() -> None:
    hostile = {"id": "</script><script>alert('x & y')</script><!--\u2028"}
    written = embedded_json(hostile)
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == hostile


def test_json_refuses_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        embedded_json([float("nan")])


def test_text_is_escaped_for_elements_and_attributes() -> None:
    assert text('"><b>') == "&quot;&gt;&lt;b&gt;"
    assert chart_text('"a" <b>') == '"a" &lt;b&gt;'


def test_figures_keep_six_digits_and_leave_gaps() -> None:
    drawn = figures(np.array([1234567.0, 0.000123456789, np.nan, np.inf, -2.0]))
    assert drawn == [1234570, 0.000123457, None, None, -2]
    assert isinstance(drawn[0], int)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (12.0, "12"),
        (0.5, "0.5"),
        (99.999, "100"),
        (-1234.5, "-1\u202f234"),
        (2e12, "2.000e+12"),
        (3e-7, "3.000e-07"),
        (None, "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_for_people(value: float | None, shown: str) -> None:
    assert number(value) == shown
