"""What an uncertainty can be, and what it cannot."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest

import tidegate
from tidegate.errors import SpecError
from tidegate.specs import Uncertainty, from_dict, to_dict

NOT_QUANTILES = (
    "quantiles must increase strictly between 0 and 1, with 0.5 and others on both sides of it among them; got "
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"head": "laplace"},
            "head must be one of 'point', 'quantiles', 'gaussian', 'student_t', 'negative_binomial'; got 'laplace'",
        ),
        ({"quantiles": 0.5}, "quantiles must be a tuple of probabilities; got 0.5"),
        ({"quantiles": ("0.1", 0.5, 0.9)}, "quantiles must be a finite number; got '0.1'"),
        ({"quantiles": (0.1, math.nan, 0.9)}, "quantiles must be a finite number; got nan"),
        ({"quantiles": ()}, f"{NOT_QUANTILES}()"),
        ({"quantiles": (0.5,)}, f"{NOT_QUANTILES}(0.5,)"),
        ({"quantiles": (0.1, 0.5)}, f"{NOT_QUANTILES}(0.1, 0.5)"),
        ({"quantiles": (0.1, 0.9)}, f"{NOT_QUANTILES}(0.1, 0.9)"),
        ({"quantiles": (0.1, 0.5, 0.5, 0.9)}, f"{NOT_QUANTILES}(0.1, 0.5, 0.5, 0.9)"),
        ({"quantiles": (0.9, 0.5, 0.1)}, f"{NOT_QUANTILES}(0.9, 0.5, 0.1)"),
        ({"quantiles": (0, 0.5, 0.9)}, f"{NOT_QUANTILES}(0.0, 0.5, 0.9)"),
        ({"quantiles": (0.1, 0.5, 1)}, f"{NOT_QUANTILES}(0.1, 0.5, 1.0)"),
        (
            {"head": "gaussian", "quantiles": (0.1, 0.5, 0.9)},
            "quantiles belong to head='quantiles', which learns them; head is 'gaussian'",
        ),
        ({"calibration": 1.0}, "calibration must be a probability, 0 ≤ calibration < 1; got 1.0"),
        ({"calibration": -0.1}, "calibration must be a probability, 0 ≤ calibration < 1; got -0.1"),
        ({"calibration": -3}, "calibration must be a whole number of at least 0; got -3"),
        ({"calibration": True}, "calibration must be a whole number of at least 0; got True"),
        ({"calibration": "half"}, "calibration must be a finite number; got 'half'"),
        ({"refit": "yes", "calibration": 0.2}, "refit must be one of True, False; got 'yes'"),
        (
            {"refit": True},
            "refit=True trains once more on the rows that calibration kept apart; calibration is 0. "
            "Give calibration a share or a number of rows, or leave refit",
        ),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    given = {"head": "quantiles", **options} if "quantiles" in options else options
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Uncertainty(**given)


def test_a_calibration_is_a_share_or_rows() -> None:
    assert Uncertainty(calibration=0.25).calibration == 0.25
    assert Uncertainty(calibration=48, refit=True).calibration == 48


def test_there_and_back_through_json() -> None:
    given = Uncertainty(head="quantiles", quantiles=(0.1, 0.5, 0.9), calibration=24, refit=True)
    assert from_dict(Uncertainty, json.loads(json.dumps(to_dict(given)))) == given


def test_quantiles_become_a_tuple_of_floats() -> None:
    lists: Any = [np.float32(0.25), 0.5, 0.75]
    assert Uncertainty(head="quantiles", quantiles=lists).quantiles == (0.25, 0.5, 0.75)
    assert hash(Uncertainty(head="quantiles", quantiles=lists))


def test_it_is_public() -> None:
    assert tidegate.Uncertainty is Uncertainty
