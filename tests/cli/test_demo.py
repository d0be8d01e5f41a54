"""``tidegate demo``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd


def test_the_demo_ends_with_a_forecast_its_scores_and_the_report(cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = cli("demo", "--out", out, "--max-steps", 3, "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == f"Open the report in a browser: {out / 'report.html'}"
    for said in ("Tidegate", "Naive", "Seasonal naive", "MASE", "95 %"):
        assert said in result.out
    frame = pd.read_csv(out / "forecast.csv")
    assert frame["ds"].tolist()[::11] == ["1961-01-01", "1961-12-01"]
    scores = json.loads((out / "scores.json").read_text())
    assert (scores["rows"], scores["season"], scores["windows"]) == (144, 12, 3)
    assert [f"y_hat_{end}_{level}" for level in (50, 80, 95) for end in ("lo", "hi")] == list(frame.columns[3:])
    assert list(scores["intervals"]["tidegate"]) == ["50", "80", "95"]
    assert (out / "report.html").stat().st_size > 1_000_000
