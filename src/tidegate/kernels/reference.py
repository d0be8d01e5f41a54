"""The recurrences as plain torch, step by step: the oracle that every other implementation is tested against.

Everything here can be differentiated by autograd, any number of times. It is also what the operators run where no
compiled kernel is registered. In bfloat16 and float16 the operands of the products are rounded to that dtype; sums,
cell states, norms and statistics are float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tidegate.kernels.activations import ACTIVATIONS
from tidegate.kernels.arguments import GruTensors, LstmTensors, accumulation_dtype
from tidegate.kernels.options import CellOptions
from tidegate.kernels.philox import CELL_STREAM, HIDDEN_STREAM
from tidegate.kernels.zoneout import Zoneout

__all__ = ["NORM_EPS", "Weights", "gru", "lstm", "order", "rounded", "time_major", "valid_steps"]

NORM_EPS = 1e-5


class Weights(NamedTuple):
    """A cell's tensors in the dtype of the accumulators; those that an LSTM alone has are absent in a GRU."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    norm_ih: Tensor | None
    norm_hh: Tensor | None
    mask_h: Tensor | None
    hr: Tensor | None = None
    peephole: tuple[Tensor, ...] | None = None  # of i, f, o
    norm_c: Tensor | None = None
    bias_norm_c: Tensor | None = None

    @classmethod
    def of(cls, tensors: LstmTensors | GruTensors) -> Weights:
        """Read the operators' tensors."""
        dtype = accumulation_dtype(tensors.input.dtype)

        def cast(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(dtype)

        shared = cls(
            ih=tensors.weight_ih.to(dtype),
            hh=tensors.weight_hh.to(dtype),
            bias_ih=cast(tensors.bias_ih),
            bias_hh=cast(tensors.bias_hh),
            norm_ih=cast(tensors.weight_norm_ih),
            norm_hh=cast(tensors.weight_norm_hh),
            mask_h=cast(tensors.mask_h),
        )
        if isinstance(tensors, GruTensors):
            return shared
        peephole = cast(tensors.weight_peephole)
        return shared._replace(
            hr=cast(tensors.weight_hr),
            peephole=None if peephole is None else peephole.chunk(3),
            norm_c=cast(tensors.weight_norm_c),
            bias_norm_c=cast(tensors.bias_norm_c),
        )


def time_major(tensor: Tensor, options: CellOptions) -> Tensor:
    """View a sequence as ``[time, batch, feature]``."""
    return tensor.transpose(0, 1) if options.batch_first else tensor


def valid_steps(lengths: Tensor | None, steps: int) -> Tensor | None:
    """Say which steps of which rows lie within the lengths: bool ``[time, batch, 1]``, or None for all of them."""
    if lengths is None:
        return None
    return (torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths).unsqueeze(2)


def order(steps: int, options: CellOptions) -> range:
    """Give the steps in the order in which they are computed."""
    return range(steps - 1, -1, -1) if options.reverse else range(steps)


def rounded(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Round to ``dtype`` what a product in ``dtype`` is going to read; keep the accumulators' dtype."""
    return tensor if tensor.dtype == dtype else tensor.to(dtype).to(tensor.dtype)


def _norm(values: Tensor, weight: Tensor | None, bias: Tensor | None = None) -> Tensor:
    return values if weight is None else functional.layer_norm(values, weight.shape, weight, bias, NORM_EPS)


def _plus(values: Tensor, bias: Tensor | None) -> Tensor:
    return values if bias is None else values + bias


def _masked(values: Tensor, mask: Tensor | None, dtype: torch.dtype) -> Tensor:
    return values if mask is None else rounded(values * mask, dtype)


def _initial(state: Tensor | None, batch: int, units: int, like: Tensor) -> Tensor:
    return like.new_zeros(batch, units) if state is None else state.to(like.dtype)


class _InputPart(NamedTuple):
    """What does not recur, of all steps at once."""

    product: Tensor  # W_ih x: [time, batch, gates · H]
    gates: Tensor  # the same with norm and bias
    valid: Tensor | None  # see `valid_steps`

    @property
    def sizes(self) -> tuple[int, int]:
        """Steps and batch."""
        return self.product.shape[0], self.product.shape[1]


def _input_part(tensors: LstmTensors | GruTensors, w: Weights, options: CellOptions) -> _InputPart:
    """Compute what does not recur.

    What lies past a row's length is replaced first: not even a NaN there may reach a result or a gradient.
    """
    dtype = tensors.input.dtype
    x = time_major(tensors.input, options).to(w.ih.dtype)  # [time, batch, I]
    valid = valid_steps(tensors.lengths, x.shape[0])
    if valid is not None:
        x = torch.where(valid, x, x.new_zeros(()))
    x = x if tensors.mask_x is None else rounded(x * tensors.mask_x.to(x.dtype), dtype)
    product = functional.linear(x, w.ih)
    return _InputPart(product, _plus(_norm(product, w.norm_ih), w.bias_ih), valid)


class _Record:
    """The states after each step and what backward wants to know of it, in the order of time."""

    def __init__(self, steps: int, *, keep: bool) -> None:
        self.keep = keep
        self.outputs: list[Tensor | None] = [None] * steps
        self.reserves: list[Tensor | None] = [None] * steps

    def stacked(self, entries: list[Tensor | None], empty: Tensor) -> Tensor:
        present = [entry for entry in entries if entry is not None]
        return torch.stack(present) if present else empty

    def output(self, h: Tensor, options: CellOptions, dtype: torch.dtype) -> Tensor:
        """Give the output in the layout and dtype of the input."""
        if not options.return_sequences:
            return h.new_empty(0, dtype=dtype)
        output = self.stacked(self.outputs, h.new_empty(0, *h.shape)).to(dtype)  # [time, batch, P]
        return output.transpose(0, 1).contiguous() if options.batch_first else output

    def reserve(self, h: Tensor, width: int) -> Tensor:
        if not self.keep:
            return h.new_empty(0)
        return self.stacked(self.reserves, h.new_empty(0, h.shape[0], width))


def _carry(valid: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    return new if valid is None else torch.where(valid, new, old)


def _lstm_gates(
    u: Tensor, c: Tensor, w: Weights, options: CellOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute i, f, g, o and the new cell, each ``[batch, H]``, from the sums ``u`` ``[batch, 4H]``."""
    sigma, phi = ACTIVATIONS[options.recurrent_activation], ACTIVATIONS[options.activation]
    u_i, u_f, u_g, u_o = u.chunk(4, dim=-1)
    if w.peephole is not None:
        u_i, u_f = u_i + w.peephole[0] * c, u_f + w.peephole[1] * c
    i, f, g = sigma(u_i), sigma(u_f), phi(u_g)
    new = f * c + i * g
    if w.peephole is not None:
        u_o = u_o + w.peephole[2] * new
    return i, f, g, sigma(u_o), new


def lstm(tensors: LstmTensors, options: CellOptions, *, keep: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run one direction of one LSTM layer.

    Parameters
    ----------
    tensors, options
        See `LstmTensors` and `CellOptions`.
    keep
        Whether to give the reserve that the explicit backward pass reads.

    Returns
    -------
    output
        ``[time, batch, P]`` or ``[batch, time, P]``; 0 past a row's length. Empty without ``return_sequences``.
    h_n, c_n
        The final states ``[batch, P]`` and ``[batch, H]``, in the input's dtype.
    reserve
        ``[time, batch, 5H + P]`` in the accumulators' dtype: i, f, g, o after their activations, c and h after the
        step; with a layer norm 8H more, the products that it normalises, W_ih x and W_hh h. Past a row's length c and
        h are the carried states, and the rest is any finite numbers. Empty without ``keep``.
    """
    w, dtype, phi = Weights.of(tensors), tensors.input.dtype, ACTIVATIONS[options.activation]
    product, u_x, valid = part = _input_part(tensors, w, options)
    (steps, batch), units = part.sizes, w.hh.shape[0] // 4
    h, c = _initial(tensors.h_0, batch, w.hh.shape[1], u_x), _initial(tensors.c_0, batch, units, u_x)
    zone_h = Zoneout(options.zoneout_hidden, tensors.seed, HIDDEN_STREAM, steps=steps, batch=batch, units=h.shape[1])
    zone_c = Zoneout(options.zoneout_cell, tensors.seed, CELL_STREAM, steps=steps, batch=batch, units=units)
    record = _Record(steps, keep=keep)
    for step in order(steps, options):
        u_h = functional.linear(_masked(h, w.mask_h, dtype), w.hh)
        u = u_x[step] + _plus(_norm(u_h, w.norm_hh), w.bias_hh)  # [batch, 4H]
        i, f, g, o, new_c = _lstm_gates(u, c, w, options)
        new_h = o * phi(_norm(new_c, w.norm_c, w.bias_norm_c))
        if w.hr is not None:
            new_h = functional.linear(rounded(new_h, dtype), w.hr)
        now = None if valid is None else valid[step]
        h = _carry(now, rounded(zone_h.apply(h, new_h, step), dtype), h)
        c = _carry(now, zone_c.apply(c, new_c, step), c)
        if options.return_sequences:
            record.outputs[step] = h if now is None else torch.where(now, h, h.new_zeros(()))
        if keep:
            raw = () if w.norm_ih is None else (product[step], u_h)
            record.reserves[step] = torch.cat((i, f, g, o, c, h, *raw), dim=-1)
    reserve = record.reserve(h, (5 if w.norm_ih is None else 13) * units + h.shape[1])
    return record.output(h, options, dtype), _final(h, tensors.h_0, dtype), _final(c, tensors.c_0, dtype), reserve


def gru(tensors: GruTensors, options: CellOptions, *, keep: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction of one GRU layer.

    Parameters
    ----------
    tensors, options
        See `GruTensors` and `CellOptions`.
    keep
        Whether to give the reserve that the explicit backward pass reads.

    Returns
    -------
    output
        ``[time, batch, H]`` or ``[batch, time, H]``; 0 past a row's length. Empty without ``return_sequences``.
    h_n
        The final state ``[batch, H]``, in the input's dtype.
    reserve
        ``[time, batch, 5H]`` in the accumulators' dtype: r, z, n after their activations, the recurrent part of n
        with its norm and bias (before the reset gate applies, or after it without ``reset_after``), and h after the
        step; with a layer norm 6H more, the products that it normalises, W_ih x and W_hh h. Past a row's length h is
        the carried state, and the rest is any finite numbers. Empty without ``keep``.
    """
    w, dtype = Weights.of(tensors), tensors.input.dtype
    product, u_x, valid = part = _input_part(tensors, w, options)
    (steps, batch), units = part.sizes, w.hh.shape[1]
    h = _initial(tensors.h_0, batch, units, u_x)
    zone = Zoneout(options.zoneout_hidden, tensors.seed, HIDDEN_STREAM, steps=steps, batch=batch, units=units)
    record = _Record(steps, keep=keep)
    for step in order(steps, options):
        r, z, n, q, u_h = _gru_gates(u_x[step], h, w, options, dtype)
        now = None if valid is None else valid[step]
        h = _carry(now, rounded(zone.apply(h, (1 - z) * n + z * h, step), dtype), h)
        if options.return_sequences:
            record.outputs[step] = h if now is None else torch.where(now, h, h.new_zeros(()))
        if keep:
            raw = () if w.norm_ih is None else (product[step], u_h)
            record.reserves[step] = torch.cat((r, z, n, q, h, *raw), dim=-1)
    reserve = record.reserve(h, (5 if w.norm_ih is None else 11) * units)
    return record.output(h, options, dtype), _final(h, tensors.h_0, dtype), reserve


def _gru_gates(
    u_x: Tensor, h: Tensor, w: Weights, options: CellOptions, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute r, z, n and the recurrent part of n, each ``[batch, H]``, and the recurrent product of the gates."""
    sigma, phi = ACTIVATIONS[options.recurrent_activation], ACTIVATIONS[options.activation]
    x_r, x_z, x_n = u_x.chunk(3, dim=-1)
    if options.reset_after:
        u_h = functional.linear(_masked(h, w.mask_h, dtype), w.hh)
        h_r, h_z, q = _plus(_norm(u_h, w.norm_hh), w.bias_hh).chunk(3, dim=-1)
        r, z = sigma(x_r + h_r), sigma(x_z + h_z)
        return r, z, phi(x_n + r * q), q, u_h
    units = h.shape[1]
    gates, candidate = w.hh.split_with_sizes((2 * units, units))
    bias_gates, bias_n = (None, None) if w.bias_hh is None else w.bias_hh.split_with_sizes((2 * units, units))
    u_h = functional.linear(_masked(h, w.mask_h, dtype), gates)
    h_r, h_z = _plus(u_h, bias_gates).chunk(2, dim=-1)
    r, z = sigma(x_r + h_r), sigma(x_z + h_z)
    q = _plus(functional.linear(rounded(_masked(r * h, w.mask_h, dtype), dtype), candidate), bias_n)
    return r, z, phi(x_n + q), q, u_h


def _final(state: Tensor, initial: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Give a final state in the input's dtype, never the initial one itself: an operator may not return its input."""
    given = state.to(dtype)
    return given.clone() if given is initial else given
