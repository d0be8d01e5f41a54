from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from tidegate.errors import SpecError
from tidegate.training import EarlyStopping
from tidegate.training.state import TrainingState

Run = Callable[..., TrainingState]


def rows(values: Sequence[float], name: str = "val_loss") -> list[dict[str, float]]:
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({"patience": 2}, [5, 4, 4, 4, 1], 4),
        ({"patience": 2}, [5, 6, 4, 6, 6, 6], 5),
        ({"patience": 0}, [5, 4, 5, 1], 3),
        ({"patience": 1, "min_delta": 1.0}, [5, 4.5, 1], 2),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 9], 4),
        ({"patience": 2, "baseline": 3.0}, [5, 4, 3.5, 3.4, 3.3], 5),
        ({"patience": 1, "baseline": 3.0}, [2, 2.5, 1], 2),
        ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 5, 6, 7], 5),
        ({"patience": 2}, [math.nan, math.nan, math.nan, 1], 2),
        ({"patience": 9}, [1, 2, 3], 3),
    ],
)
def test_when_it_stops(run_logs: Run, options: dict[str, Any], values: list[float], epochs: int) -> None:
    assert run_logs([EarlyStopping(**options)], rows(values)).epoch == epochs


def test_it_says_why(run_logs: Run) -> None:
    state = run_logs([EarlyStopping("mae", patience=2)], rows([1, 2, 3, 4], "mae"))
    assert state.stopped == "mae has not become better for 2 epochs"


@pytest.mark.parametrize("restore", [True, False])
def test_best_weights_come_back_when_asked(make_state: Run, restore: bool) -> None:
    stopping = EarlyStopping(patience=3, restore_best_weights=restore)
    state: Any = make_state(stopping)
    stopping.on_train_begin(state)
    for epoch, value in enumerate([3.0, 1.0, 2.0]):
        torch.nn.init.constant_(state.module.weight, epoch)
        state.epoch, state.logs = epoch, {"val_loss": value}
        stopping.on_epoch_end(state)
    stopping.on_train_end(state)
    assert state.module.weight.item() == (1 if restore else 2)
    assert stopping.best_epoch == 1


def test_used_again_it_begins_anew(run_logs: Run) -> None:
    stopping = EarlyStopping(patience=1)
    assert run_logs([stopping], rows([1, 2, 3])).epoch == 2
    assert run_logs([stopping], rows([9, 8, 7])).epoch == 3
    assert stopping.best == 7


def test_it_goes_on_from_what_it_kept(run_logs: Run) -> None:
    first, second = EarlyStopping(patience=3, restore_best_weights=True), EarlyStopping(patience=3)
    run_logs([first], rows([2, 1, 5]))
    second.load_state_dict(first.state_dict())
    assert (second.wait, second.best, second.best_epoch) == (1, 1, 1)
    assert list(second.best_weights) == ["weight", "bias"]


def test_without_validation_it_says_what_there_is(run_logs: Run) -> None:
    with pytest.raises(SpecError, match="monitor='val_loss' is not logged; there is loss; give validation data"):
        run_logs([EarlyStopping()], [{"loss": 1.0}])


def test_options_are_checked() -> None:
    with pytest.raises(SpecError, match="patience must be a whole number of at least 0; got -1"):
        EarlyStopping(patience=-1)
