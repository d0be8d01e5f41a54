"""The body of a loop in an ONNX graph, built node by node."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxscript.evaluator
from onnxscript import ir

from tidegate.export.operators.nodes import op
from tidegate.kernels.options import Activation
from tidegate.kernels.reference import NORM_EPS

__all__ = ["Body", "recorded"]


class Body:
    """A graph within a graph: what a ``Scan`` does at each step.

    It may use values of the graph around it, as a nested function in Python does.

    Parameters
    ----------
    name
        Of the graph; its values are named after it, for names must not repeat in what surrounds it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._numbers = itertools.count()
        self._inputs: list[ir.Value] = []
        self._nodes: list[ir.Node] = []

    def input(self, dtype: ir.DataType, shape: tuple[int | None, ...]) -> ir.Value:
        """Add an input: a state, or a step of what is scanned."""
        value = ir.Value(name=self._fresh(), type=ir.TensorType(dtype), shape=ir.Shape(shape))
        self._inputs.append(value)
        return value

    def ops(self, kind: str, *inputs: ir.Value | None, outputs: int = 1, **attributes: Any) -> list[ir.Value]:
        """Add a node of ONNX's own domain; give its outputs."""
        converted = ir.convenience.convert_attributes(attributes)
        node = ir.Node("", kind, inputs, attributes=converted, num_outputs=outputs)
        for output in node.outputs:
            output.name = self._fresh()
        self._nodes.append(node)
        return list(node.outputs)

    def op(self, kind: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Add a node with one output."""
        return self.ops(kind, *inputs, **attributes)[0]

    def constant(self, values: np.ndarray[Any, Any]) -> ir.Value:
        """Add a constant."""
        return self.op("Constant", value=ir.tensor(values))

    def number(self, value: float) -> ir.Value:
        """Add a float32."""
        return self.constant(np.array(value, np.float32))

    def add(self, one: ir.Value, other: ir.Value) -> ir.Value:
        """Add two values."""
        return self.op("Add", one, other)

    def complement(self, value: ir.Value) -> ir.Value:
        """Give 1 − value."""
        return self.op("Sub", self.number(1.0), value)

    def split(self, value: ir.Value, count: int) -> list[ir.Value]:
        """Cut into equal parts along the last axis."""
        return self.ops("Split", value, outputs=count, axis=-1, num_outputs=count)

    def linear(self, value: ir.Value, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
        """Multiply ``[batch, in]`` with the transpose of ``weight`` ``[out, in]``."""
        turned = op.Transpose(weight, perm=[1, 0])  # outside of the body, where it is folded away
        product = self.op("MatMul", value, turned)
        return product if bias is None else self.add(product, bias)

    def normed(self, value: ir.Value, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
        """Normalise over the last axis, as the recurrences do."""
        given = (weight,) if bias is None else (weight, bias)
        return self.op("LayerNormalization", value, *given, axis=-1, epsilon=NORM_EPS)

    def activated(self, value: ir.Value, activation: Activation) -> ir.Value:
        """Apply one of the activations of a cell."""
        match Activation(activation):
            case Activation.LINEAR:
                return value
            case Activation.HARD_SIGMOID:
                return self.op("HardSigmoid", value, alpha=1 / 6, beta=0.5)
            case other:
                return self.op(other.name.capitalize(), value)

    def graph(self, outputs: Sequence[ir.Value]) -> ir.Graph:
        """Close the body."""
        return ir.Graph(self._inputs, outputs, nodes=self._nodes, name=self.name)

    def _fresh(self) -> str:
        return f"{self.name}_{next(self._numbers)}"


def recorded(kind: str, inputs: Sequence[Any], *, outputs: int, **attributes: Any) -> Sequence[Any]:
    """Add a node with graphs among its attributes to the graph that is being translated."""
    tracer: Any = onnxscript.evaluator.default()
    node = ir.Node(
        "",
        kind,
        inputs,
        attributes=ir.convenience.convert_attributes(attributes),
        num_outputs=outputs,
        version=tracer.opset.version,
    )
    tracer.nodes.append(node)
    return node.outputs
