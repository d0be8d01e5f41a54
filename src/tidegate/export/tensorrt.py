"""What TensorRT would refuse of a graph, by its documents.

The support matrix is that of TensorRT 10.0 (onnx-tensorrt, ``docs/operators.md``). Nothing is run: whether a graph is
fast there, or within a tolerance, only a machine with TensorRT can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["refusals", "remarks"]

_OPSETS = (9, 20)
_REFUSED = """
AffineGrid Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Col2Im CenterCropPad
Compress ConcatFromSequence ConvInteger DFT Det DynamicQuantizeLinear HammingWindow HannWindow ImageDecoder
MatMulInteger MaxRoiPool MaxUnpool MelWeightMatrix Multinomial NegativeLogLikelihoodLoss Optional
OptionalGetElement OptionalHasElement QLinearConv QLinearMatMul RegexFullMatch STFT SequenceAt
SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap
SoftmaxCrossEntropyLoss SplitToSequence StringConcat StringNormalizer StringSplit TfIdfVectorizer Unique
"""
_UNSUPPORTED = frozenset(_REFUSED.split())
_AXES_INPUT = {"Slice": 3, "CumSum": 1}  # which input must be an initialiser
_FLOATS = ("FLOAT", "FLOAT16", "BFLOAT16")


def refusals(content: bytes) -> tuple[str, ...]:
    """Say why TensorRT would refuse a graph; empty where nothing in its documents speaks against it.

    Parameters
    ----------
    content
        The bytes of an ``.onnx`` file.
    """
    model = _inferred(content)
    found: list[str] = []
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if not _OPSETS[0] <= opset <= _OPSETS[1]:
        found.append(f"opset {opset}, where it takes {_OPSETS[0]} to {_OPSETS[1]}")
    for graph in _graphs(model.graph):
        constants = _constants(model.graph) | _constants(graph)
        for node in graph.node:
            found += _of_node(node, constants)
    found += _scanned_types(model)
    return tuple(dict.fromkeys(found))


def remarks(content: bytes) -> tuple[str, ...]:
    """Say what TensorRT would do otherwise without refusing it."""
    types = _types(_inferred(content))
    if "DOUBLE" not in types.values():
        return ()
    return (
        "the scaling is float64, which TensorRT computes in float32: values far from 0 beside their spread lose digits",
    )


def _inferred(content: bytes) -> Any:
    import onnx

    return onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content))


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _constants(graph: Any) -> set[str]:
    return {tensor.name for tensor in graph.initializer} | {
        output for node in graph.node if node.op_type == "Constant" for output in node.output
    }


def _of_node(node: Any, constants: set[str]) -> Iterator[str]:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.domain not in ("", "ai.onnx") or node.op_type in _UNSUPPORTED:
        yield f"it has no operator {node.op_type}"
    place = _AXES_INPUT.get(node.op_type)
    if place is not None and len(node.input) > place and node.input[place] not in constants:
        yield f"the axes of {node.op_type} must be constants"
    if node.op_type == "LSTM":
        for name in ("input_forget", "layout"):
            if name in attributes and attributes[name].i:
                yield f"LSTM must have {name}=0"
    if node.op_type == "LayerNormalization" and any(node.output[1:]):
        yield "LayerNormalization may have one output only"
    if node.op_type == "TopK" and "sorted" in attributes and not attributes["sorted"].i:
        yield "TopK must be sorted"
    if node.op_type == "Loop" and len(node.output) > len(node.input) - 2:
        yield "a Loop may not collect outputs of a number of steps that is open"


def _scanned_types(model: Any) -> Iterator[str]:
    types = _types(model)
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Scan":
                for name in node.input:
                    kind = types.get(name, "FLOAT")
                    if kind not in (*_FLOATS, "DOUBLE"):  # DOUBLE is cast to FLOAT beforehand
                        yield f"Scan goes over floating-point numbers only, and here over {kind}"


def _types(model: Any) -> dict[str, str]:
    import onnx

    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    name = onnx.TensorProto.DataType.Name
    found = {value.name: name(value.type.tensor_type.elem_type) for value in values}
    return found | {tensor.name: name(tensor.data_type) for tensor in model.graph.initializer}
