"""Tags beside the truth: scores, baselines, confusions."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError
from tidegate.metrics.spans import SpanScores, conlleval_spans, span_scores, type_confusion

__all__ = ["OWN", "TaggingEvaluation", "compare", "require_known"]

OWN = "tidegate"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TaggingEvaluation:
    """How well sentences were tagged.

    Parameters
    ----------
    scores
        By conlleval's rules: of ``"tidegate"``, and of the baselines ``"most frequent tag of the word"`` and
        ``"most frequent tag of column 2"``, …, as counted in the training data.
    confusion
        As `tidegate.metrics.spans.type_confusion` gives it, of the tagger.
    tags
        What the tagger said.
    """

    scores: Mapping[str, SpanScores]
    confusion: Mapping[tuple[str, str], int]
    tags: Sequence[Sequence[str]]

    @property
    def f1(self) -> float:
        """Of the tagger, from 0 to 1."""
        return self.scores[OWN].f1

    def to_dict(self) -> dict[str, Any]:
        """Give all scores in types that JSON knows; shares from 0 to 1.

        ==============  ===============================================================================================
        ``scores``      precision, recall, F1 and accuracy of each model
        ``types``       of the tagger: precision, recall, F1 of each type, how many spans are true, predicted, found
        ``confusion``   ``[true type, predicted type, how many]``; an empty type is no span of these tokens
        ==============  ===============================================================================================
        """
        return {
            "scores": {
                model: {
                    "precision": each.precision,
                    "recall": each.recall,
                    "F1": each.f1,
                    "accuracy": each.accuracy,
                }
                for model, each in self.scores.items()
            },
            "types": {
                name: {
                    "precision": counts.precision,
                    "recall": counts.recall,
                    "F1": counts.f1,
                    "true": counts.true,
                    "predicted": counts.predicted,
                    "found": counts.found,
                }
                for name, counts in self.scores[OWN].types.items()
            },
            "confusion": [[true, taken, count] for (true, taken), count in sorted(self.confusion.items())],
        }


def compare(
    truth: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], baselines: Mapping[str, Sequence[Sequence[str]]]
) -> TaggingEvaluation:
    """Score a tagger and the baselines beside it."""
    scores = {OWN: span_scores(truth, tags)} | {name: span_scores(truth, each) for name, each in baselines.items()}
    return TaggingEvaluation(scores=scores, confusion=type_confusion(truth, tags), tags=tags)


def require_known(given: ConllSentences, types: Collection[str]) -> Sequence[Sequence[str]]:
    """Give the true tags; what the scheme does not allow is left as it is, and scored as conlleval does.

    Raises
    ------
    DataError
        If there are none, or a span is of a type that was not in the training data; with the place of the first.
    """
    if given.tags is None:
        raise DataError("expected tagged sentences to score on, got some without tags; give tags as well")
    known = set(types)
    for index, tags in enumerate(given.tags):
        for start, _, kind in conlleval_spans(tags):
            if kind not in known:
                raise DataError(
                    f"{given.place(index, start)}: the label {tags[start]!r} was not in the training data, whose types "
                    f"are {', '.join(map(repr, types))}; leave such sentences out, or train with some"
                )
    return given.tags
