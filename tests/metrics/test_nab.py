"""NAB's score against a walk over the rows, and against what published detectors are known to score."""

from __future__ import annotations

import csv
import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.metrics.nab import NAB_PROFILES, NabProfile, nab_probation, nab_score

Case = tuple[list[list[float]], list[list[tuple[int, int]]]]


def sigmoid(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1


def oracle(scores: list[list[float]], windows: list[list[tuple[int, int]]], threshold: float, p: NabProfile) -> float:
    """Walk over the rows of each series as the rules say."""
    raw, count = 0.0, 0
    for score, wins in zip(scores, windows, strict=True):
        earned = dict.fromkeys(wins, -p.miss)
        for row, each in enumerate(score):
            if row < nab_probation(len(score)) or each < threshold:
                continue
            inside = [win for win in wins if win[0] <= row <= win[1]]
            behind = [win for win in wins if win[1] < row]
            if inside:
                a, b = inside[0]
                worth = p.detection * sigmoid(-(b - row + 1) / (b - a + 1)) / sigmoid(-1)
                earned[a, b] = max(earned[a, b], worth)
            elif behind:
                a, b = behind[-1]
                away = (row - b) / max(b - a, 1)
                raw += p.false_alarm * (-1 if away >= 3 else sigmoid(away))
            else:
                raw -= p.false_alarm
        raw += sum(earned.values())
        count += len(wins)
    return 100 * (raw + count * p.miss) / (count * (p.detection + p.miss))


@st.composite
def corpora(draw: st.DrawFn) -> Case:
    scores, windows = [], []
    for _ in range(draw(st.integers(1, 3))):
        size = draw(st.integers(8, 60))
        scores.append([float(each) for each in draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))])
        ends = sorted(draw(st.sets(st.integers(0, size - 1), max_size=6)))
        windows.append([(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False)])
    windows[0] = windows[0] or [(3, 6)]
    return scores, windows


@given(corpora(), st.sampled_from(list(NAB_PROFILES)), st.sampled_from([-1.0, 0.0, 2.5, 3.0, 6.0]))
def test_the_score_at_a_threshold_is_the_walk(case: Case, name: str, threshold: float) -> None:
    found = nab_score(*case, profile=name, threshold=threshold)
    assert found.score == pytest.approx(oracle(*case, threshold, NAB_PROFILES[name]), abs=1e-9)
    assert found.threshold == threshold


@given(corpora(), st.sampled_from(list(NAB_PROFILES)))
def test_the_best_threshold_is_the_best_of_all(case: Case, name: str) -> None:
    found = nab_score(*case, profile=name)
    all_of_them = [oracle(*case, each, NAB_PROFILES[name]) for each in (0, 1, 2, 3, 4, 5, math.inf)]
    assert found.score == pytest.approx(max(all_of_them), abs=1e-9)
    assert oracle(*case, found.threshold, NAB_PROFILES[name]) == pytest.approx(found.score, abs=1e-9)


@given(corpora())
def test_windows_and_false_alarms_are_counted(case: Case) -> None:
    scores, windows = case
    found = nab_score(scores, windows, threshold=3)
    rows = [[i for i, s in enumerate(each) if s >= 3 and i >= nab_probation(len(each))] for each in scores]
    hit = [(any(a <= i <= b for i in at)) for at, wins in zip(rows, windows, strict=True) for a, b in wins]
    false = [i for at, wins in zip(rows, windows, strict=True) for i in at if not any(a <= i <= b for a, b in wins)]
    assert (found.detected, found.windows, found.false_alarms) == (sum(hit), len(hit), len(false))


def test_null_has_0_perfect_100_and_the_first_rows_do_not_count() -> None:
    windows = [[(40, 49), (80, 89)], []]
    quiet, perfect = [np.zeros(100), np.zeros(60)], [np.zeros(100), np.zeros(60)]
    perfect[0][[40, 80]] = 1
    for name in NAB_PROFILES:
        assert nab_score(quiet, windows, profile=name, threshold=1).score == 0
        assert nab_score(perfect, windows, profile=name).score == pytest.approx(100)
    learning = [np.r_[np.full(15, 9.0), perfect[0][15:]], np.r_[np.full(9, np.nan), np.zeros(51)]]
    assert nab_score(learning, windows).score == pytest.approx(100)
    assert nab_score(learning, windows).threshold == 1


