"""Neighbouring words and column entries that speak for tags directly, as the features of a linear CRF do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ContextScores"]

# Offsets of what is read together. These are the templates that CRF++ gives for CoNLL-2000.
_WORDS = ((-2,), (-1,), (0,), (1,), (2,), (-1, 0), (0, 1))
_ENTRIES = ((-2,), (-1,), (0,), (1,), (2,), (-2, -1), (-1, 0), (0, 1), (1, 2), (-2, -1, 0), (-1, 0, 1), (0, 1, 2))
_REACH = 2
_RANK = 16  # numbers of a bucket
_FACTOR = 1_000_003
_PRIME = 2_147_483_647


class ContextScores(nn.Module):
    """Scores of tags from hashed pairs and triples of neighbours: a linear map of low rank.

    A table of buckets · labels numbers would cost more in every training step than all the rest of the network; here a
    bucket has a few numbers, and the scores of tags are weighted sums of them.

    Parameters
    ----------
    buckets
        Values of the hash.
    columns
        Further columns beside the words.
    labels
        Tags.
    dropout
        Probability of leaving a feature out in training.
    """

    def __init__(self, buckets: int, columns: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.buckets, self.dropout = buckets, dropout
        self.templates: list[tuple[int, tuple[int, ...]]] = [(0, offsets) for offsets in _WORDS]
        self.templates += [(column + 1, offsets) for column in range(columns) for offsets in _ENTRIES]
        self.entries = nn.Embedding(buckets, _RANK)
        nn.init.zeros_(self.entries.weight)
        self.scores = nn.Linear(_RANK, labels, bias=False)

    def forward(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Give ``[batch, time, label]`` for codes of words and columns ``[batch, time, 1 + column]``."""
        features = self.features(codes, lengths)  # [batch, time, feature]
        batch, time, _ = features.shape
        weight = torch.ones_like(features, dtype=self.scores.weight.dtype)
        if self.training and self.dropout:
            weight = functional.dropout(weight, self.dropout)
        summed = functional.embedding_bag(
            features.flatten(0, 1), self.entries.weight, per_sample_weights=weight.flatten(0, 1), mode="sum"
        )
        scores: Tensor = self.scores(summed)
        return scores.reshape(batch, time, -1)

    def features(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """Hash each template at each step: ``[batch, time, template]``."""
        time = codes.shape[1]
        inside = torch.arange(time, device=codes.device) < lengths[:, None]
        # 1 stands for what lies before the first word or behind the last.
        marked = torch.where(inside.unsqueeze(-1), codes + 2, 1)
        padded = functional.pad(marked, (0, 0, _REACH, _REACH), value=1)
        found = []
        for salt, (column, offsets) in enumerate(self.templates, start=1):
            state = torch.full_like(codes[..., 0], salt)
            for offset in offsets:
                start = _REACH + offset
                state = (state * _FACTOR + padded[:, start : start + time, column]) % _PRIME
            found.append(state * _FACTOR % _PRIME % self.buckets)
        return torch.stack(found, dim=-1)
