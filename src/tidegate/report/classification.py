"""The report about a classifier: how good it was, what it took for what, and how sure it was of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate._core.files import write_text
from tidegate.report import charts, tables
from tidegate.report.class_words import DECISIONS, PROBABILITIES, class_verdict, shown_scores
from tidegate.report.closing import closing_sections
from tidegate.report.confusion import confusion
from tidegate.report.examples import Example, drawn_examples, shown_examples
from tidegate.report.markup import number, text, whole
from tidegate.report.page import Section, chart, page
from tidegate.report.words import OWN

__all__ = ["ClassificationReport"]

_NOTHING = "Nothing that had to be mended or left out."
_COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "support": "occurred",
    "predicted": "predicted",
}
_MOST_OPEN = 30  # classes of the table that is open at once


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClassificationReport:
    """A report about one fit of a classifier.

    What makes no sense for it is left out: a confusion matrix of labels that do not exclude each other, examples
    where none are given.

    Parameters
    ----------
    title
        Of the page.
    scores
        What `tidegate.metrics.classification_scores` gives for held-out examples, by the name of the model:
        ``"tidegate"``, then the baselines, ``"majority"`` say. Classes, confusion matrix and reliability are those
        of ``"tidegate"``.
    losses
        Of each epoch of the final fit: ``loss``, and ``val_loss`` where there was a validation.
    loss
        What these losses measure.
    settings
        Groups of settings to list: name of the group, then names and values.
    facts
        A few of them to show at the top, beside the numbers of classes and of held-out examples.
    examples
        Of the held-out ones, a few to look at; `tidegate.report.examples.notable` chooses them.
    notes
        What was noticed in the data and mended.
    """

    title: str
    scores: Mapping[str, Mapping[str, Any]]
    losses: Mapping[str, Sequence[float]]
    loss: str
    settings: Mapping[str, Mapping[str, object]]
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    examples: Sequence[Example] = ()
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        return page(self.title, self._lead(), self._sections(), self._charts(), first=0)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def _lead(self) -> str:
        facts = {"Classes": whole(len(self._own["classes"])), "Held-out examples": whole(self._own["examples"])}
        return f'<p class="lead">{text(class_verdict(self.scores))}</p>{tables.facts({**facts, **self.facts})}'

    def _sections(self) -> list[Section]:
        return [
            Section("scores", "Scores beside the baselines", self._scores_section()),
            Section("classes", "Class by class", self._classes_section()),
            Section("confusion", "What was taken for what", self._confusion_section()),
            Section("reliability", "How sure, and how often right", self._reliability_section()),
            Section("examples", "Examples", self._examples_section()),
            *closing_sections(self.losses, self.notes, self.settings, of="examples", nothing=_NOTHING),
        ]

    def _scores_section(self) -> str:
        shown = shown_scores(self.scores)
        positive = self._own.get("positive")
        of = f" Precision, recall and F1 are those of the class {positive}." if positive is not None else ""
        decided = (
            f"What the models decided, over {whole(self._own['examples'])} held-out examples, which none of them saw "
            f"before.{of} The best of each column is bold and starred."
        )
        sure = "How sure they were of it, over the same examples."
        known = {**DECISIONS, **PROBABILITIES}
        meant = {name: known[name] for name in known if any(name in each for each in shown.values())}
        return (
            tables.score_table(shown, decided, known=DECISIONS)
            + tables.score_table(shown, sure, known=PROBABILITIES)
            + tables.terms(meant)
        )

    def _classes_section(self) -> str:
        rows = {one["name"]: one for one in self._own["classes"]}
        caption = "Of the model; how often a class occurred among the held-out examples, and was predicted."
        table = tables.figure_table(rows, _COLUMNS, caption, head="Class")
        if len(rows) <= _MOST_OPEN:
            return table
        return f"<details><summary>All {whole(len(rows))} classes</summary>{table}</details>"

    def _confusion_section(self) -> str:
        if "confusion" not in self._own:
            return ""
        return confusion(self._own["confusion"], [one["name"] for one in self._own["classes"]])

    def _reliability_section(self) -> str:
        bins = self._own["reliability"]
        edges = bins["edges"]
        rows = {
            f"{100 * low:.0f} – {100 * high:.0f} %": {
                "count": float(count),
                "confidence": 100 * confidence,
                "accuracy": 100 * accuracy,
            }
            for low, high, count, confidence, accuracy in zip(
                edges, edges[1:], bins["counts"], bins["confidence"], bins["accuracy"], strict=False
            )
            if count
        }
        if not rows:
            return ""
        drawn = chart(
            "reliability",
            label="How often the model was right against how sure it was",
            caption="Dots on the solid line: of what it was so many per cent sure of, as many per cent came true. "
            "Below the line it was too sure, above it not sure enough. A dot of few examples strays by chance.",
        )
        columns = {"count": "examples", "confidence": "sure, %", "accuracy": "right, %"}
        table = tables.figure_table(rows, columns, f"Calibration error {number(self._own['ece'])}.", head="Probability")
        return f'<div class="columns drawn"><div>{drawn}</div><div>{table}</div></div>'

    def _examples_section(self) -> str:
        if not self.examples:
            return ""
        weighted = any(weight for one in self.examples for _, weight in one.pieces)
        shade = (
            " The darker a word, the more weight the model gave it; the darkest of each text has the largest."
            if weighted
            else ""
        )
        return f"<p>Held-out examples: the surest mistakes, and some that were right.{shade}</p>" + shown_examples(
            self.examples
        )

    def _charts(self) -> dict[str, Any]:
        bins = self._own["reliability"]
        came = {
            100 * sure: 100 * right
            for sure, right in zip(bins["confidence"], bins["accuracy"], strict=True)
            if sure is not None
        }
        drawn = {}
        if came:
            drawn["reliability"] = charts.calibration(came, x="how sure, %", y="how often right, %")
        drawn |= drawn_examples(self.examples)
        if any(self.losses.values()):
            drawn["training"] = charts.training_curve(self.losses, unit=f"loss ({self.loss})", of="examples")
        return drawn

    @property
    def _own(self) -> Mapping[str, Any]:
        return self.scores[OWN]
