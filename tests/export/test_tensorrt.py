"""What TensorRT would refuse, on graphs made by hand."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tidegate.export.tensorrt import refusals, remarks


def model(*nodes: Any, opset: int = 18, kind: int = TensorProto.FLOAT, constants: tuple[Any, ...] = ()) -> bytes:
    x = helper.make_tensor_value_info("x", kind, ["batch", 4])
    graph = helper.make_graph(
        list(nodes), "graph", [x], [onnx.ValueInfoProto(name=nodes[-1].output[0])], initializer=list(constants)
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    content: bytes = made.SerializeToString()
    return content


def whole(name: str, *values: int) -> Any:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def scan(*inputs: str) -> Any:
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [4])
    step = helper.make_tensor_value_info("step", TensorProto.INT64, [4])
    after = helper.make_tensor_value_info("after", TensorProto.FLOAT, [4])
    body = helper.make_graph([helper.make_node("Identity", ["state"], ["after"])], "body", [state, step], [after])
    return helper.make_node("Scan", list(inputs), ["y"], body=body, num_scan_inputs=1)


def test_what_is_documented_is_let_through() -> None:
    constants = (whole("begin", 0), whole("end", 2), whole("axes", 1))
    content = model(
        helper.make_node("Slice", ["x", "begin", "end", "axes"], ["s"]),
        helper.make_node("Tanh", ["s"], ["y"]),
        constants=constants,
    )
    assert refusals(content) == ()
    assert remarks(content) == ()


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (model(helper.make_node("Tanh", ["x"], ["y"]), opset=21), ("opset 21, where it takes 9 to 20",)),
        (model(helper.make_node("Det", ["x"], ["y"])), ("it has no operator Det",)),
        (
            model(
                helper.make_node("Shape", ["x"], ["axes"]),
                helper.make_node("Slice", ["x", "begin", "end", "axes"], ["y"]),
                constants=(whole("begin", 0), whole("end", 2)),
            ),
            ("the axes of Slice must be constants",),
        ),
        (
            model(helper.make_node("LSTM", ["x", "x", "x"], ["y"], hidden_size=1, layout=1)),
            ("LSTM must have layout=0",),
        ),
        (
            model(helper.make_node("LayerNormalization", ["x", "x"], ["y", "mean"])),
            ("LayerNormalization may have one output only",),
        ),
        (
            model(helper.make_node("TopK", ["x", "k"], ["y", "places"], sorted=0), constants=(whole("k", 2),)),
            ("TopK must be sorted",),
        ),
        (
            model(helper.make_node("Cast", ["x"], ["steps"], to=TensorProto.INT64), scan("x", "steps")),
            ("Scan goes over floating-point numbers only, and here over INT64",),
        ),
    ],
)
def test_each_reason_is_named(content: bytes, reasons: tuple[str, ...]) -> None:
    assert refusals(content) == reasons


def test_float64_is_said_and_not_refused() -> None:
    content = model(helper.make_node("Neg", ["x"], ["y"]), kind=TensorProto.DOUBLE)
    assert refusals(content) == ()
    assert remarks(content) == (
        "the scaling is float64, which TensorRT computes in float32: values far from 0 beside their spread lose digits",
    )
