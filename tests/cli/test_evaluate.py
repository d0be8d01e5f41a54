"""``tidegate evaluate`` on later rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lines = Callable[..., list[str]]


def test_every_complete_window_counts(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    csv = write(lines(20, series=("north", "west"), first=41))
    result = cli("evaluate", model_file, csv, "--json")
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out, parse_constant=pytest.fail)
    assert summary["windows"] == 2 * (20 - 6 - 3 + 1)
    assert (summary["series"], summary["horizon"], summary["season"]) == (2, 3, 1)
    assert list(summary["scores"])[:2] == ["tidegate", "naive"]
    assert 0 < summary["scores"]["tidegate"]["MAE"] < 100


def test_the_stride_thins_the_windows(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    csv = write(lines(20))
    assert json.loads(cli("evaluate", model_file, csv, "--json", "--stride", 3).out)["windows"] == 4
    result = cli("evaluate", model_file, csv, "--stride", 0)
    assert result.code == 2
    assert result.err == "tidegate: error: stride must be a whole number of at least 1; got 0\n"


def test_scores_for_people(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    result = cli("evaluate", model_file, write(lines(20)))
    assert result.code == 0
    assert result.err == "tidegate: 12 windows of 3 steps, 1 series\n"
    assert [word for word in ("MASE", "Tidegate", "Drift", "best baseline") if word not in result.out] == []


def test_no_complete_window(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    result = cli("evaluate", model_file, write(lines(8)))
    assert (result.code, result.out) == (2, "")
    assert "series 'north' has 8 rows, at least 9 are needed (context 6 + horizon 3)" in result.err
