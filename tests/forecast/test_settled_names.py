"""What only an altered file says is refused when it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tidegate as tg
from tidegate.errors import SpecError
from tidegate.forecast.settled import Settled


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    frame = tg.datasets.airline_passengers()
    model = tg.Forecaster(horizon=2, context=4, season=1, training=tg.Training(max_steps=1), device="cpu").fit(frame)
    found: dict[str, Any] = json.loads(json.dumps(model.settled_.to_dict()))
    return found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ids": [{"a": 1}]}, "series and categories are called by texts or whole numbers"),
        (
            {"vocabularies": [[["a"]]], "categorical": ["c"], "covariates": {"categories": [1]}},
            "series and categories are called by texts or whole numbers",
        ),
        ({"covariates": {"past": [True]}}, "0 past covariates are named, 1 described"),
    ],
)
def test_what_is_refused(described: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Settled.from_dict({**described, **changes})
