"""The peer of the speed row: the same BiLSTM-CRF written with torch.nn.LSTM, packed sequences and a batched Viterbi."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tidegate.text.tagging.network import TaggerNetwork
from tidegate.text.tagging.words import WordTable

__all__ = ["Peer", "packed_outputs", "viterbi"]

_NEVER = -1e4


class Peer(nn.Module):
    """A tagger's network with its weights: its answers are the same.

    Parameters
    ----------
    network
        With an LSTM over letters, and no neighbours that speak for tags directly.
    """

    def __init__(self, network: TaggerNetwork) -> None:
        super().__init__()
        encoder = network.encoder
        assert encoder.letters is not None
        assert network.context is None
        self.words, self.hashed, self.columns = encoder.words, encoder.hashed, network.columns
        self.letters = encoder.letters.embedding
        self.reader = torch_lstm(encoder.letters.network)
        self.network = torch_lstm(network.network)
        self.outputs = network.outputs
        crf = network.crf
        self.transitions, self.start, self.end = (
            crf.get_parameter(name).detach().masked_fill(crf.get_buffer(f"forbidden_{name}"), _NEVER)
            for name in ("transitions", "start", "end")
        )

    def encode(self, table: WordTable) -> Tensor:
        """Give the vectors of words."""
        parts = [self.words(table.words)]
        if self.hashed is not None:
            parts.append(self.hashed(table.hashes).flatten(1))
        packed = pack_padded_sequence(
            self.letters(table.letters), table.lengths, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.reader(packed)
        return torch.cat([*parts, last[0], last[1]], dim=-1)

    def forward(self, vectors: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
        """Give the best codes of a batch, ``[batch, time]``."""
        inputs = [vectors[values[..., 0]]]
        inputs += [layer(values[..., place]) for place, layer in enumerate(self.columns, start=1)]
        outputs = packed_outputs(self.network, torch.cat(inputs, dim=-1), lengths)
        return viterbi(self.outputs(outputs), lengths, self.transitions, self.start, self.end)


def torch_lstm(stack: nn.Module) -> nn.LSTM:
    """Give torch's LSTM with the weights of a stack of one layer."""
    (layer,) = stack.layers  # type: ignore[misc]
    twin = nn.LSTM(layer.input_size, layer.hidden_size, batch_first=True, bidirectional=True)
    twin.load_state_dict(layer.state_dict())
    return twin


def packed_outputs(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """Run a layer over padded sequences as torch's users do."""
    packed, _ = lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])[0]


def viterbi(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Find the best path of each row: a loop over time for the whole batch, and one back."""
    batch, time, _ = emissions.shape
    score = emissions[:, 0] + start
    back = []
    for step in range(1, time):
        best, place = (score.unsqueeze(2) + transitions).max(dim=1)  # over the label before
        going = (step < lengths).unsqueeze(1)
        score = torch.where(going, best + emissions[:, step], score)
        back.append(place)
    label = (score + end).argmax(dim=1)
    paths = torch.zeros(batch, time, dtype=torch.int64)
    rows = torch.arange(batch)
    for step in range(time - 1, -1, -1):
        inside = step < lengths
        paths[:, step] = torch.where(inside, label, 0)
        if step:
            label = torch.where(inside, back[step - 1][rows, label], label)
    return paths
