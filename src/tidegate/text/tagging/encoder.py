"""From what is known of a word to one vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tidegate.nn import convolution
from tidegate.nn.network import Network, build_network
from tidegate.nn.pooling import Pooling
from tidegate.specs import Recurrent
from tidegate.specs.parts import Convolution
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.vocabulary import UNKNOWN
from tidegate.text.tagging.words import LETTER_CODES, WordTable

__all__ = ["LetterNetwork", "WordEncoder", "embedding"]


def embedding(entries: int, size: int) -> nn.Embedding:
    """Give an embedding whose rows are drawn evenly between ±√(3 / size), so that their elements have variance 1/size.

    After Ma & Hovy (2016).
    """
    layer = nn.Embedding(entries, size)
    bound = math.sqrt(3 / size)
    nn.init.uniform_(layer.weight, -bound, bound)
    return layer


class LetterNetwork(nn.Module):
    """Read the letters of words: embeddings, a network, and one vector a word.

    Parameters
    ----------
    letters
        Codes, those of marks and padding among them.
    size
        Of an embedding.
    network
        A recurrent one, whose last outputs count, or a convolution, whose largest do.
    """

    def __init__(self, letters: int, size: int, network: Recurrent | Convolution) -> None:
        super().__init__()
        self.embedding = embedding(letters, size)
        self.network: Network | nn.ModuleList
        if isinstance(network, Recurrent):
            self.network = build_network(network, size)
            width, pooling = self.network.output_size, "last"
        else:
            sizes = [size, *[network.channels] * (network.layers - 1)]
            self.network = nn.ModuleList(
                convolution.Convolution(
                    each,
                    network.channels,
                    network.kernel_size,
                    dilation=network.dilation,
                    activation=network.activation,
                    causal=network.causal,
                    norm=network.norm,
                )
                for each in sizes
            )
            width, pooling = network.channels, "max"
        self.pooling = Pooling(width, pooling, bidirectional=isinstance(network, Recurrent) and network.bidirectional)
        self.output_size = width

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        """Give ``[word, output_size]`` for codes ``[word, letter]``, of which ``lengths`` ``[word]`` count."""
        x = self.embedding(letters)
        if isinstance(self.network, nn.ModuleList):
            for layer in self.network:
                x = layer(x, lengths=lengths)
        else:
            x, _ = self.network(x, lengths=lengths)
        pooled: Tensor = self.pooling(x, lengths=lengths)
        return pooled


class WordEncoder(nn.Module):
    """One vector a word: its own embedding, those of prefixes, suffixes and shape, and what its letters say.

    Parameters
    ----------
    features
        Which of these.
    words, letters
        How many there are in the vocabulary.
    """

    chance: Tensor

    def __init__(self, features: WordFeatures, words: int, letters: int) -> None:
        super().__init__()
        self.words = embedding(words + 1, features.size)
        slots = features.slots
        self.hashed = embedding(features.buckets, features.affix_size) if slots else None
        self.letters = (
            None
            if features.characters is None
            else LetterNetwork(letters + LETTER_CODES, features.character_size, features.characters)
        )
        more = 0 if self.letters is None else self.letters.output_size
        self.output_size = features.size + slots * features.affix_size + more
        # Of being taken for unknown in training; a model from a file is not trained.
        self.register_buffer("chance", torch.zeros(words + 1), persistent=False)

    def forward(self, table: WordTable) -> Tensor:
        """Give ``[word, output_size]``."""
        words = table.words
        if self.training:
            words = torch.where(torch.rand(len(words), device=words.device) < self.chance[words], UNKNOWN, words)
        parts = [self.words(words)]
        if self.hashed is not None:
            parts.append(self.hashed(table.hashes).flatten(1))
        if self.letters is not None:
            parts.append(self.letters(table.letters, table.lengths))
        return torch.cat(parts, dim=-1)
