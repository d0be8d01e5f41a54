"""Parameters that can be listed and set, and a file."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from tidegate.errors import MissingFileError, ModelFileError, NotFittedError, OutputError, SpecError
from tidegate.estimator import Estimator, inspect_model
from tidegate.estimator.modelfile import write_model


def test_parameters_shallow_and_deep(mean: Estimator) -> None:
    assert list(mean.get_params(deep=False)) == ["shape", "most", "seed", "device"]
    deep = mean.get_params()
    assert (deep["shape__power"], deep["shape__sizes"], deep["most"]) == (1.0, (1,), None)


def test_fields_of_specs_are_set_in_a_new_spec(mean: Any) -> None:
    before = mean.shape
    assert mean.set_params(shape__power=2.0, seed=3) is mean
    assert (mean.shape.power, mean.shape.sizes, mean.seed) == (2.0, (1,), 3)
    assert before.power == 1.0


def test_a_spec_and_its_field_at_once(mean: Any) -> None:
    mean.set_params(shape__power=2.0, shape=dataclasses.replace(mean.shape, sizes=(4, 5)))
    assert (mean.shape.power, mean.shape.sizes) == (2.0, (4, 5))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"colour": 1}, "Mean has no parameter 'colour'; it has shape, most, seed, device"),
        ({"most__power": 1}, "Mean has no parameter 'most__power'; it has shape, most, seed, device"),
        ({"shape__colour": 1}, "shape has no field 'colour'; it has power, sizes"),
        ({"shape__power": -1}, "power must be at least 0; got -1"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
    ],
)
def test_what_is_refused_sets_nothing(mean: Any, wrong: dict[str, Any], message: str) -> None:
    before = mean.get_params()
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        mean.set_params(most=9, **wrong)
    assert mean.get_params() == before


def test_clone_is_equal_and_not_fitted(mean: Any) -> None:
    twin = clone(mean.set_params(shape__power=3.0).fit([2.0]))
    assert twin.get_params() == mean.get_params()
    with pytest.raises(NotFittedError, match=r"^this Mean is not fitted; call fit\(…\) before predict\(…\)$"):
        twin.predict(1)


def test_repr_shows_what_is_not_the_default(mean: Any) -> None:
    assert repr(mean) == "Mean()"
    assert repr(mean.set_params(seed=3, most=2)) == "Mean(most=2, seed=3)"


def test_saved_and_loaded(mean: Any, tmp_path: Path) -> None:
    mean.set_params(shape__power=2.0, shape__sizes=(3, 4), most=5).fit([1.0, 2.0]).save(tmp_path / "m")
    back = type(mean).load(tmp_path / "m")
    assert back.predict(2) == [2.25, 2.25]
    assert back.get_params() == {**mean.get_params(), "device": "cpu"}
    assert (tmp_path / "m").stat().st_size < 2_000


def test_numpys_numbers_among_the_parameters_are_saved(mean: Any, tmp_path: Path) -> None:
    """A search over parameters draws them."""
    mean.set_params(most=np.int64(5), shape__power=np.float32(2), seed=np.uint8(3)).fit([2.0]).save(tmp_path / "m")
    back = type(mean).load(tmp_path / "m")
    assert (back.most, back.shape.power, back.seed) == (5, 2.0, 3)
    assert [type(value) for value in (back.most, back.shape.power, back.seed)] == [int, float, int]


def test_what_is_not_finite_becomes_none(mean: Any, tmp_path: Path) -> None:
    assert math.isnan(mean.fit([1.0]).best_)
    mean.save(tmp_path / "m")
    assert inspect_model(tmp_path / "m").learned == {"best": None, "curve": [1.0, None]}


def test_nothing_is_saved_before_fit(mean: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match=r"before save\(…\)"):
        mean.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_places_that_are_not_there(mean: Any, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        mean.fit([1.0]).save(tmp_path / "no" / "m")
    with pytest.raises(MissingFileError, match=r"no tidegate.model file at"):
        type(mean).load(tmp_path / "m")


def test_a_file_of_another_kind(mean: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "m", kind="other", params={}, learned={}, arrays={})
    with pytest.raises(ModelFileError, match="m' holds a 'other', not a 'test-mean'; load it as what it is"):
        type(mean).load(tmp_path / "m")


@pytest.mark.parametrize(
    ("params", "learned", "arrays"),
    [
        ({"colour": 1}, {"best": None}, {"mean": np.ones(())}),
        ({"seed": -1}, {"best": None}, {"mean": np.ones(())}),
        ({"shape": {"power": "x"}}, {"best": None}, {"mean": np.ones(())}),
        ({"shape": {"power": 10**400}}, {"best": None}, {"mean": np.ones(())}),
        ({"shape": None}, {"best": None}, {"mean": np.ones(())}),
        ({"shape": {"colour": 1}}, {"best": None}, {"mean": np.ones(())}),
        ({}, {}, {"mean": np.ones(())}),
        ({}, {"best": None}, {}),
    ],
)
def test_a_description_that_does_not_fit(
    mean: Any, tmp_path: Path, params: dict[str, Any], learned: dict[str, Any], arrays: dict[str, Any]
) -> None:
    write_model(tmp_path / "m", kind="test-mean", params=params, learned=learned, arrays=arrays)
    with pytest.raises(ModelFileError, match="m' does not describe a usable test-mean: "):
        type(mean).load(tmp_path / "m")
