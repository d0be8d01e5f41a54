"""What all specs share: to a plain dict and back, strictly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from tidegate.errors import SpecError

__all__ = ["from_dict", "plain", "to_dict"]

S = TypeVar("S")


def to_dict(spec: Any) -> dict[str, Any]:
    """Describe a spec in types that JSON knows; nested specs become nested dicts.

    >>> from tidegate.specs import Optimizer
    >>> to_dict(Optimizer("sgd", momentum=0.9))
    {'name': 'sgd', 'weight_decay': 0.0, 'momentum': 0.9}
    """
    if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
        raise SpecError(f"expected a spec (a dataclass), got {type(spec).__name__}")
    return {field.name: plain(getattr(spec, field.name)) for field in dataclasses.fields(spec)}


def from_dict(kind: type[S], values: Mapping[str, Any]) -> S:
    """Build a spec of ``kind`` from what `to_dict` gave; a field that ``kind`` does not have is an error.

    Raises
    ------
    SpecError
        If a field is unknown, or the spec refuses a value.
    """
    if not isinstance(values, Mapping):
        raise SpecError(f"expected the fields of a {kind.__name__} by name, got {type(values).__name__}")
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known, key=str)
    if unknown:
        raise SpecError(f"{kind.__name__} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except TypeError as error:
        raise SpecError(f"{kind.__name__} cannot be built from {dict(values)!r}: {error}") from error


def plain(value: Any) -> Any:
    """Turn a spec, a tuple or one of numpy's numbers, which searches over parameters draw, into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _tuples(value: Any) -> Any:
    # JSON has no tuples; specs, being frozen and hashable, have no lists.
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
