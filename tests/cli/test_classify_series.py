"""Whole series on the command line: the job, its files, what it refuses; ``predict`` and ``evaluate``."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.classify import SequenceClassifier, SequenceRegressor
from tidegate.cli.classifier_flags import ClassifierFlags
from tidegate.cli.classify_series import FILES, SeriesFlags, SeriesJob
from tidegate.cli.console import Console
from tidegate.data import read_ts
from tidegate.errors import DataError, FileFormatError, SpecError, TidegateError

QUICK = ClassifierFlags(max_steps=4, hidden_size=2, device="cpu")
QUIET = Console(quiet=True)


def ts_file(path: Path, *, number: int = 20, regress: bool = False, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    lines = ["@targetLabel true" if regress else "@classLabel true ebb flow", "@data"]
    for index in range(number):
        values = rng.normal(size=5 + index % 2) + 3 * (index % 2)
        said = f"{values.mean():.4f}" if regress else ("ebb", "flow")[index % 2]
        lines.append(",".join(f"{value:.4f}" for value in values) + f":{said}")
    path.write_text("\n".join(lines) + "\n")
    return path


def csv_file(path: Path, *, number: int = 20) -> Path:
    rng = np.random.default_rng(0)
    lines = ["gauge,hour,level,wind,tide"]
    for index in range(number):
        for hour in range(5):
            level, wind = rng.normal(size=2) + 3 * (index % 2)
            lines.append(f"g{index},{hour},{level:.4f},{wind:.4f},{('ebb', 'flow')[index % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def answers(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "predictions.csv").read_text())))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Give the folder of a run with a test file, and its summary."""
    folder = tmp_path_factory.mktemp("series")
    train, test = ts_file(folder / "tides_TRAIN.ts"), ts_file(folder / "tides_TEST.ts", number=6, seed=1)
    job = SeriesJob(path=train, test=test, out=folder / "run", flags=QUICK)
    return folder, job.run(QUIET)


