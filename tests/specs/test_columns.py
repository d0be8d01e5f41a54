"""What columns can be called, and what they cannot."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tidegate.errors import SpecError
from tidegate.specs import Columns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "y"}, "targets must be a tuple of column names; got 'y'"),
        ({"targets": None}, "targets must be a tuple of column names; got None"),
        ({"id": "ds"}, "a column can be one thing only; 'ds' is named twice in id, time and targets"),
        ({"targets": ("a", "b", "a")}, "a column can be one thing only; 'a' is named twice in id, time and targets"),
        ({"targets": ("unique_id",)}, "a column can be one thing only; 'unique_id' is named twice"),
        ({"frequency": 0}, "frequency must be a whole number of at least 1; got 0"),
        ({"frequency": True}, "frequency must be a whole number of at least 1; got True"),
        ({"frequency": 1.5}, "frequency must be a whole number of at least 1; got 1.5"),
        ({"frequency": ""}, "frequency must be an offset alias such as 'D', or a whole number; got ''"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        Columns(**options)


def test_a_list_of_targets_is_taken_as_a_tuple() -> None:
    given: Any = ["a", "b"]
    assert Columns(targets=given) == Columns(targets=("a", "b"))
    assert hash(Columns(targets=given)) == hash(Columns(targets=("a", "b")))


@pytest.mark.parametrize("frequency", [None, "h", 3, np.int64(3)])
def test_frequencies(frequency: Any) -> None:
    assert Columns(frequency=frequency).frequency == frequency
