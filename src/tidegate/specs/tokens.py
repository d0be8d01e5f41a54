"""How a text is cut into tokens, and which of them a model knows."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tidegate.specs import checks

__all__ = ["UNITS", "Tokens"]

UNITS = ("words", "characters", "subwords")
_USUAL_LENGTH = {"words": 400, "subwords": 400, "characters": 1_000}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tokens:
    """How a text becomes a row of tokens.

    Parameters
    ----------
    unit
        ``"words"``: words and single punctuation marks; ``"characters"``: all of them, blanks included; ``"subwords"``:
        parts of words, which are learned from the training texts (byte pairs; needs the extra ``text``).
    lower
        Write texts in small letters first.
    fold_digits
        Make every digit a 0, so that all numbers of so many digits are one token.
    minimum
        How often a token must be in the training texts to be known.
    max_vocabulary
        Tokens that are known at most, the most frequent ones.
    max_length
        Tokens of a text that are read, from its beginning; ``None`` is 400 words or subwords, or 1000 characters.
    """

    kind: ClassVar[str] = "tokens"

    unit: str = "words"
    lower: bool = True
    fold_digits: bool = False
    minimum: int = 1
    max_vocabulary: int = 50_000
    max_length: int | None = None

    def __post_init__(self) -> None:
        checks.one_of("unit", self.unit, UNITS)
        checks.flag("lower", self.lower)
        checks.flag("fold_digits", self.fold_digits)
        checks.whole("minimum", self.minimum)
        checks.whole("max_vocabulary", self.max_vocabulary)
        if self.max_length is not None:
            checks.whole("max_length", self.max_length)

    @property
    def length(self) -> int:
        """Tokens of a text that are read."""
        return _USUAL_LENGTH[self.unit] if self.max_length is None else self.max_length
