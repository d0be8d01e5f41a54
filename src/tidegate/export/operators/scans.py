"""Recurrences as ONNX's ``Scan``: for the options of a cell that ``LSTM`` and ``GRU`` of ONNX lack.

The body is one step of `tidegate.kernels.reference`, on values of a graph in the place of tensors, whatever the number
of steps; the product with the input, its norm and its bias are taken before, for all steps at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnxscript import ir

from tidegate.export.operators.body import Body, recorded
from tidegate.export.operators.nodes import constant, op, whole
from tidegate.kernels.options import CellOptions
from tidegate.kernels.reference import NORM_EPS

__all__ = ["gru", "lstm"]

_counter = itertools.count()


def lstm(x: Any, tensors: Any, options: CellOptions) -> tuple[Any, Any, Any]:
    """Scan an LSTM over ``x`` ``[time, batch, feature]``: output, h_n ``[batch, P]`` and c_n ``[batch, H]``."""
    units = int(tensors.weight_ih.shape[0]) // 4
    sizes = [int(tensors.weight_hh.shape[1]), units]

    def step(body: Body, states: Sequence[ir.Value], u_x: ir.Value) -> list[ir.Value]:
        h, c = states
        u = body.add(u_x, _recurrent_part(body, h, tensors.weight_hh, tensors))
        new_h, new_c = _lstm_step(body, u, c, tensors, options)
        return [_zoned(body, h, new_h, options.zoneout_hidden), _zoned(body, c, new_c, options.zoneout_cell)]

    output, finals = _scanned(x, tensors, options, sizes, [tensors.h_0, tensors.c_0], step)
    return output, finals[0], finals[1]


def gru(x: Any, tensors: Any, options: CellOptions) -> tuple[Any, Any]:
    """Scan a GRU over ``x`` ``[time, batch, feature]``: output and h_n ``[batch, H]``."""
    units = int(tensors.weight_hh.shape[1])

    def step(body: Body, states: Sequence[ir.Value], u_x: ir.Value) -> list[ir.Value]:
        h = states[0]
        z, n = _gru_gates(body, u_x, h, tensors, options)
        new = body.add(body.op("Mul", body.complement(z), n), body.op("Mul", z, h))
        return [_zoned(body, h, new, options.zoneout_hidden)]

    output, finals = _scanned(x, tensors, options, [units], [tensors.h_0], step)
    return output, finals[0]


def _lstm_step(body: Body, u: ir.Value, c: ir.Value, tensors: Any, options: CellOptions) -> tuple[ir.Value, ir.Value]:
    """Give new h and c from the sums ``u`` ``[batch, 4H]``."""
    u_i, u_f, u_g, u_o = body.split(u, 4)
    peephole = None if tensors.weight_peephole is None else _blocks(tensors.weight_peephole, 3)
    if peephole is not None:
        u_i = body.add(u_i, body.op("Mul", peephole[0], c))
        u_f = body.add(u_f, body.op("Mul", peephole[1], c))
    i, f = (body.activated(part, options.recurrent_activation) for part in (u_i, u_f))
    g = body.activated(u_g, options.activation)
    new_c = body.add(body.op("Mul", f, c), body.op("Mul", i, g))
    if peephole is not None:
        u_o = body.add(u_o, body.op("Mul", peephole[2], new_c))
    seen = new_c
    if tensors.weight_norm_c is not None:
        seen = body.normed(new_c, tensors.weight_norm_c, tensors.bias_norm_c)
    o = body.activated(u_o, options.recurrent_activation)
    new_h = body.op("Mul", o, body.activated(seen, options.activation))
    return (new_h if tensors.weight_hr is None else body.linear(new_h, tensors.weight_hr)), new_c


def _gru_gates(body: Body, u_x: ir.Value, h: ir.Value, tensors: Any, options: CellOptions) -> tuple[ir.Value, ir.Value]:
    """Give update gate and candidate."""
    x_r, x_z, x_n = body.split(u_x, 3)
    gate, candidate = options.recurrent_activation, options.activation
    if options.reset_after:
        h_r, h_z, q = body.split(_recurrent_part(body, h, tensors.weight_hh, tensors), 3)
        r, z = body.activated(body.add(x_r, h_r), gate), body.activated(body.add(x_z, h_z), gate)
        return z, body.activated(body.add(x_n, body.op("Mul", r, q)), candidate)
    w_r, w_z, w_n = _blocks(tensors.weight_hh, 3)
    biases = [None] * 3 if tensors.bias_hh is None else _blocks(tensors.bias_hh, 3)
    r = body.activated(body.add(x_r, body.linear(h, w_r, biases[0])), gate)
    z = body.activated(body.add(x_z, body.linear(h, w_z, biases[1])), gate)
    q = body.linear(body.op("Mul", r, h), w_n, biases[2])
    return z, body.activated(body.add(x_n, q), candidate)


def _recurrent_part(body: Body, h: ir.Value, weight: ir.Value, tensors: Any) -> ir.Value:
    product = body.linear(h, weight)
    if tensors.weight_norm_hh is not None:
        product = body.normed(product, tensors.weight_norm_hh)
    return product if tensors.bias_hh is None else body.add(product, tensors.bias_hh)


def _zoned(body: Body, old: ir.Value, new: ir.Value, probability: float) -> ir.Value:
    """Take zoneout's expectation: a share of the old value."""
    if not probability:
        return new
    kept = body.op("Mul", old, body.number(probability))
    return body.add(kept, body.op("Mul", new, body.number(1 - probability)))


