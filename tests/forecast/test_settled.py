"""What a fit has settled, to a file and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tidegate import Columns, Direct, Member, Recurrent, Scaling, Uncertainty
from tidegate.errors import SpecError
from tidegate.forecast.covariates import CovariateShapes
from tidegate.forecast.settled import Settled

FULL = Settled(
    season=24,
    seasons=(24, 168),
    segment=24,
    contexts=(336, 168),
    least=24,
    columns=Columns(targets=("y", "z"), frequency="h", static=("kind",), known=("price",)),
    powers=(None, 0.5),
    outputs=("last", "season"),
    pace=1.0,
    covariates=CovariateShapes(known=(True,), categories=(2,)),
    categorical=("kind",),
    vocabularies=(("even", "odd"),),
    ids=("a", 7),
    calibrated=13,
)


def test_it_goes_through_json() -> None:
    written = json.dumps(FULL.to_dict(), allow_nan=False)
    assert Settled.from_dict(json.loads(written)) == FULL


def test_contexts_and_seasons_are_read_off() -> None:
    assert FULL.context == 336
    assert FULL.waves == [24, 168]
    assert dataclasses.replace(FULL, seasons=(1,)).waves == []


def test_each_member_has_a_design_of_its_own() -> None:
    log = Scaling(transform="log")
    designs = FULL.designs(
        strategy=Direct(),
        network=Recurrent(hidden_size=4),
        scaling=Scaling(),
        uncertainty=Uncertainty(loss="mse"),
        horizon=5,
        members=(Member(), Member(loss="huber", scaling=log)),
    )
    assert [design.context for design in designs] == [336, 168]
    assert [design.loss for design in designs] == ["mse", "huber"]
    assert [design.scaling for design in designs] == [Scaling(output="last"), dataclasses.replace(log, output="season")]
    assert [design.power for design in designs] == [None, 0.5]
    assert {(design.targets, design.series, design.horizon, design.segment) for design in designs} == {(2, 2, 5, 24)}
    with pytest.raises(SpecError) as caught:
        FULL.designs(
            strategy=Direct(),
            network=Recurrent(hidden_size=4),
            scaling=Scaling(),
            uncertainty=Uncertainty(),
            horizon=5,
            members=(Member(),),
        )
    assert str(caught.value) == "1 members are described, 2 were settled"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"season": 0}, "season must be a whole number of at least 1; got 0"),
        ({"segment": 2.5}, "segment must be a whole number of at least 1; got 2.5"),
        ({"contexts": (336, 2**31)}, "steps must be below 2³¹; got a number of 10 digits"),
        ({"contexts": ()}, "0 contexts and 2 powers do not describe members"),
        ({"outputs": ("last",)}, "2 contexts and 1 outputs do not describe members"),
        (
            {"outputs": ("last", "auto")},
            "output must be one of 'centre', 'last', 'season', 'level_season', 'trend'; got 'auto'",
        ),
        ({"powers": (None,)}, "2 contexts and 1 powers do not describe members"),
        ({"vocabularies": (("even",),)}, "the vocabularies and the sizes of the embeddings do not agree"),
        ({"categorical": ()}, "0 categories cannot have 1 vocabularies"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        dataclasses.replace(FULL, **change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "change", [{"columns": {"targets": [3]}}, {"covariates": {"past": [], "magic": 1}}, {"pace": None}, {"more": 1}]
)
def test_a_file_that_says_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((SpecError, TypeError)):
        Settled.from_dict({**FULL.to_dict(), **change})
