"""What a network reads of a token, and what is read of a text beside the network."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Embedding", "TextColumns", "Wide"]

_MOST_CHARACTERS = 8
_MOST_WORDS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Embedding:
    """The vectors that stand for tokens.

    Parameters
    ----------
    size
        Numbers a token; those of a file, if vectors come from one, which ``size`` then need not repeat.
    path
        A text file of GloVe or word2vec, whose vectors take the place of drawn ones before the training: those of
        tokens in the training texts, and the first 20,000 of the file. A model file holds them, so that this one is
        not needed afterwards.
    frozen
        Leave the vectors as they are.
    dropout
        Probability at which a token is taken for an unknown one in training, so that the network leans on no single
        word and learns what to do with words that it has never seen (Iyyer et al., 2015).
    """

    kind: ClassVar[str] = "embedding"

    size: int = 100
    path: str | None = None
    frozen: bool = False
    dropout: float = 0.3

    def __post_init__(self) -> None:
        checks.whole("size", self.size)
        checks.flag("frozen", self.frozen)
        checks.probability("dropout", self.dropout)
        if self.path is not None and (not isinstance(self.path, str) or not self.path):
            raise SpecError(f"path must be that of a file of embeddings as text, or None; got {self.path!r}")
        if self.frozen and self.path is None:
            raise SpecError("frozen leaves embeddings as they came from a file; give its path, or leave frozen out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextColumns:
    """Which columns of a table hold texts and labels.

    Parameters
    ----------
    text
        The column of texts.
    label
        The column of labels; ``None`` for none.
    separator
        What stands between the labels of one text, where it may have several; ``None`` if each has one.
    """

    kind: ClassVar[str] = "text_columns"

    text: str = "text"
    label: str | None = "label"
    separator: str | None = None

    def __post_init__(self) -> None:
        for name in ("text", "label", "separator"):
            value = getattr(self, name)
            if value is None and name != "text":
                continue
            if not isinstance(value, str) or not value:
                raise SpecError(f"{name} must be text; got {value!r}")
        if self.text == self.label:
            raise SpecError(f"text and label must be two columns; got {self.text!r} for both")
        if self.separator is not None and self.label is None:
            raise SpecError("separator parts labels, but there is no column of labels")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wide:
    """A linear model of n-grams beside the network (after Cheng et al., 2016), which reads what stands side by side.

    An n-gram that is in a text counts by its naive Bayes log-count ratio, how much more frequent it is in a class than
    elsewhere; logistic regression weighs these (NBSVM: Wang & Manning, 2012).

    Parameters
    ----------
    words
        Longest row of tokens that is read as one; 0 for none.
    characters
        Shortest and longest row of characters, blanks included, in the first 5,000 of a text; ``None`` for none.
    minimum
        In how many training texts an n-gram must be.
    penalty
        On the squares of the weights; ``None`` chooses it on the validation examples.
    share
        Of the linear model in the logarithms of the probabilities, from 0 to 1, the network having the rest;
        ``None`` chooses it on the validation examples. Without validation it is ½.
    """

    kind: ClassVar[str] = "wide"

    words: int = 2
    characters: tuple[int, int] | None = (1, 5)
    minimum: int = 2
    penalty: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        checks.whole("words", self.words, least=0)
        if self.words > _MOST_WORDS:
            raise SpecError(f"words must be at most {_MOST_WORDS}; got {self.words}")
        self._check_characters()
        if not self.words and self.characters is None:
            raise SpecError("a wide part reads words, characters or both; got words=0 and characters=None")
        checks.whole("minimum", self.minimum)
        if self.penalty is not None:
            checks.at_least("penalty", self.penalty, 0, exclusive=True)
        if self.share is not None:
            checks.number("share", self.share)
            if not 0 <= self.share <= 1:
                raise SpecError(f"share must lie in 0 … 1; got {self.share!r}")

    def _check_characters(self) -> None:
        lengths = self.characters
        if lengths is None:
            return
        if not isinstance(lengths, tuple) or len(lengths) != 2:
            raise SpecError(f"characters must be the shortest and the longest length, as (2, 5); got {lengths!r}")
        for length in lengths:
            checks.whole("each of characters", length)
        if not lengths[0] <= lengths[1] <= _MOST_CHARACTERS:
            raise SpecError(f"characters must ascend, up to {_MOST_CHARACTERS}; got {lengths!r}")
