"""Intervals and covariates on the command line: ``--levels``, ``--future``, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.cli.ahead import asked_levels
from tidegate.errors import SpecError
from tidegate.forecast import Forecaster
from tidegate.specs import Uncertainty

COLUMNS = ("--time", "date", "--target", "units", "--id", "store")
COVARIATES = ("--known", "price", "--past", "rain", "--static", "kind", "--weight", "w", "--calendar", "weekday")
ROWS = 40


def priced(first: int, rows: int, *, series: tuple[str, ...] = ("north", "south")) -> pd.DataFrame:
    """Give days of each series from ``first`` on, with covariates; units follow the price."""
    steps = np.arange(first, first + rows)
    price = 5 + np.sin(steps / 2)
    parts = {
        name: {
            "store": name,
            "date": (pd.Timestamp("2024-01-01") + pd.to_timedelta(steps, "D")).strftime("%Y-%m-%d"),
            "units": 100 * (place + 1) - 10 * price,
            "price": price,
            "rain": steps % 3,
            "kind": "small" if place else "large",
            "w": 1,
        }
        for place, name in enumerate(series)
    }
    return pd.concat([pd.DataFrame(part) for part in parts.values()]).round(4)


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Write a table with covariates, and its future as ``future.csv``; give the table's path."""
    path = tmp_path / "rich.csv"
    priced(0, ROWS).to_csv(path, index=False)
    priced(ROWS, 3)[["store", "date", "price"]].to_csv(tmp_path / "future.csv", index=False)
    return path


