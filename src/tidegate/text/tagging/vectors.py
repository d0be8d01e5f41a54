"""Vectors of words from a file, in the place of drawn ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from tidegate.data.conll import ConllSentences
from tidegate.data.embeddings import read_embeddings
from tidegate.errors import SpecError
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.vocabulary import TagVocabulary, normalised

__all__ = ["Vectors", "read_vectors"]

_FAMILIAR = 20_000  # words of a file, from its beginning, that join the vocabulary though training lacks them


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Normalised words, and a vector for each, ``[word, size]``; none at all without a file."""

    words: tuple[str, ...] = ()
    matrix: np.ndarray | None = None

    def lay_in(self, layer: nn.Embedding, vocabulary: TagVocabulary) -> None:
        """Put them in their places."""
        if self.matrix is None:
            return
        rows = torch.from_numpy(vocabulary.word_codes(self.words))
        with torch.no_grad():
            layer.weight[rows] = torch.from_numpy(np.asarray(self.matrix, np.float32))


def read_vectors(path: str | None, given: ConllSentences, features: WordFeatures) -> Vectors:
    """Read those of the words in the training data, and of the first in the file, which are the most frequent.

    Raises
    ------
    SpecError
        If they are not of the size that the features say.
    MissingFileError, FileFormatError
        As `tidegate.data.embeddings.read_embeddings`.
    """
    if path is None:
        return Vectors()
    surfaces = dict.fromkeys(token for tokens in given.tokens for token in tokens)
    wanted = {*surfaces, *normalised(surfaces, features)}
    words, matrix = read_embeddings(path, wanted, most=_FAMILIAR)
    if matrix.shape[1] != features.size:
        raise SpecError(
            f"the embeddings in {path!r} have {matrix.shape[1]} numbers a word, the tagger's features "
            f"{features.size}; set WordFeatures(size={matrix.shape[1]})"
        )
    rows: dict[str, int] = {}
    for row, word in enumerate(normalised(words, features)):
        rows.setdefault(word, row)  # of Rome and rome the more frequent one
    return Vectors(words=tuple(rows), matrix=matrix[list(rows.values())])
