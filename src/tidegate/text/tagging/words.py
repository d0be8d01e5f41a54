"""Words as numbers: codes, hashes of prefixes, suffixes and shapes, and letters; each distinct word once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tidegate.data import IntArray
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.vocabulary import TagVocabulary, normalised

__all__ = ["LETTER_CODES", "WordTable", "word_table"]

LETTER_CODES = 4  # padding, unknown, and the marks before and behind a word; the vocabulary's letters follow
_UNKNOWN, _BEGIN, _END = 1, 2, 3
_LONGEST = 32  # letters that are looked at: of a longer word the first and the last half of so many
_FACTOR = np.uint64(1_000_003)
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio (Knuth's multiplicative hashing)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WordTable:
    """Features of distinct words.

    Parameters
    ----------
    words
        Code in the vocabulary, ``[word]``.
    hashes
        ``[word, slot]``, from 0 to ``buckets`` − 1.
    letters
        Codes ``[word, letter]``, between a mark before and a mark behind the word; 0 behind that.
    lengths
        Letters and marks of each, ``[word]``.
    """

    words: Tensor
    hashes: Tensor
    letters: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.words)

    def take(self, rows: Tensor) -> WordTable:
        """Give some words, with as many places for letters as the longest of them needs."""
        lengths = self.lengths[rows]
        longest = int(lengths.max()) if len(rows) else 0
        return WordTable(
            words=self.words[rows],
            hashes=self.hashes[rows],
            letters=self.letters[rows, :longest],
            lengths=lengths,
        )

    def to(self, device: torch.device) -> WordTable:
        """Give it where the network is."""
        return WordTable(**{field.name: getattr(self, field.name).to(device) for field in dataclasses.fields(self)})


def word_table(surfaces: Sequence[str], vocabulary: TagVocabulary, features: WordFeatures) -> WordTable:
    """Look up and take apart distinct words, as they stand in the text."""
    written = normalised(surfaces, features)
    codes, lengths = _code_points(surfaces)
    letters, marked = _letters(codes, lengths, vocabulary.letters)
    return WordTable(
        words=torch.from_numpy(vocabulary.word_codes(written)),
        hashes=torch.from_numpy(_hashes(written, codes, lengths, features)),
        letters=torch.from_numpy(letters),
        lengths=torch.from_numpy(marked),
    )


def _code_points(words: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Give the code points of each word, ``[word, letter]``, 0 behind its end, and how many there are."""
    half = _LONGEST // 2
    short = words
    lengths = np.fromiter(map(len, short), np.int64, len(short))
    if lengths.max(initial=0) > _LONGEST:
        short = [word if len(word) <= _LONGEST else word[:half] + word[-half:] for word in words]
        lengths = np.minimum(lengths, _LONGEST)
    flat = np.frombuffer("".join(short).encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = np.zeros((len(short), int(lengths.max(initial=1))), np.int64)
    codes[np.arange(codes.shape[1]) < lengths[:, None]] = flat
    return codes, lengths


def _letters(codes: IntArray, lengths: IntArray, known: str) -> tuple[IntArray, IntArray]:
    alphabet = np.array([ord(letter) for letter in known], np.int64)
    place = np.searchsorted(alphabet, codes)
    found = np.append(alphabet, -1)[np.minimum(place, len(alphabet))] == codes
    inside = np.arange(codes.shape[1]) < lengths[:, None]
    letters = np.zeros((len(codes), codes.shape[1] + 2), np.int64)
    letters[:, 0] = _BEGIN
    letters[:, 1:-1] = np.where(inside, np.where(found, place + LETTER_CODES, _UNKNOWN), 0)
    letters[np.arange(len(codes)), lengths + 1] = _END
    return letters, lengths + 2


def _hashes(written: Sequence[str], codes: IntArray, lengths: IntArray, features: WordFeatures) -> IntArray:
    """Give the hash of each slot: prefixes, suffixes, then the shape."""
    points, ends = _code_points(written)
    columns = [_hashed(points[:, :length], salt=2 * length) for length in features.affixes]
    for length in features.affixes:
        places = ends[:, None] - length + np.arange(length)
        suffix = np.take_along_axis(points, np.maximum(places, 0), axis=1)
        columns.append(_hashed(np.where(places >= 0, suffix, 0), salt=2 * length + 1))
    if features.shape:
        columns.append(_hashed(_shapes(codes, lengths), salt=1))
    if not columns:
        return np.zeros((len(written), 0), np.int64)
    return (np.stack(columns, axis=1) % np.uint64(features.buckets)).astype(np.int64)


def _hashed(codes: IntArray, *, salt: int) -> npt.NDArray[np.uint64]:
    """Hash rows of whole numbers; zeros change nothing, so that rows may be padded."""
    state = np.full(len(codes), salt, np.uint64)
    for column in codes.T.astype(np.uint64):
        state = np.where(column > 0, state * _FACTOR + column, state)
    state = state * _MIXER
    return state >> np.uint64(24)


def _shapes(codes: IntArray, lengths: IntArray) -> IntArray:
    """Give the kind of each letter where it is another than the one before, else 0."""
    kinds = _kinds(codes)
    change = np.ones(codes.shape, bool)
    change[:, 1:] = kinds[:, 1:] != kinds[:, :-1]
    inside = np.arange(codes.shape[1]) < lengths[:, None]
    return np.where(change & inside, kinds, 0)


def _kinds(codes: IntArray) -> IntArray:
    """Give upper case 1, lower case 2, digit 3, other letters 4; signs stand for themselves."""
    occurring = np.flatnonzero(np.bincount(codes.ravel(), minlength=1))
    kinds = np.zeros(len(occurring) and int(occurring[-1]) + 1, np.int64)
    kinds[occurring] = [_kind(code) for code in occurring.tolist()]
    return kinds[codes]


def _kind(code: int) -> int:
    letter = chr(code)
    if letter.isdigit():
        return 3
    if letter.isalpha():
        return 1 if letter.isupper() else 2 if letter.islower() else 4
    return code + LETTER_CODES + 1
