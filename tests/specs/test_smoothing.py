"""What a description of smoothing can be, and what it cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import from_dict, to_dict
from tidegate.specs.smoothing import Smoothing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seasons": 24}, "seasons must be a tuple of whole numbers, such as (24, 168); got 24"),
        ({"seasons": (1,)}, "a season must be a whole number of at least 2; got 1"),
        ({"seasons": (24.0,)}, "a season must be a whole number of at least 2; got 24.0"),
        ({"seasons": (168, 24)}, "seasons must be ascending, each once; got (168, 24)"),
        ({"seasons": (24, 24)}, "seasons must be ascending, each once; got (24, 24)"),
        ({"segment": 0}, "segment must be a whole number of at least 1; got 0"),
        ({"highway": -1}, "highway must be a whole number of at least 0; got -1"),
        ({"highway": 8, "experts": 0}, "experts must be a whole number of at least 1; got 0"),
        ({"experts": 4}, "experts=4 are linear maps of a highway, and highway is 0; give it steps"),
        ({"dropout": 1.0}, "dropout must be a probability, 0 ≤ dropout < 1; got 1.0"),
        ({"per_series": "no"}, "per_series must be one of True, False; got 'no'"),
        ({"alpha": 1}, "alpha must lie between 0 and 1, 0 < alpha < 1; got 1"),
        ({"gamma": 0.0}, "gamma must lie between 0 and 1, 0 < gamma < 1; got 0.0"),
        ({"gamma": "much"}, "gamma must be a finite number; got 'much'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Smoothing(**options)


def test_no_season_is_not_an_unknown_season() -> None:
    assert Smoothing(seasons=()).seasons == ()
    assert Smoothing().seasons is None


def test_it_comes_back_from_a_plain_dict() -> None:
    spec = Smoothing(seasons=(24, 168), segment=24, per_series=False, alpha=0.1)
    described = to_dict(spec)
    assert described["seasons"] == [24, 168]
    assert described["gamma"] == 0.3
    assert from_dict(Smoothing, described) == spec
