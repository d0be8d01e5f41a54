"""Plain layers on torch's own kernels: all at once where nothing lies between them, else one after the other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from tidegate.kernels import plain
from tidegate.kernels.autocast import autocast_dtype, cast
from tidegate.nn.dropout import sequence_mask
from tidegate.nn.merging import merged
from tidegate.nn.sequences import Sequences

__all__ = ["PlainLayers", "States", "run"]

States = tuple[Tensor, ...]  # h, and c in an LSTM: [layers · directions, batch, unit], or [batch, unit] of a direction


class PlainLayers(NamedTuple):
    """A stack of plain layers as one call finds it."""

    network: plain.PlainNetwork
    weights: list[Tensor]  # in torch's order, as many for every layer
    state_sizes: tuple[int, ...]  # units of each state
    merge_mode: str
    input_dropout: float  # 0 in eval()

    @property
    def directions(self) -> int:
        """Give 2 for a bidirectional stack."""
        return 2 if self.network.bidirectional else 1

    @property
    def at_once(self) -> bool:
        """Say whether torch's kernels can run all layers in one call, without anything between them."""
        return not self.input_dropout and (self.network.num_layers == 1 or self.merge_mode == "concat")

    def layer(self, index: int) -> PlainLayers:
        """Give one of the layers, as a stack of its own."""
        each = len(self.weights) // self.network.num_layers
        network = self.network._replace(num_layers=1, dropout=0.0)
        return self._replace(network=network, weights=self.weights[index * each : (index + 1) * each])

    def merged(self, output: Tensor) -> Tensor:
        """Merge the halves of a bidirectional output as torch's kernels give it."""
        concatenated = not self.network.bidirectional or self.merge_mode == "concat"
        return output if concatenated else merged(output.chunk(2, dim=-1), self.merge_mode)


def run(layers: PlainLayers, given: Sequences, start: States | None) -> tuple[Tensor | PackedSequence, States]:
    """Run plain layers.

    Parameters
    ----------
    layers
        What to run.
    given
        The sequences, without one of length 0.
    start
        The initial states, ``[layers · directions, batch, unit]``; None for zeros.

    Returns
    -------
    The output, in the kind of what was given, and the final states as ``start`` has them.
    """
    if layers.at_once:
        return _run_at_once(layers, given, start)
    given, directions = given.padded(), layers.directions
    network = layers.network
    finals: list[States] = []
    for index in range(network.num_layers):
        rows = slice(index * directions, (index + 1) * directions)
        states = None if start is None else tuple(state[rows] for state in start)
        output, final = _run_layer(layers.layer(index), given, states)
        if network.training and network.dropout > 0 and index + 1 < network.num_layers:
            output = functional.dropout(output, network.dropout)
        given = given._replace(values=output)
        finals.append(final)
    return given.answered(given.values), tuple(torch.cat(states) for states in zip(*finals, strict=True))


def _run_layer(layer: PlainLayers, given: Sequences, start: States | None) -> tuple[Tensor, States]:
    """Run one layer on padded sequences, its input dropout included."""
    if layer.input_dropout > 0:
        mask = sequence_mask(given.values, given.batch, given.values.shape[-1], layer.input_dropout)
        given = given._replace(values=given.values * mask.unsqueeze(1 if given.batch_first else 0))
    output, final = _run_at_once(layer, given._replace(packed=None, batched=True), start)
    assert isinstance(output, Tensor)
    return output, final


def _run_at_once(layers: PlainLayers, given: Sequences, start: States | None) -> tuple[Tensor | PackedSequence, States]:
    """Run all layers in one call of torch's kernels."""
    network, from_zeros = layers.network, start is None
    if start is None:
        rows = network.num_layers * layers.directions
        start = tuple(given.values.new_zeros(rows, given.batch, size) for size in layers.state_sizes)
    given, start, weights = _autocast(given, start, layers.weights)
    if given.packed is None and given.lengths is None:
        output, final = plain.run(network, given.values, start, weights)
        return given.answered(layers.merged(output)), final
    data, sizes, order, undo = given.pack() if given.packed is None or given.lengths is not None else given.packed
    if order is not None and not from_zeros:
        start = tuple(state.index_select(1, order) for state in start)
    output, final = plain.run_packed(network, data, sizes, start, weights)
    if undo is not None:
        final = tuple(state.index_select(1, undo) for state in final)
    answer = PackedSequence(layers.merged(output), sizes, order, undo)
    return answer if given.lengths is None else given.answered(given.unpack(answer)), final


def _autocast(given: Sequences, start: States, weights: list[Tensor]) -> tuple[Sequences, States, list[Tensor]]:
    """Cast what torch's own kernels read under autocast on a CPU.

    Left to itself torch answers there in one dtype or the other, as cell and lengths will have it; on a GPU it casts
    all of it.
    """
    dtype = autocast_dtype(given.values) if given.values.is_cpu else None
    if dtype is None:
        return given, start, weights
    packed = None if given.packed is None else given.packed._replace(data=cast(given.packed.data, dtype))
    states = tuple(cast(state, dtype) for state in start)
    given = given._replace(values=cast(given.values, dtype), packed=packed)
    return given, states, [cast(weight, dtype) for weight in weights]
