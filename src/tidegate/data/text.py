"""Texts: checked, and cut into tokens."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isnan
from typing import Any, NamedTuple, TypeAlias

from tidegate.data.subwords import Subwords
from tidegate.errors import DataError
from tidegate.specs.tokens import Tokens

__all__ = ["LONGEST_WORD", "Piece", "TextLike", "Tokenizer", "read_texts"]

#: Characters of a word that are read; what is longer is data that lost its spaces.
LONGEST_WORD = 100

TextLike: TypeAlias = Iterable[Any]
"""A list, an array or a column of a data frame that holds texts."""

# Accents, vowel signs and joiners that belong to the letter before them, which Python counts as no letters: general
# ones, Cyrillic, Hebrew, Arabic, those of India (but the bars that end sentences), Thai, variants and joiners.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u0900-\u0963"
    "\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
_PART = rf"(?:[^\W_]++[{_MARKS}]*+)++"  # nothing is given back, so that no text takes longer than its length
# A word, apostrophes inside it included (don't; state-of-the-art is seven tokens), or any other character but a blank.
_WORD = re.compile(rf"{_PART}(?:['’]{_PART})*+|\S")
_DIGITS = re.compile(r"\d")
_SHORT = 100_000  # characters of a text whose words are all found before they are counted


class Piece(NamedTuple):
    """A token, and where it stands in its text: ``text[start:stop]``."""

    token: str
    start: int
    stop: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tokenizer:
    """Cuts texts into tokens.

    Parameters
    ----------
    spec
        How.
    subwords
        The parts of words, where the unit is ``"subwords"``.

    Notes
    -----
    A text is read up to ``spec.length`` tokens, and a word up to `LONGEST_WORD` characters, so that a megabyte without
    a space costs no more than another text.

    Examples
    --------
    >>> Tokenizer(spec=Tokens()).tokens("The tide didn't turn.")
    ['the', 'tide', "didn't", 'turn', '.']
    """

    spec: Tokens
    subwords: Subwords | None = None

    @classmethod
    def of(cls, spec: Tokens, texts: Sequence[str]) -> Tokenizer:
        """Make one; subwords are learned from ``texts``. Raises `MissingExtraError` where the extra is not there."""
        if spec.unit != "subwords":
            return cls(spec=spec)
        words = ((piece.token for piece in _words(text, spec)) for text in texts)
        return cls(spec=spec, subwords=Subwords.of(words, spec))

    def tokens(self, text: str) -> list[str]:
        """Give the tokens of a text."""
        return self.read(text)[0]

    def read(self, text: str) -> tuple[list[str], bool]:
        """Give the tokens of a text, and whether there is more in it than is read."""
        if self.spec.unit == "words" and len(text) <= _SHORT and text.isascii():  # the same, at twice the pace
            found: list[str] = _WORD.findall(self.written(text))
            if max(map(len, found), default=0) < LONGEST_WORD:
                return found[: self.spec.length], len(found) > self.spec.length
        pieces = list(itertools.islice(self._pieces(text), self.spec.length + 1))
        kept = pieces[: self.spec.length]
        words = _words(text, self.spec) if self.subwords is not None else iter(kept)
        cut = any(word.stop - word.start == LONGEST_WORD for word in itertools.islice(words, self.spec.length))
        return [piece.token for piece in kept], cut or len(kept) < len(pieces)

    def pieces(self, text: str) -> list[Piece]:
        """Give the tokens of a text with their places."""
        return list(itertools.islice(self._pieces(text), self.spec.length))

    def written(self, text: str) -> str:
        """Write a text as its tokens are: in small letters, with digits folded, as ``spec`` says."""
        return _writer(self.spec)(text)

    def _pieces(self, text: str) -> Iterator[Piece]:
        if self.spec.unit == "characters":
            return _characters(text, self.spec)
        words = _words(text, self.spec)
        return words if self.subwords is None else self._parts(words)

    def _parts(self, words: Iterator[Piece]) -> Iterator[Piece]:
        assert self.subwords is not None
        for word in words:
            for token, start, stop in self.subwords.parts(word.token):
                # Small letters may be more or fewer than the capitals they come from.
                yield Piece(token, min(word.start + start, word.stop), min(word.start + stop, word.stop))


def _words(text: str, spec: Tokens) -> Iterator[Piece]:
    write = _writer(spec)
    for match in _WORD.finditer(text):
        start, stop = match.span()
        stop = min(stop, start + LONGEST_WORD)
        yield Piece(write(text[start:stop]), start, stop)


def _characters(text: str, spec: Tokens) -> Iterator[Piece]:
    write = _writer(spec)
    for place, character in enumerate(text):
        yield Piece(write(character), place, place + 1)


def _writer(spec: Tokens) -> Callable[[str], str]:
    def write(token: str) -> str:
        written = token.lower() if spec.lower else token
        return _DIGITS.sub("0", written) if spec.fold_digits else written

    return write


def read_texts(texts: TextLike, *, place: Callable[[int], str] | None = None) -> list[str]:
    """Check texts.

    Parameters
    ----------
    texts
        A list, an array or a column of a data frame.
    place
        From a row to what a message calls it; ``"row 3"`` if left out.

    Raises
    ------
    DataError
        If there is none, or one is missing, no text, empty (blanks alone), or holds a NUL character or what is no
        character at all: half of a surrogate pair, as invalid UTF-8 leaves it.

    Examples
    --------
    >>> read_texts(("high tide", "low tide"))
    ['high tide', 'low tide']
    """
    where = _row if place is None else place
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise DataError(
            f"expected a list or a column of texts, got {type(texts).__name__}; put a single text in a list"
        )
    found = [_checked(text, row, where) for row, text in enumerate(texts)]
    if not found:
        raise DataError("expected one text at least; got none")
    return found


def _checked(text: Any, row: int, where: Callable[[int], str]) -> str:
    if not isinstance(text, str):
        if _is_missing(text):
            raise DataError(f"{where(row)}: the text is missing; leave such rows out, or say what they are")
        hint = "; decode it, as with .decode('utf-8')" if isinstance(text, bytes) else ""
        raise DataError(f"{where(row)}: expected a text, got {text!r:.60}, a {type(text).__name__}{hint}")
    if not text.strip():
        raise DataError(f"{where(row)}: the text is empty, there is nothing to read; leave such rows out")
    if "\0" in text:
        raise DataError(f"{where(row)}: the text holds a NUL character, which no text has; remove it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{where(row)}: the text holds {text[error.start]!r} at {error.start}, which is no character but what "
                "invalid UTF-8 leaves; decode it with errors='replace', or with the encoding that it has"
            ) from error
    return str(text)


def _row(row: int) -> str:
    return f"row {row}"


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value))
