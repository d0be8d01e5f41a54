"""IOB1, IOB2 and IOBES: spans to tags and back, what may follow what, and which scheme tags are in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tidegate.data.tagschemes import (
    SCHEMES,
    Span,
    convert,
    detect_scheme,
    first_fault,
    labels_of,
    masks,
    spans_of,
    tags_of,
)
from tidegate.errors import DataError, SpecError

WRITTEN = {
    "iob1": ["I-x", "I-x", "B-x", "I-y", "O", "I-x"],
    "iob2": ["B-x", "I-x", "B-x", "B-y", "O", "B-x"],
    "iobes": ["B-x", "E-x", "S-x", "S-y", "O", "S-x"],
}
SPANS = [Span(0, 2, "x"), Span(2, 3, "x"), Span(3, 4, "y"), Span(5, 6, "x")]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_spans_in_each_scheme(scheme: str) -> None:
    assert spans_of(WRITTEN[scheme], scheme) == SPANS
    assert tags_of(SPANS, 6, scheme) == WRITTEN[scheme]


@pytest.mark.parametrize(("given", "wanted"), list(itertools.product(SCHEMES, SCHEMES)))
def test_each_scheme_in_each_other(given: str, wanted: str) -> None:
    assert convert(WRITTEN[given], given, wanted) == WRITTEN[wanted]


def every_segmentation(length: int, types: str) -> list[list[Span]]:
    """All ways to lay spans into a sentence: the slow oracle."""
    if length == 0:
        return [[]]
    found = every_segmentation(length - 1, types).copy()
    for size in range(1, length + 1):
        for spans in every_segmentation(length - size, types):
            found += [[*spans, Span(length - size, length, kind)] for kind in types]
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_valid_tags_are_those_that_some_spans_are_written_as(scheme: str) -> None:
    """Exactly these pass `first_fault`, and exactly these pass the masks of a CRF."""
    length = 4
    labels = labels_of("xy", scheme)
    allowed = masks(labels, scheme)
    written = {tuple(tags_of(spans, length, scheme)) for spans in every_segmentation(length, "xy")}
    if scheme == "iobes":  # each span can be written in one way
        assert len(written) == len(every_segmentation(length, "xy"))
    for codes in itertools.product(range(len(labels)), repeat=length):
        tags = tuple(labels[code] for code in codes)
        possible = bool(
            allowed.start[codes[0]]
            and allowed.end[codes[-1]]
            and all(allowed.transitions[one, two] for one, two in itertools.pairwise(codes))
        )
        assert possible == (tags in written) == (first_fault(tags, scheme) is None), tags
        if possible:
            assert tuple(tags_of(spans_of(tags, scheme), length, scheme)) == tags


@pytest.mark.parametrize(
    ("tags", "scheme", "token", "reason"),
    [
        (["O", "I-x"], "iob2", 1, "'I-x' cannot follow 'O' in IOB2"),
        (["I-x"], "iob2", 0, "'I-x' cannot begin a sentence in IOB2"),
        (["B-x", "I-y"], "iob2", 1, "'I-y' cannot follow 'B-x' in IOB2"),
        (["O", "B-x"], "iob1", 1, "'B-x' cannot follow 'O' in IOB1"),
        (["B-x", "O"], "iobes", 1, "'O' cannot follow 'B-x' in IOBES"),
        (["O", "B-x"], "iobes", 1, "'B-x' cannot end a sentence in IOBES"),
        (["S-x"], "iob2", 0, "'S-x' is no tag of IOB2"),
        (
            ["NN"],
            "iob2",
            0,
            "expected a tag such as 'O', 'B-name' or 'I-name' (B, I, E or S, hyphen, type); got 'NN'",
        ),
    ],
)
def test_faults(tags: list[str], scheme: str, token: int, reason: str) -> None:
    assert first_fault(tags, scheme) == (token, reason)
    with pytest.raises(DataError) as caught:
        spans_of(tags, scheme)
    assert str(caught.value) == f"token {token + 1}: {reason}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_are_detected(scheme: str) -> None:
    assert detect_scheme([["O"], WRITTEN[scheme]]) == scheme


def test_of_several_that_are_broken_the_least_broken_one() -> None:
    assert detect_scheme([["B-x", "I-x"], ["B-x"], ["I-x"]]) == "iob2"
    assert detect_scheme([["I-x"], ["I-x", "I-x"], ["B-x"]]) == "iob1"
    assert detect_scheme([["O"]]) == "iob2"


def test_labels_and_masks() -> None:
    labels = labels_of(["x"], "iob2")
    assert labels == ("O", "B-x", "I-x")
    allowed = masks(labels, "iob2")
    assert allowed.start.tolist() == [True, True, False]
    assert np.flatnonzero(~allowed.transitions).tolist() == [2]  # from O to I-x
    assert allowed.end.all()


def test_unknown_schemes() -> None:
    with pytest.raises(SpecError, match="scheme must be one of 'iob1', 'iob2', 'iobes'; got 'bilou'"):
        spans_of(["O"], "bilou")
