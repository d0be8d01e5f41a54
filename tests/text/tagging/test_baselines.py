"""The most frequent tags, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError
from tidegate.specs import WordFeatures
from tidegate.text.tagging.baselines import TypicalTags
from tidegate.text.tagging.vocabulary import TagVocabulary

TAGS = [["B-x", "O", "O"], ["B-x", "I-x"], ["O", "B-x"]]
GIVEN = ConllSentences(
    tokens=(("ann", "may", "go"), ("ann", "may"), ("ann", "may")),
    columns=((("N", "V", "V"),), (("N", "N"),), (("N", "N"),)),
)
VOCABULARY, _ = TagVocabulary.of(GIVEN, ["x"], WordFeatures())
TYPICAL = TypicalTags.of(GIVEN, TAGS, "iob2", VOCABULARY, WordFeatures())


def test_the_most_frequent_tag_of_words_and_entries() -> None:
    asked = ConllSentences(tokens=(("Ann", "may"), ("sea",)), columns=((("V", "N"),), (("?",),)))
    # Of three equally frequent tags of "may" the first label counts; unknown ones have the most frequent of all.
    assert TYPICAL.tags(asked, VOCABULARY, WordFeatures()) == {
        "most frequent tag of the word": [["B-x", "O"], ["O"]],
        "most frequent tag of column 2": [["O", "B-x"], ["O"]],
    }


def test_there_and_back() -> None:
    again = TypicalTags.from_arrays(TYPICAL.to_arrays(), VOCABULARY, "iob2")
    assert again.words.tolist() == TYPICAL.words.tolist()
    assert again.columns[0].tolist() == TYPICAL.columns[0].tolist()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros(2, np.int64), r"expected 'typical.words' of shape \[4\], got int64 \[2\]"),
        (np.full(4, 3), r"expected tags from 0 to 2 in 'typical.words'; got others"),
    ],
)
def test_other_arrays_are_refused(wrong: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        TypicalTags.from_arrays(TYPICAL.to_arrays() | {"typical.words": wrong}, VOCABULARY, "iob2")
