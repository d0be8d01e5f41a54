from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training import ReduceLROnPlateau
from tidegate.training.state import TrainingState

Run = Callable[..., TrainingState]


def rates(run_logs: Run, callback: ReduceLROnPlateau, values: list[float]) -> list[float]:
    state = run_logs([callback], [{"val_loss": value} for value in values])
    return [rate / 1e-3 for rate in [*state.history["learning_rate"][1:], state.learning_rate]]


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({"factor": 0.5, "patience": 2}, [3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25]),
        ({"factor": 0.5, "patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [1, 0.5, 0.5, 0.25, 0.25]),
        ({"factor": 0.5, "patience": 1, "min_lr": 0.4e-3}, [3, 3, 3, 3], [1, 0.5, 0.4, 0.4]),
        ({"factor": 0.1, "patience": 1, "min_delta": 1.0}, [3, 2.5, 1], [1, 0.1, 0.1]),
        ({"factor": 0.1, "patience": 1, "mode": "max"}, [1, 2, 1], [1, 1, 0.1]),
        ({"factor": 0.1, "patience": 2}, [3, 4, 2, 4, 1], [1, 1, 1, 1, 1]),
    ],
)
def test_when_the_rate_falls(
    run_logs: Run, options: dict[str, Any], values: list[float], expected: list[float]
) -> None:
    assert rates(run_logs, ReduceLROnPlateau(**options), values) == pytest.approx(expected)


def test_the_rest_of_a_schedule_falls(make_state: Run) -> None:
    callback = ReduceLROnPlateau(factor=0.5, patience=1)
    state = make_state(callback, training=Training(epochs=2, schedule="linear", learning_rate=1.0))  # four steps
    callback.on_train_begin(state)
    for value in (1.0, 1.0):
        state.logs = {"val_loss": value}
        callback.on_epoch_end(state)
    state.stepper.rate.apply(2)
    assert state.learning_rate == 0.25


def test_it_goes_on_from_what_it_kept(run_logs: Run) -> None:
    first, second = ReduceLROnPlateau(patience=1, cooldown=3), ReduceLROnPlateau(patience=1, cooldown=3)
    run_logs([first], [{"val_loss": 1.0}, {"val_loss": 1.0}])
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == {"wait": 0, "cooling": 3, "best": 1.0}


def test_options_are_checked() -> None:
    with pytest.raises(SpecError, match=r"factor must be less than 1, .*; got 1.0"):
        ReduceLROnPlateau(factor=1.0)
