"""Plain cells on torch's own kernels: ATen and oneDNN on a CPU, cuDNN on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import _VF, Tensor

__all__ = ["PlainNetwork", "flatten", "run", "run_packed"]


class PlainNetwork(NamedTuple):
    """Layers of plain cells as torch's kernels take them, ``num_layers`` at once."""

    cell: str  # "lstm" or "gru"
    bias: bool
    num_layers: int
    dropout: float
    training: bool
    bidirectional: bool
    batch_first: bool


def run(
    network: PlainNetwork, values: Tensor, states: tuple[Tensor, ...], weights: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run padded sequences of full length.

    Parameters
    ----------
    network
        What to run.
    values
        ``[time, batch, feature]`` or ``[batch, time, feature]``.
    states
        h_0 and, for an LSTM, c_0: ``[layers · directions, batch, unit]``.
    weights
        In torch's order: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, as far as there are any, layer by layer.

    Returns
    -------
    output, states
        ``[time, batch, directions · unit]`` in the layout of ``values``, and the final states.
    """
    _, bias, num_layers, dropout, training, two, batch_first = network
    if network.cell == "lstm":
        output, h, c = _VF.lstm(values, states, weights, bias, num_layers, dropout, training, two, batch_first)
        return output, (h, c)
    output, h = _VF.gru(values, states[0], weights, bias, num_layers, dropout, training, two, batch_first)
    return output, (h,)


def run_packed(
    network: PlainNetwork, data: Tensor, batch_sizes: Tensor, states: tuple[Tensor, ...], weights: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run packed sequences, sorted by falling length; ``states`` in that order too. See `run`."""
    _, bias, num_layers, dropout, training, two, _ = network
    if network.cell == "lstm":
        output, h, c = _VF.lstm(data, batch_sizes, states, weights, bias, num_layers, dropout, training, two)
        return output, (h, c)
    output, h = _VF.gru(data, batch_sizes, states[0], weights, bias, num_layers, dropout, training, two)
    return output, (h,)


def flatten(
    network: PlainNetwork, weights: Sequence[Tensor], *, input_size: int, hidden_size: int, proj_size: int
) -> None:
    """Lay ``weights`` into one block of memory where cuDNN is going to read them; elsewhere do nothing."""
    first = weights[0]
    acceptable = torch.backends.cudnn.is_acceptable(first)  # type: ignore[no-untyped-call]
    alike = all(weight.is_cuda and weight.dtype == first.dtype for weight in weights)
    apart = len({weight.data_ptr() for weight in weights}) == len(weights)  # tied weights have to stay where they are
    if not (acceptable and alike and apart):
        return
    from torch.backends.cudnn import rnn

    per_layer = (4 if network.bias else 2) + (1 if proj_size else 0)
    mode = rnn.get_cudnn_mode(network.cell.upper())  # type: ignore[no-untyped-call]
    with torch.cuda.device_of(first), torch.no_grad():  # type: ignore[no-untyped-call]
        torch._cudnn_rnn_flatten_weight(
            list(weights),
            per_layer,
            input_size,
            mode,
            hidden_size,
            proj_size,
            network.num_layers,
            network.batch_first,
            network.bidirectional,
        )
