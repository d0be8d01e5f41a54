"""What is no teacher."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tidegate import Forecaster, Recurrent, SequenceClassifier, SequenceRegressor, Training
from tidegate.errors import DataError, NotFittedError, SpecError, TidegateError
from tidegate.estimator.teaching import Teacher


@pytest.fixture(scope="module")
def model() -> SequenceClassifier:
    X = np.arange(24.0).reshape(4, 6)
    training = Training(max_steps=1, validation=0.0)
    return SequenceClassifier(network=Recurrent(hidden_size=2), training=training, device="cpu").fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "tides.safetensors"}, SpecError, "a teacher is a fitted estimator; got 'tides.safetensors'"),
        ({"share": 1.5}, SpecError, "share must be from 0 to 1; got 1.5"),
        ({"share": "half"}, SpecError, "share must be a finite number; got 'half'"),
        ({"temperature": 0}, SpecError, "temperature must be more than 0; got 0"),
        (
            {"model": Forecaster(horizon=1)},
            NotFittedError,
            "this Forecaster is not fitted; call fit(…) before distill(…)",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    model: SequenceClassifier, options: dict[str, Any], error: type[TidegateError], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Teacher(**{"model": model, **options})


def test_a_teacher_of_another_kind_is_refused(model: SequenceClassifier) -> None:
    message = (
        "a SequenceRegressor learns from a teacher of its own kind, a fitted SequenceRegressor; got a "
        "SequenceClassifier"
    )
    with pytest.raises(SpecError, match=f"^{message}$"):
        Teacher(model=model).of(SequenceRegressor())


def test_a_temperature_of_numbers_is_refused(model: SequenceClassifier) -> None:
    message = "temperature softens the probabilities of classes, and a number has none; leave it out, got temperature=3"
    with pytest.raises(SpecError, match=f"^{message}$"):
        Teacher(model=model, temperature=3).refuse_temperature("a number")
    assert Teacher(model=model).softness == 2.0
    assert Teacher(model=model, temperature=3).softness == 3.0


def test_other_classes_are_refused_few_of_many_by_name(model: SequenceClassifier) -> None:
    message = (
        "the teacher tells 'ebb', 'flow' apart, the data have 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (12); a student learns "
        "the teacher's classes, so give data with just these, or another teacher"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Teacher(model=model).require_classes(("ebb", "flow"), range(12))
