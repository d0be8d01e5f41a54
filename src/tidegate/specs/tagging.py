"""What a tagger reads of a word, and how tags write spans."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.base import from_tagged
from tidegate.specs.parts import Convolution
from tidegate.specs.recurrent import Recurrent

__all__ = ["SCHEME_NAMES", "TagSchemes", "WordFeatures"]

SCHEME_NAMES = ("iob1", "iob2", "iobes")
_MOST_BUCKETS = 2**24
_LETTERS = Recurrent(hidden_size=25, bidirectional=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordFeatures:
    """What the network is given of each token.

    Parameters
    ----------
    size
        Numbers that stand for a word of the vocabulary (its embedding).
    minimum
        How often a word must be in the training data to be in the vocabulary.
    lower
        Write words in small letters before they are looked up.
    fold_digits
        Make every digit a 0 before that.
    unknown
        At training, a word that is in the data c times is taken for an unknown one with probability
        unknown / (unknown + c) (after Kiperwasser & Goldberg, 2016), so that the network learns what to do with words
        that it has never seen; 0 never.
    characters
        The network that reads a word's letters: a `Recurrent`, whose last outputs count (Lample et al., 2016), or a
        `Convolution`, whose largest do (Ma & Hovy, 2016); ``None`` for none.
    character_size
        Numbers that stand for a letter.
    affixes
        Lengths of the prefixes and suffixes whose embeddings are read.
    affix_size
        Numbers that stand for a prefix or suffix, and for a word's shape.
    shape
        Read the word's shape (``Xx``, ``X.X.``, ``d-d``): which kinds of characters follow each other.
    buckets
        Prefixes, suffixes and shapes are told apart by a hash of so many values.
    column_size
        Numbers that stand for an entry of a further column, such as a part of speech.
    context
        Let neighbouring words and column entries, their pairs and triples speak for tags directly, as the features of
        a linear CRF do (Sha & Pereira, 2003; beside a BiLSTM-CRF: Huang et al., 2015). They are told apart by a hash of
        so many values, which should be more than the data have; 0 for none.
    """

    kind: ClassVar[str] = "words"

    size: int = 100
    minimum: int = 1
    lower: bool = True
    fold_digits: bool = True
    unknown: float = 0.5
    characters: Recurrent | Convolution | None = _LETTERS
    character_size: int = 25
    affixes: tuple[int, ...] = (2, 3)
    affix_size: int = 10
    shape: bool = True
    buckets: int = 2**14
    column_size: int = 25
    context: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "minimum", "character_size", "affix_size", "buckets", "column_size"):
            checks.whole(name, getattr(self, name))
        checks.whole("context", self.context, least=0)
        for name in ("buckets", "context"):
            if getattr(self, name) > _MOST_BUCKETS:
                raise SpecError(f"{name} must be at most {_MOST_BUCKETS}; got {getattr(self, name)}")
        for name in ("lower", "fold_digits", "shape"):
            checks.flag(name, getattr(self, name))
        checks.at_least("unknown", self.unknown, 0)
        if isinstance(self.characters, dict):  # from JSON
            object.__setattr__(self, "characters", from_tagged(self.characters, (Recurrent, Convolution)))
        if self.characters is not None and not isinstance(self.characters, Recurrent | Convolution):
            raise SpecError(f"characters must be a Recurrent(…), a Convolution(…) or None; got {self.characters!r}")
        if not isinstance(self.affixes, tuple):
            raise SpecError(f"affixes must be lengths such as (2, 3), or (); got {self.affixes!r}")
        for length in self.affixes:
            checks.whole("each of affixes", length)

    @property
    def slots(self) -> int:
        """How many hashed features a word has: a prefix and a suffix of each length, and its shape."""
        return 2 * len(self.affixes) + self.shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class TagSchemes:
    """Which scheme tags come in, are learned in, and are given in.

    Parameters
    ----------
    given
        ``"iob1"``, ``"iob2"`` or ``"iobes"``; ``"auto"`` finds it in the training data.
    learned
        What the network tells apart, ``"iob2"`` or ``"iobes"``; the finer one is learned better as a rule (Ratinov &
        Roth, 2009).
    predicted
        Of `tidegate.Tagger.predict`; ``None``: as given.
    repair
        Read training tags that break the scheme as conlleval does, which begins a span wherever a type changes,
        instead of refusing them.
    """

    kind: ClassVar[str] = "tag_schemes"

    given: str = "auto"
    learned: str = "iobes"
    predicted: str | None = None
    repair: bool = False

    def __post_init__(self) -> None:
        checks.one_of("given", self.given, ("auto", *SCHEME_NAMES))
        checks.one_of("learned", self.learned, SCHEME_NAMES[1:])
        checks.one_of("predicted", self.predicted, (None, *SCHEME_NAMES))
        checks.flag("repair", self.repair)
