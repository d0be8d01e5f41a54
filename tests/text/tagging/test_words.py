"""Words as numbers, against what the same rules give word by word."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tidegate.specs import WordFeatures
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.text.tagging.words import word_table

VOCABULARY = TagVocabulary(words=("tide", "gate"), letters="Tadegit", columns=(), types=("x",))
WORDS = ["Tide", "gates", "a", "U.S.", "1984", "I", "日本", "naïve", "é" * 40, "x" * 31 + "ing", "\U0001f30a"]


def hashed(codes: Sequence[int], salt: int, buckets: int) -> int:
    state = salt
    for code in codes:
        state = (state * 1_000_003 + code) % 2**64 if code else state
    return (state * 0x9E3779B97F4A7C15 % 2**64 >> 24) % buckets


def kind(letter: str) -> int:
    if letter.isdigit():
        return 3
    if letter.isalpha():
        return 1 if letter.isupper() else 2 if letter.islower() else 4
    return ord(letter) + 5


def slow_hashes(word: str, features: WordFeatures) -> list[int]:
    """The slow oracle."""
    written = "".join("0" if "0" <= letter <= "9" else letter for letter in word.lower())
    written = written if len(written) <= 32 else written[:16] + written[-16:]
    surface = word if len(word) <= 32 else word[:16] + word[-16:]
    found = [hashed([ord(c) for c in written[:n]], 2 * n, features.buckets) for n in features.affixes]
    found += [hashed([ord(c) for c in written[-n:]], 2 * n + 1, features.buckets) for n in features.affixes]
    shape = [group for group, _ in itertools.groupby(map(kind, surface))]
    return [*found, hashed(shape, 1, features.buckets)]


def test_hashes_of_prefixes_suffixes_and_shapes() -> None:
    features = WordFeatures(affixes=(1, 2, 3), buckets=2**20)
    table = word_table(WORDS, VOCABULARY, features)
    assert table.hashes.tolist() == [slow_hashes(word, features) for word in WORDS]


def test_shapes_tell_kinds_of_words_apart() -> None:
    features = WordFeatures(affixes=(), buckets=2**20)
    shapes = word_table(["Rome", "York", "rome", "NATO", "U.S.", "U.K.", "12", "1-2"], VOCABULARY, features).hashes
    rome, york, small, nato, us, uk, number, score = shapes[:, 0].tolist()
    assert (rome, us) == (york, uk)
    assert len({rome, small, nato, us, number, score}) == 6


def test_letters_stand_between_marks() -> None:
    table = word_table(["Tide", "a", "zd"], VOCABULARY, WordFeatures())
    assert table.letters.tolist() == [[2, 4, 9, 6, 7, 3], [2, 5, 3, 0, 0, 0], [2, 1, 6, 3, 0, 0]]
    assert table.lengths.tolist() == [6, 3, 4]


def test_codes_of_words() -> None:
    assert word_table(["Tide", "GATE", "sea"], VOCABULARY, WordFeatures()).words.tolist() == [1, 2, 0]


def test_of_a_long_word_both_ends_are_read() -> None:
    table = word_table(["T" * 2**20 + "d"], VOCABULARY, WordFeatures())
    assert table.lengths.tolist() == [34]
    assert table.letters[0, [1, -2]].tolist() == [4, 6]


def test_some_words_take_no_more_room_than_they_need() -> None:
    table = word_table(WORDS, VOCABULARY, WordFeatures())
    some = table.take(torch.tensor([2, 0]))
    assert some.letters.shape == (2, 6)
    for field in dataclasses.fields(table):
        whole, part = getattr(table, field.name), getattr(some, field.name)
        assert torch.equal(part, whole[[2, 0]][:, : part.shape[1]] if part.dim() > 1 else whole[[2, 0]])


@pytest.mark.parametrize("affixes", [(), (2,)])
def test_no_word_at_all(affixes: tuple[int, ...]) -> None:
    features = WordFeatures(affixes=affixes, shape=False)
    table = word_table([], VOCABULARY, features)
    assert (len(table), table.hashes.shape) == (0, (0, features.slots))


def test_a_word_does_not_depend_on_its_company() -> None:
    alone = word_table(["tide"], VOCABULARY, WordFeatures())
    together = word_table([*WORDS[:3], "tide"], VOCABULARY, WordFeatures())
    assert torch.equal(alone.hashes[0], together.hashes[-1])
    assert np.array_equal(alone.letters[0], together.letters[-1, :6])
