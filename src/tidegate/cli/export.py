"""``tidegate export``: a model file as a graph for other runtimes."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from tidegate._core.files import output_folder
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.errors import SpecError, UnsupportedError

if TYPE_CHECKING:
    from tidegate.estimator import Estimator
    from tidegate.export import Exported

__all__ = ["Options", "run"]

_ROOMS = {  # where each kind of estimator is registered
    "anomaly_detector": "tidegate.anomaly",
    "forecaster": "tidegate.forecast",
    "sequence_classifier": "tidegate.classify",
    "sequence_regressor": "tidegate.classify",
    "tagger": "tidegate.text",
    "text_classifier": "tidegate.text",
}
_FORMATS = {"onnx": "export_onnx", "torch": "export_torch"}
_TARGETS = ("onnxruntime", "tensorrt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate export`` takes."""

    model: Annotated[Path, Argument(help="A model file.")]
    out: Annotated[Path, Option("--out", help="File to write.")]
    to: Annotated[str, Option("--to", help="Format: onnx, or torch (a torch.export program).")] = "onnx"
    levels: Annotated[
        str | None,
        Option("--levels", help="Intervals of a forecaster in per cent. [default: 80,95 if the model has any]"),
    ] = None
    target: Annotated[str, Option("--target", help="Runtime to check against: onnxruntime, or tensorrt too.")] = (
        "onnxruntime"
    )
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Export a saved model as a graph for other programs.

    The graph holds all that lies between the data and the answer, scaling included. It is run beside the model before
    it is written; where they differ, nothing is.
    """
    for flag, value, known in (("--to", options.to, _FORMATS), ("--target", options.target, _TARGETS)):
        if value not in known:
            raise SpecError(f"{flag} must be one of {', '.join(known)}; got {value!r}")
    if options.target == "tensorrt" and options.to != "onnx":
        raise SpecError(f"--target tensorrt looks at ONNX graphs; got --to {options.to}: leave one of them out")
    levels = _asked(options.levels)
    from tidegate import export

    console = Console(quiet=options.quiet)
    model = _loaded(options.model)
    output_folder(options.out.parent)  # before the work, not after it
    exported: Exported = getattr(export, _FORMATS[options.to])(model, levels=levels)
    for note in exported.notes:
        console.remark(note)
    if options.target == "tensorrt":
        _check_tensorrt(exported, console)
    exported.write(options.out)
    if options.json:
        console.json(_summary(options.out, exported))
        return
    console.table(_rows(options.out, exported), numbers=False)


def _loaded(path: Path) -> Estimator:
    """Read a model of any kind."""
    from tidegate.estimator.modelfile import inspect_model
    from tidegate.estimator.registry import load

    kind = inspect_model(path).kind
    if kind in _ROOMS:
        importlib.import_module(_ROOMS[kind])
    return load(path)


def _check_tensorrt(exported: Exported, console: Console) -> None:
    from tidegate.export.tensorrt import refusals, remarks

    refused = refusals(exported.content)
    if refused:
        raise UnsupportedError(f"TensorRT would refuse this graph: {'; '.join(refused)}; export it without --target")
    for remark in remarks(exported.content):
        console.remark(remark)


def _asked(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SpecError(f"--levels are numbers with commas between, such as 80,95; got {text!r}") from error


def _summary(path: Path, exported: Exported) -> dict[str, Any]:
    return {
        "file": str(path),
        "bytes": len(exported.content),
        "format": exported.format,
        "runtime": exported.runtime,
        "opset": exported.opset,
        "ir_version": exported.ir_version,
        "inputs": list(exported.inputs),
        "outputs": list(exported.outputs),
        "nodes": exported.nodes,
        "worst_relative_difference": exported.worst,
        "trials": [dataclasses.asdict(trial) for trial in exported.trials],
        "notes": list(exported.notes),
    }


def _rows(path: Path, exported: Exported) -> list[tuple[str, str]]:
    def shown(port: dict[str, Any]) -> str:
        return f"{port['dtype']} [{', '.join(map(str, port['axes']))}]"

    times = sorted({trial.time for trial in exported.trials})
    many = max(trial.batch for trial in exported.trials)
    return [
        (str(path), ""),
        ("format", exported.format),
        ("size", f"{len(exported.content)} bytes; {sum(exported.nodes.values())} nodes"),
        *((f"input {port['name']}", shown(port)) for port in exported.inputs),
        *((f"output {port['name']}", shown(port)) for port in exported.outputs),
        ("checked", f"in {exported.runtime} at {', '.join(map(str, times))} steps, 1 and {many} rows"),
        ("worst", f"{exported.worst:.1e} relative difference from the model"),
    ]
