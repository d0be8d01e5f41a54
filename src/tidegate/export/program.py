"""From a module to the program that `torch.export` makes of it, with axes whose sizes stay open."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tidegate.errors import TidegateError, UnsupportedError
from tidegate.export.ports import Port

__all__ = ["for_inference", "open_axes", "output_axes", "quiet", "traced"]


class _Positional(nn.Module):
    """A module as a function of tensors in order, whatever the names of its arguments."""

    def __init__(self, module: nn.Module, names: Sequence[str], positional: int) -> None:
        super().__init__()
        self.module = module
        self._names, self._positional = tuple(names), positional

    def forward(self, *tensors: Tensor) -> Any:
        count = self._positional
        named = dict(zip(self._names[count:], tensors[count:], strict=True))
        return self.module(*tensors[:count], **named)


def for_inference(module: nn.Module) -> nn.Module:
    """Copy a module to the CPU, in evaluation mode, without gradients. The module itself stays as it is."""
    duplicate = copy.deepcopy(module)
    return duplicate.cpu().eval().requires_grad_(False)


def traced(
    module: nn.Module,
    examples: Sequence[Tensor],
    ports: Sequence[Port],
    *,
    positional: int,
    functions: AbstractContextManager[Any] | None = None,
) -> ExportedProgram:
    """Trace a module.

    Parameters
    ----------
    module
        In evaluation mode.
    examples, ports
        An example of each input, and its axes; those with names stay open.
    positional
        How many of the inputs are handed over by place; the others are arguments by the names of their ports.
    functions
        Puts other functions in the place of torch's while the module runs.

    Raises
    ------
    SpecError
        If an example does not fit its port.
    UnsupportedError
        If the module cannot be traced with these axes open.
    """
    for port, example in zip(ports, examples, strict=True):
        port.check(example)
    wrapped = _Positional(module, [port.name for port in ports], positional).eval()
    shapes = (tuple(open_axes(ports)),)
    try:
        with quiet(), torch.no_grad(), functions or nullcontext():
            return torch.export.export(
                wrapped,
                tuple(examples),
                dynamic_shapes=shapes,
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,  # what holds of some sizes alone refuses none
            )
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        if isinstance(error, TidegateError):
            raise
        raise UnsupportedError(
            f"torch.export cannot trace this {type(module).__name__} with the axes open that callers choose: {error}"
        ) from error


def open_axes(ports: Sequence[Port]) -> list[dict[int, Any]]:
    """Give each input's open axes as torch.export takes them: a dimension of one name is one size everywhere."""
    dims: dict[str, Any] = {}

    def dim(axis: str) -> Any:
        name, plus, more = axis.partition("+")
        if name not in dims:
            dims[name] = Dim(name, min=1)
        return dims[name] + int(more) if plus else dims[name]

    return [{place: dim(axis) for place, axis in enumerate(port.axes) if isinstance(axis, str)} for port in ports]


def output_axes(program: ExportedProgram, inputs: Sequence[Port]) -> list[tuple[str | int, ...]]:
    """Name the axes of a program's outputs after those of its inputs; what follows from them is a formula."""
    nodes = {node.name: node for node in program.graph.nodes}
    names: dict[str, str] = {}
    for port, name in zip(inputs, program.graph_signature.user_inputs, strict=True):
        for axis, size in zip(port.axes, nodes[str(name)].meta["val"].shape, strict=True):
            if isinstance(axis, str) and "+" not in axis:
                names[str(size)] = axis

    def named(size: Any) -> str | int:
        return size if isinstance(size, int) else names.get(str(size), str(size))

    outputs = [nodes[str(name)].meta["val"] for name in program.graph_signature.user_outputs]
    return [tuple(named(size) for size in output.shape) for output in outputs]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of torch's own tracing, which no caller can do anything about, to oneself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
