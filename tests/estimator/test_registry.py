"""Kinds and their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.errors import ModelFileError, SpecError
from tidegate.estimator import kinds, load, register, registered


@pytest.fixture
def cls(mean: Any, known_kinds: dict[str, Any]) -> Any:
    return type(mean)


def test_a_class_is_known_once_it_is_registered(cls: Any) -> None:
    assert kinds() == ()
    assert register(cls) is cls
    assert kinds() == ("test-mean",)
    assert registered("test-mean") is cls


def test_registering_twice_does_no_harm(cls: Any) -> None:
    register(cls)
    register(cls)
    assert kinds() == ("test-mean",)


def test_a_taken_kind_is_refused(cls: Any) -> None:
    register(cls)
    other = type("Other", (cls,), {})
    with pytest.raises(SpecError, match=r"^kind 'test-mean' belongs to Mean already; choose another$"):
        register(other)
    assert registered("test-mean") is cls


def test_kinds_are_sorted(cls: Any) -> None:
    for kind in ("b", "a", "c"):
        register(type(kind, (cls,), {"kind": kind}))
    assert kinds() == ("a", "b", "c")


def test_unknown_kinds(cls: Any, mean: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^there is no estimator of kind 'x'; known: none$"):
        registered("x")
    mean.fit([1.0]).save(tmp_path / "m")
    with pytest.raises(ModelFileError, match=r"m' holds a 'test-mean', which is not known here; known: none$"):
        load(tmp_path / "m")


def test_load_finds_the_class(cls: Any, mean: Any, tmp_path: Path) -> None:
    register(cls)
    mean.fit([1.0, 2.0]).save(tmp_path / "m")
    back: Any = load(tmp_path / "m")
    assert type(back) is cls
    assert back.predict(1) == [1.5]
