"""An export from beginning to end: traced, translated, described, verified; then written, or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate._core.files import write_bytes
from tidegate._core.version import __version__
from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator
from tidegate.export.convert import IR_VERSION, OPSET, converted, node_counts, require_onnx
from tidegate.export.exportable import Exportable
from tidegate.export.kinds import exportable
from tidegate.export.operators.functions import WrittenOut
from tidegate.export.ports import described
from tidegate.export.program import output_axes, traced
from tidegate.export.verify import Session, Trial, verified

__all__ = ["Exported", "entries", "export_onnx", "exported", "worst_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported graph.

    Attributes
    ----------
    content
        The bytes of the file.
    format, runtime
        What it is, and what it was tried in.
    opset, ir_version
        Of an ONNX graph; else ``None``.
    nodes
        How many there are of each operator, those of loops' bodies counted once.
    inputs, outputs
        Name, dtype, axes and meaning of each.
    trials
        The comparisons with the model.
    notes
        What is to be known of it.
    """

    content: bytes
    format: str = f"ONNX, opset {OPSET}, IR version {IR_VERSION}"
    runtime: str = "ONNX Runtime"
    opset: int | None = None
    ir_version: int | None = None
    nodes: dict[str, int]
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> float:
        """The largest relative difference from the model that was found."""
        return worst_of(self.trials)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all. Raises `OutputError`."""
        write_bytes(path, self.content)


def worst_of(trials: Sequence[Trial]) -> float:
    """Give the largest difference of several trials."""
    return max((trial.difference for trial in trials), default=0.0)


def export_onnx(
    model: Estimator, path: str | os.PathLike[str] | None = None, *, levels: Sequence[float] | None = None
) -> Exported:
    """Export a fitted estimator to ONNX.

    Parameters
    ----------
    model
        Fitted.
    path
        File to write; ``None`` for none.
    levels
        Intervals of a forecaster, in per cent; ``None`` is 80 and 95 where it has any.

    Raises
    ------
    UnsupportedError
        If there is no export of this kind of model, or of its options.
    SpecError
        If ``levels`` cannot be.
    NotFittedError
        If the model has not been fitted.
    StateError
        If the graph answers otherwise than the model; nothing is written then.
    MissingExtraError
        If the extra ``onnx`` is not installed.
    OutputError
        If the file cannot be written.
    """
    require_onnx()
    model._require_fitted("export_onnx")
    result = exported(exportable(model, levels))
    if path is not None:
        result.write(path)
    return result


def exported(model: Exportable) -> Exported:
    """Trace, translate, describe and verify. Raises as `export_onnx`."""
    require_onnx()
    program = traced(model.module, model.examples(), model.inputs, positional=model.positional, functions=WrittenOut())
    doors = model.doors(output_axes(program, model.inputs))
    proto = converted(program, model.inputs, doors)
    inputs, outputs = _ports(proto.graph.input, model.inputs), _ports(proto.graph.output, doors)
    _describe(proto, model, inputs, outputs)
    content: bytes = proto.SerializeToString()
    trials = verified(_session(content), model)
    return Exported(
        content=content,
        opset=OPSET,
        ir_version=IR_VERSION,
        nodes=node_counts(proto),
        inputs=inputs,
        outputs=outputs,
        trials=trials,
        notes=model.notes,
    )


def _session(content: bytes) -> Session:
    try:
        return Session(content)
    except Exception as error:  # whatever the runtime raises: its classes are not public
        message = str(error).strip().partition("\n")[0]
        raise UnsupportedError(f"ONNX Runtime refuses the exported graph: {message}") from error


def _ports(values: Any, ports: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    import onnx

    names = [onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower() for value in values]
    return tuple(described(port, name) for port, name in zip(ports, names, strict=True))


def _describe(proto: Any, model: Exportable, inputs: Sequence[Mapping[str, Any]], outputs: Any) -> None:
    import onnx

    proto.producer_name, proto.producer_version = "tidegate", __version__
    onnx.helper.set_model_props(proto, entries(model, inputs, outputs))


def entries(model: Exportable, inputs: Sequence[Mapping[str, Any]], outputs: Any) -> dict[str, str]:
    """Say what a file is: who reads it must not need Tidegate to know."""
    return {
        "tidegate.kind": model.kind,
        "tidegate.version": __version__,
        "tidegate.inputs": json.dumps(inputs, ensure_ascii=False),
        "tidegate.outputs": json.dumps(outputs, ensure_ascii=False),
        "tidegate.model": json.dumps(model.metadata, ensure_ascii=False, default=str),
        "tidegate.notes": json.dumps(model.notes, ensure_ascii=False),
    }
