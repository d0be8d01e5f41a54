"""Which tokens a model knows, and the numbers that stand for them."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.data.ragged import Ragged
from tidegate.data.strings import pack_strings, unpack_strings
from tidegate.errors import DataError

__all__ = ["PADDING", "UNKNOWN", "TokenVocabulary"]

PADDING = 0
UNKNOWN = 1
_FIRST = 2  # the code of the first token


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TokenVocabulary:
    """The tokens that are known: codes from 2 on; 0 is padding, 1 any token that is not.

    Parameters
    ----------
    tokens
        The most frequent first.

    Examples
    --------
    >>> vocabulary = TokenVocabulary.of([["the", "tide"], ["the", "gate"]], minimum=2)
    >>> vocabulary.tokens, vocabulary.codes([["the", "gate"]])[0].tolist()
    (('the',), [2, 1])
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        numbers = {token: code for code, token in enumerate(self.tokens, start=_FIRST)}
        if len(numbers) != len(self.tokens):
            raise DataError("expected tokens of a vocabulary once each; some stand there twice")
        object.__setattr__(self, "_numbers", numbers)

    @classmethod
    def of(
        cls,
        texts: Iterable[Sequence[str]],
        *,
        minimum: int = 1,
        most: int | None = None,
        more: Iterable[str] = (),
    ) -> TokenVocabulary:
        """Collect the tokens of texts.

        Parameters
        ----------
        texts
            Rows of tokens.
        minimum
            How often a token must occur.
        most
            Tokens at most, the most frequent ones; of equally frequent ones those that came first.
        more
            Tokens that are known however often they occur, such as those with embeddings of their own.

        Raises
        ------
        DataError
            If no token is left.
        """
        counts = Counter(itertools.chain.from_iterable(texts))
        kept = [token for token, count in counts.most_common(most) if count >= minimum]
        found = tuple(dict.fromkeys([*kept, *more]))
        if not found:
            raise DataError(f"no token is in the training texts {minimum} times; lower the minimum of Tokens(…)")
        return cls(tokens=found)

    def __len__(self) -> int:
        """Return the number of codes, those of padding and of the unknown included."""
        return len(self.tokens) + _FIRST

    def codes(self, texts: Iterable[Sequence[str]]) -> Ragged:
        """Give the codes of rows of tokens, int64 ``[token]`` in a `Ragged`."""
        numbers: Mapping[str, int] = self._numbers  # type: ignore[attr-defined]
        found: list[int] = []
        ends = [0]
        for tokens in texts:
            found += [numbers.get(token, UNKNOWN) for token in tokens]
            ends.append(len(found))
        return Ragged(flat=np.array(found, np.int64), offsets=np.array(ends, np.int64))

    def rows(self, tokens: Iterable[str]) -> IntArray:
        """Give the code of each token, int64 ``[token]``."""
        numbers: Mapping[str, int] = self._numbers  # type: ignore[attr-defined]
        return np.array([numbers.get(token, UNKNOWN) for token in tokens], np.int64)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as arrays for a model file."""
        return pack_strings(self.tokens, "vocabulary.")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> TokenVocabulary:
        """Take back what `to_arrays` gave. Raises `DataError` or `KeyError` for anything else."""
        return cls(tokens=tuple(unpack_strings(arrays, "vocabulary.")))
