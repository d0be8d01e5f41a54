"""Rows of neighbouring tokens or characters: which of them a text has."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.data.ragged import Ragged

__all__ = ["MOST_CHARACTERS", "NGrams", "ngram_keys", "text_characters", "token_hashes"]

Keys: TypeAlias = npt.NDArray[np.uint64]
HalfKeys: TypeAlias = npt.NDArray[np.uint32]

#: Characters of a text whose n-grams are read.
MOST_CHARACTERS = 5_000

_BLOCK = 256  # texts whose n-grams are in memory at once, each of them, known or not
_PENDING = 4_000_000  # n-grams that are counted together

_ODD = np.uint64(0x9E3779B97F4A7C15)
_WORDS, _CHARACTERS = np.uint64(1), np.uint64(2)  # what keys of tokens and of characters begin with


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NGrams:
    """The n-grams that were in enough training texts, each with a column of its own.

    They are known by keys of 64 bits, hashes of the n-gram: of a million of them two are taken for one with a chance
    of 1 in 40 million. The upper halves of the keys take half the room, and a hundred thousand of them take one in
    40,000 unknown n-grams for a known one.

    Parameters
    ----------
    keys
        uint64 ``[column]``, ascending; or uint32, their upper halves.
    words
        Longest n-gram of tokens.
    characters
        Shortest and longest n-gram of characters, or ``None``.
    """

    keys: Keys | HalfKeys
    words: int
    characters: tuple[int, int] | None

    @classmethod
    def of(
        cls,
        tokens: Ragged,
        texts: Sequence[str],
        *,
        words: int,
        characters: tuple[int, int] | None,
        minimum: int = 1,
        most: int | None = None,
    ) -> NGrams:
        """Collect those that are in ``minimum`` texts at least, at most ``most``: those in the most texts.

        Parameters
        ----------
        tokens
            From `token_hashes`.
        texts
            The texts themselves, as `text_characters` reads them.
        words, characters
            As above.
        """
        found, counts = _counted(keys for keys, _ in _present(tokens, texts, words, characters))
        kept = np.flatnonzero(counts >= minimum)
        if most is not None and len(kept) > most:
            kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:most]])
        return cls(keys=found[kept], words=words, characters=characters)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.keys)

    def halved(self) -> tuple[NGrams, IntArray]:
        """Keep the upper halves of the keys: the n-grams by these, and the columns that stay, ``[column]``."""
        dropped = np.uint64(32)
        halves, first = np.unique((self.keys.astype(np.uint64) >> dropped).astype(np.uint32), return_index=True)
        return dataclasses.replace(self, keys=halves), first.astype(np.int64)

    def columns(self, tokens: Ragged, texts: Sequence[str]) -> Ragged:
        """Give the columns of the n-grams that each text has, ascending, each once: int64 ``[…]`` in a `Ragged`."""
        found, lengths = [], []
        dropped = np.uint64(64 - 8 * self.keys.itemsize)  # bits
        for whole, counts in _present(tokens, texts, self.words, self.characters):
            keys = (whole >> dropped).astype(self.keys.dtype)
            rows = np.repeat(np.arange(len(counts)), counts)
            places = np.searchsorted(self.keys, keys)
            known = places < len(self.keys)
            known[known] = self.keys[places[known]] == keys[known]
            known[1:] &= (keys[1:] != keys[:-1]) | (rows[1:] != rows[:-1])  # two may share a half
            found.append(places[known].astype(np.int64))
            lengths.append(np.bincount(rows[known], minlength=len(counts)))
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        return Ragged(flat=np.concatenate(found), offsets=offsets)


def _present(
    tokens: Ragged, texts: Sequence[str], words: int, characters: tuple[int, int] | None
) -> Iterator[tuple[Keys, IntArray]]:
    """Give for some texts at a time the keys of their n-grams, ascending in each and each once, and their numbers."""
    for start in range(0, max(len(tokens), 1), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(tokens)))
        found: list[tuple[Keys, IntArray]] = []
        if words:
            found.append(ngram_keys(tokens.take(rows), 1, words, salt=_WORDS))
        if characters is not None:
            block = text_characters(texts[row] for row in rows.tolist())
            found.append(ngram_keys(block, *characters, salt=_CHARACTERS))
        keys = np.concatenate([part for part, _ in found])
        owners = np.concatenate([part for _, part in found])
        order = np.lexsort((keys, owners))
        keys, owners = keys[order], owners[order]
        first = np.ones(len(keys), bool)
        first[1:] = (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1])
        yield keys[first], np.bincount(owners[first], minlength=len(rows))


def _counted(blocks: Iterable[Keys]) -> tuple[Keys, IntArray]:
    """Give the distinct keys of all blocks, ascending, and in how many texts each is."""
    keys, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
    pending: list[Keys] = []
    for block in blocks:
        pending.append(block)
        if sum(map(len, pending)) >= _PENDING:
            keys, counts = _merged(keys, counts, pending)
            pending = []
    return _merged(keys, counts, pending)


def _merged(keys: Keys, counts: IntArray, more: list[Keys]) -> tuple[Keys, IntArray]:
    found, numbers = np.unique(np.concatenate([*more, keys[:0]]), return_counts=True)
    both, places = np.unique(np.concatenate([keys, found]), return_inverse=True)
    sums = np.bincount(places, np.concatenate([counts, numbers]), minlength=len(both))
    return both, sums.astype(np.int64)


def ngram_keys(sequences: Ragged, shortest: int, longest: int, *, salt: np.uint64 = _WORDS) -> tuple[Keys, IntArray]:
    """Hash the n-grams of sequences of codes.

    Parameters
    ----------
    sequences
        Codes, int64 ``[step]``.
    shortest, longest
        Lengths of the n-grams.
    salt
        Sets these n-grams apart from those of other codes.

    Returns
    -------
    keys : ndarray
        uint64 ``[n-gram]``.
    sequence : ndarray
        The sequence of each, ``[n-gram]``.
    """
    codes = _mixed(sequences.flat.view(np.uint64) * _ODD + salt)
    ends = np.repeat(sequences.offsets[1:], sequences.lengths)  # of the sequence that each step is in
    owner = np.repeat(np.arange(len(sequences)), sequences.lengths)
    starts = np.arange(len(codes))
    hashes = codes
    keys, rows = [codes[:0]], [owner[:0]]
    for length in range(1, longest + 1):
        if length > 1:
            inside = starts + (length - 1) < ends[starts]
            starts, hashes = starts[inside], hashes[inside]
            hashes = _mixed(hashes * _ODD + codes[starts + (length - 1)])
        if length >= shortest:
            keys.append(hashes)
            rows.append(owner[starts])
    return np.concatenate(keys), np.concatenate(rows)


def token_hashes(texts: Iterable[Sequence[str]]) -> Ragged:
    """Give a whole number of 64 bits for each token, always the same for the same token: int64 in a `Ragged`."""
    known: dict[str, int] = {}
    found: list[int] = []
    ends = [0]
    for tokens in texts:
        for token in tokens:
            if token not in known:
                digest = hashlib.blake2b(token.encode(), digest_size=8).digest()
                known[token] = int.from_bytes(digest, "little", signed=True)
            found.append(known[token])
        ends.append(len(found))
    return Ragged(flat=np.array(found, np.int64), offsets=np.array(ends, np.int64))


def text_characters(texts: Iterable[str]) -> Ragged:
    """Give the code points of texts, one blank between words and at both ends, in a `Ragged`.

    >>> [chr(code) for code in text_characters(["a  b"])[0]]
    [' ', 'a', ' ', 'b', ' ']
    """
    parts = [
        np.frombuffer(f" {' '.join(text[:MOST_CHARACTERS].split())} ".encode("utf-32-le", "surrogatepass"), np.uint32)
        for text in texts
    ]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    flat: npt.NDArray[Any] = np.concatenate(parts) if parts else np.empty(0, np.uint32)
    return Ragged(flat=flat.astype(np.int64), offsets=offsets)


def _mixed(values: Keys) -> Keys:
    """Spread the bits of whole numbers over all 64 (the finaliser of splitmix64; Steele et al., 2014)."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