def test_probation_is_15_per_cent_and_750_rows_at_most() -> None:
    assert [nab_probation(n) for n in (0, 6, 7, 1127, 4999, 5000, 22695)] == [0, 0, 1, 169, 749, 750, 750]


def test_a_false_alarm_costs_little_right_behind_a_window_and_all_far_from_it() -> None:
    def cost(row: int) -> float:
        score = np.zeros(400)
        score[row] = 1
        return nab_score([score], [[(100, 110)]], threshold=1).score * 2 / 100 / -0.11

    assert cost(111) == pytest.approx(-sigmoid(0.1))
    assert cost(139) == pytest.approx(-sigmoid(2.9))
    assert [cost(140), cost(390), cost(70)] == pytest.approx([1, 1, 1])


def test_bad_input_is_named() -> None:
    score = np.zeros(20)
    with pytest.raises(ShapeError, match=r"^there must be windows for each series of scores; got 1 for 2$"):
        nab_score([score, score], [[(3, 4)]])
    with pytest.raises(ShapeError, match=r"^scores of a series must be \[time\]; those of series 1 are \(2, 2\)$"):
        nab_score([score, np.zeros((2, 2))], [[(3, 4)], []])
    with pytest.raises(DataError, match=r"^there must be at least one window to score by; there is none in any series"):
        nab_score([score], [[]])
    with pytest.raises(DataError, match=r"^a score must be a number; that of series 0 is NaN at row 12$"):
        nab_score([np.where(np.arange(20) == 12, np.nan, 0)], [[(3, 4)]])
    with pytest.raises(
        DataError,
        match=r"^windows must lie within their series, in order and apart; got 4 to 9 in series 0 of 20 rows, after "
        r"one that ends at 4$",
    ):
        nab_score([score], [[(3, 4), (4, 9)]])
    with pytest.raises(DataError, match=r"got 15 to 20 in series 0 of 20 rows$"):
        nab_score([score], [[(15, 20)]])
    with pytest.raises(
        SpecError,
        match=r"^profile must be one of standard, reward_low_FP_rate, reward_low_FN_rate, or a NabProfile; got 'mine'$",
    ):
        nab_score([score], [[(3, 4)]], profile="mine")


def windowed_gaussian(values: np.ndarray, size: int = 6400, step: int = 100) -> np.ndarray:
    """Score a point by the normal distribution of those before it: a detector whose NAB score is published."""
    means, squares = np.cumsum(values), np.cumsum(values**2)
    seen = np.arange(values.size)  # how many rows a point is judged by, and where they end
    end = np.where(seen <= size, seen, size + (seen - size) // step * step)
    start = np.maximum(end - size, 0)
    score = np.zeros(values.size)
    for row in range(1, values.size):
        a, b = start[row], end[row]
        past = values[a:b] if b - a < 3 else None
        count = b - a
        mean = (means[b - 1] - (means[a - 1] if a else 0)) / count
        square = (squares[b - 1] - (squares[a - 1] if a else 0)) / count
        spread = past.std() if past is not None else math.sqrt(max(square - mean**2, 0.0))
        score[row] = 1 - 0.5 * math.erfc(abs(values[row] - mean) / (spread or 1e-6) / math.sqrt(2))
    return np.round(score, 12)  # as many digits as its published scores were written with


@pytest.mark.data
def test_windowed_gaussian_scores_what_is_published(public_data: Path) -> None:
    folder = public_data / "anomaly" / "nab"
    if not folder.is_dir():
        pytest.skip(f"the Numenta Anomaly Benchmark is not at {folder}")
    scores: list[np.ndarray] = []
    windows: list[list[tuple[int, int]]] = []
    for name, wins in json.loads((folder / "labels" / "combined_windows.json").read_text()).items():
        with gzip.open(folder / "data" / f"{name}.gz", "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        stamps = [row["timestamp"] for row in rows]
        values = np.array([float(row["value"]) for row in rows])
        scores.append(windowed_gaussian(values))
        rows_of = [[stamps.index(stamp.split(".")[0]) for stamp in win] for win in wins]
        windows.append([(first, last) for first, last in rows_of])
    found = {name: nab_score(scores, windows, profile=name).score for name in NAB_PROFILES}
    published = {"standard": 39.6495, "reward_low_FP_rate": 20.8680, "reward_low_FN_rate": 47.4100}
    assert found == pytest.approx(published, abs=0.3)
