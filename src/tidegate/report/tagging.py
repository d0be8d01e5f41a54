"""The report about a tagger: how good it was, which types it mixed up, and sentences with the spans that it found."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate._core.files import write_text
from tidegate.report import charts, tables
from tidegate.report.closing import closing_sections
from tidegate.report.confusion import confusion
from tidegate.report.markup import number, text, whole
from tidegate.report.page import Section, chart, page
from tidegate.report.words import OWN, best_models, model_name

if TYPE_CHECKING:
    from tidegate.text.tagging.evaluation import TaggingEvaluation

__all__ = ["MarkedSpan", "SentenceExample", "TaggingReport", "notable_sentences"]

METRICS: dict[str, str] = {
    "F1": "The harmonic mean of precision and recall, by conlleval’s rules. Higher is better.",
    "precision": "Per cent of the spans that were found which are right: first token, last token and type. Higher is "
    "better.",
    "recall": "Per cent of the true spans that were found. Higher is better.",
    "accuracy": "Per cent of the tokens with the right tag. Where most tokens are outside all spans it says little. "
    "Higher is better.",
}
_COLUMNS = {
    "F1": "F1",
    "precision": "precision",
    "recall": "recall",
    "true": "true spans",
    "predicted": "predicted",
    "found": "found",
}
_NO_SPAN = "no such span"
_MOST_TOKENS = 80  # of a sentence that is shown
_COLOURS = 8
_NOTHING = "Nothing that had to be mended or left out."
# What HTML cannot hold: control characters and halves of surrogate pairs.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarkedSpan:
    """A span in a sentence: tokens ``start`` to ``stop`` (exclusive), and the model's confidence, if it is the model's.

    ``right`` says whether truth and model agree on it.
    """

    start: int
    stop: int
    type: str
    right: bool
    confidence: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceExample:
    """A held-out sentence with the spans that are there and those that were found."""

    tokens: Sequence[str]
    true: Sequence[MarkedSpan]
    found: Sequence[MarkedSpan]

    @property
    def right(self) -> bool:
        """Whether all of them are the same."""
        return all(span.right for span in (*self.true, *self.found))

    @property
    def surest_mistake(self) -> float:
        """The confidence of the wrong span that the model was most sure of; 0 if it only missed some."""
        return max((span.confidence or 0.0 for span in self.found if not span.right), default=0.0)


def notable_sentences(examples: Sequence[SentenceExample], *, wrong: int = 8, right: int = 6) -> list[SentenceExample]:
    """Choose sentences worth a look: the surest mistakes, and of the right ones those with the most spans."""
    mistaken = sorted((one for one in examples if not one.right), key=lambda one: -one.surest_mistake)
    others = sorted((one for one in examples if one.right and one.true), key=lambda one: -len(one.true))
    return [*mistaken[:wrong], *others[:right]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TaggingReport:
    """A report about one fit of a tagger.

    Parameters
    ----------
    title
        Of the page.
    evaluation
        On held-out sentences.
    sentences
        How many they were.
    losses
        Of each epoch of the fit: ``loss``, and ``val_loss`` and ``val_f1`` where there was a validation.
    settings
        Groups of settings to list: name of the group, then names and values.
    facts
        A few of them to show at the top.
    examples
        A few sentences; `notable_sentences` chooses them.
    notes
        What was noticed in the data and mended.
    """

    title: str
    evaluation: TaggingEvaluation
    sentences: int
    losses: Mapping[str, Sequence[float]]
    settings: Mapping[str, Mapping[str, object]]
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    examples: Sequence[SentenceExample] = ()
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        return page(self.title, self._lead(), self._sections(), self._charts(), first=0)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def _lead(self) -> str:
        own = self.evaluation.scores[OWN]
        facts = {
            "Types": whole(len(self._types)),
            "Held-out sentences": whole(self.sentences),
            "True spans in them": whole(own.overall.true),
        }
        return f'<p class="lead">{text(tagging_verdict(self._shown))}</p>{tables.facts({**facts, **self.facts})}'

    def _sections(self) -> list[Section]:
        sections = [
            Section("scores", "Scores beside the baselines", self._scores_section()),
            Section("types", "Type by type", self._types_section()),
            Section("confusion", "What was taken for what", self._confusion_section()),
            Section("examples", "Sentences", self._examples_section()),
        ]
        closing = closing_sections(self.losses, self.notes, self.settings, of="sentences", nothing=_NOTHING)
        if any(self.losses.get("val_f1", ())):
            closing[0] = dataclasses.replace(closing[0], content=closing[0].content + _CURVE)
        return [section for section in (*sections, *closing) if section.content]

    def _scores_section(self) -> str:
        caption = (
            f"In per cent, over {whole(self.sentences)} held-out sentences, which none of them saw before. The best of "
            "each column is bold and starred."
        )
        return tables.score_table(self._shown, caption, known=METRICS) + tables.terms(METRICS)

    def _types_section(self) -> str:
        rows = {
            name: {
                "F1": 100 * counts.f1,
                "precision": 100 * counts.precision,
                "recall": 100 * counts.recall,
                "true": float(counts.true),
                "predicted": float(counts.predicted),
                "found": float(counts.found),
            }
            for name, counts in self.evaluation.scores[OWN].types.items()
        }
        caption = "Of the model, in per cent; how many spans there are, were predicted, and are both."
        return tables.figure_table(rows, _COLUMNS, caption, head="Type") if rows else ""

    def _confusion_section(self) -> str:
        if not self._types:
            return ""
        names = [*self._types, ""]
        counts = np.zeros((len(names), len(names)), np.int64)
        for (true, taken), count in self.evaluation.confusion.items():
            counts[names.index(true), names.index(taken)] = count
        explained = (
            '<p class="faint">A true span is set beside a predicted one of the same tokens. '
            f"“{_NO_SPAN}”: the model marked no span of just these tokens (right), or marked one where there is none "
            "(below).</p>"
        )
        return explained + confusion(counts.tolist(), [*self._types, _NO_SPAN])

    def _examples_section(self) -> str:
        groups = {
            "Mistaken": [one for one in self.examples if not one.right],
            "Right": [one for one in self.examples if one.right],
        }
        shown = "".join(
            f'<h3>{heading}</h3><div class="columns">{"".join(self._example(one) for one in each)}</div>'
            for heading, each in groups.items()
            if each
        )
        if not shown:
            return ""
        return (
            "<p>Held-out sentences: those with the surest mistakes, and some that were right. Behind each span its "
            "type and how sure the model was of just this span. A dashed line below a span: truth and model differ "
            f"there.</p>{shown}"
        )

    def _example(self, one: SentenceExample) -> str:
        said = f'<p class="words" dir="auto">{self._marked(one.tokens, one.found)}</p>'
        if not one.right:
            truth = self._marked(one.tokens, one.true)
            said = f'<p class="faint">Found</p>{said}<p class="faint">Truth</p><p class="words" dir="auto">{truth}</p>'
        return f'<figure class="example">{said}</figure>'

    def _marked(self, tokens: Sequence[str], spans: Sequence[MarkedSpan]) -> str:
        begins = {span.start: span for span in spans}
        parts, place = [], 0
        while place < min(len(tokens), _MOST_TOKENS):
            span = begins.get(place)
            stop = place + 1 if span is None else span.stop
            words = text(_UNWRITABLE.sub("\ufffd", " ".join(token[:100] for token in tokens[place:stop])))
            parts.append(words if span is None else self._mark(span, words))
            place = stop
        return " ".join(parts) + (" …" if place < len(tokens) else "")

    def _mark(self, span: MarkedSpan, words: str) -> str:
        colour = self._types.index(span.type) % _COLOURS if span.type in self._types else _COLOURS - 1
        sure = "" if span.confidence is None else f" {100 * span.confidence:.0f} %"
        kind = "span" if span.right else "span differs"
        return f'<mark class="{kind} t{colour}">{words} <small>{text(span.type)}{sure}</small></mark>'

    def _charts(self) -> dict[str, Any]:
        drawn = {}
        if any(self.losses.values()):
            drawn["training"] = charts.training_curve(self.losses, unit="loss (nats a token)", of="sentences")
        if any(self.losses.get("val_f1", ())):
            found = [100 * value for value in self.losses["val_f1"]]
            drawn["curve"] = charts.training_curve({"val_loss": found}, unit="F1, %", of="sentences")
        return drawn

    @property
    def _types(self) -> list[str]:
        return list(self.evaluation.scores[OWN].types)

    @property
    def _shown(self) -> dict[str, dict[str, float]]:
        """The scores of each model in per cent, rounded so that what looks alike is alike."""
        return {
            model: {
                "F1": round(100 * scores.f1, 2),
                "precision": round(100 * scores.precision, 2),
                "recall": round(100 * scores.recall, 2),
                "accuracy": round(100 * scores.accuracy, 2),
            }
            for model, scores in self.evaluation.scores.items()
        }


def tagging_verdict(shown: Mapping[str, Mapping[str, float]]) -> str:
    """Say in a sentence or two how the tagger compares with the best baseline.

    >>> tagging_verdict({"tidegate": {"F1": 93.9}, "most frequent tag of the word": {"F1": 65.2}})
    'Tidegate’s F1 is 93.9 %; that of the best baseline, most frequent tag of the word, is 65.2 %.'
    """
    own = shown[OWN]["F1"]
    others = {model: values for model, values in shown.items() if model != OWN}
    if not others:
        return f"Tidegate’s F1 is {number(own)} %."
    best = min(best_models(others, "F1"), key=list(others).index)
    theirs = others[best]["F1"]
    said = f"Tidegate’s F1 is {number(own)} %; that of the best baseline, {model_name(best)}, is {number(theirs)} %."
    return said if own > theirs else f"{said} For these data that baseline is as good or better."


_CURVE = chart(
    "curve",
    label="F1 of the validation sentences after each epoch",
    caption="The F1 of the sentences that were kept aside to stop the training by, after each epoch: the highest point "
    "is the epoch whose weights were kept.",
)
