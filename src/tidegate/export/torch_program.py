"""A model as a `torch.export` program: the same graph as for ONNX, with the fused operators in it, for torch to run."""

from __future__ import annotations

import dataclasses
import io
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.exported import Exported, entries
from tidegate.export.kinds import exportable
from tidegate.export.ports import described
from tidegate.export.program import output_axes, quiet, traced
from tidegate.export.verify import verified

__all__ = ["export_torch", "program_of"]

_NOTE = "whoever loads it needs `import tidegate` first, and runs what stands in the file: load files of your own alone"


def export_torch(
    model: Estimator, path: str | os.PathLike[str] | None = None, *, levels: Sequence[float] | None = None
) -> Exported:
    """Export a fitted estimator as a ``torch.export`` program, a ``.pt2`` file.

    What was written is loaded again and run beside the model before it gets its name.

    Parameters
    ----------
    model, path, levels
        As of `export_onnx`.

    Raises
    ------
    UnsupportedError, SpecError, NotFittedError, StateError, OutputError
        As `export_onnx` does.
    """
    model._require_fitted("export_torch")
    result = program_of(exportable(model, levels))
    if path is not None:
        result.write(path)
    return result


def program_of(model: Exportable) -> Exported:
    """Trace, save, load again and verify. Raises as `export_torch`."""
    program = traced(model.module, model.examples(), model.inputs, positional=model.positional)
    doors = model.doors(output_axes(program, model.inputs))
    dtypes = _dtypes(program)
    inputs, outputs = (
        tuple(described(port, dtype) for port, dtype in zip(ports, names, strict=True))
        for ports, names in zip((model.inputs, doors), dtypes, strict=True)
    )
    _tidy(program)
    model = dataclasses.replace(model, notes=(*model.notes, _NOTE))
    content = _saved(program, entries(model, inputs, outputs))
    return Exported(
        content=content,
        format="torch.export program",
        runtime=f"torch {torch.__version__}",
        nodes=_node_counts(program),
        inputs=inputs,
        outputs=outputs,
        trials=verified(_Loaded(content, [port.name for port in model.inputs]), model),
        notes=model.notes,
    )


class _Loaded:
    """A program that was read from its file."""

    def __init__(self, content: bytes, names: Sequence[str]) -> None:
        with quiet():
            self._module = torch.export.load(io.BytesIO(content)).module()
        self._names = tuple(names)

    def run(self, inputs: Arrays) -> list[np.ndarray[Any, Any]]:
        """Answer inputs by name; the outputs in order."""
        tensors = [torch.from_numpy(np.asarray(inputs[name])) for name in self._names]
        with quiet(), torch.no_grad():
            return [answer.numpy() for answer in pytree.tree_leaves(self._module(*tensors))]


def _tidy(program: ExportedProgram) -> None:
    """Take out where in which file each node comes from: it makes up most of a small file, and names folders.

    So go assertions on sizes, which tracing makes of some that it is not certain of: any size is right.
    """
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in list(module.graph.nodes):
                if node.target is torch.ops.aten._assert_scalar.default:
                    module.graph.erase_node(node)
                    continue
                for name in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
                    node.meta.pop(name, None)


def _saved(program: ExportedProgram, said: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    try:
        with quiet():
            torch.export.save(program, buffer, extra_files=said)
    except Exception as error:  # whatever torch raises of what it cannot write down
        message = str(error).strip().partition("\n")[0]
        raise UnsupportedError(f"torch cannot write a part of this model down: {message}") from error
    return buffer.getvalue()


def _dtypes(program: ExportedProgram) -> tuple[list[str], list[str]]:
    nodes = {node.name: node for node in program.graph.nodes}
    signature = program.graph_signature
    return tuple(  # type: ignore[return-value]
        [str(nodes[str(name)].meta["val"].dtype).removeprefix("torch.") for name in names]
        for names in (signature.user_inputs, signature.user_outputs)
    )


def _node_counts(program: ExportedProgram) -> dict[str, int]:
    """Count the operators of a program and of the loops in it, by name."""
    counts = Counter(
        str(node.target)
        for module in program.graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
        if node.op == "call_function"
    )
    return dict(sorted(counts.items()))
