"""Classifiers of texts and taggers that are trained a little more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tidegate.errors import DataError
from tidegate.specs import Embedding, Recurrent, Training, Wide
from tidegate.text import Tagger, TextClassifier

from .conftest import Labelled, Tagged


def changed(model: Any, before: dict[str, Any]) -> set[str]:
    """Name what is no longer as it was, but for the weights of networks."""
    after = model._learned()[1]
    return {name for name, array in before.items() if not np.array_equal(array, after[name])}


@pytest.fixture
def texts(messages: Labelled) -> TextClassifier:
    training = Training(epochs=4, batch_size=8, learning_rate=0.02, validation=0.25)
    model = TextClassifier(
        embedding=Embedding(size=8),
        network=Recurrent(hidden_size=6),
        training=training,
        wide=Wide(share=0.3),
        calibration=0.2,
        dropout=0.0,
        device="cpu",
    )
    return model.fit(*messages)


def test_networks_learn_and_vocabulary_linear_model_and_mixture_stay(texts: TextClassifier, messages: Labelled) -> None:
    given, labels = messages
    before, told = {name: array.copy() for name, array in texts._learned()[1].items()}, texts._learned()[0]
    turned = ["ham" if label == "spam" else "spam" for label in labels]
    likely = texts.predict_proba(given)
    texts.fine_tune(given, turned, max_steps=60, learning_rate=0.02)
    assert all(name.startswith("network.") for name in changed(texts, before))
    assert changed(texts, before)
    assert {**texts._learned()[0], "history": None} == {**told, "history": None}
    truth = np.array([label == "spam" for label in labels])
    assert texts.predict_proba(given)[truth, 1].mean() < likely[truth, 1].mean()


def test_held_out_texts_keep_networks_that_would_become_worse(texts: TextClassifier, messages: Labelled) -> None:
    before = {name: array.copy() for name, array in texts._learned()[1].items()}
    labels = np.random.default_rng(1).permutation(messages[1]).tolist()
    texts.fine_tune(messages[0], labels, max_steps=20, learning_rate=5.0, validation=0.25)
    assert "val_loss" in texts.history_.to_dict()["logs"]
    assert changed(texts, before) == set()


def test_several_labels_are_learned_further() -> None:
    given = ["fast and cheap", "slow", "cheap", "fast"] * 3
    labels = [["fast", "cheap"], [], ["cheap"], ["fast"]] * 3
    training = Training(epochs=1, batch_size=4, learning_rate=0.02, validation=0)
    model = TextClassifier(network=Recurrent(hidden_size=6), training=training, wide=None, dropout=0.0, device="cpu")
    model.fit(given, labels)
    loss = model.history_["loss"][-1]
    assert model.fine_tune(given, labels, max_steps=60, learning_rate=0.02).history_["loss"][-1] < loss / 2


def test_a_label_that_was_not_seen_in_training_is_refused(texts: TextClassifier) -> None:
    with pytest.raises(DataError) as error:
        texts.fine_tune(["win now", "at home"], ["spam", "eggs"])
    assert str(error.value) == "label 'eggs' of row 1 was not seen in training; known: 'ham', 'spam'"


def test_a_tagger_learns_further_and_its_vocabulary_stays(small_tagger: Callable[..., Tagger], tagged: Tagged) -> None:
    model = small_tagger(members=2).fit(*tagged)
    before = {name: array.copy() for name, array in model._learned()[1].items()}
    turned = [
        [tag.replace("person", "x").replace("place", "person").replace("x", "place") for tag in row]
        for row in tagged[1]
    ]
    assert model.score(tagged[0], turned) < 0.2
    model.fine_tune(tagged[0], turned, max_steps=80, learning_rate=3e-2)
    assert model.score(tagged[0], turned) > 0.8
    assert all(name.startswith("network.") for name in changed(model, before))
    assert model.types_ == ("person", "place")


def test_held_out_sentences_are_scored(small_tagger: Callable[..., Tagger], tagged: Tagged) -> None:
    model = small_tagger().fit(*tagged)
    model.fine_tune(*tagged, max_steps=4, validation=0.34)
    assert set(model.history_.to_dict()["logs"]) >= {"val_loss", "val_f1"}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["B-fish", "O"], "sentence 1, token 1: the type 'fish' was not in the training data, which has 'pers"),
        (["I-place", "O"], "sentence 1, token 1: "),
        (["O"], "sentence 1"),
    ],
)  # fmt: skip
def test_tags_that_cannot_be_used_are_refused(
    small_tagger: Callable[..., Tagger], tagged: Tagged, tags: list[str], message: str
) -> None:
    model = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    before = copy.deepcopy(model._learned()[1])
    with pytest.raises(DataError) as error:
        model.fine_tune([["Rome", "calls"]], [tags])
    assert str(error.value).startswith(message)
    assert changed(model, before) == set()
