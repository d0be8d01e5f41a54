"""Our layers' weights in ONNX Runtime: a graph with one node a layer, and the fastest way to run it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tidegate.kernels.bench import Contender, Network, Pace, Shape, interleaved, repeating

__all__ = ["OnnxLayers"]

_BLOCKS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}  # ONNX orders gates i, o, f, c and z, r, n
_OPSET, _IR_VERSION = 17, 9


class OnnxLayers:
    """An ONNX Runtime session of the recurrent layers of a time-major network.

    Parameters
    ----------
    cell
        ``"LSTM"`` or ``"GRU"``.
    network, shape
        Whose weights are taken; no embedding.
    threads
        Of the session within an operator.
    int8
        Quantise the weights with ONNX Runtime's own tool, a scale for each row, as ours have; it knows LSTMs only.
    """

    def __init__(self, cell: str, network: Network, shape: Shape, *, threads: int, int8: bool = False) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = _quantised(_model(cell, network, shape)) if int8 else _model(cell, network, shape).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._value = onnxruntime.OrtValue.ortvalue_from_numpy

    def __call__(self, x: Tensor) -> Tensor:
        """Give the output ``[time, batch, directions · unit]``, laid out as torch's layers do."""
        output = torch.from_numpy(self._session.run(None, {"x": x.numpy()})[0])  # [time, directions, batch, unit]
        return output.transpose(1, 2).flatten(2)

    def contender(self, x: Tensor) -> Contender:
        """Time `fastest`."""
        return repeating(self.fastest(x))

    def fastest(self, x: Tensor) -> Callable[[], object]:
        """Run on ``x``, plainly or with bound inputs and outputs, whichever is faster; the output stays as it comes."""
        session, feeds = self._session, {"x": x.numpy()}
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", self._value(feeds["x"]))
        binding.bind_ortvalue_output("y", self._value(session.run(None, feeds)[0]))
        ways: dict[str, Callable[[], object]] = {
            "plain": lambda: session.run(None, feeds),
            "bound": lambda: session.run_with_iobinding(binding),
        }
        timing = interleaved({name: repeating(way) for name, way in ways.items()}, Pace(runs=3, least_seconds=0.005))
        return min(ways.items(), key=lambda way: timing.median(way[0]))[1]


def _quantised(model: Any) -> bytes:
    """Turn each LSTM into a DynamicQuantizeLSTM."""
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        logging.disable(logging.WARNING)  # the tool would like the shapes of everything to be inferred first
        try:
            quantize_dynamic(model, path, per_channel=True)
        finally:
            logging.disable(logging.NOTSET)
        return path.read_bytes()


def _model(cell: str, network: Network, shape: Shape) -> Any:
    """Build the model: x [time, batch, feature] to y [time, directions, batch, unit]."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers, below = [], [], "x"
    directions = 2 if shape.bidirectional else 1
    if directions > 1 and len(network.layers) > 1:
        raise NotImplementedError("a stack of bidirectional layers needs a transposition between them")
    extra: dict[str, Any] = {"linear_before_reset": 1} if cell == "GRU" else {}
    for index, (layer, units) in enumerate(zip(network.layers, shape.units, strict=True)):
        names = [f"{kind}{index}" for kind in ("w", "r", "b")]
        weights = _weights(cell, dict(layer.named_parameters()), directions)
        initializers += [numpy_helper.from_array(w.numpy(), name) for name, w in zip(names, weights, strict=True)]
        top = index + 1 == len(shape.units)
        output = "y" if top else f"y{index}"
        direction = "bidirectional" if directions == 2 else "forward"
        nodes.append(helper.make_node(cell, [below, *names], [output], hidden_size=units, direction=direction, **extra))
        if not top:
            below = f"x{index + 1}"
            initializers.append(numpy_helper.from_array(torch.tensor([1]).numpy(), f"axis{index}"))
            nodes.append(helper.make_node("Squeeze", [output, f"axis{index}"], [below]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [shape.steps, shape.batch, shape.features])
    sizes = [shape.steps, directions, shape.batch, shape.units[-1]]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes)
    graph = helper.make_graph(nodes, "layers", [x], [y], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def _weights(cell: str, parameters: dict[str, Tensor], directions: int) -> tuple[Tensor, Tensor, Tensor]:
    """Give W [directions, gates · H, I], R [directions, gates · H, H] and B [directions, 2 · gates · H]."""

    def ordered(kind: str, suffix: str) -> Tensor:
        blocks = parameters[f"{kind}_l0{suffix}"].detach().chunk(len(_BLOCKS[cell]))
        return torch.cat([blocks[place] for place in _BLOCKS[cell]])

    suffixes = ("", "_reverse")[:directions]
    biases = [torch.cat([ordered("bias_ih", suffix), ordered("bias_hh", suffix)]) for suffix in suffixes]
    return (
        torch.stack([ordered("weight_ih", suffix) for suffix in suffixes]),
        torch.stack([ordered("weight_hh", suffix) for suffix in suffixes]),
        torch.stack(biases),
    )
