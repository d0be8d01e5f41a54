"""The members of an ensemble."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Scaling, from_dict, to_dict
from tidegate.specs.members import Member, resolve_members


def test_a_number_stands_for_members_that_differ_in_nothing_but_their_seed() -> None:
    assert resolve_members(3) == (Member(), Member(), Member())
    chosen = (Member(context=10), Member(loss="mse"))
    assert resolve_members(chosen) == chosen


def test_a_member_goes_through_a_dict() -> None:
    member = Member(context=24, loss="huber", scaling=Scaling(transform="log"))
    assert from_dict(Member, to_dict(member)) == member


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (0, "members must be a whole number of at least 1; got 0"),
        (10**12, "members must be at most 1,000; got a number of 13 digits"),
        ((), "members must be a number or at least one Member(…); got ()"),
        ((3,), "members must be a number or Member(…) each; got 3"),
    ],
)
def test_refused_members(members: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_members(members)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 0}, "context must be a whole number of at least 1; got 0"),
        ({"loss": "quantile"}, "loss must be one of 'mae', 'mse', 'huber'; got 'quantile'"),
        ({"scaling": "log"}, "scaling must be a Scaling(…) or None; got 'log'"),
    ],
)
def test_refused_options_of_a_member(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Member(**options)
    assert str(caught.value) == message
