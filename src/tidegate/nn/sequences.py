"""Sequences as recurrent layers take them: padded, packed or unbatched; checked once, brought into one form."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import _VF, Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tidegate.errors import ShapeError
from tidegate.kernels.autocast import autocast_dtype

__all__ = ["Sequences", "check_states", "read", "read_lengths"]


class Sequences(NamedTuple):
    """The sequences of one call.

    ``values`` is ``[time, batch, feature]`` or, with ``batch_first``, ``[batch, time, feature]``; in a call with a
    packed sequence it is the packed data until `padded` is called.
    """

    values: Tensor
    lengths: Tensor | None  # int64 [batch] on the device of the values; None: every row is full
    shortest: int | None  # None: every row is full, or (while compiling) the lengths cannot be looked at
    steps: int
    batch: int
    batch_first: bool
    batched: bool = True
    packed: PackedSequence | None = None  # what came, where a packed sequence came

    def padded(self) -> Sequences:
        """Give the same sequences padded; ``packed`` still says that the answer is to be packed."""
        if self.packed is None or self.lengths is not None:
            return self
        values, lengths = pad_packed_sequence(self.packed, self.batch_first)
        return self._replace(values=values, lengths=lengths.to(values.device))

    def reversed(self) -> Sequences:
        """Turn round the valid part of every row."""
        given = self.padded()
        time = 1 if given.batch_first else 0
        if given.lengths is None:
            return given._replace(values=given.values.flip(time))
        step = torch.arange(given.values.shape[time], device=given.values.device).unsqueeze(1)
        turned = given.lengths - 1 - step
        index = torch.where(turned < 0, step, turned)  # [time, batch]
        row = torch.arange(given.values.shape[1 - time], device=given.values.device)
        if given.batch_first:
            return given._replace(values=given.values[row.unsqueeze(1), index.mT])
        return given._replace(values=given.values[index, row])

    def pack(self) -> PackedSequence:
        """Pack padded sequences of lengths ≥ 1."""
        if self.lengths is None:
            raise AssertionError("full rows are not packed")
        return pack_padded_sequence(self.values, self.lengths.cpu(), self.batch_first, enforce_sorted=False)

    def unpack(self, packed: PackedSequence) -> Tensor:
        """Pad what `pack` has packed to the steps that it had before."""
        values, _ = pad_packed_sequence(packed, self.batch_first, total_length=self.steps)
        return values

    def answered(self, output: Tensor) -> Tensor | PackedSequence:
        """Give a padded output ``[time, batch, feature]`` in the kind in which the sequences came."""
        if self.packed is not None and self.lengths is not None:
            return _pack_like(self.packed, output, self.lengths, self.batch_first)
        return output if self.batched else output.squeeze(0 if self.batch_first else 1)


def _pack_like(like: PackedSequence, values: Tensor, lengths: Tensor, batch_first: bool) -> PackedSequence:
    lengths = lengths.cpu()
    if like.sorted_indices is not None:
        values = values.index_select(0 if batch_first else 1, like.sorted_indices)
        lengths = lengths[like.sorted_indices.cpu()]
    data, _ = _VF._pack_padded_sequence(values, lengths, batch_first)
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def read(
    given: Tensor | PackedSequence, lengths: Tensor | None, *, batch_first: bool, input_size: int, dtype: torch.dtype
) -> Sequences:
    """Check what a layer is called with.

    Parameters
    ----------
    given
        A tensor ``[time, batch, feature]``, ``[batch, time, feature]`` with ``batch_first``, or ``[time, feature]``;
        or a packed sequence.
    lengths
        How many steps of each row are valid, integers ``[batch]``; None for all of them.
    batch_first, input_size, dtype
        Of the layer.

    Raises
    ------
    ShapeError
        If rank, features, dtype or lengths are others.
    """
    if isinstance(given, PackedSequence):
        return _read_packed(given, lengths, batch_first=batch_first, input_size=input_size, dtype=dtype)
    layout = "[batch, time, feature]" if batch_first else "[time, batch, feature]"
    shape = given.shape
    if len(shape) not in (2, 3):
        raise ShapeError(f"expected an input {layout} or [time, feature]; got shape {_shape(given)}")
    _check_values(given, input_size, dtype)
    if len(shape) == 2:
        if lengths is not None:
            raise ShapeError(f"lengths belong to a batch, {layout}; got them beside one sequence, {_shape(given)}")
        return Sequences(given.unsqueeze(0 if batch_first else 1), None, None, shape[0], 1, batch_first, batched=False)
    batch, steps = (shape[0], shape[1]) if batch_first else (shape[1], shape[0])
    if lengths is None:
        return Sequences(given, None, None, steps, batch, batch_first)
    checked, shortest = read_lengths(lengths, batch, steps)
    if checked is not None and not (checked.is_cpu and given.is_cpu):
        checked = checked.to(given.device)
    return Sequences(given, checked, shortest, steps, batch, batch_first)


def _read_packed(
    given: PackedSequence, lengths: Tensor | None, *, batch_first: bool, input_size: int, dtype: torch.dtype
) -> Sequences:
    if lengths is not None:
        raise ShapeError("a PackedSequence has its own lengths; leave lengths out")
    _check_values(given.data, input_size, dtype)
    sizes = given.batch_sizes
    return Sequences(given.data, None, 1, sizes.shape[0], int(sizes[0]), batch_first, packed=given)


def check_states(hx: tuple[Tensor, ...], given: Sequences, *, rows: int, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Check initial states, and give them with a batch.

    Parameters
    ----------
    hx
        h_0 and, for an LSTM, c_0: ``[rows, batch, unit]``, or ``[rows, unit]`` for one sequence.
    given
        What the layer is called with.
    rows
        Layers · directions.
    sizes
        The units of each state.

    Raises
    ------
    ShapeError
        If shape or dtype are others.
    """
    states = hx if given.batched else tuple(state.unsqueeze(1) if state.dim() == 2 else state for state in hx)
    for name, size, state, raw in zip(("h_0", "c_0"), sizes, states, hx, strict=False):
        expected = (rows, given.batch, size)
        if tuple(state.shape) != expected or (not given.batched and raw.dim() != 2):
            shown = expected if given.batched else (rows, size)
            raise ShapeError(f"expected {name} of shape {shown}; got {tuple(raw.shape)}")
        if state.dtype != given.values.dtype and autocast_dtype(state) is None:
            raise ShapeError(f"expected {name} of the input's dtype, {given.values.dtype}; got {state.dtype}")
    return states


