"""`distill`: whom it trains, with what, and whom it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate import (
    AnomalyDetector,
    Convolution,
    Dilated,
    Forecaster,
    Parallel,
    Recurrent,
    SelfAttention,
    SequenceClassifier,
    SequenceRegressor,
    Training,
    datasets,
)
from tidegate.compress import Teacher, distill
from tidegate.compress.distillation import narrowed
from tidegate.errors import NotFittedError, SpecError, UnsupportedError
from tidegate.specs.parts import Network
from tidegate.training import Callback
from tidegate.training.state import TrainingState

QUICK = Training(max_steps=5, batch_size=8, validation=0.0)
X = np.random.default_rng(0).normal(size=(12, 6, 1))
Y = np.repeat(["ebb", "flow"], 6)


@pytest.fixture(scope="module")
def teacher() -> SequenceClassifier:
    """Give an ensemble."""
    network = Parallel(branches=(Recurrent(hidden_size=8), Convolution(channels=16)))
    model = SequenceClassifier(network=network, training=QUICK, members=2, scaling="series", seed=3, device="cpu")
    return model.fit(X, Y)


def test_a_number_of_units_gives_the_teachers_like(teacher: SequenceClassifier) -> None:
    student = distill(teacher, 2, X, Y)
    expected = {
        **teacher.get_params(deep=False),
        "network": Parallel(branches=(Recurrent(hidden_size=2), Convolution(channels=4))),
        "members": 1,
    }
    assert student.get_params(deep=False) == expected
    assert len(student.fitted_.networks) == 1
    assert teacher.members == 2


def test_a_network_takes_the_place_of_the_teachers(teacher: SequenceClassifier) -> None:
    student = distill(teacher, Recurrent(cell="gru", hidden_size=3), X, Y)
    assert (student.network, student.scaling, student.members) == (Recurrent(cell="gru", hidden_size=3), "series", 1)


def test_an_estimator_is_fitted_as_by_its_own_fit(teacher: SequenceClassifier) -> None:
    given = SequenceClassifier(network=Recurrent(hidden_size=3), training=QUICK, seed=9, device="cpu")
    own = SequenceClassifier(network=Recurrent(hidden_size=3), training=QUICK, seed=9, device="cpu")
    assert distill(teacher, given, X, Y, share=0.8, temperature=3.0) is given
    own.fit(X, Y, teacher=Teacher(model=teacher, share=0.8, temperature=3.0))
    assert np.array_equal(given.predict_proba(X), own.predict_proba(X))


def test_the_file_of_a_student_stands_alone(teacher: SequenceClassifier, tmp_path: Path) -> None:
    student = distill(teacher, 2, X, Y)
    for model, name in ((student, "student"), (teacher, "teacher")):
        model.save(tmp_path / name)
    assert np.array_equal(SequenceClassifier.load(tmp_path / "student").predict_proba(X), student.predict_proba(X))
    assert (tmp_path / "student").stat().st_size < (tmp_path / "teacher").stat().st_size / 2


def test_a_teacher_from_a_file_teaches_alike(teacher: SequenceClassifier, tmp_path: Path) -> None:
    teacher.save(tmp_path / "teacher")
    loaded = SequenceClassifier.load(tmp_path / "teacher")
    assert np.array_equal(distill(loaded, 2, X, Y).predict_proba(X), distill(teacher, 2, X, Y).predict_proba(X))


class _Counting(Callback):
    def __init__(self) -> None:
        self.batches = 0

    def on_batch_end(self, state: TrainingState) -> None:
        self.batches += 1


def test_callbacks_are_those_of_the_students_training(teacher: SequenceClassifier) -> None:
    counting = _Counting()
    distill(teacher, 2, X, Y, callbacks=[counting])
    assert counting.batches == 5


def test_a_forecaster_of_a_table() -> None:
    frame = datasets.airline_passengers()
    teacher = Forecaster(horizon=6, members=2, network=Recurrent(hidden_size=8), training=QUICK, device="cpu").fit(
        frame
    )
    student = distill(teacher, 2, frame)
    assert student.network == Recurrent(hidden_size=2)
    assert len(student.network_.networks) == 1
    assert len(student.predict(frame)) == 6


@pytest.mark.parametrize(
    ("network", "units", "expected"),
    [
        (Recurrent(hidden_size=(64, 32)), 16, Recurrent(hidden_size=(16, 8))),
        (Dilated(hidden_size=10), 5, Dilated(hidden_size=5)),
        ((Convolution(channels=3), Recurrent(hidden_size=32)), 4, (Convolution(channels=1), Recurrent(hidden_size=4))),
        (
            (Recurrent(hidden_size=8), SelfAttention(feed_forward=20), SelfAttention()),
            16,
            (Recurrent(hidden_size=16), SelfAttention(feed_forward=40), SelfAttention()),
        ),
        (
            Parallel(branches=((Convolution(channels=6), Recurrent(hidden_size=4)), Dilated(hidden_size=2))),
            2,
            Parallel(branches=((Convolution(channels=3), Recurrent(hidden_size=2)), Dilated(hidden_size=1))),
        ),
    ],
)
def test_all_layers_shrink_in_proportion(network: Network, units: int, expected: Network) -> None:
    assert narrowed(network, units) == expected


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (0, "student must be a whole number of at least 1; got 0"),
        (True, "student must be a whole number of at least 1; got True"),
        ("small", "a network is a Recurrent, a Dilated, or a tuple of parts (Recurrent, Convolution, Dilated, "
         "SelfAttention, Parallel); got 'small'"),
        (SequenceRegressor(), "a student is of its teacher's kind, a SequenceClassifier; got a SequenceRegressor"),
    ],
)  # fmt: skip
def test_what_is_no_student_is_refused(teacher: SequenceClassifier, student: Any, message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        distill(teacher, student, X, Y)


def test_nobody_teaches_himself(teacher: SequenceClassifier) -> None:
    message = "the student is the teacher itself; give another estimator"
    with pytest.raises(SpecError, match=f"^{message}$"):
        distill(teacher, teacher, X, Y)


def test_a_teacher_that_is_not_fitted_is_refused() -> None:
    message = "this SequenceClassifier is not fitted; call fit(…) before distill(…)"
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        distill(SequenceClassifier(), 2, X, Y)


def test_detectors_are_refused_with_the_reason() -> None:
    message = (
        "an AnomalyDetector judges by the errors of its own network, and learns from them what is usual; the forecasts "
        "of another network would not give a student the errors of that network. Fit a smaller detector on the data "
        "alone, or prune this one"
    )
    with pytest.raises(UnsupportedError, match=f"^{re.escape(message)}$"):
        distill(AnomalyDetector(), 2, datasets.airline_passengers())
