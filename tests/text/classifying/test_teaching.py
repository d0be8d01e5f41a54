"""Students of texts: what they learn from a teacher."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tidegate.errors import DataError, SpecError
from tidegate.estimator.teaching import Teacher
from tidegate.specs import Tokens, Training
from tidegate.text import Tagger, TextClassifier

Labelled = tuple[list[str], list[str]]
Make = Callable[..., TextClassifier]
TRAINING = Training(epochs=30, batch_size=4, learning_rate=3e-2, validation=0)


def saying(model: TextClassifier, *logits: float, temperature: float = 1.0) -> TextClassifier:
    """Give a copy whose networks answer to every text with the same logits, without a linear model beside them."""
    told = copy.deepcopy(model)
    with torch.no_grad():
        for network in told.fitted_.networks:
            layer: Any = network.pooled.output  # type: ignore[union-attr]
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(logits))
    object.__setattr__(told.fitted_, "share", 0.0)
    object.__setattr__(told.fitted_, "temperature", temperature)
    return told


def test_a_teacher_that_says_the_same_of_all_is_believed(messages: Labelled, small_classifier: Make) -> None:
    training = Training(epochs=1, batch_size=4, validation=0)
    teacher = saying(small_classifier(training=training).fit(*messages), 0.0, 1.0, temperature=2.0)
    taught = small_classifier(wide=None, training=TRAINING, tokens=Tokens(unit="characters"))
    taught.fit(*messages, teacher=Teacher(model=teacher, share=1.0, temperature=3.0))
    expected = 1 / (1 + np.exp([0.5, -0.5]))
    np.testing.assert_allclose(taught.predict_proba(messages[0]), np.tile(expected, (24, 1)), atol=0.05)


def test_the_linear_model_counts_in_what_is_learned(messages: Labelled, small_classifier: Make) -> None:
    teacher = copy.deepcopy(small_classifier(training=Training(epochs=1, validation=0)).fit(*messages))
    object.__setattr__(teacher.fitted_, "share", 1.0)
    taught = small_classifier(wide=None, training=TRAINING)
    taught.fit(*messages, teacher=Teacher(model=teacher, share=1.0, temperature=1.0))
    asked = [model.predict_proba(messages[0])[:, 0] for model in (teacher, taught)]
    assert np.abs(asked[0] - asked[1]).mean() < 0.05
    assert asked[0].std() > 0.2


def test_several_labels_are_learned_each_by_itself(messages: Labelled, small_classifier: Make) -> None:
    lists = [["spam"] if label == "spam" else ["home"] for label in messages[1]]
    quick = Training(epochs=1, batch_size=4, validation=0)
    teacher = saying(small_classifier(training=quick).fit(messages[0], lists), 1.0, 2.0)
    taught = small_classifier(wide=None, training=TRAINING)
    taught.fit(messages[0], lists, teacher=Teacher(model=teacher, share=1.0))
    np.testing.assert_allclose(
        taught.predict_proba(messages[0]), np.tile(1 / (1 + np.exp([-1.0, -2.0])), (24, 1)), atol=0.06
    )


def test_same_seed_same_bits(messages: Labelled, small_classifier: Make) -> None:
    teacher = Teacher(model=small_classifier().fit(*messages))
    found = [small_classifier(seed=3).fit(*messages, teacher=teacher).predict_proba(messages[0]) for _ in "ab"]
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["spam", "eggs"] * 12,
            "the teacher tells 'ham', 'spam' apart, the data have 'eggs', 'spam'; a student learns the teacher's "
            "classes, so give data with just these, or another teacher",
        ),
        (
            [["spam"], ["ham"]] * 12,
            "the teacher gives one class for a text, the data have any number of labels; a student learns the same",
        ),
    ],
)
def test_others_are_refused(messages: Labelled, small_classifier: Make, labels: list[Any], message: str) -> None:
    teacher = small_classifier(training=Training(epochs=1, validation=0)).fit(*messages)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        small_classifier().fit(messages[0], labels, teacher=Teacher(model=teacher))


def test_a_tagger_teaches_no_classifier(
    tagged: Any, messages: Labelled, small_tagger: Callable[..., Tagger], small_classifier: Make
) -> None:
    teacher = small_tagger(training=Training(epochs=1, validation=0)).fit(*tagged)
    message = "a TextClassifier learns from a teacher of its own kind, a fitted TextClassifier; got a Tagger"
    with pytest.raises(SpecError, match=f"^{message}$"):
        small_classifier().fit(*messages, teacher=Teacher(model=teacher))
