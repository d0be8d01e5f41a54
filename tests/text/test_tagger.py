"""`Tagger`: what it learns and promises, and what it refuses, each with its message."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tidegate as tg
from tidegate.data.conll import ConllSentences, read_conll
from tidegate.data.tagschemes import convert
from tidegate.errors import DataError, FileFormatError, ModelFileError, NotFittedError, SpecError, TidegateError
from tidegate.specs import Recurrent, TagSchemes, Training, WordFeatures
from tidegate.text import Tagger

Make = Callable[..., Tagger]
Tagged = tuple[list[list[str]], list[list[str]]]


def test_it_learns(small_tagger: Make, tagged: Tagged) -> None:
    tagger = small_tagger().fit(*tagged)
    assert tagger.predict(tagged[0]) == tagged[1]
    assert tagger.score(*tagged) == 1.0
    assert (tagger.scheme_, tagger.types_, tagger.columns_) == ("iob2", ("person", "place"), 0)
    assert tagger.history_.epochs == 25


def test_scores_stand_beside_the_most_frequent_tags(small_tagger: Make, tagged: Tagged) -> None:
    evaluation = small_tagger().fit(*tagged).evaluate(*tagged)
    assert list(evaluation.scores) == ["tidegate", "most frequent tag of the word"]
    # York ends a place twice, and is one alone once: there it gets an I, which conlleval takes for a beginning.
    typical = evaluation.scores["most frequent tag of the word"]
    assert (typical.overall.found, typical.right, typical.tokens) == (10, 24, 25)
    assert evaluation.confusion == {("person", "person"): 5, ("place", "place"): 5}
    described = evaluation.to_dict()
    assert described["types"]["place"] == {
        "precision": 1.0,
        "recall": 1.0,
        "F1": 1.0,
        "true": 5,
        "predicted": 5,
        "found": 5,
    }


@pytest.mark.parametrize(("given", "learned"), list(itertools.product(["iob1", "iob2", "iobes"], ["iob2", "iobes"])))
def test_schemes_in_and_out(small_tagger: Make, tagged: Tagged, given: str, learned: str) -> None:
    sentences, tags = tagged
    tagger = small_tagger(schemes=TagSchemes(learned=learned))
    tagger.fit(sentences, [convert(row, "iob2", given) for row in tags])
    assert tagger.scheme_ == given
    assert tagger.predict(sentences) == [convert(row, "iob2", given) for row in tags]
    tagger.set_params(schemes__predicted="iobes")
    assert tagger.predict(sentences) == [convert(row, "iob2", "iobes") for row in tags]
    assert tagger.score(sentences, [convert(row, "iob2", given) for row in tags]) == 1.0


def test_further_columns_are_read(small_tagger: Make) -> None:
    """Where only the column says what a word is, it is found."""
    tokens = [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")] * 4
    columns = tuple((("x", "o", "x"),) if row % 2 else (("o", "x", "o"),) for row in range(len(tokens)))
    tags = tuple(tuple("B-y" if entry == "x" else "O" for entry in column[0]) for column in columns)
    given = ConllSentences(tokens=tuple(tokens), columns=columns, tags=tags)
    tagger = small_tagger().fit(given)
    assert tagger.score(given) == 1.0
    assert list(tagger.evaluate(given).scores)[-1] == "most frequent tag of column 2"
    with pytest.raises(DataError, match="trained with 1 column between token and tag, got 0; give the same columns"):
        tagger.predict([["a"]])


def test_a_word_never_seen_is_tagged_by_its_company_and_letters(small_tagger: Make, tagged: Tagged) -> None:
    tags = small_tagger().fit(*tagged).predict([["Zoë", "met", "Bob"], ["\U0001f30a" * 50]])
    assert [len(row) for row in tags] == [3, 1]


def test_validation_stops_by_f1_and_keeps_the_best_epoch(small_tagger: Make, tagged: Tagged) -> None:
    training = Training(epochs=30, batch_size=3, learning_rate=3e-2, patience=3)
    tagger = small_tagger(training=training).fit(*tagged, validation=tagged)
    history = tagger.history_
    assert list(history) == ["loss", "val_loss", "val_f1"]
    assert history.epochs < 30
    assert tagger.score(*tagged) == pytest.approx(max(history["val_f1"]))
    assert history.stopped is not None
    assert "val_f1 has not become better for 3 epochs" in history.stopped


def test_some_sentences_are_kept_apart_for_validation(small_tagger: Make, tagged: Tagged) -> None:
    training = Training(epochs=1, batch_size=3, validation=0.34)
    tagger = small_tagger(training=training).fit(*tagged)
    assert "val_f1" in tagger.history_
    seen = set(tagger.fitted_.vocabulary.words)
    assert not {word.lower() for row in tagged[0] for word in row} <= seen  # those kept apart leave no trace


def test_the_same_bits_and_others_with_another_seed(small_tagger: Make, tagged: Tagged, tmp_path: Path) -> None:
    training = Training(epochs=2, batch_size=3, validation=0.2)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        small_tagger(training=training, seed=seed, members=2).fit(*tagged).save(tmp_path / name)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_a_file_gives_the_same_answers(small_tagger: Make, tagged: Tagged, tmp_path: Path) -> None:
    features = WordFeatures(size=5, characters=tg.Convolution(channels=4), affixes=(1,), buckets=32, context=64)
    schemes = TagSchemes(predicted="iob1")
    tagger = small_tagger(features=features, members=2, schemes=schemes).fit(*tagged)
    tagger.save(tmp_path / "model.safetensors")
    again = Tagger.load(tmp_path / "model.safetensors")
    assert again.get_params() == tagger.get_params()
    assert again.predict_spans(tagged[0]) == tagger.predict_spans(tagged[0])
    assert again.evaluate(*tagged).to_dict() == tagger.evaluate(*tagged).to_dict()
    assert again.history_.to_dict() == tagger.history_.to_dict()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"typical.words": np.zeros(1, np.int64)}, "expected 'typical.words' of shape"),
        ({"network.0.outputs.bias": np.zeros(2, np.float32)}, r"expected '0.outputs.bias' of shape \[9\], got \[2\]"),
        ({"network.0.crf.start": None}, "has a tensor '0.crf.start', which is absent"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    small_tagger: Make, tagged: Tagged, change: dict[str, Any], said: str
) -> None:
    tagger = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    learned, arrays = tagger._learned()
    changed = {name: array for name, array in (arrays | change).items() if array is not None}
    with pytest.raises(TidegateError, match=said):
        small_tagger()._restore(learned, changed)


def test_a_description_of_more_than_the_file_has_takes_no_memory(small_tagger: Make, tagged: Tagged) -> None:
    learned, arrays = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)._learned()
    huge = small_tagger(network=Recurrent(hidden_size=2**20, bidirectional=True))
    with pytest.raises(ValueError, match=r"expected '0.network.layers.0.weight_ih_l0' of shape \[4194304, "):
        huge._restore(learned, arrays)
    with pytest.raises(ValueError, match="more layers are described than the file has tensors"):
        small_tagger(network=Recurrent(num_layers=10**6))._restore(learned, arrays)
    with pytest.raises(ValueError, match="columns must be at most 1000"):
        small_tagger()._restore({**learned, "columns": 10**9}, arrays)


def test_a_forecaster_is_no_tagger(tmp_path: Path) -> None:
    frame = tg.datasets.airline_passengers()
    tg.Forecaster(horizon=2, training=Training(max_steps=1), device="cpu").fit(frame).save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="holds a 'forecaster', not a 'tagger'; load it as what it is"):
        Tagger.load(tmp_path / "model")


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("sentences", "tags", "said"),
    [
        ([], [], "expected tagged sentences to learn from, got none"),
        ([["a"], []], [["B-x"], []], "sentence 2 has no tokens; leave empty sentences out"),
        ([["a", ""]], [["B-x", "O"]], "sentence 1, token 2: the token is empty; mend or leave it out"),
        ([["a\0b"]], [["B-x"]], "sentence 1, token 1: the token holds a NUL character; mend or leave it out"),
        (
            [["a", "b\ud800"]],
            [["B-x", "O"]],
            "sentence 1, token 2: the token holds '\\ud800', which is no character but what invalid UTF-8 leaves; mend",
        ),
        (None, None, "expected sentences as lists of tokens, got NoneType"),
        ([["a", 7]], [["B-x", "O"]], "sentence 1, token 2: a token must be text, got 7"),
        (["a b"], [["B-x", "O"]], "sentence 1 must be a list of tokens, got str: 'a b'; split it"),
        ("a b", ["B-x", "O"], "expected sentences as lists of tokens, got one text; split it into sentences and"),
        ([["a"]], [["B-x"], ["O"]], "expected tags of 1 sentences, got those of 2"),
        ([["a", "b"]], [["B-x"]], "sentence 1 has 2 tokens, but 1 in its tags"),
        ([["a"]], None, "expected tagged sentences, got some without tags; give tags, a list for each sentence"),
        ([["a"]], [[None]], "sentence 1, token 1: a tag must be text, got None"),
        ([["a"]], [["O"]], "expected spans in the training data; got the tag 'O' for every token: there is nothing"),
        ([["a"]], [["NN"]], "sentence 1, token 1: expected a tag such as 'O', 'B-name' or 'I-name'"),
        (
            [["a"], ["b", "c"]],
            [["B-x"], ["O", "I-x"]],
            "sentence 2, token 2: 'I-x' cannot follow 'O' in IOB2; mend the tags, name another scheme with "
            "TagSchemes(given=…), or take TagSchemes(repair=True) to read them as conlleval does",
        ),
    ],
)
def test_what_cannot_be_learned_from(small_tagger: Make, sentences: Any, tags: Any, said: str) -> None:
    tagger = small_tagger()
    with pytest.raises(DataError) as caught:
        tagger.fit(sentences, tags)
    assert str(caught.value).startswith(said)
    assert not tagger._is_fitted()


def test_tags_that_break_their_scheme_are_named_by_their_line(small_tagger: Make, tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("a B-x\n\nb O\nc I-x\nd B-x\n")
    with pytest.raises(DataError) as caught:
        small_tagger(schemes=TagSchemes(given="iob2")).fit(read_conll(path))
    assert str(caught.value).startswith(f"{str(path)!r}, line 4: 'I-x' cannot follow 'O' in IOB2; mend the tags")


def test_or_read_as_conlleval_does(small_tagger: Make) -> None:
    sentences = [["a", "b", "c"], ["c", "b"], ["a", "c"]]
    tags = [["O", "I-x", "I-y"], ["B-y", "B-x"], ["O", "B-y"]]
    tagger = small_tagger(schemes=TagSchemes(repair=True)).fit(sentences, tags)
    assert tagger.predict(sentences) == [["O", "B-x", "B-y"], ["B-y", "B-x"], ["O", "B-y"]]


def test_a_label_that_was_not_in_training(small_tagger: Make, tagged: Tagged) -> None:
    tagger = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    said = "sentence 1, token 2: the label 'B-thing' was not in the training data, whose types are 'person', 'place'"
    for ask in (tagger.score, tagger.evaluate):
        with pytest.raises(DataError, match=said):
            ask([["a", "b"]], [["O", "B-thing"]])
    with pytest.raises(DataError, match="sentence 1, token 2: the type 'thing' was not in the training data, which"):
        small_tagger().fit(*tagged, validation=([["a", "b"]], [["O", "B-thing"]]))


def test_a_letter_of_a_known_type_that_was_not_in_training_is_scored(small_tagger: Make, tagged: Tagged) -> None:
    tagger = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    evaluation = tagger.evaluate([["a", "b"]], [["B-person", "I-person"]])
    assert evaluation.scores["tidegate"].overall.true == 1


def test_tags_given_twice(small_tagger: Make) -> None:
    given = ConllSentences(tokens=(("a",),), tags=(("B-x",),))
    with pytest.raises(DataError, match="tags were given twice: beside the sentences and in them; leave tags out"):
        small_tagger().fit(given, [["B-x"]])


def test_a_megabyte_without_a_space(small_tagger: Make, tagged: Tagged) -> None:
    sentences, tags = tagged
    tagger = small_tagger(training=Training(epochs=1, validation=0))
    tagger.fit([*sentences, ["x" * 2**20]], [*tags, ["O"]])
    assert max(map(len, tagger.fitted_.vocabulary.words)) < 100
    assert len(tagger.predict([["y" * 2**20]])[0]) == 1


def test_broken_text_is_refused_by_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_bytes(b"a O\n\xc3 B-x\n")
    with pytest.raises(FileFormatError, match="line 2: expected UTF-8 text, got byte 0xc3"):
        read_conll(path)


def test_nothing_to_tag(small_tagger: Make, tagged: Tagged) -> None:
    tagger = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    assert tagger.predict([]) == []
    assert tagger.predict_spans([]) == []


def test_before_fit(small_tagger: Make) -> None:
    for action in ("predict", "predict_spans", "score", "evaluate"):
        with pytest.raises(NotFittedError, match=rf"this Tagger is not fitted; call fit\(…\) before {action}\(…\)"):
            getattr(small_tagger(), action)([["a"]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dropout": 1}, "dropout must be a probability, 0 ≤ dropout < 1; got 1"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"members": 10**9}, "members must be at most 1,000; got a number of 10 digits"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"features": None}, r"features must be a WordFeatures\(…\); got None"),
        ({"schemes": "iob2"}, r"schemes must be a TagSchemes\(…\); got 'iob2'"),
        ({"embeddings": 3}, "embeddings must be the path of a file as text, or None; got 3"),
        ({"network": ()}, "a network needs a recurrent part"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Tagger(**options)


def test_sentences_of_a_file_and_lists_are_the_same(small_tagger: Make, tagged: Tagged) -> None:
    sentences, tags = tagged
    training = Training(epochs=2, batch_size=3, validation=0)
    given = ConllSentences(tokens=tuple(map(tuple, sentences)), tags=tuple(map(tuple, tags)))
    one, two = small_tagger(training=training).fit(given), small_tagger(training=training).fit(sentences, tags)
    assert one.predict_spans(sentences) == two.predict_spans(dataclasses.replace(given, tags=None))