def test_four_files_that_belong_together(run: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = run
    assert sorted(path.name for path in (folder / "run").iterdir()) == sorted(FILES.values())
    assert summary.pop("files") == {name: str(folder / "run" / file) for name, file in FILES.items()}
    assert json.loads((folder / "run" / "scores.json").read_text()) == summary
    assert (summary["kind"], summary["series"], summary["held_out"]) == ("sequence_classifier", 20, 6)
    assert list(summary["scores"]) == ["tidegate", "majority", "nearest"]
    assert summary["scores"]["majority"]["accuracy"] == 0.5
    assert summary["scores"]["nearest"]["accuracy"] == 1.0
    assert summary["training"]["steps"] == 4
    model = SequenceClassifier.load(folder / "run" / "model.safetensors")
    rows = answers(folder / "run")
    assert [row["true"] for row in rows] == ["ebb", "flow"] * 3
    assert list(rows[0]) == ["series", "true", "predicted", "p_ebb", "p_flow"]
    right = np.mean([row["true"] == row["predicted"] for row in rows])
    assert summary["scores"]["tidegate"]["accuracy"] == pytest.approx(right)
    assert model.classes_.tolist() == ["ebb", "flow"]
    report = (folder / "run" / "report.html").read_text()
    assert "Nearest neighbour" in report
    assert "<h1>tides_TRAIN.ts</h1>" in report


def test_predict_and_evaluate_take_the_model(run: tuple[Path, dict[str, Any]], cli: Any) -> None:
    folder, summary = run
    model, test = folder / "run" / "model.safetensors", folder / "tides_TEST.ts"
    result = cli("predict", model, test)
    assert (result.code, result.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert list(rows[0]) == ["series", "predicted", "p_ebb", "p_flow"]
    with_truth = answers(folder / "run")
    assert [row["p_ebb"] for row in rows] == [row["p_ebb"] for row in with_truth]
    result = cli("evaluate", model, test, "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert (found["kind"], found["series"]) == ("sequence_classifier", 6)
    assert found["scores"]["tidegate"] == summary["scores"]["tidegate"]


def test_a_share_is_held_out_where_there_is_no_test_file(tmp_path: Path) -> None:
    job = SeriesJob(path=ts_file(tmp_path / "tides.ts"), out=tmp_path / "run", holdout=0.3, flags=QUICK)
    summary = job.run(QUIET)
    assert (summary["series"], summary["held_out"]) == (20, 6)
    rows = answers(tmp_path / "run")
    assert sorted(row["true"] for row in rows) == ["ebb"] * 3 + ["flow"] * 3


def test_numbers_are_regressed(tmp_path: Path, cli: Any) -> None:
    path = ts_file(tmp_path / "tides.ts", regress=True)
    summary = SeriesJob(path=path, out=tmp_path / "run", flags=QUICK).run(QUIET)
    assert summary["kind"] == "sequence_regressor"
    assert list(summary["scores"]) == ["tidegate", "mean", "nearest"]
    assert set(summary["scores"]["mean"]) == {"examples", "R2", "MAE", "RMSE"}
    assert "Predicted against true" in (tmp_path / "run" / "report.html").read_text()
    model = tmp_path / "run" / "model.safetensors"
    result = cli("predict", model, path)
    rows = list(csv.DictReader(io.StringIO(result.out)))
    expected = SequenceRegressor.load(model).predict(read_ts(path))
    np.testing.assert_allclose([float(row["predicted"]) for row in rows], expected)
    found = json.loads(cli("evaluate", model, path, "--json").out)
    assert found["scores"]["tidegate"]["examples"] == 20


def test_a_table_and_its_names_come_back(tmp_path: Path, cli: Any) -> None:
    path = csv_file(tmp_path / "tides.csv")
    flags = SeriesFlags(id="gauge", time="hour", channel=["wind"])
    summary = SeriesJob(path=path, out=tmp_path / "run", label="tide", flags=QUICK, series=flags).run(QUIET)
    assert summary["channels"] == ["wind"]
    model = tmp_path / "run" / "model.safetensors"
    unlabelled = tmp_path / "new.csv"
    unlabelled.write_text("gauge,hour,wind\ng1,0,3\ng1,1,4\n")
    result = cli("predict", model, unlabelled)
    assert (result.code, result.out.splitlines()[0]) == (0, "series,predicted,p_ebb,p_flow")
    assert result.out.splitlines()[1].startswith("g1,")
    assert json.loads(cli("evaluate", model, path, "--json").out)["series"] == 20


def test_options_reach_the_model(tmp_path: Path) -> None:
    flags = ClassifierFlags(
        cell="gru", hidden_size=3, layers=2, pooling="max", dropout=0.1, class_weight="balanced", calibration=0.2,
        members=2, max_steps=3, batch_size=4, learning_rate=0.01, seed=7, device="cpu",
    )  # fmt: skip
    series = SeriesFlags(scaling="none", augment=True)
    SeriesJob(path=ts_file(tmp_path / "tides.ts"), out=tmp_path / "run", flags=flags, series=series).run(QUIET)
    model = SequenceClassifier.load(tmp_path / "run" / "model.safetensors")
    recurrent = model.network.branches[0]  # type: ignore[union-attr]
    assert (recurrent.cell, recurrent.hidden_size, recurrent.num_layers) == ("gru", 3, 2)  # type: ignore[union-attr]
    assert (model.pooling, model.dropout, model.class_weight, model.calibration) == ("max", 0.1, "balanced", 0.2)
    assert (model.members, model.training.max_steps, model.training.batch_size) == (2, 3, 4)
    assert (model.training.learning_rate, model.seed, model.scaling) == (0.01, 7, None)
    assert model.augmentation is not None


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (FileFormatError, "@classLabel true a b\n@data\n1,2:c\n", "line 3: the class 'c' is not among those of @class"),
        (DataError, "@classLabel true a b\n@data\n1,2:a\n2,3:a\n", "expected labels of two classes at least, or there"),
        (DataError, "@classLabel true a b\n@data\n1,inf:a\n", "line 3: value 2 is infinite; correct it, or write ? if"),
        (
            DataError,
            "@data\n1,2\n",
            "says of no series what it is; expected '@classLabel true …' or '@targetLabel true'",
        ),
        (DataError, "@classLabel true a b\n@data\n?,?:a\n1,2:b\n", "series 0 has no value at all, all are missing; "),
    ],
)
def test_bad_files_leave_nothing_behind(tmp_path: Path, kind: type[TidegateError], content: str, message: str) -> None:
    path = tmp_path / "tides.ts"
    path.write_text(content)
    with pytest.raises(kind, match=re.escape(message)):
        SeriesJob(path=path, test=ts_file(tmp_path / "test.ts"), out=tmp_path / "run", flags=QUICK).run(QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "tides.csv"}, "a table of series needs --label, the column that says what a series is"),
        ({"label": "tide"}, "--label names a column of a table, and 'tides.ts' has none; leave it out"),
        (
            {"series": SeriesFlags(channel=["level"])},
            "--channel names a column of a table, and 'tides.ts' has none; leave it out",
        ),
        ({"holdout": 0}, "--holdout must be more than 0; got 0"),
        ({"holdout": 1}, "--holdout must be a probability, 0 ≤ --holdout < 1; got 1"),
    ],
)
def test_jobs_that_cannot_be(options: dict[str, Any], message: str) -> None:
    given = {"path": "tides.ts", **options}
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        SeriesJob(**{**given, "path": Path(given["path"])}, out=Path("run"))


