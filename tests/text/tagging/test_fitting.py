"""From sentences to networks: what is held out, what is counted, embeddings of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tidegate.data.conll import ConllSentences
from tidegate.data.tagschemes import Span
from tidegate.errors import FileFormatError, MissingFileError, SpecError
from tidegate.specs import Training, WordFeatures
from tidegate.text import Tagger
from tidegate.text.tagging.fitting import Part, _held_out
from tidegate.text.tagging.network import TaggerNetwork

Make = Callable[..., Tagger]
Tagged = tuple[list[list[str]], list[list[str]]]
STILL = Training(max_steps=1, learning_rate=1e-12, validation=0)


def network_of(tagger: Tagger) -> TaggerNetwork:
    network = tagger.fitted_.networks[0]
    assert isinstance(network, TaggerNetwork)
    return network


def test_how_often_a_word_is_taken_for_unknown(small_tagger: Make, tagged: Tagged, word_features: WordFeatures) -> None:
    features = dataclasses.replace(word_features, unknown=1.0)
    tagger = small_tagger(features=features, training=STILL).fit(*tagged)
    chance = dict(zip(("", *tagger.fitted_.vocabulary.words), network_of(tagger).encoder.chance.tolist(), strict=True))
    assert chance["ann"] == pytest.approx(1 / 4)  # it is there three times
    assert chance["tide"] == pytest.approx(1 / 2)
    assert chance[""] == 0


def test_vectors_of_a_file_take_the_place_of_drawn_ones(
    small_tagger: Make, tagged: Tagged, word_features: WordFeatures, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("Ann 1 2 3\nROME 4 5 6\nrome 7 8 9\nunseen 0 1 0\n")
    features = dataclasses.replace(word_features, size=3)
    tagger = small_tagger(features=features, embeddings=str(path), training=STILL).fit(*tagged)
    words, weight = tagger.fitted_.vocabulary.words, network_of(tagger).encoder.words.weight
    found = {word: weight[words.index(word) + 1].tolist() for word in ("ann", "rome", "unseen")}
    assert found["ann"] == pytest.approx([1, 2, 3])
    assert found["rome"] == pytest.approx([4, 5, 6])  # the first one in the file
    assert found["unseen"] == pytest.approx([0, 1, 0])
    path.unlink()
    tagger.save(tmp_path / "model.safetensors")
    again = Tagger.load(tmp_path / "model.safetensors")  # the file is not needed any more
    assert torch.equal(network_of(again).encoder.words.weight, weight)
    assert again.predict(tagged[0]) == tagger.predict(tagged[0])


def test_vectors_that_cannot_be_used(small_tagger: Make, tagged: Tagged, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    with pytest.raises(MissingFileError, match="no file of embeddings at"):
        small_tagger(embeddings=str(path)).fit(*tagged)
    path.write_text("ann 1 2 3\n")
    with pytest.raises(SpecError, match=r"have 3 numbers a word, the tagger's features 6; set WordFeatures\(size=3\)"):
        small_tagger(embeddings=str(path)).fit(*tagged)
    path.write_text("ann 1 2 3\nrome 1 x 3\n")
    with pytest.raises(FileFormatError, match="line 2"):
        small_tagger(embeddings=str(path)).fit(*tagged)


def test_held_out_sentences_are_no_others(small_tagger: Make) -> None:
    given = ConllSentences(tokens=tuple((f"w{index}",) for index in range(20)))
    spans = [[Span(0, 1, "x")] for _ in range(20)]
    recipe = small_tagger(training=Training(validation=0.25))._recipe
    part = Part(given=given, spans=spans)
    rest, held = _held_out(part, 0.25, recipe.seed)
    assert held is not None
    assert (len(rest.given), len(rest.spans), len(held.given)) == (15, 15, 5)
    assert {*rest.given.tokens, *held.given.tokens} == set(given.tokens)
    assert _held_out(part, 0.25, recipe.seed)[0].given.tokens == rest.given.tokens
    other = small_tagger(training=Training(validation=0.25), seed=1)._recipe
    assert _held_out(part, 0.25, other.seed)[0].given.tokens != rest.given.tokens


def test_a_type_in_held_out_sentences_alone_is_trained_on(small_tagger: Make) -> None:
    given = ConllSentences(tokens=tuple((f"w{index}",) for index in range(20)))
    recipe = small_tagger(training=Training(validation=0.25))._recipe
    for rare in range(20):
        spans = [[Span(0, 1, "rare" if index == rare else "x")] for index in range(20)]
        rest, held = _held_out(Part(given=given, spans=spans), 0.25, recipe.seed)
        assert held is not None
        assert (f"w{rare}",) in rest.given.tokens
        assert (f"w{rare}",) not in held.given.tokens


def test_of_few_sentences_none_is_held_out() -> None:
    given = ConllSentences(tokens=(("a",), ("b",)))
    part = Part(given=given, spans=[[Span(0, 1, "x")], []])
    for share in (0, 0.1, 0.9):
        assert _held_out(part, share, 0) == (part, None)


def test_without_a_length_there_are_thirty_epochs(small_tagger: Make, tagged: Tagged) -> None:
    tagger = small_tagger(training=Training(batch_size=6, validation=0)).fit(*tagged)
    assert tagger.history_.epochs == 30
