"""From a traced program to an ONNX graph."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import ExportedProgram

from tidegate._core.extras import require
from tidegate.errors import UnsupportedError
from tidegate.export.ports import Port
from tidegate.export.program import quiet

__all__ = ["IR_VERSION", "OPSET", "converted", "node_counts", "require_onnx"]

#: Of the graphs: the oldest that has all that is needed, so that old runtimes read them too.
OPSET = 18
IR_VERSION = 10

_ALL = 2**40  # elements: every constant is folded, weights above all
_ROUNDS = 2  # of folding: what was folded once lets more be folded


def require_onnx() -> None:
    """Import what an export needs. Raises `MissingExtraError`."""
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require(module, extra="onnx", purpose="an ONNX export")


def converted(program: ExportedProgram, inputs: Sequence[Port], outputs: Sequence[Port]) -> Any:
    """Translate a program.

    Parameters
    ----------
    program
        See `tidegate.export.program.traced`.
    inputs, outputs
        The graph's ports, in the program's order.

    Returns
    -------
    onnx.ModelProto
        With weights inside, shapes inferred.

    Raises
    ------
    UnsupportedError
        If the program holds an operator that ONNX has nothing for.
    """
    from onnxscript import ir
    from torch.onnx import OnnxExporterError

    from tidegate.export.operators.functions import FUNCTIONS

    try:
        with quiet(), _silent(), torch.no_grad():
            exported: Any = torch.onnx.export(
                _with_functions(program, FUNCTIONS),
                (),
                None,
                dynamo=True,
                opset_version=OPSET,
                custom_translation_table=_translations(),
                input_names=[port.name for port in inputs],
                output_names=[port.name for port in outputs],
                optimize=False,
                verbose=False,
            )
            model = exported.model
            _tidy(model)
    except (OnnxExporterError, RuntimeError) as error:
        raise UnsupportedError(f"ONNX has nothing for a part of this model: {_cause(error)}") from error
    for values, ports in ((model.graph.inputs, inputs), (model.graph.outputs, outputs)):
        for value, port in zip(values, ports, strict=True):
            value.shape = ir.Shape(port.axes)
            value.doc_string = port.meaning
    model.ir_version = IR_VERSION
    return ir.to_proto(model)


def node_counts(model: Any) -> dict[str, int]:
    """Count the operators of a graph and of the graphs within it, by name."""
    counts: dict[str, int] = {}

    def walk(graph: Any) -> None:
        for node in graph.node:
            counts[node.op_type] = counts.get(node.op_type, 0) + 1
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    walk(attribute.g)

    walk(model.graph)
    return dict(sorted(counts.items()))


def _tidy(model: Any) -> None:
    """Fold what is constant, weights in ONNX's order above all, and leave out what is not needed.

    The rewriting rules of onnxscript's own ``optimize`` take most of its time, and lose constants where two of a kind
    have the same input.
    """
    from onnx_ir.passes import common as passes
    from onnxscript import optimizer

    passes.InlinePass()(model)
    for _ in range(_ROUNDS):
        optimizer.fold_constants(model, input_size_limit=_ALL, output_size_limit=_ALL)
        passes.IdentityEliminationPass()(model)
        passes.CommonSubexpressionEliminationPass()(model)
        passes.RemoveUnusedNodesPass()(model)
    for tidy in (
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.LiftSubgraphInitializersToMainGraphPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
        passes.ClearMetadataAndDocStringPass(),
    ):
        tidy(model)


def _translations() -> dict[Any, Any]:
    from tidegate.export.operators import crf, nodes, recurrent

    return {
        torch.ops.aten.amin.default: nodes.amin,
        torch.ops.aten.amax.default: nodes.amax,
        torch.ops.tidegate.lstm.default: recurrent.lstm,
        torch.ops.tidegate.gru.default: recurrent.gru,
        torch.ops.tidegate.crf_decode.default: crf.crf_decode,
    }


def _with_functions(program: ExportedProgram, functions: Mapping[Any, Any]) -> ExportedProgram:
    """Write out the functions that ONNX lacks."""
    used = {
        node.target
        for module in program.graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
        if node.op == "call_function"
    }
    present = {target: function for target, function in functions.items() if target in used}
    return program.run_decompositions(present) if present else program


def _cause(error: BaseException) -> str:
    """Give the first line of what an exporter's error came from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the exporters' remarks, on packages that nobody asked for, from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