def _check_values(values: Tensor, input_size: int, dtype: torch.dtype) -> None:
    if values.shape[-1] != input_size:
        raise ShapeError(
            f"expected {input_size} features in the input's last dimension (input_size); "
            f"got {values.shape[-1]}, shape {_shape(values)}"
        )
    if values.dtype != dtype and autocast_dtype(values) is None:
        raise ShapeError(
            f"expected an input of the parameters' dtype, {dtype}; got {values.dtype}: convert one of them"
        )


def read_lengths(lengths: Tensor, batch: int, steps: int) -> tuple[Tensor | None, int | None]:
    """Check lengths; give them and the least of them, None and None where every row is full.

    Raises
    ------
    ShapeError
        If they are not whole numbers [batch] from 0 to ``steps``.
    """
    if not isinstance(lengths, Tensor) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        kind = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise ShapeError(f"expected lengths as a tensor of whole numbers, [batch]; got {kind}")
    if lengths.dim() != 1 or lengths.shape[0] != batch:
        raise ShapeError(f"expected one length a row, shape ({batch},); got shape {_shape(lengths)}")
    if lengths.dtype != torch.int64:
        lengths = lengths.to(torch.int64)
    if torch.compiler.is_compiling():  # a look at the values would break the graph
        return lengths, None
    if batch == 0:
        return None, None
    values = lengths.tolist()  # for a batch of usual size faster than any operator
    least, most = min(values), max(values)
    if least < 0 or most > steps:
        wrong = least if least < 0 else most
        raise ShapeError(
            f"expected lengths from 0 to {steps}, the steps of the input; got {wrong} in row {values.index(wrong)}"
        )
    return (None, None) if least == steps else (lengths, least)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
