"""The backward pass of the LSTM, written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tidegate.kernels.activations import ACTIVATIONS, DERIVATIVES
from tidegate.kernels.arguments import LSTM_GRADIENTS, LstmTensors
from tidegate.kernels.backward import Inputs, NormTape, Products, Sums, chunks, output_gradient, parted, previous
from tidegate.kernels.options import CellOptions
from tidegate.kernels.philox import CELL_STREAM, HIDDEN_STREAM
from tidegate.kernels.reference import Weights, rounded
from tidegate.kernels.zoneout import Zoneout

__all__ = ["lstm_backward"]


class _Chunk(NamedTuple):
    """What one chunk of steps reads; each ``[chunk, batch, feature]``."""

    start: int
    gates: Tensor  # i, f, g, o
    c_before: Tensor
    h_before: Tensor  # what the recurrent product has read: masked by mask_h
    norm_ih: NormTape | None
    norm_hh: NormTape | None


class _Walk:
    """One walk back over the steps of a call."""

    def __init__(self, tensors: LstmTensors, options: CellOptions, reserve: Tensor, sums: Sums) -> None:
        self.w = Weights.of(tensors)
        self.dtype = tensors.input.dtype
        self.options = options
        self.sums = sums
        self.inputs = Inputs(tensors, self.w, options)
        steps, batch, units = self.inputs.steps, reserve.shape[1], self.w.hh.shape[0] // 4
        outputs = self.w.hh.shape[1]
        kept = 4 * units, units, outputs
        self.gates, self.cells, self.hiddens, raw = reserve.split_with_sizes(
            (*kept, reserve.shape[2] - sum(kept)), dim=-1
        )
        self.products = Products(raw, self.w)
        zeros, dtype = reserve.new_zeros, reserve.dtype
        self.h_0 = zeros(batch, outputs) if tensors.h_0 is None else tensors.h_0.to(dtype)
        self.c_0 = zeros(batch, units) if tensors.c_0 is None else tensors.c_0.to(dtype)
        self.zone_h = Zoneout(
            options.zoneout_hidden, tensors.seed, HIDDEN_STREAM, steps=steps, batch=batch, units=outputs
        )
        self.zone_c = Zoneout(options.zoneout_cell, tensors.seed, CELL_STREAM, steps=steps, batch=batch, units=units)

    def read(self, chunk: slice) -> _Chunk:
        """Read a chunk from the reserve."""
        w = self.w
        h_before = previous(self.hiddens, self.h_0, chunk, self.options)
        if w.mask_h is not None:
            h_before = rounded(h_before * w.mask_h, self.dtype)
        c_before = previous(self.cells, self.c_0, chunk, self.options)
        return _Chunk(chunk.start, self.gates[chunk], c_before, h_before, *self.products.tapes(chunk))

    def step(self, chunk: _Chunk, index: int, dh: Tensor, dc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn the gradients of the states after a step into those of the gates' sums and of the states before it."""
        step, w = chunk.start + index, self.w
        valid = None if self.inputs.valid is None else self.inputs.valid[step]
        (dh, dh_passed), (dc, dc_passed) = parted(valid, dh), parted(valid, dc)
        dh_old, dh_new = self.zone_h.share(dh, step)
        dc_old, dc_new = self.zone_c.share(dc, step)
        du, dc_before = self._cell(chunk, index, dh_new, dc_new)
        d_product = du if chunk.norm_hh is None else chunk.norm_hh.at(index).backward(du)
        dh_before = d_product @ w.hh
        if w.mask_h is not None:
            dh_before = dh_before * w.mask_h
        return du, dh_before + dh_old + dh_passed, dc_before + dc_old + dc_passed

    def _cell(self, chunk: _Chunk, index: int, dh: Tensor, dc: Tensor) -> tuple[Tensor, Tensor]:
        """Give the gradients of the sums ``[batch, 4H]`` and of the old cell, from those of new h and new c."""
        dsigma, peephole = DERIVATIVES[self.options.recurrent_activation], self.w.peephole
        i, f, g, o = chunk.gates[index].chunk(4, dim=-1)
        old = chunk.c_before[index]
        new = f * old + i * g
        d_o, d_cell = self._output(new, o, dh)
        du_o = d_o * dsigma(o)
        dc = dc + d_cell
        if peephole is not None:
            dc = dc + peephole[2] * du_o
        du_i, du_f = dc * g * dsigma(i), dc * old * dsigma(f)
        du_g = dc * i * DERIVATIVES[self.options.activation](g)
        d_old = dc * f
        if peephole is not None:
            d_old = d_old + peephole[0] * du_i + peephole[1] * du_f
            shares = torch.cat((du_i * old, du_f * old, du_o * new), dim=-1)
            self.sums.add("weight_peephole", shares.sum(dim=0))
        return torch.cat((du_i, du_f, du_g, du_o), dim=-1), d_old

    def _output(self, cell: Tensor, o: Tensor, dh: Tensor) -> tuple[Tensor, Tensor]:
        """Give the gradients of o and of the new cell by way of h = W_hr (o ∘ φ(N_c(cell)))."""
        w, activation = self.w, self.options.activation
        tape = NormTape.of(cell, w.norm_c)
        seen = cell if tape is None else tape.normalised * tape.weight
        if w.bias_norm_c is not None:
            seen = seen + w.bias_norm_c
        y = ACTIVATIONS[activation](seen)
        if w.hr is not None:
            self.sums.add("weight_hr", dh.mT @ rounded(o * y, self.dtype))
            dh = dh @ w.hr
        d_cell = dh * o * DERIVATIVES[activation](y)
        if tape is not None:
            self.sums.add("weight_norm_c", tape.weight_gradient(d_cell))
            self.sums.add("bias_norm_c", d_cell.sum(dim=0))
            d_cell = tape.backward(d_cell)
        return dh * y, d_cell

    def add_products(self, chunk: _Chunk, du: Tensor) -> None:
        """Add a chunk's shares of the gradients of the recurrent weights, norm and bias."""
        self.sums.add("bias_hh", du.sum(dim=(0, 1)))
        if chunk.norm_hh is not None:
            self.sums.add("weight_norm_hh", chunk.norm_hh.weight_gradient(du))
            du = chunk.norm_hh.backward(du)
        if "weight_hh" in self.sums:
            self.sums.add("weight_hh", du.flatten(0, 1).mT @ chunk.h_before.flatten(0, 1))


