from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.training.callbacks.monitor import Monitor
from tidegate.training.state import TrainingState


@pytest.mark.parametrize(
    ("name", "mode", "higher"),
    [
        ("val_loss", "auto", False),
        ("val_accuracy", "auto", True),
        ("auc", "auto", True),
        ("mae", "auto", False),
        ("mae", "max", True),
        ("accuracy", "min", False),
    ],
)
def test_direction(name: str, mode: str, higher: bool) -> None:
    assert Monitor(name, mode).better(2.0, 1.0) == higher
    assert Monitor(name, mode).better(1.0, 2.0) != higher


def test_min_delta_is_absolute() -> None:
    monitor = Monitor("loss", "min", 0.5)
    assert not monitor.better(99.5, 100.0)
    assert monitor.better(99.4, 100.0)


def test_nan_is_never_better_and_anything_beats_nothing() -> None:
    monitor = Monitor("loss")
    assert not monitor.better(math.nan, None)
    assert not monitor.better(math.nan, 1.0)
    assert monitor.better(1e9, None)


def test_a_name_that_is_not_logged_is_an_error_that_names_what_is(make_state: Callable[..., TrainingState]) -> None:
    state: Any = make_state()
    state.logs = {"mae": 1.0, "loss": 2.0}
    with pytest.raises(SpecError, match=r"monitor='val_loss' is not logged; there is loss, mae; give validation data"):
        Monitor("val_loss").read(state)
    with pytest.raises(SpecError, match=r"monitor='lost' is not logged; there is loss, mae$"):
        Monitor("lost").read(state)


def test_options_are_checked() -> None:
    with pytest.raises(SpecError, match="mode must be one of 'auto', 'min', 'max'; got 'least'"):
        Monitor("loss", "least")
    with pytest.raises(SpecError, match="min_delta must be at least 0; got -1"):
        Monitor("loss", "min", -1)
