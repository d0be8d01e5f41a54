from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Augmentation, from_dict, to_dict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 1.0}, "crop must be a probability, 0 ≤ crop < 1; got 1.0"),
        ({"time_warp": -0.1}, "time_warp must be at least 0; got -0.1"),
        ({"magnitude_warp": float("nan")}, "magnitude_warp must be a finite number; got nan"),
        ({"scaling": "much"}, "scaling must be a finite number; got 'much'"),
        ({"jitter": None}, "jitter must be a finite number; got None"),
        ({"knots": 0}, "knots must be a whole number of at least 1; got 0"),
        ({"probability": 0}, "probability must be more than 0; got 0"),
        ({"probability": 1.5}, "probability must be at most 1; got 1.5"),
        ({"scaling": 0, "jitter": 0}, "augmentation changes nothing: all are 0; leave it out, or set one"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Augmentation(**options)


def test_it_comes_back_from_json_and_is_frozen() -> None:
    spec = Augmentation(crop=0.1, time_warp=0.2, probability=1)
    assert from_dict(Augmentation, to_dict(spec)) == spec
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.crop = 0.5  # type: ignore[misc]