def lstm_backward(
    gradients: tuple[Tensor | None, Tensor | None, Tensor | None],
    reserve: Tensor,
    tensors: LstmTensors,
    options: CellOptions,
    needs: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Walk back over one direction of one LSTM layer.

    Parameters
    ----------
    gradients
        Of output, h_n and c_n, as `reference.lstm` shapes them; None for zeros.
    reserve, tensors, options
        What forward kept, and what it was given.
    needs
        Which gradients are asked for, in the order of `LSTM_GRADIENTS`.

    Returns
    -------
    The gradients in the order of `LSTM_GRADIENTS`, None where not asked for.
    """
    sums = Sums(tensors, LSTM_GRADIENTS, needs)
    walk = _Walk(tensors, options, reserve, sums)
    d_output = output_gradient(gradients[0], options, reserve.dtype)
    dh = torch.zeros_like(walk.h_0) if gradients[1] is None else gradients[1].to(reserve.dtype)
    dc = torch.zeros_like(walk.c_0) if gradients[2] is None else gradients[2].to(reserve.dtype)
    valid = walk.inputs.valid
    for span in chunks(walk.inputs.steps, options):
        chunk = walk.read(span)
        du = torch.empty_like(chunk.gates)  # the scratch of this chunk
        indices = range(span.stop - span.start)
        for index in indices if options.reverse else reversed(indices):
            if d_output is not None:
                share = d_output[span.start + index]
                dh = dh + (share if valid is None else torch.where(valid[span.start + index], share, 0))
            du[index], dh, dc = walk.step(chunk, index, dh, dc)
        walk.add_products(chunk, du)
        walk.inputs.backward(span, du, sums, chunk.norm_ih)
    walk.inputs.add_gradient(sums)
    sums.add("h_0", dh)
    sums.add("c_0", dc)
    return sums.results()