@pytest.fixture(scope="module")
def with_intervals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a model with known covariates and a Gaussian head."""
    from tidegate.data import read_frame
    from tidegate.specs import Columns, Recurrent, Training

    columns = Columns(id="store", time="date", targets=("units",), known=("price",))
    frame = priced(0, ROWS).assign(date=lambda table: pd.to_datetime(table["date"]))
    model = Forecaster(
        horizon=3,
        context=6,
        season=1,
        network=Recurrent(hidden_size=4),
        training=Training(max_steps=4),
        uncertainty=Uncertainty(head="gaussian"),
        columns=columns,
        device="cpu",
    )
    path = tmp_path_factory.mktemp("intervals") / "model.safetensors"
    model.fit(read_frame(frame, columns)).save(path)
    return path


def forecast(cli: Any, csv: Path, tiny: tuple[str, ...], *options: object) -> Any:
    return cli("forecast", csv, *COLUMNS, "--horizon", 3, "--out", csv.parent / "run", *tiny, *options)


# ------------------------------------------------------------------------------------------------------ intervals


def test_intervals_reach_all_four_files_and_the_terminal(cli: Any, rich: Path, tiny: tuple[str, ...]) -> None:
    result = forecast(cli, rich, tiny, "--head", "quantiles", "--levels", "80, 50")
    assert result.code == 0
    folder = rich.parent / "run"
    frame = pd.read_csv(folder / "forecast.csv")
    ends = ["units_hat_lo_50", "units_hat_hi_50", "units_hat_lo_80", "units_hat_hi_80"]
    assert list(frame.columns) == ["store", "date", "units_hat", *ends]
    low_80, low_50, hat, high_50, high_80 = (
        frame[f"units_hat{end}"] for end in ("_lo_80", "_lo_50", "", "_hi_50", "_hi_80")
    )
    assert (low_80 <= low_50).all()
    assert (low_50 <= hat).all()
    assert (hat <= high_50).all()
    assert (high_50 <= high_80).all()
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    assert scores["levels"] == [50, 80]
    assert list(scores["scores"]["tidegate"])[-2:] == ["pinball", "CRPS"]
    assert "CRPS" not in scores["scores"]["naive"]
    assert list(scores["intervals"]) == ["tidegate"]
    assert {level: list(values) for level, values in scores["intervals"]["tidegate"].items()} == {
        level: ["coverage", "width", "MSIS"] for level in ("50", "80")
    }
    assert 'data-chart="calibration"' in (folder / "report.html").read_text("utf-8")
    model = Forecaster.load(folder / "model.safetensors")
    assert model.uncertainty.head == "quantiles"
    assert "coverage, %  mean width" in result.out
    assert "CRPS" in result.out
    tables = [line for line in result.out.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 80
    assert "these forecasts are points" not in result.err


def test_without_a_word_a_model_has_the_intervals_that_it_can_have(cli: Any, rich: Path, tiny: tuple[str, ...]) -> None:
    assert forecast(cli, rich, tiny, "--calibration", "6").code == 0
    scores = json.loads((rich.parent / "run" / "scores.json").read_text("utf-8"))
    assert scores["levels"] == [80, 95]
    result = forecast(cli, rich, tiny)
    remark = "tidegate: these forecasts are points; --head quantiles or --calibration 0.1 gives intervals as well"
    assert (result.code, result.err.splitlines()[-1]) == (0, remark)
    scores = json.loads((rich.parent / "run" / "scores.json").read_text("utf-8"))
    assert (scores["levels"], scores["intervals"]) == ([], {})
    assert list(pd.read_csv(rich.parent / "run" / "forecast.csv").columns) == ["store", "date", "units_hat"]


@pytest.mark.parametrize(
    ("text", "head", "levels"),
    [
        (None, "point", ()),
        (None, "gaussian", (80.0, 95.0)),
        ("95,80,80", "student_t", (80.0, 95.0)),
        ("", "quantiles", ()),
        ("99.5", "quantiles", (99.5,)),
    ],
)
def test_levels_that_are_asked_for(text: str | None, head: str, levels: tuple[float, ...]) -> None:
    assert asked_levels(text, Forecaster(horizon=3, uncertainty=Uncertainty(head=head))) == levels


@pytest.mark.parametrize(
    ("text", "head", "said"),
    [
        ("120", "gaussian", "levels are in per cent, more than 0 and less than 100, such as 80; got 120.0"),
        ("0", "gaussian", "levels are in per cent, more than 0 and less than 100, such as 80; got 0.0"),
        ("nan", "gaussian", "a level must be a finite number; got nan"),
        ("80;95", "gaussian", "--levels are numbers with commas between, such as 80,95; got '80;95'"),
        (
            "80",
            "point",
            "--levels 80 asks for intervals, and this model gives points alone; train it with --head quantiles, or "
            "keep rows apart with --calibration 0.1",
        ),
    ],
)
def test_levels_that_cannot_be(text: str, head: str, said: str) -> None:
    with pytest.raises(SpecError) as refusal:
        asked_levels(text, Forecaster(horizon=3, uncertainty=Uncertainty(head=head)))
    assert str(refusal.value) == said


# ----------------------------------------------------------------------------------------------------- covariates


def test_covariates_and_their_future_reach_the_forecast(cli: Any, rich: Path, tiny: tuple[str, ...]) -> None:
    future = rich.parent / "future.csv"
    result = forecast(cli, rich, tiny, *COVARIATES, "--fourier", 1, "--season", 4, "--future", future)
    assert result.code == 0, result.err
    model = Forecaster.load(rich.parent / "run" / "model.safetensors")
    columns = model.columns_
    assert (columns.known, columns.past, columns.static, columns.weight) == (("price",), ("rain",), ("kind",), "w")
    assert (columns.calendar, columns.fourier) == (("weekday",), 1)
    frame = pd.read_csv(rich.parent / "run" / "forecast.csv")
    table = pd.read_csv(rich, parse_dates=["date"])
    expected = model.predict(table, future=pd.read_csv(future, parse_dates=["date"]))
    np.testing.assert_allclose(frame["units_hat"], expected["units_hat"], rtol=1e-9)
    report = (rich.parent / "run" / "report.html").read_text("utf-8")
    assert "<h3>Covariates</h3>" in report


def test_a_newer_future_serves_the_saved_model(cli: Any, with_intervals: Path, tmp_path: Path) -> None:
    csv, future = tmp_path / "newer.csv", tmp_path / "future.csv"
    priced(5, ROWS, series=("north", "atlantis")).to_csv(csv, index=False)
    ahead = priced(ROWS + 5, 5, series=("atlantis", "north"))  # more steps than are needed, with the target, disordered
    ahead.to_csv(future, index=False)
    result = cli("predict", with_intervals, csv, "--future", future, "--levels", "90")
    assert (result.code, result.err) == (0, "")
    frame = pd.read_csv(io.StringIO(result.out))
    assert list(frame.columns) == ["store", "date", "units_hat", "units_hat_lo_90", "units_hat_hi_90"]
    expected = Forecaster.load(with_intervals).predict(
        pd.read_csv(csv, parse_dates=["date"]),
        future=ahead.drop(columns="units").assign(date=pd.to_datetime(ahead["date"])),
        levels=[90],
    )
    np.testing.assert_allclose(frame.iloc[:, 2:], expected.iloc[:, 2:], rtol=1e-9)


def test_short_series_may_be_missing_from_the_future(cli: Any, with_intervals: Path, tmp_path: Path) -> None:
    csv, future = tmp_path / "newer.csv", tmp_path / "future.csv"
    short = priced(ROWS - 1, 1, series=("west",))
    pd.concat([priced(0, ROWS, series=("north",)), short]).to_csv(csv, index=False)
    both = pd.concat([priced(ROWS, 3, series=("north",)), priced(ROWS, 1, series=("west",))])
    both.to_csv(future, index=False)
    result = cli("predict", with_intervals, csv, "--future", future, "--skip-short")
    assert (result.code, result.err) == (0, "")
    assert set(pd.read_csv(io.StringIO(result.out))["store"]) == {"north"}


def test_a_recursive_model_goes_on_from_what_has_come_already(cli: Any, rich: Path, tiny: tuple[str, ...]) -> None:
    known = priced(ROWS, 1)[["store", "date", "units"]].assign(units=1000.0)
    known.to_csv(rich.parent / "came.csv", index=False)
    hats = []
    for options in ([], ["--future", rich.parent / "came.csv"]):
        assert forecast(cli, rich, tiny, "--strategy", "recursive", *options).code == 0
        hats.append(pd.read_csv(rich.parent / "run" / "forecast.csv")["units_hat"].to_numpy().reshape(2, 3))
    plain, given = hats
    assert (np.abs(given - plain)[:, 1:] > 1e-6).all()


def test_an_evaluation_counts_what_the_intervals_hold(cli: Any, with_intervals: Path, tmp_path: Path) -> None:
    csv = tmp_path / "later.csv"
    priced(ROWS, 30).to_csv(csv, index=False)
    result = cli("evaluate", with_intervals, csv, "--levels", "80", "--json")
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert summary["levels"] == [80]
    expected = Forecaster.load(with_intervals).evaluate(pd.read_csv(csv, parse_dates=["date"]), levels=[80])
    assert summary["intervals"] == {"tidegate": {"80": expected.intervals["tidegate"][80.0]}}
    assert "CRPS" in summary["scores"]["tidegate"]
    result = cli("evaluate", with_intervals, csv)
    assert [level for level in ("80 %", "95 %") if level not in result.out] == []


# -------------------------------------------------------------------------------------------------------- refused


REFUSED = {
    "--known prize": "the known column 'prize' is not in the table",
    "--past snow": "the past column 'snow' is not in the table",
    "--static rain": "column 'rain'",
    "--weight mass": "the weight column 'mass' is not in the table",
    "--known price,kind": "column 'kind'",
    "--known price --past price": "'price' is named twice, in past and known",
    "--calendar hour": "calendar names 'hour', which says nothing at the frequency 'D'; leave it out",
    "--calendar noon": "calendar must be one of 'minute', 'hour'",
    "--fourier -1": "fourier must be a whole number of at least 0; got -1",
    "--known price": "the known covariate 'price' must be given for the 3 steps after the end of each series, for "
    "series 'north' from 2024-02-10 on; give --future with those rows",
    "--known price --future gaps.csv": "the known covariate 'price' is needed for the 3 steps after the end of each "
    "series, but is missing for series 'south' at 2024-02-12; give --future with that row",
    "--known price --future absent.csv": "no CSV file at",
    "--known price --future rich.csv": "the known covariate 'price' is needed",
    "--future future.csv": "--future 'future.csv' tells what is known of the steps to forecast, and the model reads no "
    "such columns; name them with --known when it is trained",
    "--levels 80": "--levels 80 asks for intervals, and this model gives points alone",
    "--head gaussian --levels 100": "levels are in per cent, more than 0 and less than 100",
    "--calibration much": "--calibration must be a share such as 0.1, or a number of rows such as 48; got 'much'",
    "--calibration 1.5": "--calibration must be a probability",
    "--strategy recursive --highway 3": "--highway is an option of --strategy direct, segments, smoothing",
    "--baselines oracle": "baselines must be one of 'naive', 'seasonal_naive', 'drift', 'naive2', 'auto_ets'",
    "--baselines ,": "--baselines needs one name at least",
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("options", REFUSED)
def test_what_cannot_be_is_refused_before_the_training(
    options: str, cli: Any, rich: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rich.parent)
    priced(ROWS, 3)[["store", "date", "price"]].iloc[:-1].to_csv("gaps.csv", index=False)
    result = forecast(cli, rich, tiny, *options.split())
    assert (result.code, result.out) == (2, "")
    assert len(result.errors) == 1, result.err
    assert result.err.splitlines()[-1] == result.errors[0]
    assert REFUSED[options] in result.errors[0]
    assert not (rich.parent / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give --future with those rows"),
        (("--future", "absent.csv"), "no CSV file at"),
        (("--future", "future.csv", "--levels", "0"), "levels are in per cent"),
    ],
)
def test_a_prediction_that_cannot_be_leaves_nothing(
    options: tuple[str, ...],
    said: str,
    cli: Any,
    with_intervals: Path,
    rich: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(rich.parent)
    result = cli("predict", with_intervals, rich, "--out", "hats.csv", *options)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert not Path("hats.csv").exists()


def test_intervals_asked_of_a_saved_model_of_points(
    cli: Any, model_file: Path, lines: Callable[..., list[str]], write: Any
) -> None:
    for command in ("predict", "evaluate"):
        result = cli(command, model_file, write(lines(20)), "--levels", "80")
        assert (result.code, result.out) == (2, "")
        assert "this model gives points alone; train it with --head quantiles" in result.err
