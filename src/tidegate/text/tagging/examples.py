"""Sentences as numbers, and what a training minimises."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data import Batch, IntArray
from tidegate.data.conll import ConllSentences
from tidegate.data.ragged import Ragged
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.network import TaggerNetwork
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.text.tagging.words import WordTable, word_table
from tidegate.training import Outcome

__all__ = ["TaggedExamples", "TaggingObjective", "encoded"]


class TaggedExamples:
    """Sentences as a source of batches: ``values`` ``[batch, time, 1 + column]``, ``target`` ``[batch, time]``.

    Parameters
    ----------
    values
        Of each token the row of its word in a `WordTable`, and the codes of further columns.
    target
        Codes of labels; ``None`` when predicting.
    """

    def __init__(self, values: Ragged, target: Ragged | None = None) -> None:
        self.values, self.target = values, target

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> IntArray:
        """Tokens of each sentence, ``[sentence]``."""
        return self.values.lengths

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Copy the sentences at ``indices`` into a batch, padded to the longest of them."""
        values, lengths = self.values.padded(indices)
        target = None if self.target is None else self.target.padded(indices)[0]
        return Batch(values=values, lengths=lengths, target=target)


def encoded(
    sentences: Sequence[ConllSentences], vocabulary: TagVocabulary, features: WordFeatures
) -> tuple[WordTable, list[Ragged]]:
    """Turn sentences into numbers; several collections share one table of words.

    Returns
    -------
    table : WordTable
        Each distinct word once.
    values : list of Ragged
        Of each collection, as `TaggedExamples` takes them.
    """
    flat = [list(itertools.chain.from_iterable(given.tokens)) for given in sentences]
    rows = {word: row for row, word in enumerate(dict.fromkeys(itertools.chain.from_iterable(flat)))}
    table = word_table(list(rows), vocabulary, features)
    found = []
    for given, words in zip(sentences, flat, strict=True):
        columns = np.fromiter(map(rows.__getitem__, words), np.int64, len(words))[:, None]
        if given.width:
            columns = np.concatenate([columns, vocabulary.column_codes(given)], axis=1)
        offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in given.tokens])]).astype(np.int64)
        found.append(Ragged(flat=columns, offsets=offsets))
    return table, found


class TaggingObjective:
    """The negative log-likelihood of the true tags under the CRF, in nats a token.

    Parameters
    ----------
    table
        The words of all sentences, where the network is.
    """

    def __init__(self, table: WordTable) -> None:
        self.table = table

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Score a batch."""
        if not isinstance(module, TaggerNetwork):
            raise TypeError(f"expected a TaggerNetwork, got {type(module).__name__}")
        assert batch.lengths is not None
        assert batch.target is not None
        emissions = module.emissions(*self.words(module, batch.values), batch.lengths)
        likelihood: Tensor = module.crf(emissions, batch.target, lengths=batch.lengths)
        tokens = batch.lengths.sum()
        return Outcome(-likelihood.sum() / tokens, tokens, emissions)

    def words(self, module: TaggerNetwork, values: Tensor) -> tuple[Tensor, WordTable, Tensor]:
        """Read the words of a batch, each once: their vectors, their table, and the values that point into it."""
        rows, places = torch.unique(values[..., 0], return_inverse=True)
        table = self.table.take(rows)
        return module.encode(table), table, torch.cat([places.unsqueeze(-1), values[..., 1:]], dim=-1)
