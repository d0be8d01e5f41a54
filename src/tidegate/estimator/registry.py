"""Which class a model file's ``kind`` names. A task registers its estimators when it is imported."""

from __future__ import annotations

import os
from typing import TypeVar

from tidegate.errors import ModelFileError, SpecError
from tidegate.estimator.base import Estimator
from tidegate.estimator.modelfile import read_model

__all__ = ["kinds", "load", "register", "registered"]

_KINDS: dict[str, type[Estimator]] = {}
E = TypeVar("E", bound=type[Estimator])


def register(cls: E) -> E:
    """Make an estimator class known under its ``kind``; a class decorator. Raises `SpecError` for a taken name."""
    if _KINDS.get(cls.kind, cls) is not cls:
        raise SpecError(f"kind {cls.kind!r} belongs to {_KINDS[cls.kind].__name__} already; choose another")
    _KINDS[cls.kind] = cls
    return cls


def kinds() -> tuple[str, ...]:
    """Give the kinds known so far, sorted."""
    return tuple(sorted(_KINDS))


def registered(kind: str) -> type[Estimator]:
    """Give the class that is known as ``kind``. Raises `SpecError` if there is none."""
    if kind not in _KINDS:
        raise SpecError(f"there is no estimator of kind {kind!r}; known: {', '.join(kinds()) or 'none'}")
    return _KINDS[kind]


def load(path: str | os.PathLike[str]) -> Estimator:
    """Read a model file of any registered kind. Raises as `Estimator.load`."""
    file = read_model(path)
    if file.info.kind not in _KINDS:
        known = ", ".join(kinds()) or "none"
        raise ModelFileError(f"{str(path)!r} holds a {file.info.kind!r}, which is not known here; known: {known}")
    return _KINDS[file.info.kind].from_model_file(file, name=str(path))
