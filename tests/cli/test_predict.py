"""``tidegate predict`` on newer rows."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.forecast import Forecaster

Lines = Callable[..., list[str]]


def test_the_forecast_goes_to_standard_output(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    csv = write(lines(10, series=("north", "south"), first=41))
    result = cli("predict", model_file, csv)
    assert (result.code, result.err) == (0, "")
    frame = pd.read_csv(io.StringIO(result.out))
    assert list(frame.columns) == ["store", "date", "units_hat"]
    assert frame["date"].tolist() == ["2024-02-21", "2024-02-22", "2024-02-23"] * 2
    table = pd.read_csv(csv, parse_dates=["date"])
    expected = Forecaster.load(model_file).predict(table)
    np.testing.assert_allclose(frame["units_hat"], expected["units_hat"], rtol=1e-9)


def test_or_to_a_file_made_with_its_folder(
    cli: Any, model_file: Path, lines: Lines, write: Any, tmp_path: Path
) -> None:
    csv = write(lines(10))
    out = tmp_path / "new" / "forecast.csv"
    result = cli("predict", model_file, csv, "--out", out)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"tidegate: 3 rows written to {out}\n"
    assert out.read_text() == cli("predict", model_file, csv).out


def test_a_series_never_seen_is_served(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    result = cli("predict", model_file, write(lines(10, series=("atlantis",))))
    frame = pd.read_csv(io.StringIO(result.out))
    assert frame["store"].tolist() == ["atlantis"] * 3
    assert np.isfinite(frame["units_hat"]).all()


def test_extra_columns_are_ignored(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    plain = lines(10)
    wide = [f"{line},{'note' if place == 0 else 'x'}" for place, line in enumerate(plain)]
    assert cli("predict", model_file, write(wide)).out == cli("predict", model_file, write(plain)).out


def test_missing_values_are_told(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    table = lines(10)
    table[4] = "north,2024-01-05,"
    result = cli("predict", model_file, write(table))
    assert result.code == 0
    assert (
        result.err
        == "tidegate: column 'units': 1 missing value masked in 1 series; the first in series 'north', line 5\n"
    )
    assert cli("predict", model_file, write(table), "--quiet").err == ""


def test_short_series_are_refused_or_left_out(cli: Any, model_file: Path, lines: Lines, write: Any) -> None:
    csv = write(lines(10) + lines(1, series=("west",))[1:])
    result = cli("predict", model_file, csv)
    assert (result.code, result.out) == (2, "")
    assert "series 'west' has 1 row" in result.err
    result = cli("predict", model_file, csv, "--skip-short")
    assert set(pd.read_csv(io.StringIO(result.out))["store"]) == {"north"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("units", "sold", "the target column 'units' is not in the table"),
        ("date", "day", "the time column 'date' is not in the table"),
        ("store", "shop", "the id column 'store' is not in the table"),
    ],
)
def test_renamed_columns_are_refused(
    old: str, new: str, said: str, cli: Any, model_file: Path, lines: Lines, write: Any
) -> None:
    result = cli("predict", model_file, write([line.replace(old, new) for line in lines(10)]))
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_another_frequency_is_refused(cli: Any, model_file: Path, write: Any) -> None:
    result = cli("predict", model_file, write(["store,date,units", *(f"a,2024-01-01T{h:02}:00,1" for h in range(20))]))
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "frequency" in result.err or "grid" in result.err


def test_a_place_that_cannot_be_written(cli: Any, model_file: Path, lines: Lines, write: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = cli("predict", model_file, write(lines(10)), "--out", tmp_path / "file" / "forecast.csv")
    assert result.code == 2
    assert result.err.startswith("tidegate: error: cannot write ")


def test_a_full_disk_behind_standard_output_and_a_closed_pipe(model_file: Path, lines: Lines, write: Any) -> None:
    arguments = [sys.executable, "-m", "tidegate", "predict", str(model_file), str(write(lines(10)))]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "tidegate: error: No space left on device\n")
    read, write_end = os.pipe()
    os.close(read)
    done = subprocess.run(arguments, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")
