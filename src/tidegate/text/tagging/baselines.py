"""What needs no network: the tag that a word, or an entry of a further column, has most often."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data import IntArray
from tidegate.data.conll import ConllSentences
from tidegate.data.tagschemes import labels_of
from tidegate.errors import DataError
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.vocabulary import TagVocabulary, normalised

__all__ = ["TypicalTags"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TypicalTags:
    """The tag that each word and each entry has most often in the training data.

    The one of entries is how the baseline of CoNLL-2000 was made, from parts of speech.

    Parameters
    ----------
    labels
        What codes stand for.
    words
        The code for each word of the vocabulary; first that for unknown words, the most frequent of all.
    columns
        Likewise for each further column.
    """

    labels: tuple[str, ...]
    words: IntArray
    columns: tuple[IntArray, ...]

    @classmethod
    def of(
        cls,
        given: ConllSentences,
        tags: Sequence[Sequence[str]],
        scheme: str,
        vocabulary: TagVocabulary,
        features: WordFeatures,
    ) -> TypicalTags:
        """Count ``tags``, written in ``scheme``."""
        labels = labels_of(vocabulary.types, scheme)
        known = {label: code for code, label in enumerate(labels)}
        codes = np.array([known[tag] for row in tags for tag in row], np.int64)
        typical = [_typical(_words(given, vocabulary, features), codes, len(vocabulary.words) + 1, len(labels))]
        if given.width:
            columns = vocabulary.column_codes(given).T
            typical += [
                _typical(column, codes, len(entries) + 1, len(labels))
                for column, entries in zip(columns, vocabulary.columns, strict=True)
            ]
        return cls(labels=labels, words=typical[0], columns=tuple(typical[1:]))

    def tags(
        self, given: ConllSentences, vocabulary: TagVocabulary, features: WordFeatures
    ) -> dict[str, list[list[str]]]:
        """Tag sentences: the name of a baseline to its tags."""
        found = {"most frequent tag of the word": self.words[_words(given, vocabulary, features)]}
        if given.width:
            for place, column in enumerate(vocabulary.column_codes(given).T):
                found[f"most frequent tag of column {place + 2}"] = self.columns[place][column]
        ends = np.cumsum([len(tokens) for tokens in given.tokens])[:-1]
        return {
            name: [[self.labels[code] for code in row.tolist()] for row in np.split(codes, ends)]
            for name, codes in found.items()
        }

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as arrays for a model file."""
        return {"typical.words": self.words} | {
            f"typical.column{place}": column for place, column in enumerate(self.columns)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], vocabulary: TagVocabulary, scheme: str) -> TypicalTags:
        """Take back what `to_arrays` gave. Raises `DataError` or `KeyError` for anything else."""
        labels = labels_of(vocabulary.types, scheme)
        tables = [("typical.words", len(vocabulary.words))]
        tables += [(f"typical.column{place}", len(column)) for place, column in enumerate(vocabulary.columns)]
        for name, entries in tables:
            codes = arrays[name]
            if codes.dtype != np.int64 or codes.shape != (entries + 1,):
                raise DataError(f"expected {name!r} of shape [{entries + 1}], got {codes.dtype} {list(codes.shape)}")
            if codes.min() < 0 or codes.max() >= len(labels):
                raise DataError(f"expected tags from 0 to {len(labels) - 1} in {name!r}; got others")
        words, *columns = (arrays[name] for name, _ in tables)
        return cls(labels=labels, words=words, columns=tuple(columns))


def _words(given: ConllSentences, vocabulary: TagVocabulary, features: WordFeatures) -> IntArray:
    return vocabulary.word_codes(normalised((token for tokens in given.tokens for token in tokens), features))


def _typical(entries: IntArray, tags: IntArray, count: int, labels: int) -> IntArray:
    """Give the most frequent tag of each entry; of one that never occurs, the most frequent of all."""
    pairs = np.bincount(entries * labels + tags, minlength=count * labels).reshape(count, labels)
    pairs[pairs.sum(axis=1) == 0] = np.bincount(tags, minlength=labels)
    typical: IntArray = pairs.argmax(axis=1)
    return typical