# ------------------------------------------------------------------------------------- around the body


def _scanned(
    x: Any,
    tensors: Any,
    options: CellOptions,
    sizes: Sequence[int],
    initial: Sequence[Any],
    step: Callable[[Body, Sequence[ir.Value], ir.Value], list[ir.Value]],
) -> tuple[Any, Sequence[Any]]:
    """Put ``step`` into a Scan: the output ``[time, batch, P]`` and the final states."""
    valid = None if tensors.lengths is None else _valid_steps(x, tensors.lengths)
    scanned = [_input_part(x, tensors, valid)]
    if valid is not None:  # as numbers: TensorRT scans nothing else
        scanned.append(op.Cast(valid, to=int(ir.DataType.FLOAT)))
    begin = [_initial(x, state, size) for state, size in zip(initial, sizes, strict=True)]
    body = Body(f"recurrence_{next(_counter)}")
    states = [body.input(ir.DataType.FLOAT, (None, size)) for size in sizes]
    u_x = body.input(ir.DataType.FLOAT, (None, int(tensors.weight_ih.shape[0])))
    new = step(body, states, u_x)
    shown = new[0]
    if valid is not None:
        now = body.op("Cast", body.input(ir.DataType.FLOAT, (None, 1)), to=int(ir.DataType.BOOL))
        new = [body.op("Where", now, later, before) for later, before in zip(new, states, strict=True)]
        shown = body.op("Where", now, new[0], body.number(0.0))
    graph = body.graph([*new, body.op("Identity", shown)])
    direction = int(options.reverse)
    results = recorded(
        "Scan",
        [*begin, *scanned],
        outputs=len(sizes) + 1,
        body=graph,
        num_scan_inputs=len(scanned),
        scan_input_directions=[direction] * len(scanned),
        scan_output_directions=[direction],
    )
    return results[-1], results[:-1]


def _blocks(tensor: Any, count: int) -> list[Any]:
    """Cut a weight into blocks along its first axis, outside of the body, where that is folded away."""
    size = int(tensor.shape[0]) // count
    bounds = [whole([size * place]) for place in range(count + 1)]
    return [op.Slice(tensor, begin, end, whole([0])) for begin, end in itertools.pairwise(bounds)]


def _valid_steps(x: Any, lengths: Any) -> Any:
    """Say which steps lie within the lengths: bool ``[time, batch, 1]``."""
    steps = op.Range(whole(0), op.Squeeze(op.Shape(x, start=0, end=1)), whole(1))
    inside = op.Less(op.Unsqueeze(steps, whole([1])), lengths)
    return op.Unsqueeze(inside, whole([2]))


def _input_part(x: Any, tensors: Any, valid: Any) -> Any:
    """Take W_ih x with its norm and bias, of all steps; not even a NaN past a row's length gets in."""
    if valid is not None:
        x = op.Where(valid, x, constant(np.array(0, np.float32)))
    product = op.MatMul(x, op.Transpose(tensors.weight_ih, perm=[1, 0]))
    if tensors.weight_norm_ih is not None:
        product = op.LayerNormalization(product, tensors.weight_norm_ih, axis=-1, epsilon=NORM_EPS)[0]
    return product if tensors.bias_ih is None else op.Add(product, tensors.bias_ih)


def _initial(x: Any, state: Any, size: int) -> Any:
    if state is not None:
        return state
    shape = op.Concat(op.Shape(x, start=1, end=2), whole([size]), axis=0)
    return op.Expand(constant(np.zeros(1, np.float32)), shape)
