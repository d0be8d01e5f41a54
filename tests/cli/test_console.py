from __future__ import annotations

import json
import math

import pytest

from tidegate.cli.console import Console, strict_json


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    Console().json({"scores": {"a": [math.nan, math.inf, 1.5]}, "ü": None})
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=pytest.fail) == {"scores": {"a": [None, None, 1.5]}, "ü": None}
    assert "ü" in out


def test_json_refuses_what_it_cannot_say() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        strict_json({"a": object()})


def test_remarks_go_to_standard_error_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Console().remark("reading")
    Console(quiet=True).remark("silence")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "tidegate: reading\n")


def test_no_progress_where_nobody_watches() -> None:
    assert Console().progress() == []
    assert Console(quiet=True).progress() == []


def test_tables_are_plain_text_with_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table([["", "MAE"], ["[bold]x[/bold]", "1.5"], ["a long name " * 8, "2"]])
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out
    assert len([line for line in out.splitlines() if line.strip()]) == 4
    assert "\x1b" not in out


def test_eight_metrics_fit_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = ["-0.5941", "98.76", "17.41", "15.28", "-0.594", "2.4685", "2.9052", "2.0421"]
    Console().table([["", "MAE", "RMSE", "MAPE", "sMAPE", "R2", "MASE", "RMSSE", "OWA"], ["Seasonal naive", *numbers]])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
