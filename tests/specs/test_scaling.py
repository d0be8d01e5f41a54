"""What a scaling can be, and what it cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Scaling


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": "sqrt"}, "transform must be one of 'identity', 'log', 'log1p', 'boxcox'; got 'sqrt'"),
        (
            {"method": "zscore"},
            "method must be one of 'standard', 'minmax', 'robust', 'mean', 'difference', 'centred', 'none'; ",
        ),
        (
            {"output": "first"},
            "output must be one of 'auto', 'centre', 'last', 'season', 'level_season', 'trend'; got 'first'",
        ),
        ({"power": 0.5}, "power belongs to transform='boxcox'; transform is 'identity'"),
        ({"transform": "boxcox", "power": float("nan")}, "power must be a finite number; got nan"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        Scaling(**options)


def test_a_power_of_zero_is_the_logarithm_and_none_is_to_be_fitted() -> None:
    assert Scaling(transform="boxcox", power=0).power == 0
    assert Scaling(transform="boxcox").power is None
