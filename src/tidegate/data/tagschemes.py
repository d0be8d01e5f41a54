"""How tags write spans: IOB1, IOB2 and IOBES, read strictly.

=========  =====================================================================================================
``iob1``   ``I`` is within a span; ``B`` begins one only where another of its type ends right before it
``iob2``   ``B`` begins every span, ``I`` goes on
``iobes``  ``B`` begins a span of several tokens, ``I`` goes on, ``E`` ends it; ``S`` is a span of one token
=========  =====================================================================================================

``O`` is outside in all of them; a type follows behind a hyphen: ``B-person``. IOB1 is Ramshaw & Marcus' (1995); IOB2 is
Ratnaparkhi's (1998), which CoNLL-2000 took; IOBES is start/end notation (Uchimoto et al., 2000).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError
from tidegate.specs import checks

__all__ = [
    "OUTSIDE",
    "SCHEMES",
    "Fault",
    "Masks",
    "Span",
    "convert",
    "detect_scheme",
    "first_fault",
    "labels_of",
    "masks",
    "spans_of",
    "split_tag",
    "tags_of",
]

SCHEMES = ("iob1", "iob2", "iobes")
OUTSIDE = "O"
BoolArray = npt.NDArray[np.bool_]

_LETTERS = {"iob1": "BI", "iob2": "BI", "iobes": "BIES"}
_Parts = tuple[str, str]  # letter and type
_EDGE: _Parts = (OUTSIDE, "")


class Span(NamedTuple):
    """Tokens ``start`` to ``stop`` (exclusive) and what they are."""

    start: int
    stop: int
    type: str


class Fault(NamedTuple):
    """A tag that cannot stand where it stands: its token, and why."""

    token: int
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """What may follow what: booleans for a linear chain over labels.

    Parameters
    ----------
    transitions
        ``[from, to]``.
    start, end
        ``[label]``: may a sentence begin, or end, so?
    """

    transitions: BoolArray
    start: BoolArray
    end: BoolArray


@functools.lru_cache(maxsize=4096)  # the same few tags again and again
def split_tag(tag: str) -> tuple[str, str]:
    """Give letter and type of a tag.

    Raises
    ------
    DataError
        If it is no tag of any scheme.

    >>> split_tag("B-creative-work"), split_tag("O")
    (('B', 'creative-work'), ('O', ''))
    """
    if tag == OUTSIDE:
        return _EDGE
    letter, hyphen, kind = tag.partition("-")
    if letter not in ("B", "I", "E", "S") or not hyphen or not kind:
        raise DataError(f"expected a tag such as 'O', 'B-name' or 'I-name' (B, I, E or S, hyphen, type); got {tag!r}")
    return letter, kind


def labels_of(types: Iterable[str], scheme: str) -> tuple[str, ...]:
    """Give all tags of a scheme for some types: ``O`` first, then type by type.

    >>> labels_of(["name"], "iobes")
    ('O', 'B-name', 'I-name', 'E-name', 'S-name')
    """
    checks.one_of("scheme", scheme, SCHEMES)
    return (OUTSIDE, *(f"{letter}-{kind}" for kind in types for letter in _LETTERS[scheme]))


def masks(labels: Sequence[str], scheme: str) -> Masks:
    """Say which of ``labels`` may follow which, and begin and end a sentence, in a scheme."""
    checks.one_of("scheme", scheme, SCHEMES)
    parts = [split_tag(label) for label in labels]
    allows = _ALLOWS[scheme]
    return Masks(
        transitions=np.array([[allows(before, after) for after in parts] for before in parts]),
        start=np.array([allows(_EDGE, after) for after in parts]),
        end=np.array([allows(before, _EDGE) for before in parts]),
    )


def first_fault(tags: Sequence[str], scheme: str) -> Fault | None:
    """Find the first tag of a sentence that a scheme does not allow there; ``None`` if all is well.

    >>> first_fault(["O", "I-name"], "iob2").reason
    "'I-name' cannot follow 'O' in IOB2"
    """
    checks.one_of("scheme", scheme, SCHEMES)
    allows = _ALLOWS[scheme]
    before, before_tag = _EDGE, ""
    for token, tag in enumerate(tags):
        try:
            parts = split_tag(tag)
        except DataError as error:
            return Fault(token, str(error))
        if parts[0] not in _LETTERS[scheme] and tag != OUTSIDE:
            return Fault(token, f"{tag!r} is no tag of {scheme.upper()}")
        if not allows(before, parts):
            place = f"follow {before_tag!r}" if before_tag else "begin a sentence"
            return Fault(token, f"{tag!r} cannot {place} in {scheme.upper()}")
        before, before_tag = parts, tag
    if not allows(before, _EDGE):
        return Fault(len(tags) - 1, f"{before_tag!r} cannot end a sentence in {scheme.upper()}")
    return None


def detect_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Find the scheme of tagged sentences: the one that all of them follow, or else most.

    Tags without a span follow all of them; then it is IOB2. Where none is followed everywhere, it is the one with the
    fewest sentences that break it, and `first_fault` says where.

    >>> detect_scheme([["I-name", "B-name", "O"]]), detect_scheme([["S-name"]])
    ('iob1', 'iobes')
    """
    broken = dict.fromkeys(("iob2", "iob1", "iobes"), 0)
    for tags in set(map(tuple, sentences)):
        for scheme in broken:
            broken[scheme] += first_fault(tags, scheme) is not None
    return min(broken, key=lambda scheme: broken[scheme])


