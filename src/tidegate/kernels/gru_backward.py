"""The backward pass of the GRU, written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tidegate.kernels.activations import DERIVATIVES
from tidegate.kernels.arguments import GRU_GRADIENTS, GruTensors
from tidegate.kernels.backward import Inputs, NormTape, Products, Sums, chunks, output_gradient, parted, previous
from tidegate.kernels.options import CellOptions
from tidegate.kernels.philox import HIDDEN_STREAM
from tidegate.kernels.reference import Weights, rounded
from tidegate.kernels.zoneout import Zoneout

__all__ = ["gru_backward"]


class _Chunk(NamedTuple):
    """What one chunk of steps reads; each ``[chunk, batch, feature]``."""

    start: int
    gates: Tensor  # r, z, n, q; q is the recurrent part of n
    h_before: Tensor
    h_read: Tensor  # what the recurrent product has read: h_before masked by mask_h
    norm_ih: NormTape | None
    norm_hh: NormTape | None


class _Walk:
    """One walk back over the steps of a call."""

    def __init__(self, tensors: GruTensors, options: CellOptions, reserve: Tensor, sums: Sums) -> None:
        self.w = Weights.of(tensors)
        self.dtype = tensors.input.dtype
        self.options = options
        self.sums = sums
        self.inputs = Inputs(tensors, self.w, options)
        steps, batch, units = self.inputs.steps, reserve.shape[1], self.w.hh.shape[1]
        kept = 4 * units, units
        self.gates, self.hiddens, raw = reserve.split_with_sizes((*kept, reserve.shape[2] - sum(kept)), dim=-1)
        self.products = Products(raw, self.w)
        self.h_0 = reserve.new_zeros(batch, units) if tensors.h_0 is None else tensors.h_0.to(reserve.dtype)
        self.zone = Zoneout(options.zoneout_hidden, tensors.seed, HIDDEN_STREAM, steps=steps, batch=batch, units=units)

    def masked(self, h: Tensor) -> Tensor:
        """Apply the mask of the recurrent dropout, if there is one."""
        return h if self.w.mask_h is None else rounded(h * self.w.mask_h, self.dtype)

    def read(self, chunk: slice) -> _Chunk:
        """Read a chunk from the reserve."""
        h_before = previous(self.hiddens, self.h_0, chunk, self.options)
        h_read = self.masked(h_before)
        return _Chunk(chunk.start, self.gates[chunk], h_before, h_read, *self.products.tapes(chunk))

    def step(self, chunk: _Chunk, index: int, dh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn the gradient of the state after a step into those of both sums and of the state before it."""
        step, h_before = chunk.start + index, chunk.h_before[index]
        dh, dh_passed = parted(None if self.inputs.valid is None else self.inputs.valid[step], dh)
        dh_old, dh = self.zone.share(dh, step)
        r, z, n, q = chunk.gates[index].chunk(4, dim=-1)
        dsigma = DERIVATIVES[self.options.recurrent_activation]
        du_n = dh * (1 - z) * DERIVATIVES[self.options.activation](n)
        du_z = dh * (h_before - n) * dsigma(z)
        if self.options.reset_after:
            du_r = du_n * q * dsigma(r)
            du_h = torch.cat((du_r, du_z, du_n * r), dim=-1)
            through = self._through(du_h, chunk, index)
        else:
            units = h_before.shape[1]
            d_reset = self._unmasked(du_n @ self.w.hh[2 * units :])  # of r ∘ h
            du_r = d_reset * h_before * dsigma(r)
            du_h = torch.cat((du_r, du_z, du_n), dim=-1)
            through = self._unmasked(du_h[:, : 2 * units] @ self.w.hh[: 2 * units]) + d_reset * r
        return torch.cat((du_r, du_z, du_n), dim=-1), du_h, through + dh * z + dh_old + dh_passed

    def _unmasked(self, gradient: Tensor) -> Tensor:
        return gradient if self.w.mask_h is None else gradient * self.w.mask_h

    def _through(self, du: Tensor, chunk: _Chunk, index: int) -> Tensor:
        d_product = du if chunk.norm_hh is None else chunk.norm_hh.at(index).backward(du)
        return self._unmasked(d_product @ self.w.hh)

    def add_products(self, chunk: _Chunk, du: Tensor) -> None:
        """Add a chunk's shares of the gradients of the recurrent weights, norm and bias."""
        self.sums.add("bias_hh", du.sum(dim=(0, 1)))
        if chunk.norm_hh is not None:
            self.sums.add("weight_norm_hh", chunk.norm_hh.weight_gradient(du))
            du = chunk.norm_hh.backward(du)
        if "weight_hh" not in self.sums:
            return
        units = chunk.h_before.shape[-1]
        gates, candidate = du.flatten(0, 1).split_with_sizes((2 * units, units), dim=-1)
        h_read = chunk.h_read.flatten(0, 1)
        reset = h_read
        if not self.options.reset_after:
            r = chunk.gates[..., :units]
            reset = rounded(self.masked(r * chunk.h_before), self.dtype).flatten(0, 1)
        self.sums.add("weight_hh", torch.cat((gates.mT @ h_read, candidate.mT @ reset)))


def gru_backward(
    gradients: tuple[Tensor | None, Tensor | None],
    reserve: Tensor,
    tensors: GruTensors,
    options: CellOptions,
    needs: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Walk back over one direction of one GRU layer.

    Parameters
    ----------
    gradients
        Of output and h_n, as `reference.gru` shapes them; None for zeros.
    reserve, tensors, options
        What forward kept, and what it was given.
    needs
        Which gradients are asked for, in the order of `GRU_GRADIENTS`.

    Returns
    -------
    The gradients in the order of `GRU_GRADIENTS`, None where not asked for.
    """
    sums = Sums(tensors, GRU_GRADIENTS, needs)
    walk = _Walk(tensors, options, reserve, sums)
    d_output = output_gradient(gradients[0], options, reserve.dtype)
    dh = torch.zeros_like(walk.h_0) if gradients[1] is None else gradients[1].to(reserve.dtype)
    valid, units = walk.inputs.valid, dh.shape[1]
    for span in chunks(walk.inputs.steps, options):
        chunk = walk.read(span)
        du_x, du_h = torch.empty_like(chunk.gates[..., units:]), torch.empty_like(chunk.gates[..., units:])  # scratch
        indices = range(span.stop - span.start)
        for index in indices if options.reverse else reversed(indices):
            if d_output is not None:
                share = d_output[span.start + index]
                dh = dh + (share if valid is None else torch.where(valid[span.start + index], share, 0))
            du_x[index], du_h[index], dh = walk.step(chunk, index, dh)
        walk.add_products(chunk, du_h)
        walk.inputs.backward(span, du_x, sums, chunk.norm_ih)
    walk.inputs.add_gradient(sums)
    sums.add("h_0", dh)
    return sums.results()
