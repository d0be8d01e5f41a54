"""Scores of tagged spans by the rules of conlleval (Tjong Kim Sang & Buchholz, 2000). Higher is better.

A span counts as found if its first token, its last token and its type are all right:

.. math:: P = found / predicted, R = found / true, F_1 = 2PR / (P + R)

each 0 where its divisor is 0. Tags that follow no scheme count, too; this is how the shared tasks were scored. Between
two tokens a span ends, and another may begin, by the letters of their tags:

* ``B`` begins a span; ``I`` begins one behind ``O``, and wherever the type changes;
* a span ends before ``O`` and before ``B``, and wherever the type changes.

conlleval knows the letters ``B``, ``I`` and ``O``. For IOBES, ``E`` is read as ``I`` that ends its span, and ``S`` as
``B`` that does.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tidegate.errors import DataError

__all__ = ["SpanCounts", "SpanScores", "conlleval_spans", "span_scores", "type_confusion"]

Tags = Sequence[str]
Found = tuple[int, int, str]  # first token, behind the last, type
_OUTSIDE = "O"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanCounts:
    """How many spans there are in truth, were predicted, and were found.

    >>> counts = SpanCounts(true=4, predicted=2, found=1)
    >>> counts.precision, counts.recall, round(counts.f1, 3)
    (0.5, 0.25, 0.333)
    """

    true: int = 0
    predicted: int = 0
    found: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right."""
        return self.found / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the true spans that were found."""
        return self.found / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanScores:
    """What `span_scores` gives.

    Parameters
    ----------
    overall
        Over spans of all types (a micro average).
    types
        Of each type that is in truth or prediction, sorted.
    tokens, right
        How many tokens there are, and how many have the right tag.
    """

    overall: SpanCounts
    types: Mapping[str, SpanCounts]
    tokens: int
    right: int

    @property
    def precision(self) -> float:
        """Of all spans."""
        return self.overall.precision

    @property
    def recall(self) -> float:
        """Of all spans."""
        return self.overall.recall

    @property
    def f1(self) -> float:
        """Of all spans: the F of the shared tasks, from 0 to 1."""
        return self.overall.f1

    @property
    def accuracy(self) -> float:
        """Share of the tokens with the right tag."""
        return self.right / self.tokens if self.tokens else 0.0


def conlleval_spans(tags: Tags) -> list[Found]:
    """Give the spans of a sentence as conlleval reads them: first token, the one behind the last, type.

    >>> conlleval_spans(["I-NP", "I-NP", "I-VP", "O", "I-VP"])
    [(0, 2, 'NP'), (2, 3, 'VP'), (4, 5, 'VP')]
    """
    spans: list[Found] = []
    before, before_type, start = _OUTSIDE, "", -1
    for token, tag in enumerate([*tags, _OUTSIDE]):
        letter, _, kind = tag.partition("-")
        if letter == _OUTSIDE:
            if start >= 0:
                spans.append((start, token, before_type))
            start = -1
        elif start < 0 or letter in ("B", "S") or before in ("E", "S") or kind != before_type:
            if start >= 0:
                spans.append((start, token, before_type))
            start = token
        before, before_type = letter, kind
    return spans


def span_scores(truth: Sequence[Tags], predicted: Sequence[Tags]) -> SpanScores:
    """Compare the tags of sentences.

    Parameters
    ----------
    truth, predicted
        A sequence of tags for each sentence.

    Raises
    ------
    DataError
        If there are other numbers of sentences or of tags.

    Examples
    --------
    >>> scores = span_scores([["B-NP", "I-NP", "O", "B-VP"]], [["B-NP", "I-NP", "O", "B-NP"]])
    >>> scores.precision, scores.recall, scores.f1, scores.accuracy
    (0.5, 0.5, 0.5, 0.75)
    """
    true: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    found: Counter[str] = Counter()
    tokens = right = 0
    for is_tags, was_tags in _pairs(truth, predicted):
        is_spans, was_spans = conlleval_spans(is_tags), conlleval_spans(was_tags)
        true.update(kind for *_, kind in is_spans)
        guessed.update(kind for *_, kind in was_spans)
        found.update(kind for *_, kind in set(is_spans).intersection(was_spans))
        tokens += len(is_tags)
        right += sum(map(str.__eq__, is_tags, was_tags))
    types = {kind: _counts(true[kind], guessed[kind], found[kind]) for kind in sorted({*true, *guessed})}
    overall = _counts(true.total(), guessed.total(), found.total())
    return SpanScores(overall=overall, types=types, tokens=tokens, right=right)


def type_confusion(truth: Sequence[Tags], predicted: Sequence[Tags]) -> dict[tuple[str, str], int]:
    """Count what true spans were taken for: ``(true type, predicted type)`` to how many.

    A true span is set beside a predicted one of the same tokens. Without one, the predicted type is ``""`` (missed, or
    found with other bounds); a predicted span without a true one of the same tokens has the true type ``""``.

    >>> type_confusion([["B-NP", "O", "B-VP"]], [["B-VP", "B-NP", "O"]])
    {('NP', 'VP'): 1, ('VP', ''): 1, ('', 'NP'): 1}
    """
    counts: Counter[tuple[str, str]] = Counter()
    for is_tags, was_tags in _pairs(truth, predicted):
        is_spans = {span[:2]: span[2] for span in conlleval_spans(is_tags)}
        was_spans = {span[:2]: span[2] for span in conlleval_spans(was_tags)}
        counts.update((kind, was_spans.get(bounds, "")) for bounds, kind in is_spans.items())
        counts.update(("", kind) for bounds, kind in was_spans.items() if bounds not in is_spans)
    return dict(counts)


def _pairs(truth: Sequence[Tags], predicted: Sequence[Tags]) -> Iterator[tuple[Tags, Tags]]:
    if len(truth) != len(predicted):
        raise DataError(
            f"expected the tags of as many sentences; got {len(truth)} in truth, {len(predicted)} predicted"
        )
    for index, (is_tags, was_tags) in enumerate(zip(truth, predicted, strict=True)):
        if len(is_tags) != len(was_tags):
            raise DataError(
                f"sentence {index + 1} has {len(is_tags)} tags in truth, {len(was_tags)} predicted; give one a token"
            )
        yield is_tags, was_tags


def _counts(true: int, predicted: int, found: int) -> SpanCounts:
    return SpanCounts(true=true, predicted=predicted, found=found)
