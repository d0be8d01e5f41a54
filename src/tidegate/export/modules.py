"""A plain module as a graph: layers and networks of `tidegate.nn`, and what is built of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from tidegate.errors import ShapeError, SpecError
from tidegate.export.convert import require_onnx
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.exported import Exported, exported
from tidegate.export.ports import Port
from tidegate.export.program import for_inference

__all__ = ["module_exportable", "to_onnx"]

Axes = Sequence[str | None]


def to_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    path: str | os.PathLike[str] | None = None,
    *,
    axes: Mapping[str, Axes] | None = None,
    outputs: Sequence[str] | None = None,
) -> Exported:
    """Export a module to ONNX.

    Parameters
    ----------
    module
        Such as `nn.LSTM`, a stack, or a module of one's own; it is exported as it is in ``eval()``, and stays as it is.
    example
        Inputs by the names of ``forward``'s arguments, with two rows and two steps at least. Whole numbers called
        ``lengths`` say how many steps of each row count.
    path
        File to write; ``None`` for none.
    axes
        For each input the names of its axes, ``None`` for one whose size is fixed. By default the first axis is
        ``"batch"`` and the second of the first input, if it has three or holds whole numbers, ``"time"``.
    outputs
        Their names, flat; ``output``, or ``output_0`` and so on, by default.

    Raises
    ------
    SpecError
        If ``axes`` or ``outputs`` do not fit.
    ShapeError
        If weights or inputs are not of float32.
    UnsupportedError
        If the module cannot be traced, or holds what ONNX has nothing for.
    StateError
        If the graph answers otherwise than the module; nothing is written then.
    MissingExtraError
        If the extra ``onnx`` is not installed.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import torch
    >>> from tidegate import nn
    >>> layer = nn.GRU(3, 5, batch_first=True, return_state=False)
    >>> example = {"input": torch.zeros(2, 7, 3), "lengths": torch.tensor([7, 4])}
    >>> graph = to_onnx(layer, example)
    >>> graph.nodes["GRU"], graph.worst < 1e-4
    (1, True)
    """
    require_onnx()
    result = exported(module_exportable(module, example, axes=axes, outputs=outputs))
    if path is not None:
        result.write(path)
    return result


def module_exportable(
    module: nn.Module,
    example: Mapping[str, Tensor],
    *,
    axes: Mapping[str, Axes] | None = None,
    outputs: Sequence[str] | None = None,
) -> Exportable:
    """Make a module ready for export. Raises as `to_onnx`."""
    _check_dtypes(module, example)
    ready = for_inference(module)
    inputs = _ports(example, axes)

    def reference(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        with torch.inference_mode():  # on a copy: a call may leave something behind
            return tuple(pytree.tree_leaves(copy.deepcopy(ready)(**given)))

    steps = _size("time", inputs, example)
    return Exportable(
        kind="module",
        module=ready,
        positional=0,
        inputs=inputs,
        outputs=tuple(Port(name=name) for name in _output_names(reference(example), outputs)),
        reference=reference,
        sample=lambda generator, batch, time: _sample(example, inputs, generator, {"batch": batch, "time": time}),
        times=(1, max(steps, 2), 2 * steps + 3) if steps else (1,),
        metadata={"module": type(module).__name__, "description": repr(module)},
    )


def _check_dtypes(module: nn.Module, example: Mapping[str, Tensor]) -> None:
    if not example:
        raise SpecError("expected an example of each input, by name; got none")
    tensors = {**dict(module.named_parameters()), **{f"input {name!r}": tensor for name, tensor in example.items()}}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise ShapeError(f"expected float32 throughout; {name} is of {tensor.dtype}: convert it with .float()")


def _ports(example: Mapping[str, Tensor], axes: Mapping[str, Axes] | None) -> tuple[Port, ...]:
    unknown = sorted(set(axes or ()) - set(example))
    if unknown:
        raise SpecError(f"axes names {unknown[0]!r}, of which there is no example; there are {', '.join(example)}")
    ports = []
    for place, (name, tensor) in enumerate(example.items()):
        timed = place == 0 and (tensor.ndim > 2 or (tensor.ndim == 2 and not tensor.is_floating_point()))
        given = (axes or {}).get(name, ("batch", "time") if timed else ("batch",))
        if len(given) > tensor.ndim:
            raise SpecError(f"axes of {name!r} are {len(given)}, and its example has {tensor.ndim}")
        named = [*given, *[None] * (tensor.ndim - len(given))]
        ports.append(Port(name=name, axes=tuple(a or size for a, size in zip(named, tensor.shape, strict=True))))
    return tuple(ports)


def _output_names(found: Sequence[Tensor], outputs: Sequence[str] | None) -> Sequence[str]:
    if outputs is None:
        return ["output"] if len(found) == 1 else [f"output_{place}" for place in range(len(found))]
    if len(outputs) != len(found):
        raise SpecError(f"expected {len(found)} names of outputs, as many as the module gives; got {len(outputs)}")
    return outputs


def _size(axis: str, inputs: Sequence[Port], example: Mapping[str, Tensor]) -> int:
    """Give the size of an axis in the example; 0 where no input has it."""
    for port, tensor in zip(inputs, example.values(), strict=True):
        if axis in port.axes:
            return int(tensor.shape[port.axes.index(axis)])
    return 0


def _sample(
    example: Mapping[str, Tensor], inputs: Sequence[Port], generator: np.random.Generator, sizes: Mapping[str, int]
) -> Arrays:
    """Draw inputs like the example, with other sizes; whole numbers as far as the example goes."""
    drawn: dict[str, np.ndarray[Any, Any]] = {}
    for port, tensor in zip(inputs, example.values(), strict=True):
        shape = [sizes[axis] if isinstance(axis, str) else axis for axis in port.axes]
        if port.name == "lengths":
            drawn[port.name] = generator.integers(0, sizes["time"] + 1, size=shape)
        elif tensor.is_floating_point():
            drawn[port.name] = generator.normal(size=shape).astype(np.float32)
        else:
            most = int(tensor.max()) + 1
            drawn[port.name] = generator.integers(0, most, size=shape).astype(tensor.numpy().dtype)
    return drawn
