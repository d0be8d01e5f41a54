"""Scores on the terminal and under the names that JSON has for them."""

from __future__ import annotations

import pytest

from tidegate.cli.console import Console
from tidegate.cli.scores import named_levels, plain_level, show_plain_scores, show_scores

SCORES = {
    "tidegate": {"MAE": 3.0, "MASE": 0.6, "OWA": 0.7, "pinball": 1.25, "CRPS": 2.5},
    "seasonal_naive": {"MAE": 4.0, "MASE": 0.8, "OWA": 0.9},
}


def test_scores_of_points_and_of_intervals_are_two_narrow_tables(capsys: pytest.CaptureFixture[str]) -> None:
    intervals = named_levels({"tidegate": {80.0: {"coverage": 79.5, "width": 12.0, "MSIS": 3.25}}})
    show_scores(SCORES, intervals, Console())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert lines == [
        "MAE MASE OWA",
        "Tidegate 3 0.6 0.7",
        "Seasonal naive 4 0.8 0.9",
        "Intervals coverage, % mean width MSIS",
        "80 % 79.5 12 3.25",
        "Tidegate’s error (MASE 0.6) is 25 % smaller than that of the best baseline, Seasonal naive (last season) "
        "(0.8).",
        "As a distribution: CRPS 2.5, pinball loss 1.25.",
    ]


def test_points_have_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    points = {name: {"MAE": values["MAE"], "MASE": values["MASE"]} for name, values in SCORES.items()}
    show_scores(points, {}, Console())
    out = capsys.readouterr().out
    assert "Intervals" not in out
    assert "CRPS" not in out


def test_levels_are_written_as_people_write_them() -> None:
    assert [str(plain_level(level)) for level in (80.0, 99.5)] == ["80", "99.5"]
    assert named_levels({"m": {80.0: {}, 99.5: {}}}) == {"m": {"80": {}, "99.5": {}}}


def test_plain_scores_are_those_that_a_terminal_has_room_for(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"examples": 9, "accuracy": 0.75, "ece": 0.1, "f1": None, "confusion": [[1]]}
    show_plain_scores({"tidegate": own, "majority": {"accuracy": 0.5}}, Console())  # type: ignore[dict-item]
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip() and "─" not in line]
    assert lines == [["accuracy", "f1"], ["Tidegate", "0.75", "–"], ["Majority", "class", "0.5", "–"]]
