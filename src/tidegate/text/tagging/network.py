"""The network of a tagger: words, a recurrent network over the sentence, and a CRF over its tags."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.data.tagschemes import labels_of, masks
from tidegate.nn.crf import CRF
from tidegate.nn.network import build_network
from tidegate.specs import parts
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.context import ContextScores
from tidegate.text.tagging.encoder import WordEncoder, embedding
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.text.tagging.words import WordTable

__all__ = ["TaggerDesign", "TaggerNetwork", "make_crf"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerDesign:
    """What a tagger's network is built from.

    Parameters
    ----------
    features, network, dropout
        As of `tidegate.Tagger`.
    scheme
        What is learned, ``"iob2"`` or ``"iobes"``.
    words, letters
        How many there are in the vocabulary.
    columns
        Entries of each further column.
    types
        Of spans.
    """

    features: WordFeatures
    network: parts.Network
    dropout: float
    scheme: str
    words: int
    letters: int
    columns: tuple[int, ...]
    types: tuple[str, ...]

    @classmethod
    def of(
        cls, vocabulary: TagVocabulary, *, features: WordFeatures, network: parts.Network, dropout: float, scheme: str
    ) -> TaggerDesign:
        """Describe the network for a vocabulary."""
        return cls(
            features=features,
            network=network,
            dropout=dropout,
            scheme=scheme,
            words=len(vocabulary.words),
            letters=len(vocabulary.letters),
            columns=tuple(map(len, vocabulary.columns)),
            types=vocabulary.types,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags that are told apart, ``O`` first."""
        return labels_of(self.types, self.scheme)


class TaggerNetwork(nn.Module):
    """Words to scores of tags, and a CRF that knows which tags may follow which.

    Words are read once each, however often they occur: `encode` gives their vectors, `emissions` lays them along the
    sentences.

    Parameters
    ----------
    design
        What to build.
    """

    def __init__(self, design: TaggerDesign) -> None:
        super().__init__()
        features, labels = design.features, len(design.labels)
        self.design = design
        self.encoder = WordEncoder(features, design.words, design.letters)
        self.columns = nn.ModuleList(embedding(size + 1, features.column_size) for size in design.columns)
        width = self.encoder.output_size + len(design.columns) * features.column_size
        self.dropout = nn.Dropout(design.dropout)
        self.network = build_network(design.network, width)
        self.outputs = nn.Linear(self.network.output_size, labels)
        self.context = (
            ContextScores(features.context, len(design.columns), labels, design.dropout) if features.context else None
        )
        self.crf = make_crf(design)

    def encode(self, table: WordTable) -> Tensor:
        """Give the vectors of words, ``[word, …]``."""
        vectors: Tensor = self.encoder(table)
        return vectors

    def emissions(self, vectors: Tensor, table: WordTable, values: Tensor, lengths: Tensor) -> Tensor:
        """Give the scores of tags, ``[batch, time, label]``.

        Parameters
        ----------
        vectors, table
            Of the words, as `encode` gives and takes them.
        values
            ``[batch, time, 1 + column]``: the row of each word in ``table``, and the codes of further columns.
        lengths
            Tokens of each sentence, ``[batch]``.
        """
        rows = values[..., 0]
        inputs = [functional.embedding(rows, vectors)]
        inputs += [layer(values[..., place]) for place, layer in enumerate(self.columns, start=1)]
        x = self.dropout(torch.cat(inputs, dim=-1))
        x, _ = self.network(x, lengths=lengths)
        scores: Tensor = self.outputs(self.dropout(x))
        if self.context is not None:
            codes = torch.cat([table.words[rows].unsqueeze(-1), values[..., 1:]], dim=-1)
            scores = scores + self.context(codes, lengths)
        return scores


def make_crf(design: TaggerDesign) -> CRF:
    """Build the CRF of a design: transitions that its scheme does not have can never be decoded."""
    allowed = masks(design.labels, design.scheme)
    with torch.device("cpu"):  # it looks at what is allowed, which the meta device cannot tell
        return CRF(
            len(design.labels),
            allowed_transitions=torch.from_numpy(allowed.transitions),
            allowed_start=torch.from_numpy(allowed.start),
            allowed_end=torch.from_numpy(allowed.end),
        )
