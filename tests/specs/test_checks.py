"""The refusals, word by word."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tidegate.errors import SpecError
from tidegate.specs import checks


def refusal(message: str) -> Any:
    return pytest.raises(SpecError, match=f"^{re.escape(message)}$")


def test_one_of() -> None:
    checks.one_of("norm", None, (None, "layer"))
    with refusal("norm must be one of None, 'layer'; got 'batch'"):
        checks.one_of("norm", "batch", (None, "layer"))


@pytest.mark.parametrize("value", [1, 7, 10**400, np.int64(3)])
def test_whole_numbers(value: Any) -> None:
    checks.whole("n", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, math.nan, [1], np.float64(2)])
def test_not_whole_numbers(value: Any) -> None:
    with refusal(f"n must be a whole number of at least 1; got {value!r}"):
        checks.whole("n", value)


def test_whole_numbers_from_another_least() -> None:
    checks.whole("seed", 0, least=0)
    with refusal("seed must be a whole number of at least 0; got -1"):
        checks.whole("seed", -1, least=0)


@pytest.mark.parametrize("value", [0, -2.5, 10**300, np.float32(0.5), Fraction(1, 3)])
def test_numbers(value: Any) -> None:
    checks.number("x", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None, 1j, 10**400, np.array([1.0, 2.0])])
def test_not_numbers(value: Any) -> None:
    with refusal(f"x must be a finite number; got {value!r}"):
        checks.number("x", value)


def test_at_least() -> None:
    checks.at_least("x", 0, 0)
    checks.at_least("x", 1e-300, 0, exclusive=True)
    with refusal("x must be at least 0; got -0.5"):
        checks.at_least("x", -0.5, 0)
    with refusal("x must be more than 0; got 0"):
        checks.at_least("x", 0, 0, exclusive=True)
    with refusal("x must be a finite number; got nan"):
        checks.at_least("x", math.nan, 0)


def test_flag() -> None:
    for value in (True, False, np.bool_(True)):
        checks.flag("on", value)
    for wrong in ("false", None, 2):
        with refusal(f"on must be one of True, False; got {wrong!r}"):
            checks.flag("on", wrong)


def test_probability() -> None:
    checks.probability("dropout", 0)
    checks.probability("dropout", 0.999)
    for value in (1, 1.5, -0.1):
        with refusal(f"dropout must be a probability, 0 ≤ dropout < 1; got {value!r}"):
            checks.probability("dropout", value)
    with refusal("dropout must be a finite number; got '0.1'"):
        checks.probability("dropout", "0.1")
