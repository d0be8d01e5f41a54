"""What a training and an optimiser can be, and what they cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Optimizer, Training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "lion"}, "optimizer must be one of 'adam', 'adamw', 'sgd', 'rmsprop'; got 'lion'"),
        ({"weight_decay": -1}, "weight_decay must be at least 0; got -1"),
        ({"name": "sgd", "momentum": 1}, "momentum must be a probability, 0 ≤ momentum < 1; got 1"),
        (
            {"name": "adamw", "momentum": 0.9},
            "momentum is an option of 'sgd' and 'rmsprop'; 'adamw' has moments of its own",
        ),
    ],
)
def test_refused_optimizers(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Optimizer(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"max_steps": 1.5}, "max_steps must be a whole number of at least 1; got 1.5"),
        ({"patience": 0}, "patience must be a whole number of at least 1; got 0"),
        ({"batch_size": None}, "batch_size must be a whole number of at least 1; got None"),
        ({"accumulate": 0}, "accumulate must be a whole number of at least 1; got 0"),
        ({"validation": 1}, "validation must be a probability, 0 ≤ validation < 1; got 1"),
        ({"optimizer": "lion"}, "optimizer must be one of 'adam', 'adamw', 'sgd', 'rmsprop'; got 'lion'"),
        ({"optimizer": {"nam": "sgd"}}, "Optimizer has no field 'nam'; it has momentum, name, weight_decay"),
        ({"learning_rate": 0}, "learning_rate must be more than 0; got 0"),
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number; got inf"),
        ({"schedule": "step"}, "schedule must be one of None, 'one_cycle', 'cosine', 'linear'; got 'step'"),
        ({"clip_norm": 0.0}, "clip_norm must be more than 0; got 0.0"),
        ({"clip_value": -1}, "clip_value must be more than 0; got -1"),
        (
            {"precision": "float64"},
            "precision must be one of 'float32', 'bfloat16', 'float16', 'auto'; got 'float64'",
        ),
    ],
)
def test_refused_trainings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Training(**options)


def test_what_may_be_none() -> None:
    training = Training(epochs=None, max_steps=None, patience=None, schedule=None, clip_norm=None, clip_value=None)
    assert (training.epochs, training.patience, training.clip_norm) == (None, None, None)


def test_an_optimizer_from_json() -> None:
    given: Any = {"name": "sgd", "momentum": 0.9}
    assert Training(optimizer=given).optimizer == Optimizer("sgd", momentum=0.9)
