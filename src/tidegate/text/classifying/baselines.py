"""What a classifier of texts is scored beside: the share of each class, and naive Bayes on words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidegate.data.ragged import Ragged
from tidegate.data.text import Tokenizer
from tidegate.data.vocabulary import UNKNOWN, TokenVocabulary
from tidegate.specs.tokens import Tokens
from tidegate.text.classifying.targets import Classes

__all__ = ["NaiveBayes"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NaiveBayes:
    """Multinomial naive Bayes on words in small letters, counts from 1 on (McCallum & Nigam, 1998).

    Parameters
    ----------
    vocabulary
        The words of the training texts.
    classes
        What is told of texts; of labels each by itself.
    bias
        The logarithm of how frequent each class or label is, ``[class]``; of labels beside texts that lack it.
    weights
        That of how frequent each word is in it, ``[word, class]``; of labels beside texts that lack it.
    """

    vocabulary: TokenVocabulary
    classes: Classes
    bias: Floats
    weights: Floats

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[object], classes: Classes) -> NaiveBayes:
        """Count the words of texts with their labels."""
        tokens = [_TOKENIZER.tokens(text) for text in texts]
        vocabulary = TokenVocabulary.of(tokens)
        codes, target = vocabulary.codes(tokens), classes.encode(labels)
        marks = target.astype(np.float64) if classes.several else np.eye(len(classes.names))[target]
        bias, weights = _logs(codes, marks, len(vocabulary))
        if classes.several:
            absent_bias, absent = _logs(codes, 1 - marks, len(vocabulary))
            bias, weights = bias - absent_bias, weights - absent
        return cls(vocabulary=vocabulary, classes=classes, bias=bias, weights=weights)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Give the probability of each class or label, ``[text, class]``."""
        codes = self.vocabulary.codes(_TOKENIZER.tokens(text) for text in texts)
        scores = np.stack([self.weights[row[row != UNKNOWN]].sum(axis=0) for row in _rows(codes)]) + self.bias
        if self.classes.several:
            found: Floats = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
            return found
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=1, keepdims=True)
        return shares


_TOKENIZER = Tokenizer(spec=Tokens())


def _logs(codes: Ragged, marks: Floats, words: int) -> tuple[Floats, Floats]:
    """Give the logarithms of the shares of texts and of words that are marked: ``[class]``, ``[word, class]``."""
    owners = np.repeat(np.arange(len(codes)), codes.lengths)
    counts = 1 + np.stack([np.bincount(codes.flat, column[owners], words) for column in marks.T], axis=1)
    texts = 1 + marks.sum(axis=0)
    return np.log(texts / (len(marks) + 2)), np.log(counts / counts.sum(axis=0))


def _rows(codes: Ragged) -> list[npt.NDArray[np.int64]]:
    return [codes[row] for row in range(len(codes))]
