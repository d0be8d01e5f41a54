"""``tidegate forecast`` on tables that it serves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.cli import forecast as command
from tidegate.forecast import Forecaster

Lines = Callable[..., list[str]]
COLUMNS = ("--time", "date", "--target", "units", "--id", "store")
FILES = ["forecast.csv", "model.safetensors", "report.html", "scores.json"]


@pytest.fixture
def served(cli: Any, tiny: tuple[str, ...], tmp_path: Path) -> Callable[..., Any]:
    """Forecast a file, check that all went well, and give the summary and what was said on standard error."""

    def serve(csv: Path, *options: str, columns: tuple[str, ...] = COLUMNS) -> tuple[dict[str, Any], str]:
        result = cli("forecast", csv, *columns, "--horizon", 3, "--out", tmp_path / "run", *tiny, "--json", *options)
        assert result.code == 0, result.err
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES
        return json.loads(result.out, parse_constant=pytest.fail), result.err

    return serve


def test_four_files_and_a_summary(served: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    summary, said = served(write(lines(40, series=("north", "south"))))
    assert summary["series"] == 2
    assert summary["rows"] == 80
    assert (summary["targets"], summary["frequency"], summary["horizon"]) == (["units"], "D", 3)
    assert (summary["context"], summary["season"], summary["windows"], summary["steps"]) == (6, 1, 1, 4)
    assert list(summary["scores"]) == ["tidegate", "naive", "seasonal_naive", "drift", "naive2"]
    assert list(summary["scores"]["tidegate"]) == ["MAE", "RMSE", "MAPE", "sMAPE", "R2", "MASE", "RMSSE", "OWA"]
    assert sorted(Path(path).name for path in summary["files"].values()) == FILES
    kept = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert kept == {name: value for name, value in summary.items() if name != "files"}
    assert "2 series, 80 rows of units, daily" in said


def test_the_forecast_has_the_names_and_the_order_of_the_input(
    served: Any, lines: Lines, write: Any, tmp_path: Path
) -> None:
    served(write(lines(40, series=("south", "north"))))
    frame = pd.read_csv(tmp_path / "run" / "forecast.csv")
    assert list(frame.columns) == ["store", "date", "units_hat"]
    assert frame["store"].tolist() == ["south"] * 3 + ["north"] * 3
    assert frame["date"].tolist() == ["2024-02-11", "2024-02-12", "2024-02-13"] * 2
    model = Forecaster.load(tmp_path / "run" / "model.safetensors")
    table = pd.read_csv(tmp_path / "sales.csv", parse_dates=["date"])
    np.testing.assert_allclose(frame["units_hat"], model.predict(table)["units_hat"], rtol=1e-9)


def test_default_names_and_one_series_without_an_id(served: Any, write: Any, tmp_path: Path) -> None:
    table = ["ds,y", *(f"{step},{step % 5}" for step in range(40))]
    summary, said = served(write(table), columns=())
    assert (summary["targets"], summary["frequency"]) == (["y"], 1)
    frame = pd.read_csv(tmp_path / "run" / "forecast.csv")
    assert list(frame.columns) == ["ds", "y_hat"]
    assert frame["ds"].tolist() == [40, 41, 42]
    assert "time column" not in said


def test_a_time_column_that_was_found_is_told(served: Any, lines: Lines, write: Any) -> None:
    _, said = served(write(lines(40)), columns=("--target", "units", "--id", "store"))
    assert "tidegate: the time column is 'date'; name another with --time\n" in said


def test_several_targets(served: Any, write: Any, tmp_path: Path) -> None:
    table = ["date,a,b,note", *(f"2024-01-{day:02},{day},{day * day},x" for day in range(1, 31))]
    summary, _ = served(write(table), columns=("--time", "date", "--target", "a,b"))
    assert summary["targets"] == ["a", "b"]
    assert list(pd.read_csv(tmp_path / "run" / "forecast.csv").columns) == ["date", "a_hat", "b_hat"]


def test_the_same_seed_gives_the_same_bytes(served: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    csv = write(lines(40))
    served(csv)
    first = {name: (tmp_path / "run" / name).read_bytes() for name in FILES}
    served(csv)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in FILES} == first
    served(csv, "--seed", "1")
    assert (tmp_path / "run" / "forecast.csv").read_bytes() != first["forecast.csv"]


def test_missing_values_and_gaps_are_served_and_noted(served: Any, lines: Lines, write: Any) -> None:
    table = lines(40)
    table[5] = "north,2024-01-06,"
    table[7] = "north,2024-01-08,NaN"
    del table[10]
    summary, said = served(write(table))
    assert summary["notes"] == [
        "column 'date': 1 gap filled with 1 missing row in 1 series; the first in series 'north' after 2024-01-10 "
        "(line 10)",
        "column 'units': 2 missing values masked in 1 series; the first in series 'north', line 6",
    ]
    assert all(f"tidegate: {note}\n" in said for note in summary["notes"])


def test_a_constant_series_is_served_as_the_constant(served: Any, write: Any, tmp_path: Path) -> None:
    table = ["store,date,units", *(f"north,2024-01-{day:02},7" for day in range(1, 31))]
    summary, _ = served(write(table))
    assert pd.read_csv(tmp_path / "run" / "forecast.csv")["units_hat"].tolist() == pytest.approx([7] * 3, rel=1e-4)
    assert summary["scores"]["tidegate"]["MASE"] is None


def test_short_series_are_left_out_on_request(served: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    table = lines(40, series=("north", "south")) + lines(1, series=("west",))[1:]
    summary, _ = served(write(table), "--skip-short")
    assert set(pd.read_csv(tmp_path / "run" / "forecast.csv")["store"]) == {"north", "south"}
    assert [note for note in summary["notes"] if "series 'west'" in note and "left out" in note]


def test_unsorted_rows_are_sorted_on_request(served: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    table = lines(40)
    served(write(table))
    straight = (tmp_path / "run" / "forecast.csv").read_bytes()
    served(write([table[0], *reversed(table[1:])]), "--sort")
    assert (tmp_path / "run" / "forecast.csv").read_bytes() == straight


def test_the_hour_that_spring_leaves_out_is_a_gap(served: Any, write: Any) -> None:
    hours = [f"2024-03-{day}T{hour:02}:00" for day in (30, 31) for hour in range(24)]
    hours.remove("2024-03-31T02:00")
    table = ["store,date,units", *(f"north,{hour},{place % 7}" for place, hour in enumerate(hours))]
    summary, _ = served(write(table))
    assert "1 gap filled with 1 missing row" in summary["notes"][0]


def test_time_stamps_in_utc_keep_their_zone(served: Any, write: Any, tmp_path: Path) -> None:
    hours = [f"2024-03-{day}T{hour:02}:00Z" for day in (30, 31) for hour in range(24)]
    served(write(["store,date,units", *(f"north,{hour},{place % 7}" for place, hour in enumerate(hours))]))
    assert pd.read_csv(tmp_path / "run" / "forecast.csv")["date"].tolist()[0] == "2024-04-01 00:00:00+00:00"


def test_hostile_ids_stay_data(served: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    hostile = "</script><b>"
    served(write([line.replace("north", hostile) for line in lines(40)]))
    assert set(pd.read_csv(tmp_path / "run" / "forecast.csv")["store"]) == {hostile}
    assert hostile not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_scores_stand_beside_the_baselines(
    cli: Any, lines: Lines, write: Any, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = cli("forecast", write(lines(40)), *COLUMNS, "--horizon", 3, "--out", out, *tiny, "--quiet")
    assert (result.code, result.err) == (0, "")
    for said in ("MASE", "Tidegate", "Seasonal naive", "Naive2", "best baseline", str(out / "report.html")):
        assert said in result.out


@pytest.mark.parametrize(
    ("rows", "skip_short", "windows"), [(40, False, 3), (13, False, 2), (9, False, 1), (9, True, 3)]
)
def test_short_series_are_held_out_less(rows: int, skip_short: bool, windows: int) -> None:
    from tidegate.cli.job import Job
    from tidegate.data import read_frame

    parts = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(length), "y": np.sin(np.arange(length))})
        for name, length in (("a", rows), ("b", 40), ("c", 40))
    ]
    job = Job(
        table=read_frame(pd.concat(parts)), model=Forecaster(horizon=3), folder=Path("run"), skip_short=skip_short
    )
    assert job._roomy_windows() == windows


def test_the_command_is_documented() -> None:
    assert (command.run.__doc__ or "").startswith("Forecast the series of a CSV file.")


def test_ctrl_c_ends_at_once_and_leaves_nothing(lines: Lines, write: Any, tmp_path: Path) -> None:
    arguments = ["forecast", str(write(lines(300))), *COLUMNS, "--horizon", "3", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "tidegate", *arguments, "--epochs", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "backtest" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "tidegate: interrupted\n"
        assert process.stdout.read() == ""
    assert process.returncode == 130
    assert not (tmp_path / "run").exists()
