"""Volume under the surface against a program that follows the paper point by point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import metrics
from tidegate.errors import SpecError
from tidegate.metrics.vus import buffered_events, softened_label

RNG = np.random.default_rng(5)


def oracle_soft(label: list[int], width: int) -> list[float]:
    """Add up the buffers of all events, point by point; 1 at most."""
    soft = [float(each) for each in label]
    for first, last in metrics.events(label).tolist():
        for row in range(len(label)):
            distance = max(first - row, row - last)
            if 1 <= distance <= width // 2:
                soft[row] += math.sqrt(1 - distance / width)
    return [min(each, 1.0) for each in soft]


def oracle_events(label: list[int], width: int) -> list[tuple[int, int]]:
    """Give the events that buffers of a width leave apart: a row between two must be free of both."""
    half = width // 2
    found: list[tuple[int, int]] = []
    for first, last in metrics.events(label).tolist():
        if found and found[-1][1] >= first - half:
            found[-1] = (found[-1][0], last + half)
        else:
            found.append((first - half, last + half))
    return [(max(a, 0), min(b, len(label) - 1)) for a, b in found]


def oracle_areas(label: list[int], score: list[float], width: int, thresholds: int) -> tuple[float, float]:
    soft, spans = oracle_soft(label, width), oracle_events(label, width)
    positives = (sum(label) + sum(soft)) / 2
    recall, alarm, precision = [0.0], [0.0], [1.0]
    ordered = sorted(score, reverse=True)
    for rank in np.linspace(0, len(score) - 1, min(thresholds, len(score))).astype(int):
        flag = [each >= ordered[rank] for each in score]
        hit = sum(s for s, f in zip(soft, flag, strict=True) if f)
        exist = sum(any(flag[a : b + 1]) for a, b in spans) / len(spans)
        recall.append(min(hit / positives, 1) * exist)
        alarm.append((sum(flag) - hit) / (len(label) - positives))
        precision.append(hit / sum(flag))
    pr = sum((recall[i] - recall[i - 1]) * (precision[i] + precision[i - 1]) / 2 for i in range(1, len(recall)))
    x, y = [*alarm, 1.0], [*recall, 1.0]
    return pr, sum((x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2 for i in range(1, len(x)))


@st.composite
def labelled(draw: st.DrawFn) -> dict[str, Any]:
    label = draw(st.lists(st.integers(0, 1), min_size=2, max_size=30).filter(lambda each: 0 < sum(each) < len(each)))
    score = draw(st.lists(st.integers(0, 9), min_size=len(label), max_size=len(label)))
    return {"label": label, "score": [float(each) for each in score], "width": draw(st.integers(0, 9))}


@given(labelled(), st.integers(2, 40))
def test_the_volume_is_the_mean_over_widths_of_the_area_under_each_curve(case: dict[str, Any], thresholds: int) -> None:
    each = [oracle_areas(case["label"], case["score"], width, thresholds) for width in range(case["width"] + 1)]
    assert metrics.vus_pr(**case, thresholds=thresholds) == pytest.approx(np.mean([pr for pr, _ in each]))
    assert metrics.vus_roc(**case, thresholds=thresholds) == pytest.approx(np.mean([roc for _, roc in each]))


@given(labelled())
def test_labels_fall_beside_an_event_and_events_whose_buffers_meet_are_one(case: dict[str, Any]) -> None:
    label, width = case["label"], case["width"]
    assert softened_label(label, width).tolist() == pytest.approx(oracle_soft(label, width))
    found = buffered_events(metrics.events(label), width, len(label))
    assert [tuple(each) for each in found] == oracle_events(label, width)


def test_published_thresholds_are_250_ranks() -> None:
    label = np.zeros(900, int)
    label[300:340] = label[600:603] = 1
    score = RNG.normal(size=900) + label
    expected = [oracle_areas(label.tolist(), score.tolist(), width, 250) for width in (0, 1, 2)]
    assert metrics.vus_pr(label, score, 2) == pytest.approx(np.mean([pr for pr, _ in expected]))
    assert metrics.vus_roc(label, score, 2) == pytest.approx(np.mean([roc for _, roc in expected]))


def test_a_score_some_steps_late_is_forgiven_by_the_volume_and_not_by_the_area() -> None:
    label = np.zeros(400, int)
    label[200:210] = 1
    score = np.roll(label, 10) + RNG.uniform(0, 0.1, 400)
    assert metrics.auc_pr(label, score) < 0.1
    assert metrics.vus_pr(label, score, 40) > 4 * metrics.auc_pr(label, score)
    assert metrics.vus_pr(label, label + RNG.uniform(0, 0.1, 400), 0) == pytest.approx(1.0, abs=0.03)


def test_a_random_score_has_about_the_share_of_anomalous_points() -> None:
    label = np.zeros(2000, int)
    label[500:600] = 1
    found = [metrics.vus_pr(label, RNG.random(2000), 0) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.01)


def test_sizes_must_be_whole_numbers() -> None:
    with pytest.raises(SpecError, match=r"^width must be a whole number of at least 0; got -1$"):
        metrics.vus_pr([0, 1], [0.0, 1.0], -1)
    with pytest.raises(SpecError, match=r"^thresholds must be a whole number of at least 2; got 1$"):
        metrics.vus_roc([0, 1], [0.0, 1.0], 3, thresholds=1)
    with pytest.raises(SpecError, match=r"^width must be a whole number of at least 0; got 2.5$"):
        metrics.vus_pr([0, 1], [0.0, 1.0], 2.5)  # type: ignore[arg-type]
