"""conlleval's scores: worked by hand, against a walk by its published rules, and its refusals."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from tidegate.errors import DataError
from tidegate.metrics.spans import conlleval_spans, span_scores, type_confusion


def split(tag: str) -> tuple[str, str]:
    letter, _, kind = tag.partition("-")
    return letter, kind


def end_of_chunk(before: str, after: str, before_type: str, after_type: str) -> bool:
    """The rules of conlleval for the end of a chunk between two tags."""
    pairs = [("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")]
    return (before, after) in pairs or (before != "O" and before_type != after_type)


def start_of_chunk(before: str, after: str, before_type: str, after_type: str) -> bool:
    """The rules of conlleval for the start of a chunk between two tags."""
    pairs = [("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")]
    return (before, after) in pairs or (after != "O" and before_type != after_type)


def walked(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[int, int, int, int, int]:
    """Count as conlleval does, token by token, both sides at once: true, predicted, found, tokens, right."""
    true = guessed = found = tokens = right = 0
    inside = False
    is_before = was_before = ("O", "")
    for is_tags, was_tags in zip(truth, predicted, strict=True):
        # A sentence's end is a boundary: a line that is outside on both sides.
        for is_tag, was_tag in [*zip(is_tags, was_tags, strict=True), ("O", "O")]:
            is_now, was_now = split(is_tag), split(was_tag)
            is_ends = end_of_chunk(is_before[0], is_now[0], is_before[1], is_now[1])
            was_ends = end_of_chunk(was_before[0], was_now[0], was_before[1], was_now[1])
            is_starts = start_of_chunk(is_before[0], is_now[0], is_before[1], is_now[1])
            was_starts = start_of_chunk(was_before[0], was_now[0], was_before[1], was_now[1])
            if inside:
                if is_ends and was_ends and is_before[1] == was_before[1]:
                    inside = False
                    found += 1
                elif is_ends != was_ends or is_now[1] != was_now[1]:
                    inside = False
            if is_starts and was_starts and is_now[1] == was_now[1]:
                inside = True
            true += is_starts
            guessed += was_starts
            is_before, was_before = is_now, was_now
        tokens += len(is_tags)
        right += sum(one == two for one, two in zip(is_tags, was_tags, strict=True))
    return true, guessed, found, tokens, right


def test_as_conlleval_walks() -> None:
    """On random tags, most of them invalid in any scheme."""
    generator = random.Random(0)
    labels = ["O", "B-x", "I-x", "B-y", "I-y", "I-z"]
    for _ in range(300):
        lengths = [generator.randrange(1, 9) for _ in range(4)]
        truth, predicted = ([generator.choices(labels, k=length) for length in lengths] for _ in range(2))
        predicted[0] = truth[0]
        scores = span_scores(truth, predicted)
        overall = scores.overall
        counts = (overall.true, overall.predicted, overall.found, scores.tokens, scores.right)
        assert counts == walked(truth, predicted)


def test_every_pair_of_short_sentences() -> None:
    labels = ["O", "B-x", "I-x", "I-y"]
    sentences = list(itertools.product(labels, repeat=3))
    for one, two in itertools.product(sentences, sentences):
        overall = span_scores([one], [two]).overall
        assert (overall.true, overall.predicted, overall.found) == walked([one], [two])[:3]


def test_worked_by_hand() -> None:
    """Five true chunks, five predicted, three found; nine tokens, seven of them right."""
    truth = ["B-NP", "I-NP", "B-VP", "B-NP", "I-NP", "O", "B-PP", "B-NP", "O"]
    predicted = ["B-NP", "I-NP", "B-VP", "B-NP", "B-NP", "O", "B-PP", "I-PP", "O"]
    scores = span_scores([truth], [predicted])
    # Found: NP 0-2, VP 2-3. The NP 3-5 was cut in two, the PP runs on.
    assert (scores.overall.true, scores.overall.predicted, scores.overall.found) == (5, 5, 2)
    assert (scores.precision, scores.recall) == (0.4, 0.4)
    assert scores.f1 == pytest.approx(0.4)
    assert scores.accuracy == 7 / 9
    assert {kind: (c.true, c.predicted, c.found) for kind, c in scores.types.items()} == {
        "NP": (3, 3, 1),
        "PP": (1, 1, 0),
        "VP": (1, 1, 1),
    }
    assert scores.types["NP"].f1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["I-x", "I-x"], [(0, 2, "x")]),
        (["I-x", "B-x"], [(0, 1, "x"), (1, 2, "x")]),
        (["B-x", "I-y"], [(0, 1, "x"), (1, 2, "y")]),
        (["O", "I-x", "O"], [(1, 2, "x")]),
        (["B-a-b", "I-a-b"], [(0, 2, "a-b")]),
        (["B-x", "E-x", "S-x", "S-x"], [(0, 2, "x"), (2, 3, "x"), (3, 4, "x")]),
        (["B-x", "I-x", "E-x", "B-y", "E-y"], [(0, 3, "x"), (3, 5, "y")]),
        ([], []),
    ],
)
def test_spans(tags: list[str], spans: list[tuple[int, int, str]]) -> None:
    assert conlleval_spans(tags) == spans


def test_nothing_to_find() -> None:
    scores = span_scores([["O", "O"]], [["O", "O"]])
    assert (scores.precision, scores.recall, scores.f1, scores.accuracy) == (0.0, 0.0, 0.0, 1.0)
    assert span_scores([], []).accuracy == 0.0


def test_confusion_counts_every_span_once() -> None:
    truth, predicted = [["B-x", "I-x", "B-y", "O"]], [["B-y", "I-y", "O", "B-x"]]
    assert type_confusion(truth, predicted) == {("x", "y"): 1, ("y", ""): 1, ("", "x"): 1}


def test_other_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="expected the tags of as many sentences; got 1 in truth, 2 predicted"):
        span_scores([["O"]], [["O"], ["O"]])
    with pytest.raises(DataError, match="sentence 1 has 1 tags in truth, 2 predicted; give one a token"):
        span_scores([["O"]], [["O", "O"]])