def test_options_of_classes_and_numbers(tmp_path: Path) -> None:
    path = ts_file(tmp_path / "tides.ts", regress=True)
    flags = ClassifierFlags(class_weight="balanced")
    with pytest.raises(SpecError, match=r"^--class-weight is about classes; these series have numbers: leave it out$"):
        SeriesJob(path=path, out=tmp_path / "run", flags=flags).run(QUIET)


def test_a_model_of_a_ts_file_knows_no_columns(run: tuple[Path, dict[str, Any]], cli: Any, tmp_path: Path) -> None:
    table = csv_file(tmp_path / "tides.csv")
    result = cli("predict", run[0] / "run" / "model.safetensors", table)
    assert (result.code, result.out) == (2, "")
    assert result.errors == [
        "tidegate: error: this model was trained on series of a .ts file or of arrays, and knows no columns; "
        f"{str(table)!r} is a table: give a .ts file"
    ]


def test_a_class_that_training_never_saw(run: tuple[Path, dict[str, Any]], cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.ts"
    path.write_text("@classLabel true ebb slack\n@data\n1,2:ebb\n1,2:slack\n")
    result = cli("evaluate", run[0] / "run" / "model.safetensors", path)
    assert (result.code, result.out) == (2, "")
    assert result.errors == [
        f"tidegate: error: {str(path)!r}: the class 'slack' of series 1 was not seen in training; known: 'ebb', 'flow'"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("@data\n1,2\n", "says of no series what it is; expected '@classLabel true …' or '@targetLabel true'"),
        (
            "@classLabel true ebb\n@data\n1,2:3,4:ebb\n",
            "has series of 2 channel(s), those of the training have 1; give the same channels",
        ),
        ("@targetLabel true\n@data\n1,2:3\n", "gives numbers for its series, the training has classes; give classes"),
    ],
)
def test_series_to_score_on_that_are_of_another_kind(
    run: tuple[Path, dict[str, Any]], cli: Any, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "other.ts"
    path.write_text(content)
    result = cli("evaluate", run[0] / "run" / "model.safetensors", path)
    assert (result.code, result.out) == (2, "")
    assert result.errors == [f"tidegate: error: {str(path)!r} {message}"]
    job = SeriesJob(path=run[0] / "tides_TRAIN.ts", test=path, out=tmp_path / "run", flags=QUICK)
    with pytest.raises(DataError, match=f"{re.escape(message)}$"):
        job.run(QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,0,inf,x"], "column 'v', line 2: expected a finite number, got inf; leave the cell empty if the value is "),
        (
            ["a,0,1,x", "a,1,2,y"],
            "column 'tide': a static covariate has one value a series, but series 'a' has 'x' (line",
        ),
        (["a,0,1,x", "a,1,2,x", "b,0,1,", "b,1,2,"], "column 'tide': the label of series 'b' is missing"),
        (["a,0,1,x", "a,1,2,x", "b,0,,y", "b,1,,y"], "series 'b' has no value at all in 'v'; leave such series out"),
        (
            ["a,0,1,x", "a,1,2,x"],
            "expected labels of two classes at least, or there is nothing to tell apart; got only",
        ),
        (
            ["a,0,1,x", "a,0,2,x"],
            "column 't': series 'a' has the time stamp 0 twice (line 2 and line 3); keep one of the",
        ),
        (["a,0,1"], "line 2: expected 4 fields (unique_id, t, v, tide), got 3"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, cli: Any, rows: list[str], message: str) -> None:
    path = tmp_path / "tides.csv"
    path.write_text("\n".join(["unique_id,t,v,tide", *rows]) + "\n")
    columns = ("--time", "t", "--label", "tide", "--channel", "v")
    result = cli("classify", path, *columns, "--out", tmp_path / "run", "--max-steps", 2)
    assert (result.code, result.out, len(result.errors)) == (2, "", 1)
    assert message in result.errors[0]
    assert not (tmp_path / "run").exists()


def test_a_class_of_the_test_file_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SequenceClassifier, "fit", lambda *_, **__: pytest.fail("trained before the file was checked"))
    test = tmp_path / "test.ts"
    test.write_text("@classLabel true slack\n@data\n1,2:slack\n")
    with pytest.raises(DataError, match=r"'slack' of series 0 was not seen in training; known: 'ebb', 'flow'$"):
        SeriesJob(path=ts_file(tmp_path / "tides.ts"), test=test, out=tmp_path / "run", flags=QUICK).run(QUIET)
    assert not (tmp_path / "run").exists()


def test_predict_refuses_other_channels(run: tuple[Path, dict[str, Any]], cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.ts"
    path.write_text("@data\n1,2:3,4\n")
    result = cli("predict", run[0] / "run" / "model.safetensors", path)
    assert (result.code, result.out) == (2, "")
    assert result.errors == [
        f"tidegate: error: {str(path)!r} has series of 2 channel(s), those of the training have 1; "
        "give the same channels"
    ]


def test_a_bad_series_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    """Not by its place among those that were not held out."""
    path = ts_file(tmp_path / "tides.ts")
    with path.open("a") as stream:
        stream.write("?,?:ebb\n")
    with pytest.raises(DataError, match=r"^series 20 has no value at all, all are missing; leave it out$"):
        SeriesJob(path=path, out=tmp_path / "run", flags=QUICK).run(QUIET)


# ------------------------------------------------------------------------------------------- the command as a whole


def test_the_command(tmp_path: Path, cli: Any) -> None:
    path, test = ts_file(tmp_path / "train.ts"), ts_file(tmp_path / "test.ts", number=6, seed=1)
    quick = ("--max-steps", 4, "--hidden-size", 2, "--device", "cpu", "--quiet")
    result = cli("classify", path, "--test", test, "--out", tmp_path / "run", *quick, "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["held_out"] == 6
    result = cli("classify", path, "--test", test, "--out", tmp_path / "run", *quick)
    assert (result.code, result.err) == (0, "")
    assert "Nearest neighbour" in result.out
    assert str(tmp_path / "run" / "predictions.csv") in result.out
    table = csv_file(tmp_path / "tides.csv")
    columns = ("--id", "gauge", "--time", "hour", "--label", "tide", "--channel", "level", "--channel", "wind")
    result = cli("classify", table, *columns, "--out", tmp_path / "table", *quick, "--json")
    assert (result.code, json.loads(result.out)["channels"]) == (0, ["level", "wind"])


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (
            "@seriesLength 3\n@classLabel true a b\n@data\n1,2:a\n",
            (),
            "'tides.ts', line 4: 2 steps, where @seriesLength says 3",
        ),
        ("@classLabel true a b\n@data\n:a\n", (), "'tides.ts', line 3: a series of length 0; leave it out"),
        (
            "@classLabel true a b\n@data\n1:a\ninf:b\n",
            (),
            "'tides.ts', line 4: value 1 is infinite; correct it, or write ? if it is missing",
        ),
        (
            "@classLabel true a b\n@data\n1:a\n2:a\n",
            (),
            "expected labels of two classes at least, or there is nothing to tell apart; got only 'a'",
        ),
        (
            "@classLabel true a b\n@data\n1,?:a\n?,?:b\n",
            (),
            "series 1 has no value at all, all are missing; leave it out",
        ),
        ("@data\n1,\xff\n", (), "'tides.ts', line 2: byte 0xff: expected UTF-8 text; save the file as UTF-8"),
        ("@data\n1,\0\n", (), "'tides.ts', line 2: a NUL byte; expected text, this is a binary file"),
        (
            "@classLabel true ebb flow\n@data\n1:ebb\n2:flow\n",
            ("--pooling", "sum"),
            "pooling must be one of 'last', 'mean', 'max', 'mean_max', 'attention'; ",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any, content: str, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tides.ts").write_bytes(content.encode("latin-1"))
    ts_file(Path("test.ts"))
    result = cli("classify", "tides.ts", "--test", "test.ts", "--out", "run", *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.errors) == 1
    assert result.errors[0].startswith(f"tidegate: error: {message}")
    assert not Path("run").exists()
