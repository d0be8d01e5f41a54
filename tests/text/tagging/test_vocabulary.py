"""What a tagger has seen: counted, coded, and given back from arrays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError
from tidegate.specs import WordFeatures
from tidegate.text.tagging.vocabulary import TagVocabulary, normalised

GIVEN = ConllSentences(
    tokens=(("Ann", "sold", "12"), ("ann", "sold", "34", "gates")),
    columns=((("N", "V", "C"),), (("N", "V", "C", "N"),)),
)


def test_words_are_counted_as_they_are_normalised() -> None:
    vocabulary, counts = TagVocabulary.of(GIVEN, ["x", "x"], WordFeatures())
    assert vocabulary.words == ("ann", "sold", "00", "gates")
    assert counts.tolist() == [0, 2, 2, 2, 1]
    assert vocabulary.letters == "1234Aadeglnost"
    assert vocabulary.columns == (("C", "N", "V"),)
    assert vocabulary.types == ("x",)


def test_codes_are_0_for_what_was_not_there() -> None:
    vocabulary, _ = TagVocabulary.of(GIVEN, ["x"], WordFeatures())
    assert vocabulary.word_codes(["sold", "bought", "ann"]).tolist() == [2, 0, 1]
    other = ConllSentences(tokens=(("a", "b"),), columns=((("V", "?"),),))
    assert vocabulary.column_codes(other).tolist() == [[3], [0]]


def test_rare_words_and_runs_of_letters_stay_out() -> None:
    vocabulary, _ = TagVocabulary.of(GIVEN, ["x"], WordFeatures(minimum=2))
    assert vocabulary.words == ("ann", "sold", "00")
    long = ConllSentences(tokens=(("x" * 101, "x" * 100),))
    assert TagVocabulary.of(long, ["x"], WordFeatures())[0].words == ("x" * 100,)


def test_words_with_embeddings_of_their_own_join() -> None:
    vocabulary, counts = TagVocabulary.of(GIVEN, ["x"], WordFeatures(), ["sold", "bought"])
    assert vocabulary.words[-1] == "bought"
    assert counts[-1] == 0


def test_case_and_digits_are_kept_on_request() -> None:
    assert normalised(["Pier", "19"], WordFeatures(lower=False, fold_digits=False)) == ["Pier", "19"]


def test_without_a_span_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="expected spans in the training data; got the tag 'O' for every token"):
        TagVocabulary.of(GIVEN, [], WordFeatures())


def test_there_and_back() -> None:
    vocabulary, _ = TagVocabulary.of(GIVEN, ["y", "x"], WordFeatures())
    again = TagVocabulary.from_arrays(vocabulary.to_arrays(), 1)
    assert dataclasses.astuple(again) == dataclasses.astuple(vocabulary)
    wrong = vocabulary.to_arrays() | {"letters.ends": np.array([1, 14], np.int64)}
    with pytest.raises(DataError, match="expected the letters as one text; got 2"):
        TagVocabulary.from_arrays(wrong, 1)


def test_words_are_normalised_as_each_is_alone() -> None:
    words = ["ΟΔΟΣ", "Σ", "İ", "", "ǅ9", "A\0B", "٣"]
    expected = [word.replace("\0", "\ufffd").lower().replace("9", "0") for word in words]
    assert normalised(words, WordFeatures()) == expected
    assert normalised([words[0], words[3]], WordFeatures()) == [expected[0], ""]
    assert normalised([], WordFeatures()) == []
