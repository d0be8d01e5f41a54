"""The refusals that specs and constructors have in common, worded once."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from tidegate.errors import SpecError

__all__ = ["at_least", "flag", "number", "one_of", "probability", "whole"]


def one_of(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Refuse a ``value`` that is not among ``allowed``. Raises `SpecError`."""
    if value not in allowed:
        raise SpecError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def whole(name: str, value: Any, *, least: int = 1) -> None:
    """Refuse what is not a whole number of at least ``least``. Raises `SpecError`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise SpecError(f"{name} must be a whole number of at least {least}; got {value!r}")


def number(name: str, value: Any) -> None:
    """Refuse what is not a finite number. Raises `SpecError`."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or not _is_finite(value):
        raise SpecError(f"{name} must be a finite number; got {value!r}")


def at_least(name: str, value: Any, least: float, *, exclusive: bool = False) -> None:
    """Refuse what is not a finite number ≥ ``least`` (> ``least`` if ``exclusive``). Raises `SpecError`."""
    number(name, value)
    if value < least or (exclusive and value == least):
        raise SpecError(f"{name} must be {'more than' if exclusive else 'at least'} {least:g}; got {value!r}")


def flag(name: str, value: Any) -> None:
    """Refuse what is neither true nor false, such as the string ``"false"``. Raises `SpecError`."""
    one_of(name, value, (True, False))


def probability(name: str, value: Any) -> None:
    """Refuse what is not a number with 0 ≤ value < 1. Raises `SpecError`."""
    number(name, value)
    if not 0 <= value < 1:
        raise SpecError(f"{name} must be a probability, 0 ≤ {name} < 1; got {value!r}")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (OverflowError, TypeError, ValueError):  # a whole number beyond every float; an array
        return False
