"""What a tagger has seen in training: words, letters, entries of further columns, types of spans."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data import IntArray
from tidegate.data.conll import ConllSentences
from tidegate.data.strings import pack_strings, unpack_strings
from tidegate.errors import DataError
from tidegate.specs.tagging import WordFeatures

__all__ = ["UNKNOWN", "TagVocabulary", "normalised"]

UNKNOWN = 0  # the code of what was not in training; the others follow from 1 on
_DIGITS = str.maketrans("0123456789", "0" * 10)
_BETWEEN = "\0"  # no token holds it
_LONGEST = 100  # letters of a word in the vocabulary; what is longer is data that lost its spaces


def normalised(words: Iterable[str], features: WordFeatures) -> list[str]:
    """Write words as the vocabulary has them.

    >>> normalised(["Pier", "1984"], WordFeatures())
    ['pier', '0000']
    """
    given = list(words)
    joined = _BETWEEN.join(given)  # one call for all: there are many, and they are short
    joined = joined.lower() if features.lower else joined
    written = (joined.translate(_DIGITS) if features.fold_digits else joined).split(_BETWEEN) if given else []
    if len(written) != len(given):
        return [word for each in given for word in normalised([each.replace(_BETWEEN, "\ufffd")], features)]
    return written


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TagVocabulary:
    """Codes of what is in the training data; 0 is what is not.

    Parameters
    ----------
    words
        Normalised, the most frequent first.
    letters
        All that occur, as one text, sorted.
    columns
        The entries of each further column, sorted.
    types
        Of spans, sorted.
    """

    words: tuple[str, ...]
    letters: str
    columns: tuple[tuple[str, ...], ...]
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        numbered = {word: code for code, word in enumerate(self.words, start=1)}
        entries = tuple({entry: code for code, entry in enumerate(column, start=1)} for column in self.columns)
        object.__setattr__(self, "_codes", numbered)
        object.__setattr__(self, "_entries", entries)

    @classmethod
    def of(
        cls, given: ConllSentences, types: Iterable[str], features: WordFeatures, more: Sequence[str] = ()
    ) -> tuple[TagVocabulary, IntArray]:
        """Collect the vocabulary of a training.

        Parameters
        ----------
        given
            Its sentences.
        types
            Of the spans in them.
        features
            What counts as one word, and how often it must occur.
        more
            Normalised words that have embeddings of their own and belong in it as well.

        Returns
        -------
        vocabulary : TagVocabulary
        counts : ndarray
            How often each word occurs, ``[1 + word]``; 0 for unknown words and for those of ``more``.

        Raises
        ------
        DataError
            If there is no span: nothing could be learned.
        """
        found = tuple(sorted(set(types)))
        if not found:
            raise DataError(
                "expected spans in the training data; got the tag 'O' for every token: there is nothing to tell apart"
            )
        surfaces = Counter(itertools.chain.from_iterable(given.tokens))
        words: Counter[str] = Counter()
        for surface, word in zip(surfaces, normalised(surfaces, features), strict=True):
            words[word] += surfaces[surface]
        kept = {
            word: count for word, count in words.most_common() if count >= features.minimum and len(word) <= _LONGEST
        }
        kept |= {word: words.get(word, 0) for word in more if word not in kept}
        letters = "".join(sorted(set(itertools.chain.from_iterable(surfaces))))
        columns = tuple(
            tuple(sorted({entry for sentence in given.columns for entry in sentence[place]}))
            for place in range(given.width)
        )
        counts = np.array([0, *kept.values()], np.int64)
        return cls(words=tuple(kept), letters=letters, columns=columns, types=found), counts

    def word_codes(self, words: Iterable[str]) -> IntArray:
        """Give the code of each normalised word."""
        codes: Mapping[str, int] = self._codes  # type: ignore[attr-defined]
        return np.array([codes.get(word, UNKNOWN) for word in words], np.int64)

    def column_codes(self, given: ConllSentences) -> npt.NDArray[np.int64]:
        """Give the codes of further columns, ``[token, column]``."""
        known: tuple[Mapping[str, int], ...] = self._entries  # type: ignore[attr-defined]
        columns = []
        for place, codes in enumerate(known):
            flat = list(itertools.chain.from_iterable(sentence[place] for sentence in given.columns))
            found = {entry: codes.get(entry, UNKNOWN) for entry in dict.fromkeys(flat)}
            columns.append(np.fromiter(map(found.__getitem__, flat), np.int64, len(flat)))
        return np.stack(columns, axis=1)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as arrays for a model file."""
        arrays = pack_strings(self.words, "words.") | pack_strings([self.letters], "letters.")
        arrays |= pack_strings(self.types, "types.")
        for place, column in enumerate(self.columns):
            arrays |= pack_strings(column, f"column{place}.")
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], columns: int) -> TagVocabulary:
        """Take back what `to_arrays` gave. Raises `DataError` or `KeyError` for anything else."""
        letters = unpack_strings(arrays, "letters.")
        if len(letters) != 1:
            raise DataError(f"expected the letters as one text; got {len(letters)}")
        return cls(
            words=tuple(unpack_strings(arrays, "words.")),
            letters=letters[0],
            columns=tuple(tuple(unpack_strings(arrays, f"column{place}.")) for place in range(columns)),
            types=tuple(unpack_strings(arrays, "types.")),
        )
