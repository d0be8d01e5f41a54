from __future__ import annotations

from collections.abc import Callable

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training import LearningRateScheduler
from tidegate.training.state import TrainingState

Run = Callable[..., TrainingState]


def test_it_sets_and_logs_the_rate(run_logs: Run) -> None:
    state = run_logs([LearningRateScheduler(lambda epoch, rate: rate / (epoch + 1))], [{"loss": 1.0}] * 3)
    assert state.history["learning_rate"] == pytest.approx([1e-3, 0.5e-3, 0.5e-3 / 3])


def test_two_schedules_are_refused(make_state: Run) -> None:
    state = make_state(training=Training(epochs=2, schedule="cosine"))
    with pytest.raises(SpecError, match="LearningRateScheduler and schedule='cosine' would both set"):
        LearningRateScheduler(lambda epoch, rate: rate).on_train_begin(state)


def test_a_negative_rate_is_refused(run_logs: Run) -> None:
    with pytest.raises(SpecError, match="the learning rate that the schedule gives must be at least 0; got -1"):
        run_logs([LearningRateScheduler(lambda epoch, rate: -1)], [{"loss": 1.0}])
