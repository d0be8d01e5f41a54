"""The description of how windows are drawn."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Training, from_dict, to_dict
from tidegate.specs.sampling import Sampling


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_life": 0}, "half_life must be more than 0; got 0"),
        ({"balance": "all"}, "balance must be one of 'windows', 'series', 'root'; got 'all'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Sampling(**options)
    assert str(caught.value) == message


def test_a_training_with_a_sampling_goes_through_a_dict() -> None:
    training = Training(sampling=Sampling(half_life=52, balance="root"))
    assert from_dict(Training, to_dict(training)) == training


def test_only_the_default_draws_all_windows_alike() -> None:
    assert Sampling().uniform
    assert not Sampling(half_life=10).uniform
    assert not Sampling(balance="series").uniform
