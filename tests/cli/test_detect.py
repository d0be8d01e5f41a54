"""``tidegate detect``, and ``predict`` and ``evaluate`` on what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.anomaly import AnomalyDetector
from tidegate.specs import Autoencoder, Likelihood, Prediction, Recurrent

FILES = ["events.csv", "model.safetensors", "report.html", "scores.csv", "scores.json"]
TINY = ("--max-steps", 4, "--hidden-size", 4, "--context", 8, "--device", "cpu")


def machine(rows: int = 120) -> pd.DataFrame:
    time = np.arange(rows)
    frame = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=rows, freq="h"), "heat": np.sin(time / 3)})
    frame["pressure"] = 10 + np.cos(time / 4)
    frame["broken"] = ((time >= 80) & (time < 83)).astype(int)
    frame.loc[frame["broken"] == 1, "pressure"] += 9
    return frame


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    machine().to_csv(tmp_path / "machine.csv", index=False)
    return tmp_path / "machine.csv"


def test_five_files_and_a_summary(cli: Any, csv: Path, tmp_path: Path) -> None:
    result = cli("detect", csv, "--labels", "broken", "--out", tmp_path / "run", *TINY, "--json")
    assert result.code == 0, result.err
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES
    summary = json.loads(result.out, parse_constant=pytest.fail)
    assert (summary["rows"], summary["series"], summary["targets"]) == (120, 1, ["heat", "pressure"])
    assert (summary["method"], summary["context"], summary["steps"]) == ("autoencoder", 8, 4)
    assert list(summary["scores"]) == ["tidegate", "random", "deviation"]
    assert summary["scores"]["tidegate"]["event recall"] == 1.0
    assert sorted(Path(path).name for path in summary["files"].values()) == FILES
    kept = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert kept == {name: value for name, value in summary.items() if name != "files"}
    scores = pd.read_csv(tmp_path / "run" / "scores.csv")
    assert list(scores) == ["time", "score", "threshold", "is_anomaly", "heat_share", "pressure_share"]
    assert scores["is_anomaly"].sum() == summary["anomalies"] == 2
    events = pd.read_csv(tmp_path / "run" / "events.csv")
    assert list(events) == ["start", "end", "rows", "peak"]
    assert len(events) == summary["events"]
    model = AnomalyDetector.load(tmp_path / "run" / "model.safetensors")
    assert model.columns_.targets == ("heat", "pressure")
    assert "Anomalies in heat, pressure" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "1 series, 120 rows of heat, pressure, hourly" in result.err


def test_what_is_written_to_a_terminal(cli: Any, csv: Path, tmp_path: Path) -> None:
    result = cli("detect", csv, "--target", "heat", "--out", tmp_path / "run", *TINY, "--quiet")
    assert result.code == 0, result.err
    assert result.err == ""
    lines = result.out.splitlines()
    assert lines[0].endswith(" of 120 rows")
    assert [line.split()[0] for line in lines[1:]] == ["scores", "events", "model", "report", "summary"]


def test_options_reach_the_detector(cli: Any, csv: Path, tmp_path: Path) -> None:
    options = ("--method", "prediction", "--horizon", 2, "--threshold", "dynamic", "--likelihood", "--scaling", "none")
    more = ("--members", 2, "--cell", "gru", "--layers", 2, "--epochs", 1, "--batch-size", 64, "--learning-rate", 0.01)
    rest = ("--train-rows", 70, "--causal", "--gap", 2, "--transform", "identity", "--seed", 3, "--target", "pressure")
    result = cli("detect", csv, "--out", tmp_path / "run", *TINY, *options, *more, *rest)
    assert result.code == 0, result.err
    assert "training on the first 70 rows" in result.err
    model = AnomalyDetector.load(tmp_path / "run" / "model.safetensors")
    assert model.method == Prediction(horizon=2)
    assert (model.threshold, model.likelihood, model.scaling.method) == ("dynamic", Likelihood(), "none")
    assert model.network == Recurrent(cell="gru", num_layers=2, hidden_size=4)
    assert (model.members, model.seed) == (2, 3)
    frame = machine()[["time", "pressure"]]
    scores = pd.read_csv(tmp_path / "run" / "scores.csv")
    np.testing.assert_allclose(scores["score"], model.predict(frame, causal=True)["score"], rtol=1e-6)


def test_a_bottleneck(cli: Any, csv: Path, tmp_path: Path) -> None:
    result = cli("detect", csv, "--out", tmp_path / "run", *TINY, "--bottleneck", 2, "--threshold", 0.2)
    assert result.code == 0, result.err
    model = AnomalyDetector.load(tmp_path / "run" / "model.safetensors")
    assert (model.method, model.threshold) == (Autoencoder(bottleneck=2), 0.2)


def test_predict_and_evaluate(cli: Any, csv: Path, tmp_path: Path) -> None:
    cli("detect", csv, "--labels", "broken", "--out", tmp_path / "run", *TINY)
    model = tmp_path / "run" / "model.safetensors"
    result = cli("predict", model, csv)
    assert result.code == 0, result.err
    assert result.out == (tmp_path / "run" / "scores.csv").read_text(encoding="utf-8")
    result = cli("evaluate", model, csv)
    assert (result.code, len(result.errors)) == (2, 1)
    assert (
        "expected a column of labels, one of label, labels, is_anomaly, anomaly; the columns are time, heat"
        in (result.errors[0])
    )
    machine().rename(columns={"broken": "label"}).to_csv(tmp_path / "labelled.csv", index=False)
    result = cli("evaluate", model, tmp_path / "labelled.csv", "--json")
    assert result.code == 0, result.err
    summary = json.loads(result.out, parse_constant=pytest.fail)
    assert (summary["rows"], summary["anomalous_rows"]) == (120, 3)
    first = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert summary["scores"] == first["scores"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--labels", "nothing"),
            "--labels is 'nothing', which is no column; the columns are time, heat, pressure, broken",
        ),
        (("--labels", "heat"), "labels must be 0 or 1; row 1 has 0.327195"),
        (("--threshold", "otsu"), "threshold must be a rate of contamination, one of 'contamination', 'quantile'"),
        (("--threshold", "0.7"), "the rate of contamination must be above 0 and at most 0.5; got 0.7"),
        (("--horizon", 2), "--horizon is an option of a prediction; give --method prediction with it"),
        (("--bottleneck", 2, "--method", "prediction"), "--bottleneck is an option of an autoencoder; --method is"),
        (("--bottleneck", 2, "--horizon", 2), "--bottleneck is an option of an autoencoder, --horizon of a predict"),
        (("--method", "forest"), "method must be one of 'autoencoder', 'prediction'"),
        (("--train-rows", 500), "--train-rows is 500, and the shortest series has 120 rows"),
        (
            ("--train-rows", 5),
            "the series has 5 rows, at least 8 are needed (a window); give more rows",
        ),
        (("--gap", -1), "--gap must be a whole number of at least 0; got -1"),
        (
            ("--context", 500),
            "the series has 120 rows, at least 500 are needed (a window); give more rows",
        ),
        (("--labels", "broken", "--skip-short"), "--labels scores all rows, and --skip-short leaves some out"),
        (("--target", "volume"), "volume"),
    ],
)
def test_what_cannot_be(cli: Any, csv: Path, tmp_path: Path, options: tuple[Any, ...], message: str) -> None:
    result = cli("detect", csv, "--out", tmp_path / "run", *TINY, *options)
    assert (result.code, len(result.errors)) == (2, 1)
    assert message in result.errors[0]
    assert not (tmp_path / "run").exists()


def test_labels_are_checked_before_the_training(
    cli: Any, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnomalyDetector, "fit", lambda *_, **__: pytest.fail("trained before the labels were checked"))
    machine().assign(broken=0).to_csv(csv, index=False)
    result = cli("detect", csv, "--labels", "broken", "--out", tmp_path / "run", *TINY)
    assert result.code == 2
    assert result.errors == [
        "tidegate: error: no series has both anomalies and rows that are none by its labels; scores would say nothing"
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a line of column names and at least one row"),
        (
            b"time,heat\n1,\xff\n",
            "line 2: byte 0xff at 2: expected UTF-8 text; save the file as CSV with UTF-8 encoding",
        ),
        (b"time,heat\n1,\0\n", "line 2: a NUL byte; expected CSV text, this is a binary file"),
        (b"time,heat,heat\n1,2,3\n", "the table has 2 columns named 'heat'; rename or drop all but one"),
        (
            b"time,heat\n1," + b"x" * 1_000_000 + b"\n",
            "line 2: field larger than field limit (131072); close every quote",
        ),
        (b"time,heat\n1,\n2,\n", "the series has no value at all in 'heat'; leave such series out"),
        (
            b"time,heat\n1,2\n2,-inf\n",
            "column 'heat', line 3: expected a finite number, got -inf; leave the cell empty",
        ),
    ],
)
def test_bytes_that_cannot_be(cli: Any, csv: Path, tmp_path: Path, content: bytes, message: str) -> None:
    good = tmp_path / "run"
    cli("detect", csv, "--target", "heat", "--out", good, *TINY)
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content)
    for arguments in (
        ("detect", bad, "--target", "heat", "--out", tmp_path / "other", *TINY),
        ("predict", good / "model.safetensors", bad),
    ):
        result = cli(*arguments)
        assert (result.code, result.out, len(result.errors)) == (2, "", 1)
        assert message in result.errors[0]
        assert len(result.errors[0]) < 500
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(heat=np.nan), "heat"),
        (lambda frame: frame.assign(heat=frame["heat"].where(frame.index != 3, np.inf)), "line 5"),
        (lambda frame: frame.iloc[:0], "no rows"),
        (lambda frame: frame.iloc[::-1], "line 3"),
    ],
)
def test_files_that_cannot_be(cli: Any, tmp_path: Path, change: Any, message: str) -> None:
    change(machine()).to_csv(tmp_path / "bad.csv", index=False)
    result = cli("detect", tmp_path / "bad.csv", "--target", "heat,pressure", "--out", tmp_path / "run", *TINY)
    assert (result.code, len(result.errors)) == (2, 1)
    assert message in result.errors[0]
    assert not (tmp_path / "run").exists()


def test_short_series_are_left_out_of_the_report_too(cli: Any, tmp_path: Path) -> None:
    long, short = machine().assign(unique_id="long"), machine().iloc[:5].assign(unique_id="short")
    pd.concat([short, long]).to_csv(tmp_path / "both.csv", index=False)
    options = ("--target", "heat,pressure", "--skip-short")
    result = cli("detect", tmp_path / "both.csv", "--out", tmp_path / "run", *TINY, *options)
    assert result.code == 0, result.err
    assert "1 series is left out, shorter than 8 rows (a window); the first is series 'short'" in result.err
    assert len(pd.read_csv(tmp_path / "run" / "scores.csv")) == 120
