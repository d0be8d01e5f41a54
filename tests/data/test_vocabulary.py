from __future__ import annotations

import re

import numpy as np
import pytest

from tidegate.data.vocabulary import UNKNOWN, TokenVocabulary
from tidegate.errors import DataError

TEXTS = [["b", "a", "b"], ["c", "b", "a"], ["d"]]


def test_the_most_frequent_come_first() -> None:
    assert TokenVocabulary.of(TEXTS).tokens == ("b", "a", "c", "d")
    assert TokenVocabulary.of(TEXTS, minimum=2).tokens == ("b", "a")
    assert TokenVocabulary.of(TEXTS, most=3).tokens == ("b", "a", "c")
    assert TokenVocabulary.of(TEXTS, minimum=2, more=["x", "a"]).tokens == ("b", "a", "x")


def test_codes_begin_behind_padding_and_the_unknown() -> None:
    vocabulary = TokenVocabulary.of(TEXTS, minimum=2)
    codes = vocabulary.codes([["a", "zz"], [], ["b"]])
    assert [codes[row].tolist() for row in range(3)] == [[3, UNKNOWN], [], [2]]
    assert vocabulary.rows(["b", "zz"]).tolist() == [2, UNKNOWN]
    assert len(vocabulary) == 4


def test_it_survives_a_file() -> None:
    vocabulary = TokenVocabulary.of([["ä", "", "潮", "\ud800"]])
    assert TokenVocabulary.from_arrays(vocabulary.to_arrays()).tokens == vocabulary.tokens


def test_what_cannot_be_is_refused() -> None:
    message = "no token is in the training texts 9 times; lower the minimum of Tokens(…)"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        TokenVocabulary.of(TEXTS, minimum=9)
    with pytest.raises(DataError, match=r"^expected tokens of a vocabulary once each; some stand there twice$"):
        TokenVocabulary(tokens=("a", "a"))
    with pytest.raises(KeyError):
        TokenVocabulary.from_arrays({"other": np.zeros(1)})
