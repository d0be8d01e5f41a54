"""ONNX's operators as functions on values of the graph that is being translated, and constants of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxscript
from onnxscript import ir

__all__ = ["amax", "amin", "constant", "op", "whole"]

#: The operators of the opset that graphs are made for; onnxscript's own annotations tell values of a graph from others.
op: Any = onnxscript.opset18


def constant(values: np.ndarray[Any, Any]) -> Any:
    """Give an array as a constant."""
    return op.Constant(value=ir.tensor(values))


def whole(numbers: int | Sequence[int]) -> Any:
    """Give whole numbers, one or ``[n]``, as a constant."""
    return constant(np.array(numbers, np.int64))


def amin(x: Any, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
    """Translate ``aten::amin``, which torch's exporter knows with axes only."""
    axes = (whole(dim),) if dim else ()
    return op.ReduceMin(x, *axes, keepdims=int(keepdim))


def amax(x: Any, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
    """Translate ``aten::amax``, which torch's exporter knows with axes only."""
    axes = (whole(dim),) if dim else ()
    return op.ReduceMax(x, *axes, keepdims=int(keepdim))