def spans_of(tags: Sequence[str], scheme: str) -> list[Span]:
    """Read the spans of a sentence, in order.

    Raises
    ------
    DataError
        If a tag cannot stand where it stands.

    >>> spans_of(["B-name", "I-name", "O", "B-place"], "iob2")
    [Span(start=0, stop=2, type='name'), Span(start=3, stop=4, type='place')]
    """
    fault = first_fault(tags, scheme)
    if fault is not None:
        raise DataError(f"token {fault.token + 1}: {fault.reason}")
    spans: list[Span] = []
    before = _EDGE
    start = 0
    for token, tag in enumerate([*tags, OUTSIDE]):
        letter, kind = parts = split_tag(tag)
        begins = letter in ("B", "S") or (letter == "I" and (before[0] == OUTSIDE or before[1] != kind))
        if before[0] != OUTSIDE and (begins or letter == OUTSIDE):
            spans.append(Span(start, token, before[1]))
        if begins:
            start = token
        before = parts
    return spans


def tags_of(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Write spans, which do not overlap, as the tags of a sentence of ``length`` tokens.

    >>> tags_of([Span(0, 2, "name"), Span(2, 3, "name")], 4, "iobes")
    ['B-name', 'E-name', 'S-name', 'O']
    """
    checks.one_of("scheme", scheme, SCHEMES)
    tags = [OUTSIDE] * length
    before = Span(-1, -1, "")
    for span in sorted(spans):
        touches = span.start == before.stop and span.type == before.type
        letters = ["B" if scheme != "iob1" or touches else "I", *"I" * (span.stop - span.start - 1)]
        if scheme == "iobes":
            letters[-1] = "E" if len(letters) > 1 else "S"
        tags[span.start : span.stop] = [f"{letter}-{span.type}" for letter in letters]
        before = span
    return tags


def convert(tags: Sequence[str], given: str, wanted: str) -> list[str]:
    """Write tags of one scheme in another. Raises `DataError` if they break the one they are ``given`` in.

    >>> convert(["I-name", "B-name", "O"], "iob1", "iob2")
    ['B-name', 'B-name', 'O']
    """
    return tags_of(spans_of(tags, given), len(tags), wanted)


def _iob1(before: _Parts, after: _Parts) -> bool:
    return after[0] != "B" or (before[0] != OUTSIDE and before[1] == after[1])


def _iob2(before: _Parts, after: _Parts) -> bool:
    return after[0] != "I" or (before[0] != OUTSIDE and before[1] == after[1])


def _iobes(before: _Parts, after: _Parts) -> bool:
    if before[0] in ("B", "I"):
        return after[0] in ("I", "E") and before[1] == after[1]
    return after[0] in (OUTSIDE, "B", "S")


_ALLOWS: dict[str, Callable[[_Parts, _Parts], bool]] = {"iob1": _iob1, "iob2": _iob2, "iobes": _iobes}
