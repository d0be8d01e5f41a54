"""Small estimators, and sentences and texts that they learn in a moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.specs import Embedding, Recurrent, Training, Wide, WordFeatures
from tidegate.text import Tagger, TextClassifier
from tidegate.text.tagging.network import TaggerDesign

Tagged = tuple[list[list[str]], list[list[str]]]
Labelled = tuple[list[str], list[str]]

FEATURES = WordFeatures(
    size=6, characters=Recurrent(hidden_size=3, bidirectional=True), character_size=4, affix_size=2, buckets=64
)


@pytest.fixture
def tagged() -> Tagged:
    """Give sentences and their tags, in IOB2."""
    sentences = [
        ["Ann", "sails", "to", "New", "York"],
        ["York", "is", "far"],
        ["Bob", "and", "Ann", "met", "in", "Rome"],
        ["the", "tide", "turns"],
        ["Rome", "calls", "Bob"],
        ["in", "New", "York", "Ann", "waits"],
    ]
    tags = [
        ["B-person", "O", "O", "B-place", "I-place"],
        ["B-place", "O", "O"],
        ["B-person", "O", "B-person", "O", "O", "B-place"],
        ["O", "O", "O"],
        ["B-place", "O", "B-person"],
        ["O", "B-place", "I-place", "B-person", "O"],
    ]
    return sentences, tags


@pytest.fixture
def small_tagger() -> Callable[..., Tagger]:
    """Give a tagger that is trained in a moment."""

    def make(**options: Any) -> Tagger:
        given: dict[str, Any] = {
            "features": FEATURES,
            "network": Recurrent(hidden_size=6, bidirectional=True),
            "dropout": 0.1,
            "training": Training(epochs=25, batch_size=3, learning_rate=3e-2, validation=0),
            "device": "cpu",
        }
        return Tagger(**{**given, **options})

    return make


@pytest.fixture(scope="session")
def word_features() -> WordFeatures:
    return FEATURES


@pytest.fixture
def tagger_design() -> Callable[..., TaggerDesign]:
    """Describe a network with one further column and one type of spans."""

    def make(scheme: str = "iobes", **features: Any) -> TaggerDesign:
        return TaggerDesign(
            features=dataclasses.replace(FEATURES, **features),
            network=Recurrent(hidden_size=4, bidirectional=True),
            dropout=0.0,
            scheme=scheme,
            words=5,
            letters=7,
            columns=(3,),
            types=("x",),
        )

    return make


@pytest.fixture
def messages() -> Labelled:
    """Give texts and their labels."""
    texts = [
        "win a prize now",
        "call now to win cash",
        "see you at home",
        "home by seven",
        "your prize: cash",
        "ok then",
    ]
    return texts * 4, ["spam", "spam", "ham", "ham", "spam", "ham"] * 4


@pytest.fixture
def small_classifier() -> Callable[..., TextClassifier]:
    """Give a classifier that is trained in a moment."""

    def make(**options: Any) -> TextClassifier:
        given: dict[str, Any] = {
            "embedding": Embedding(size=6, dropout=0.05),
            "network": Recurrent(hidden_size=6, bidirectional=True),
            "wide": Wide(characters=None, minimum=1),
            "dropout": 0.1,
            "training": Training(epochs=12, batch_size=4, learning_rate=3e-2, validation=0.25, patience=None),
            "device": "cpu",
        }
        return TextClassifier(**{**given, **options})

    return make
