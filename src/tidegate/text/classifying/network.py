"""The network of a classifier of texts: embeddings, the parts that read them, pooling, and logits."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tidegate.data.vocabulary import PADDING, UNKNOWN
from tidegate.nn import PooledNetwork, Pooling, build_network
from tidegate.specs.parts import Network

__all__ = ["TextDesign", "TextNetwork"]

_SPREAD = 0.1  # standard deviation of drawn embeddings


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextDesign:
    """What a network is built from.

    Parameters
    ----------
    codes
        Of tokens, those of padding and of the unknown included.
    size
        Numbers that stand for a token.
    frozen
        Leave these as they are.
    token_dropout
        Probability at which a token is taken for an unknown one in training.
    network, pooling, dropout
        As those of `tidegate.TextClassifier`.
    outputs
        Classes, or labels.
    """

    codes: int
    size: int
    frozen: bool
    token_dropout: float
    network: Network
    pooling: str
    dropout: float
    outputs: int


class TextNetwork(nn.Module):
    """From the codes of tokens to logits.

    Parameters
    ----------
    design
        What to build.
    """

    def __init__(self, design: TextDesign) -> None:
        super().__init__()
        self.design = design
        self.embedding = nn.Embedding(design.codes, design.size, padding_idx=PADDING)
        with torch.no_grad():
            self.embedding.weight.mul_(_SPREAD)
        self.embedding.weight.requires_grad_(not design.frozen)
        self.dropout = nn.Dropout(design.dropout)
        network = build_network(design.network, design.size)
        pooling = Pooling(network.output_size, design.pooling, bidirectional=network.bidirectional)
        self.pooled = PooledNetwork(network, pooling, design.outputs, dropout=design.dropout)

    def forward(self, codes: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give logits ``[batch, output]`` of texts ``[batch, time]`` (int64) of ``lengths`` ``[batch]``."""
        logits: Tensor = self.pooled(self._read(codes), lengths=lengths)
        return logits

    def weights(self, codes: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the attention that each token gets, ``[batch, time]``. Raises `UnsupportedError` without attention."""
        return self.pooled.weights(self._read(codes), lengths=lengths)

    def lay_in(self, rows: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32]) -> None:
        """Put vectors ``[row, size]`` in the place of drawn ones."""
        with torch.no_grad():
            self.embedding.weight[torch.from_numpy(rows)] = torch.from_numpy(vectors)

    def _read(self, codes: Tensor) -> Tensor:
        dropped = self.design.token_dropout
        if self.training and dropped:
            chosen = torch.rand(codes.shape, device=codes.device) < dropped
            codes = codes.masked_fill(chosen & (codes != PADDING), UNKNOWN)
        embedded: Tensor = self.dropout(self.embedding(codes))  # [batch, time, size]
        return embedded
