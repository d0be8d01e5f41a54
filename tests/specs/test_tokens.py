from __future__ import annotations

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Tokens, from_dict, to_dict


def test_the_length_follows_the_unit_unless_it_is_given() -> None:
    assert [Tokens(unit=unit).length for unit in ("words", "subwords", "characters")] == [400, 400, 1000]
    assert Tokens(unit="characters", max_length=7).length == 7


def test_it_survives_json() -> None:
    spec = Tokens(unit="characters", lower=False, max_length=9)
    assert from_dict(Tokens, to_dict(spec)) == spec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": "letters"}, "unit must be one of 'words', 'characters', 'subwords'; got 'letters'"),
        ({"lower": "no"}, "lower must be one of True, False; got 'no'"),
        ({"minimum": 0}, "minimum must be a whole number of at least 1; got 0"),
        ({"max_vocabulary": 1.5}, "max_vocabulary must be a whole number of at least 1; got 1.5"),
        ({"max_length": 0}, "max_length must be a whole number of at least 1; got 0"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        Tokens(**fields)  # type: ignore[arg-type]
    assert str(raised.value) == message
