from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tidegate.data.ngrams import MOST_CHARACTERS, NGrams, ngram_keys, text_characters, token_hashes
from tidegate.data.ragged import Ragged

WORDS = ["tide", "gate", "ebb", "flow", "the", "turns"]
HASHES = [-1823336997955875113, -5230398647882678180]


def random_texts(count: int, seed: int = 0) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [rng.choice(WORDS, rng.integers(0, 9)).tolist() for _ in range(count)]


def grams(row: list[str] | str, shortest: int, longest: int) -> Iterator[tuple[str, ...]]:
    """The oracle."""
    for length in range(shortest, longest + 1):
        for start in range(len(row) - length + 1):
            yield tuple(row[start : start + length])


@pytest.mark.parametrize(("words", "characters"), [(2, None), (3, (2, 4)), (0, (1, 3)), (1, (1, 1))])
def test_columns_are_those_of_plain_sets(words: int, characters: tuple[int, int] | None) -> None:
    def features(row: list[str]) -> set[tuple[str, ...]]:
        found = {("word", *gram) for gram in grams(row, 1, words)}
        if characters is not None:
            found |= {("letter", *gram) for gram in grams(f" {' '.join(row)} ", *characters)}
        return found

    train, asked = random_texts(40), random_texts(20, seed=1)
    counts: dict[tuple[str, ...], int] = {}
    for row in train:
        for feature in features(row):
            counts[feature] = counts.get(feature, 0) + 1
    known = {feature for feature, count in counts.items() if count >= 3}
    tokens, texts = token_hashes(train), [" ".join(row) for row in train]
    ngrams = NGrams.of(tokens, texts, words=words, characters=characters, minimum=3)
    assert len(ngrams) == len(known)
    columns = ngrams.columns(token_hashes(asked), [" ".join(row) for row in asked])
    named: dict[int, tuple[str, ...]] = {}
    for place, found in enumerate(asked):
        wanted = features(found) & known
        given = columns[place]
        assert len(set(given.tolist())) == len(given) == len(wanted)
        assert (np.diff(given) > 0).all()
        if len(wanted) == 1:
            named[int(given[0])] = next(iter(wanted))
    assert len(set(named.values())) == len(named)


def test_the_same_ngrams_have_the_same_keys_wherever_they_stand() -> None:
    rows = Ragged.of([np.array([7, 8, 9]), np.array([5, 7, 8]), np.array([9])])
    keys, owners = ngram_keys(rows, 1, 2)
    of = [keys[owners == row].tolist() for row in range(3)]
    assert [len(each) for each in of] == [5, 5, 1]
    assert of[0][3] == of[1][4]  # (7, 8)
    assert of[0][2] == of[2][0]  # (9,)
    assert len(set(of[0] + of[1])) == 7
    other, _ = ngram_keys(rows, 1, 2, salt=np.uint64(9))
    assert not set(other.tolist()) & set(keys.tolist())


def test_many_texts_are_read_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    train = random_texts(50)
    tokens, texts = token_hashes(train), [" ".join(row) for row in train]

    def made() -> tuple[NGrams, Ragged]:
        ngrams = NGrams.of(tokens, texts, words=2, characters=(1, 3), minimum=2)
        return ngrams, ngrams.columns(tokens, texts)

    whole, columns = made()
    monkeypatch.setattr("tidegate.data.ngrams._BLOCK", 7)
    monkeypatch.setattr("tidegate.data.ngrams._PENDING", 100)
    parts, again = made()
    assert whole.keys.tobytes() == parts.keys.tobytes()
    assert columns.flat.tobytes() == again.flat.tobytes()
    assert columns.offsets.tobytes() == again.offsets.tobytes()


def test_few_columns_are_those_in_most_texts() -> None:
    texts = [["a"], ["a", "b"], ["a", "b", "c"]]
    ngrams = NGrams.of(token_hashes(texts), [""] * 3, words=1, characters=None, most=2)
    assert ngrams.columns(token_hashes([["a", "b", "c"], ["c"]]), ["", ""]).lengths.tolist() == [2, 0]


def test_hashes_are_the_same_everywhere() -> None:
    # A model file depends on them: the first eight bytes of BLAKE2b of the UTF-8, of digests of that length.
    assert token_hashes([["tide"], ["潮"]]).flat.tolist() == HASHES


def test_characters_end_somewhere() -> None:
    assert text_characters(["x" * 1_000_000]).lengths.tolist() == [MOST_CHARACTERS + 2]
    assert [chr(code) for code in text_characters([" 潮\n😀"])[0]] == [" ", "潮", " ", "😀", " "]
