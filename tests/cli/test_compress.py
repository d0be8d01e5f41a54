"""``tidegate compress``: what it writes, what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidegate as tg
from tidegate.compress import comparison
from tidegate.estimator.modelfile import inspect_model
from tidegate.kernels.bench import Pace

Run = Callable[..., Any]

FRAME = tg.datasets.airline_passengers()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a model, what it was trained on, and held-out data."""
    folder = tmp_path_factory.mktemp("compress")
    FRAME[:-24].to_csv(folder / "train.csv", index=False)
    FRAME.to_csv(folder / "held_out.csv", index=False)
    network = tg.Recurrent(hidden_size=32)
    model = tg.Forecaster(horizon=3, network=network, training=tg.Training(max_steps=20), device="cpu")
    model.fit(FRAME[:-24]).save(folder / "model.safetensors")
    return folder


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "Pace", lambda: Pace(runs=1, least_seconds=0, pause=0))


def test_int8_is_the_default(cli: Run, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    result = cli("compress", run / "model.safetensors", run / "held_out.csv", "--out", out, "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["written"] is True
    assert found["measure"] == "MASE"
    assert found["after"]["size"] == out.stat().st_size < 0.6 * (run / "model.safetensors").stat().st_size
    assert inspect_model(out).stored.weights == "int8"


def test_a_table_for_people(cli: Run, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    result = cli("compress", run / "model.safetensors", run / "held_out.csv", "--out", out, "--weights", "bfloat16")
    assert result.code == 0
    for word in ("before", "after", "size", "one prediction", "MASE", "% lost", "× as fast"):
        assert word in result.out
    assert f"wrote {out}" in result.err


def test_pruned_and_stored_in_few_bits(cli: Run, run: Path, tmp_path: Path) -> None:
    out, files = tmp_path / "small.safetensors", (run / "model.safetensors", run / "held_out.csv")
    options = ("--prune", "0.5", "--train", run / "train.csv", "--steps", "5", "--weights", "int8", "--force")
    result = cli("compress", *files, "--out", out, *options, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    info = inspect_model(out)
    assert (info.stored.weights, info.params["network"]["hidden_size"]) == ("int8", 16)


def test_a_student(cli: Run, run: Path, tmp_path: Path) -> None:
    out, files = tmp_path / "small.safetensors", (run / "model.safetensors", run / "held_out.csv")
    result = cli("compress", *files, "--out", out, "--student", "8", "--train", run / "train.csv", "--force", "--quiet")
    assert (result.code, result.err) == (0, "")
    info = inspect_model(out)
    assert (info.stored.weights, info.params["network"]["hidden_size"]) == ("float32", 8)


def test_what_loses_too_much_is_not_written(
    cli: Run, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tg.Forecaster, "score", lambda model, _: -1.0 if model.storage_ == "float32" else -1.02)
    out, files = tmp_path / "small.safetensors", (run / "model.safetensors", run / "held_out.csv")
    result = cli("compress", *files, "--out", out)
    assert result.code == 2
    assert "2.00 % lost" in " ".join(result.out.split())
    assert result.errors == [
        "tidegate: error: this compression costs 2.00 % of MASE on the held-out data (1 before, 1.02 after), more than "
        "the 1 % that are allowed; nothing was written: --force writes it, --max-loss allows more"
    ]
    assert not out.exists()
    assert json.loads(cli("compress", *files, "--out", out, "--json").out)["written"] is False
    assert cli("compress", *files, "--out", out, "--max-loss", "0.03").code == 0
    out.unlink()
    assert cli("compress", *files, "--out", out, "--force").code == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--weights", "int4"), "--weights must be one of 'float32', 'bfloat16', 'float16', 'int8'; got 'int4'"),
        (("--max-loss", "-1"), "--max-loss must be at least 0; got -1.0"),
        (("--max-loss", "nan"), "--max-loss must be a finite number; got nan"),
        (("--prune", "0.5"), "--prune trains: give the data of the training with --train"),
        (("--student", "4"), "--student trains: give the data of the training with --train"),
        (("--train", "train.csv"), "--train is for --prune and --student; leave it out, or add one of these"),
        (("--steps", "4"), "--steps are those after --prune; leave it out, or add --prune"),
        (("--prune", "1.5", "--train", "train.csv"), "more than 0 and less than 1; got 1.5"),
        (("--student", "0", "--train", "train.csv"), "--student must be a whole number of at least 1; got 0"),
        (("--prune", "0.5", "--train", "train.csv", "--steps", "0"), "max-steps must be a whole number of at least 1"),
        (("--prune", "0.5", "--train", "absent.csv"), "absent.csv"),
    ],
)
def test_what_is_refused(
    cli: Run, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(run)
    out = tmp_path / "small.safetensors"
    result = cli("compress", "model.safetensors", "held_out.csv", "--out", out, *options)
    assert result.code == 2
    assert len(result.errors) == 1
    assert words in result.errors[0]
    assert not out.exists()


def test_files_that_cannot_be_used(cli: Run, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    assert cli("compress", tmp_path / "absent", run / "held_out.csv", "--out", out).code == 2
    assert cli("compress", run / "held_out.csv", run / "held_out.csv", "--out", out).code == 2
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    result = cli("compress", run / "model.safetensors", tmp_path / "other.csv", "--out", out)
    assert result.code == 2
    assert "column" in result.errors[0]
    assert not out.exists()
