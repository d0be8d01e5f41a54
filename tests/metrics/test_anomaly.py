"""Scores of detectors against loops that follow the definitions, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tidegate import metrics
from tidegate.errors import DataError, ShapeError

LABELS = st.lists(st.integers(0, 1), min_size=2, max_size=40).filter(lambda each: 0 < sum(each) < len(each))


@st.composite
def labelled(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    label = draw(LABELS)
    score = draw(st.lists(st.integers(0, 6), min_size=len(label), max_size=len(label)))  # ties are the hard part
    return label, [float(each) for each in score]


@st.composite
def flagged(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    size = draw(st.integers(1, 30))
    bits = st.lists(st.integers(0, 1), min_size=size, max_size=size)
    return draw(bits), draw(bits)


def runs(label: list[int]) -> list[tuple[int, int]]:
    found, start = [], None
    for row, each in enumerate([*label, 0]):
        if each and start is None:
            start = row
        if not each and start is not None:
            found.append((start, row - 1))
            start = None
    return found


@given(labelled())
def test_the_areas_are_scikit_learns(case: tuple[list[int], list[float]]) -> None:
    label, score = case
    assert metrics.auc_pr(label, score) == pytest.approx(average_precision_score(label, score))
    assert metrics.auc_roc(label, score) == pytest.approx(roc_auc_score(label, score))


@given(labelled())
def test_the_area_under_roc_counts_pairs(case: tuple[list[int], list[float]]) -> None:
    label, score = np.array(case[0]), np.array(case[1])
    pairs = score[label == 1][:, None] - score[label == 0]
    assert metrics.auc_roc(label, score) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_only_the_order_counts_and_infinite_scores_have_a_place_in_it() -> None:
    label, score = [0, 1, 0, 1, 1], np.array([0.1, 0.5, 0.7, 0.9, 0.2])
    assert metrics.auc_pr(label, np.exp(9 * score)) == metrics.auc_pr(label, score)
    assert metrics.auc_pr(label, [0, 2, 3, math.inf, 1]) == metrics.auc_pr(label, score)


def test_a_constant_score_knows_nothing() -> None:
    label = [1] * 3 + [0] * 9
    assert metrics.auc_pr(label, [2.0] * 12) == 0.25
    assert metrics.auc_roc(label, [2.0] * 12) == 0.5


@given(flagged())
def test_events_are_compared_by_overlap(case: tuple[list[int], list[int]]) -> None:
    truth, alarms = runs(case[0]), runs(case[1])
    touch = [[a <= d and c <= b for c, d in alarms] for a, b in truth]
    detected = sum(map(any, touch))
    false = sum(not any(each[j] for each in touch) for j in range(len(alarms)))
    found = metrics.event_scores(*case)
    assert (found.detected, found.missed, found.false_alarms) == (detected, len(truth) - detected, false)
    if detected:
        p, r = detected / (detected + false), detected / len(truth)
        assert found.precision == pytest.approx(p)
        assert found.recall == pytest.approx(r)
        assert found.f1 == pytest.approx(2 * p * r / (p + r))
    assert [tuple(each) for each in metrics.events(case[0])] == truth


def test_one_event_found_by_many_runs_counts_once_and_many_events_under_one_run_each() -> None:
    many = metrics.event_scores([0, 1, 1, 1, 1, 1, 0], [0, 1, 0, 1, 0, 1, 0])
    assert (many.detected, many.missed, many.false_alarms) == (1, 0, 0)
    wide = metrics.event_scores([1, 0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0, 1])
    assert (wide.detected, wide.missed, wide.false_alarms) == (3, 0, 1)
    assert (wide.precision, wide.recall, wide.f1) == (0.75, 1.0, 6 / 7)


def test_what_is_not_defined_is_nan() -> None:
    silent = metrics.event_scores([0, 1, 0], [0, 0, 0])
    assert math.isnan(silent.precision)
    assert (silent.recall, silent.f1) == (0.0, 0.0)
    nothing = metrics.event_scores([0, 0], [0, 0])
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.f1)
    assert math.isnan(metrics.detection_delay([0, 1, 0], [1, 0, 1]))
    assert math.isnan(metrics.detection_delay([0, 0], [1, 1]))


@given(flagged())
def test_the_delay_counts_from_the_start_of_each_detected_event(case: tuple[list[int], list[int]]) -> None:
    steps = [next((i - a for i in range(a, b + 1) if case[1][i]), None) for a, b in runs(case[0])]
    known = [each for each in steps if each is not None]
    assert metrics.detection_delay(*case) == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)


def test_bad_input_is_named() -> None:
    with pytest.raises(ShapeError, match=r"^label must be \[time\]; got the shape \(2, 2\)$"):
        metrics.auc_pr([[0, 1], [1, 0]], [[0, 1], [1, 0]])
    with pytest.raises(ShapeError, match=r"^score must have the length of label, 3; got the shape \(2,\)$"):
        metrics.auc_roc([0, 1, 0], [0.1, 0.2])
    with pytest.raises(DataError, match=r"^label must be 0 or 1 at every point; got 2 at row 1$"):
        metrics.auc_pr([0, 2, 0], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match=r"^label must hold both 0 and 1 for a curve; all 3 are 0$"):
        metrics.auc_pr([0, 0, 0], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match=r"^label must hold both 0 and 1 for a curve; all 2 are 1$"):
        metrics.vus_pr([1, 1], [0.1, 0.2], 1)
    message = (
        r"^score must be a number at every point; it is NaN at row 2: leave out the points that have no score, "
        r"and their labels$"
    )
    with pytest.raises(DataError, match=message):
        metrics.auc_roc([0, 1, 0], [0.1, 0.2, math.nan])
    with pytest.raises(ShapeError, match=r"^flagged must have the length of label, 3; got 2$"):
        metrics.event_scores([0, 1, 0], [0, 1])
    with pytest.raises(DataError, match=r"^flagged must be 0 or 1 at every point; got 0.5 at row 0$"):
        metrics.detection_delay([0, 1], [0.5, 1])
