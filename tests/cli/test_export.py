from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import tidegate.export
from tidegate.cli import export as command
from tidegate.errors import StateError
from tidegate.export import Exported
from tidegate.export.verify import Trial

PORT = {"name": "values", "dtype": "double", "axes": ["batch", "time", 1], "meaning": ""}
EXPORTED = Exported(
    content=b"a graph",
    opset=18,
    ir_version=10,
    nodes={"LSTM": 1, "Mul": 2},
    inputs=(PORT,),
    outputs=({**PORT, "name": "forecast"},),
    trials=(
        Trial(batch=1, time=6, ragged=False, difference=1e-7),
        Trial(batch=5, time=12, ragged=True, difference=2e-7),
    ),
    notes=("something to know",),
)


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Export at once, and remember what was asked for; the real thing runs on the page on export."""
    asked: list[Any] = []

    def export(model: Any, levels: Any) -> Exported:
        asked.append((model, levels))
        return EXPORTED

    monkeypatch.setattr(command, "_loaded", lambda path: path)
    for name in ("export_onnx", "export_torch"):
        monkeypatch.setattr(tidegate.export, name, export)
    return asked


def test_what_was_exported_is_printed(cli: Any, exports: list[Any], tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    result = cli("export", "model.safetensors", "--out", str(out), "--levels", "80,95")
    assert result.code == 0
    assert exports == [(Path("model.safetensors"), (80.0, 95.0))]
    assert out.read_bytes() == b"a graph"
    assert "ONNX, opset 18, IR version 10" in result.out
    assert "7 bytes; 3 nodes" in result.out
    assert "double [batch, time, 1]" in result.out
    assert "in ONNX Runtime at 6, 12 steps, 1 and 5 rows" in result.out
    assert "2.0e-07 relative difference from the model" in result.out
    assert result.err == "tidegate: something to know\n"


def test_json_has_every_comparison(cli: Any, exports: list[Any], tmp_path: Path) -> None:
    result = cli("export", "model.safetensors", "--out", str(tmp_path / "model.onnx"), "--json", "--quiet")
    said = json.loads(result.out)
    assert (said["bytes"], said["opset"], said["nodes"]) == (7, 18, {"LSTM": 1, "Mul": 2})
    assert said["worst_relative_difference"] == 2e-7
    assert said["trials"][1] == {"batch": 5, "time": 12, "ragged": True, "difference": 2e-7}
    assert result.err == ""
    assert exports[0][1] is None


def test_a_program_for_torch(cli: Any, exports: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = dataclasses.replace(EXPORTED, format="torch.export program", runtime="torch", opset=None, ir_version=None)
    monkeypatch.setattr(tidegate.export, "export_torch", lambda model, levels: program)
    result = cli("export", "m.safetensors", "--out", str(tmp_path / "m.pt2"), "--to", "torch", "--quiet")
    assert result.code == 0
    assert exports == []
    assert "torch.export program" in result.out
    assert "in torch at 6, 12 steps" in result.out
    assert (tmp_path / "m.pt2").read_bytes() == b"a graph"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--to", "coreml"], "--to must be one of onnx, torch; got 'coreml'"),
        (
            ["--to", "torch", "--target", "tensorrt"],
            "--target tensorrt looks at ONNX graphs; got --to torch: leave one of them out",
        ),
        (["--target", "coreml"], "--target must be one of onnxruntime, tensorrt; got 'coreml'"),
        (["--levels", "many"], "--levels are numbers with commas between, such as 80,95; got 'many'"),
    ],
)
def test_bad_options(cli: Any, exports: list[Any], tmp_path: Path, flags: list[str], message: str) -> None:
    result = cli("export", "model.safetensors", "--out", str(tmp_path / "model.onnx"), *flags)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"tidegate: error: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_there(cli: Any, tmp_path: Path) -> None:
    result = cli("export", str(tmp_path / "no.safetensors"), "--out", str(tmp_path / "model.onnx"))
    assert result.code == 2
    assert result.err.startswith("tidegate: error: no ")
    assert list(tmp_path.iterdir()) == []


def test_what_tensorrt_would_refuse_is_not_written(
    cli: Any, exports: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.export.tensorrt.refusals", lambda content: ("it has no operator Det",))
    result = cli("export", "m.safetensors", "--out", str(tmp_path / "m.onnx"), "--target", "tensorrt", "--quiet")
    assert result.code == 2
    assert result.err == (
        "tidegate: error: TensorRT would refuse this graph: it has no operator Det; export it without --target\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_differs_is_a_failure_and_is_not_written(
    cli: Any, exports: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differing(model: Any, levels: Any) -> Exported:
        raise StateError("the exported graph answers otherwise than the model")

    monkeypatch.setattr(tidegate.export, "export_onnx", differing)
    result = cli("export", "m.safetensors", "--out", str(tmp_path / "m.onnx"))
    assert result.code == 1
    assert result.err == ("tidegate: error: the exported graph answers otherwise than the model; --debug shows where\n")
    assert list(tmp_path.iterdir()) == []
