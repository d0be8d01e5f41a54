"""What columns can be called, and what they cannot."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from tidegate.errors import SpecError
from tidegate.specs import Columns, from_dict, to_dict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "y"}, "targets must be a tuple of column names; got 'y'"),
        ({"targets": None}, "targets must be a tuple of column names; got None"),
        ({"targets": ("a", "")}, "column names must be text; got ''"),
        ({"past": ("a", 3)}, "column names must be text; got 3"),
        ({"weight": ""}, "column names must be text; got ''"),
        ({"known": "holiday"}, "known must be a tuple of column names; got 'holiday'"),
        ({"calendar": "hour"}, "calendar must be a tuple of features; got 'hour'"),
        ({"id": "ds"}, "a column can be one thing only; 'ds' is named twice, in id and time"),
        ({"targets": ("a", "b", "a")}, "a column can be one thing only; 'a' is named twice, in targets"),
        ({"targets": ("unique_id",)}, "a column can be one thing only; 'unique_id' is named twice, in id and targets"),
        ({"past": ("a",), "known": ("a",)}, "a column can be one thing only; 'a' is named twice, in past and known"),
        ({"static": ("a",), "weight": "a"}, "a column can be one thing only; 'a' is named twice, in static and weight"),
        ({"static": ("ds",)}, "a column can be one thing only; 'ds' is named twice, in time and static"),
        ({"past": ("unique_id",)}, "a column can be one thing only; 'unique_id' is named twice, in id and past"),
        ({"static": ("unique_id",) * 2}, "a column can be one thing only; 'unique_id' is named twice, in static"),
        (
            {"calendar": ("hour", "year")},
            "calendar must be one of 'minute', 'hour', 'weekday', 'monthday', 'yearday', 'week', 'month'; got 'year'",
        ),
        ({"calendar": ("hour", "hour")}, "calendar names 'hour' twice; name each feature once"),
        ({"fourier": -1}, "fourier must be a whole number of at least 0; got -1"),
        ({"fourier": True}, "fourier must be a whole number of at least 0; got True"),
        ({"frequency": 0}, "frequency must be a whole number of at least 1; got 0"),
        ({"frequency": True}, "frequency must be a whole number of at least 1; got True"),
        ({"frequency": 1.5}, "frequency must be a whole number of at least 1; got 1.5"),
        ({"frequency": ""}, "frequency must be an offset alias such as 'D', or a whole number; got ''"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Columns(**options)


def test_the_id_may_be_a_static_covariate_too() -> None:
    assert Columns(static=("unique_id", "region")).static == ("unique_id", "region")


def test_covariates_go_to_json_and_back() -> None:
    columns = Columns(
        targets=("y",), static=("region", "unique_id"), past=("wind",), known=("price",), weight="w",
        calendar=("hour", "month"), fourier=3,
    )  # fmt: skip
    back = from_dict(Columns, json.loads(json.dumps(to_dict(columns))))
    assert back == columns
    assert hash(back) == hash(columns)


def test_a_list_of_targets_is_taken_as_a_tuple() -> None:
    given: Any = ["a", "b"]
    assert Columns(targets=given) == Columns(targets=("a", "b"))
    assert hash(Columns(targets=given)) == hash(Columns(targets=("a", "b")))


@pytest.mark.parametrize("frequency", [None, "h", 3, np.int64(3)])
def test_frequencies(frequency: Any) -> None:
    assert Columns(frequency=frequency).frequency == frequency
