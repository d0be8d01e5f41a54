"""Every check on everything that is registered or exported."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.testing import (
    CALLBACK_CHECKS,
    ESTIMATOR_CHECKS,
    LAYER_CHECKS,
    all_callbacks,
    all_estimators,
    all_layers,
    trial_of,
)
from tidegate.testing.callbacks import STEERING

Check = Callable[..., None]


def names(checks: tuple[Check, ...]) -> list[str]:
    return [check.__name__.removeprefix("check_") for check in checks]


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=names(ESTIMATOR_CHECKS))
@pytest.mark.parametrize("name", all_estimators())
def test_estimator(name: str, check: Check) -> None:
    estimator = all_estimators()[name]()
    check(estimator, trial_of(estimator))


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch's, once a process
@pytest.mark.parametrize("check", LAYER_CHECKS, ids=names(LAYER_CHECKS))
@pytest.mark.parametrize("name", all_layers())
def test_layer(name: str, check: Check) -> None:
    check(all_layers()[name])


@pytest.mark.parametrize("check", CALLBACK_CHECKS, ids=names(CALLBACK_CHECKS))
@pytest.mark.parametrize("name", all_callbacks())
def test_callback(name: str, check: Check, tmp_path: Path) -> None:
    cls, make = all_callbacks()[name]
    check(functools.partial(make, tmp_path), cls.__name__ in STEERING)
