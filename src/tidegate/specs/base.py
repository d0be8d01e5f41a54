"""What all specs share: to a plain dict and back, strictly.

A spec that may stand where another kind of spec could stand as well has a class variable ``kind``, a short name. Its
dict bears that name beside its fields, and `from_tagged` builds the kind that a dict names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tidegate.errors import SpecError

__all__ = ["from_dict", "from_tagged", "plain", "to_dict"]

S = TypeVar("S")

_TAG = "kind"


def to_dict(spec: Any) -> dict[str, Any]:
    """Describe a spec in types that JSON knows: first its ``kind``, where it has one; nested specs become nested dicts.

    >>> from tidegate.specs import Optimizer
    >>> to_dict(Optimizer("sgd", momentum=0.9))
    {'name': 'sgd', 'weight_decay': 0.0, 'momentum': 0.9}
    """
    if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
        raise SpecError(f"expected a spec (a dataclass), got {type(spec).__name__}")
    tag = _tag(type(spec))
    fields = {field.name: plain(getattr(spec, field.name)) for field in dataclasses.fields(spec)}
    return fields if tag is None else {_TAG: tag, **fields}


def from_dict(kind: type[S], values: Mapping[str, Any]) -> S:
    """Build a spec of ``kind`` from what `to_dict` gave; a field that ``kind`` does not have is an error.

    The name that a class may have under ``kind`` may be absent, as in what was written before there were such names.

    Raises
    ------
    SpecError
        If a field is unknown, the dict names another kind, or the spec refuses a value.
    """
    if not isinstance(values, Mapping):
        raise SpecError(f"expected the fields of a {kind.__name__} by name, got {type(values).__name__}")
    tag = _tag(kind)
    if tag is not None and _TAG in values:
        if values[_TAG] != tag:
            raise SpecError(f"expected the fields of a {kind.__name__}, whose kind is {tag!r}; got {values[_TAG]!r}")
        values = {name: value for name, value in values.items() if name != _TAG}
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known, key=str)
    if unknown:
        raise SpecError(f"{kind.__name__} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except TypeError as error:
        raise SpecError(f"{kind.__name__} cannot be built from {dict(values)!r}: {error}") from error


def from_tagged(values: Mapping[str, Any], kinds: Iterable[type[S]], *, untagged: type[S] | None = None) -> S:
    """Build a spec of the kind that the dict names, out of those that may stand in its place.

    Parameters
    ----------
    values
        What `to_dict` gave.
    kinds
        Classes with a ``kind``.
    untagged
        The class of a dict that names none, where there was no other once; ``None`` refuses it.

    Raises
    ------
    SpecError
        If the dict names no kind or one that may not stand here, and as `from_dict`.

    Examples
    --------
    >>> from tidegate.specs import Convolution, Dilated
    >>> from_tagged({"kind": "dilated", "dilations": [1, 2]}, (Convolution, Dilated))
    Dilated(cell='lstm', hidden_size=64, dilations=(1, 2), residual=True, dropout=0.0)
    """
    known = {_tag(kind): kind for kind in kinds}
    names = ", ".join(map(repr, known))
    if not isinstance(values, Mapping):
        raise SpecError(f"expected the fields of a spec by name, with a kind out of {names}; got {values!r}")
    if _TAG not in values and untagged is not None:
        return from_dict(untagged, values)
    tag = values.get(_TAG)
    if not isinstance(tag, str) or tag not in known:
        came = f"got {tag!r}" if _TAG in values else "there is none"
        raise SpecError(f"kind must be one of {names}; {came}")
    return from_dict(known[tag], values)


def plain(value: Any) -> Any:
    """Turn a spec, a tuple or one of numpy's numbers, which searches over parameters draw, into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _tag(kind: type) -> str | None:
    tag: str | None = getattr(kind, _TAG, None)
    return tag


def _tuples(value: Any) -> Any:
    # JSON has no tuples; specs, being frozen and hashable, have no lists.
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
