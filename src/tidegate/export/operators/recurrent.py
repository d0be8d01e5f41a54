"""``tidegate::lstm`` and ``tidegate::gru`` as ONNX's own operators ``LSTM`` and ``GRU``, wherever these can say it.

What differs, and is converted:

=================  ==================================  ===================================================
what               here                                ONNX
=================  ==================================  ===================================================
layout             ``[batch, time]`` or time first     time first (``layout=0``, which alone runtimes run)
gates of an LSTM   i, f, g, o                          i, o, f, c
gates of a GRU     r, z, n                             z, r, h
peepholes          i, f, o                             i, o, f
directions         one a call                          an axis of weights and output; one here
length 0           the state stays                     undefined; the initial state is put in its place
=================  ==================================  ===================================================

Weights are put into ONNX's order by nodes that `tidegate.export.convert` folds into the initialisers. What ONNX's
operators lack (projection, layer normalisation, zoneout) becomes a ``Scan``: see `scans`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnxscript import ir

from tidegate.export.operators import scans
from tidegate.export.operators.nodes import constant, op, whole
from tidegate.kernels import ops
from tidegate.kernels.arguments import GruTensors, LstmTensors
from tidegate.kernels.options import Activation, CellOptions

__all__ = ["beyond_onnx", "gru", "lstm"]

_LSTM_ORDER = (0, 3, 1, 2)
_GRU_ORDER = (1, 0, 2)
_PEEPHOLE_ORDER = (0, 2, 1)
_INT32 = int(ir.DataType.INT32)

# ONNX's names; the two that take parameters have them beside.
_ACTIVATIONS: dict[Activation, tuple[str, tuple[float, float] | None]] = {
    Activation.TANH: ("Tanh", None),
    Activation.SIGMOID: ("Sigmoid", None),
    Activation.HARD_SIGMOID: ("HardSigmoid", (1 / 6, 0.5)),
    Activation.RELU: ("Relu", None),
    Activation.SOFTSIGN: ("Softsign", None),
    Activation.LINEAR: ("Affine", (1.0, 0.0)),
}


def lstm(*arguments: Any) -> tuple[Any, Any, Any, Any]:
    """Translate a call of ``tidegate::lstm``: the operator's four results, the reserve empty."""
    tensors, options, _ = ops.LSTM.read(arguments)
    assert isinstance(tensors, LstmTensors)
    x = time_first(tensors.input, options)
    if beyond_onnx(tensors, options):
        output, h_n, c_n = scans.lstm(x, tensors, options)
    else:
        weights = _weights(tensors, _LSTM_ORDER)
        peephole = tensors.weight_peephole
        output, h_n, c_n = op.LSTM(
            x,
            *weights,
            _lengths(tensors.lengths),
            _state(tensors.h_0),
            _state(tensors.c_0),
            None if peephole is None else op.Unsqueeze(_reordered(peephole, _PEEPHOLE_ORDER), whole([0])),
            hidden_size=_size(tensors.weight_hh, 1),
            **_attributes(options, (options.recurrent_activation, options.activation, options.activation)),
        )
        output, h_n, c_n = op.Squeeze(output, whole([1])), _final(h_n, tensors, 0), _final(c_n, tensors, 1)
    return _answered(output, options), h_n, c_n, _nothing()


def gru(*arguments: Any) -> tuple[Any, Any, Any]:
    """Translate a call of ``tidegate::gru``: the operator's three results, the reserve empty."""
    tensors, options, _ = ops.GRU.read(arguments)
    assert isinstance(tensors, GruTensors)
    x = time_first(tensors.input, options)
    if beyond_onnx(tensors, options):
        output, h_n = scans.gru(x, tensors, options)
    else:
        output, h_n = op.GRU(
            x,
            *_weights(tensors, _GRU_ORDER),
            _lengths(tensors.lengths),
            _state(tensors.h_0),
            hidden_size=_size(tensors.weight_hh, 1),
            linear_before_reset=int(options.reset_after),
            **_attributes(options, (options.recurrent_activation, options.activation)),
        )
        output, h_n = op.Squeeze(output, whole([1])), _final(h_n, tensors, 0)
    return _answered(output, options), h_n, _nothing()


def beyond_onnx(tensors: LstmTensors | GruTensors, options: CellOptions) -> tuple[str, ...]:
    """Name what ONNX's operators cannot say of a cell; empty where they can say it all."""
    projected = isinstance(tensors, LstmTensors) and tensors.weight_hr is not None
    at_work = {
        "projection": projected,
        "layer_norm": tensors.weight_norm_ih is not None,
        "zoneout": max(options.zoneout_hidden, options.zoneout_cell) > 0,  # its expectation
    }
    return tuple(name for name, active in at_work.items() if active)


def time_first(x: Any, options: CellOptions) -> Any:
    """Give a sequence as ``[time, batch, feature]``."""
    return op.Transpose(x, perm=[1, 0, 2]) if options.batch_first else x


def _answered(output: Any, options: CellOptions) -> Any:
    if not options.return_sequences:
        return _nothing()
    return op.Transpose(output, perm=[1, 0, 2]) if options.batch_first else op.Identity(output)


def _nothing() -> Any:
    return constant(np.zeros(0, np.float32))


def _size(tensor: Any, axis: int) -> int:
    return int(tensor.shape[axis])


def _reordered(tensor: Any, order: tuple[int, ...]) -> Any:
    """Put blocks along the first axis into another order."""
    size = _size(tensor, 0) // len(order)
    rows = np.concatenate([np.arange(place * size, (place + 1) * size) for place in order])
    return op.Gather(tensor, constant(rows), axis=0)


def _weights(tensors: LstmTensors | GruTensors, order: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Give W, R and B with their axis of directions; B is absent in a layer without bias."""
    axis = whole([0])
    weights = [op.Unsqueeze(_reordered(part, order), axis) for part in (tensors.weight_ih, tensors.weight_hh)]
    if tensors.bias_ih is None:
        return weights[0], weights[1], None
    both = (_reordered(part, order) for part in (tensors.bias_ih, tensors.bias_hh))
    return weights[0], weights[1], op.Unsqueeze(op.Concat(*both, axis=0), axis)


def _lengths(lengths: Any) -> Any:
    return None if lengths is None else op.Cast(lengths, to=_INT32)


def _state(state: Any) -> Any:
    return None if state is None else op.Unsqueeze(state, whole([0]))


def _final(state: Any, tensors: LstmTensors | GruTensors, place: int) -> Any:
    """Give a final state ``[batch, unit]``; that of a row without steps is the initial one."""
    found = op.Squeeze(state, whole([0]))
    if tensors.lengths is None:
        return found
    initial = tensors.h_0 if place == 0 else getattr(tensors, "c_0")  # noqa: B009 - an LSTM's alone
    if initial is None:
        initial = constant(np.zeros(1, np.float32))
    there = op.Unsqueeze(op.Greater(tensors.lengths, whole([0])), whole([1]))
    return op.Where(there, found, initial)


def _attributes(options: CellOptions, activations: tuple[Activation, ...]) -> dict[str, Any]:
    named = [_ACTIVATIONS[Activation(activation)] for activation in activations]
    attributes: dict[str, Any] = {
        "direction": "reverse" if options.reverse else "forward",
        "activations": [name for name, _ in named],
    }
    parameters = [parameter for _, parameter in named if parameter is not None]
    if parameters:
        attributes["activation_alpha"] = [alpha for alpha, _ in parameters]
        attributes["activation_beta"] = [beta for _, beta in parameters]
    return attributes
