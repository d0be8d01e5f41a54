"""What the explicit backward passes of LSTM and GRU have in common.

They walk back in chunks of `CHUNK` steps: the gate gradients of a chunk lie in scratch, and from them the chunk's
weight gradients follow as matrix products. Nothing that forward kept is written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tidegate.kernels.arguments import GruTensors, LstmTensors
from tidegate.kernels.options import CellOptions
from tidegate.kernels.reference import NORM_EPS, Weights, rounded, time_major, valid_steps

__all__ = ["CHUNK", "Inputs", "NormTape", "Products", "Sums", "chunks", "output_gradient", "parted", "previous"]

CHUNK = 16


class Sums:
    """Sums of gradients by the name of the tensor; what nobody asked for is not kept."""

    def __init__(self, tensors: LstmTensors | GruTensors, names: Sequence[str], needs: Sequence[bool]) -> None:
        self._tensors = tensors._asdict()
        self._names = names
        self._needed = {
            name for name, needed in zip(names, needs, strict=True) if needed and self._tensors[name] is not None
        }
        self._sums: dict[str, Tensor] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._needed

    def add(self, name: str, gradient: Tensor) -> None:
        """Add a share of the gradient of the tensor called ``name``."""
        if name in self._needed:
            self._sums[name] = self._sums[name] + gradient if name in self._sums else gradient

    def results(self) -> tuple[Tensor | None, ...]:
        """Give the gradients in order, each with shape and dtype of its tensor; None for those not asked for."""
        return tuple(self._result(self._tensors[name], name) if name in self else None for name in self._names)

    def _result(self, tensor: Tensor, name: str) -> Tensor:
        total = self._sums.get(name)
        if total is None:  # no step has added to it: an empty sequence
            return tensor.new_zeros(tensor.shape)
        return total.to(tensor.dtype).contiguous()


class NormTape(NamedTuple):
    """A layer norm as backward needs it: the normalised values and 1/σ."""

    normalised: Tensor  # [..., feature]
    rstd: Tensor  # [..., 1]
    weight: Tensor

    @classmethod
    def of(cls, values: Tensor, weight: Tensor | None) -> NormTape | None:
        """Normalise ``values`` over the last dimension; None where there is no norm."""
        if weight is None:
            return None
        centred = values - values.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # torch.var_mean warns of a batch without rows
        rstd = torch.rsqrt(variance + NORM_EPS)
        return cls(centred * rstd, rstd, weight)

    def at(self, index: int) -> NormTape:
        """Give one step of the tape of a chunk."""
        return NormTape(self.normalised[index], self.rstd[index], self.weight)

    def backward(self, gradient: Tensor) -> Tensor:
        """Turn the gradient of the norm's output into that of its input."""
        scaled = gradient * self.weight
        along = (scaled * self.normalised).mean(dim=-1, keepdim=True)
        return self.rstd * (scaled - scaled.mean(dim=-1, keepdim=True) - self.normalised * along)

    def weight_gradient(self, gradient: Tensor) -> Tensor:
        """Turn the gradient of the norm's output into that of its weight."""
        return (gradient * self.normalised).flatten(0, -2).sum(dim=0)


class Inputs:
    """The input of a call, and what of its gradient comes from the gates.

    Parameters
    ----------
    tensors, weights, options
        Of the call.
    """

    def __init__(self, tensors: LstmTensors | GruTensors, weights: Weights, options: CellOptions) -> None:
        self._x = time_major(tensors.input, options)
        self._mask = None if tensors.mask_x is None else tensors.mask_x.to(weights.ih.dtype)
        self._weights = weights
        self._options = options
        self.valid = valid_steps(tensors.lengths, self._x.shape[0])
        self._gradients: dict[int, Tensor] = {}

    @property
    def steps(self) -> int:
        """How many steps the sequence has."""
        return int(self._x.shape[0])

    def _masked(self, chunk: slice) -> Tensor:
        x = self._x[chunk].to(self._weights.ih.dtype)
        if self.valid is not None:
            x = torch.where(self.valid[chunk], x, x.new_zeros(()))
        return x if self._mask is None else rounded(x * self._mask, self._x.dtype)

    def backward(self, chunk: slice, du: Tensor, sums: Sums, tape: NormTape | None) -> None:
        """Add what the gradient ``du`` ``[chunk, batch, gates · H]`` of W x means for weights, norm, bias and input.

        ``tape`` is that of the norm of W x, if it has one.
        """
        w, x = self._weights, self._masked(chunk)
        sums.add("bias_ih", du.sum(dim=(0, 1)))
        if tape is not None:
            sums.add("weight_norm_ih", tape.weight_gradient(du))
            du = tape.backward(du)
        if "weight_ih" in sums:
            sums.add("weight_ih", du.flatten(0, 1).mT @ x.flatten(0, 1))
        if "input" in sums:
            dx = du @ w.ih
            self._gradients[chunk.start] = dx if self._mask is None else dx * self._mask

    def add_gradient(self, sums: Sums) -> None:
        """Add the gradient of the input itself, once every chunk has been seen."""
        if self._gradients:
            dx = torch.cat([self._gradients[start] for start in sorted(self._gradients)])  # [time, batch, I]
            sums.add("input", time_major(dx, self._options))


class Products:
    """The products that layer norms have normalised, as forward has kept them."""

    def __init__(self, kept: Tensor, weights: Weights) -> None:
        gates = weights.hh.shape[0]
        self._ih, self._hh = (kept, kept) if weights.norm_ih is None else kept.split_with_sizes((gates, gates), dim=-1)
        self._weights = weights

    def tapes(self, chunk: slice) -> tuple[NormTape | None, NormTape | None]:
        """Give the tapes of W_ih x and W_hh h; None without norms."""
        w = self._weights
        return NormTape.of(self._ih[chunk], w.norm_ih), NormTape.of(self._hh[chunk], w.norm_hh)


def chunks(steps: int, options: CellOptions) -> Iterator[slice]:
    """Cut the steps into slices of time, in the order in which backward visits them."""
    starts = range(0, steps, CHUNK)
    for start in starts if options.reverse else reversed(starts):
        yield slice(start, min(start + CHUNK, steps))


def previous(states: Tensor, initial: Tensor, chunk: slice, options: CellOptions) -> Tensor:
    """Give the states before each step of a chunk, ``[chunk, batch, feature]``, from those after every step."""
    if options.reverse:
        if chunk.stop < states.shape[0]:
            return states[chunk.start + 1 : chunk.stop + 1]
        return torch.cat((states[chunk.start + 1 : chunk.stop], initial.unsqueeze(0)))
    if chunk.start > 0:
        return states[chunk.start - 1 : chunk.stop - 1]
    return torch.cat((initial.unsqueeze(0), states[chunk.start : chunk.stop - 1]))


def output_gradient(gradient: Tensor | None, options: CellOptions, dtype: torch.dtype) -> Tensor | None:
    """Give the gradient of the output ``[time, batch, feature]`` in the accumulators' dtype, if there is one."""
    if gradient is None or not options.return_sequences:
        return None
    return time_major(gradient, options).to(dtype)


def parted(valid: Tensor | None, gradient: Tensor) -> tuple[Tensor, Tensor | float]:
    """Part the gradient of a state after a step: rows that the step computed, and rows that it passed through."""
    if valid is None:
        return gradient, 0.0
    zero = gradient.new_zeros(())
    return torch.where(valid, gradient, zero), torch.where(valid, zero, gradient)
