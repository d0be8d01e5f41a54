"""The report about a detector: the signal, the scores, the threshold, and the events that were found."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate._core.files import write_text
from tidegate.report import charts, tables
from tidegate.report.anomaly_charts import Watched, score_chart, signal_chart, watched
from tidegate.report.closing import closing_sections
from tidegate.report.markup import number, text, whole
from tidegate.report.page import Section, chart, page
from tidegate.report.words import frequency_name

if TYPE_CHECKING:
    from tidegate.data.table import SeriesTable

__all__ = ["AnomalyReport"]

_NOTHING = "Nothing: no gap, no missing value, no series too short."
_LISTED = 30  # events
_WIDEST = 8  # variables that a table on a phone can bear
_METRICS = {
    "VUS-PR": "Volume under the surface of precision and recall: the area, as below, averaged over buffers around the "
    "events that forgive a small shift. Random scores have about the share of anomalous rows. Higher is better.",
    "VUS-ROC": "The same of true and false positive rates; 0.5 is chance. Higher is better.",
    "AUC-PR": "Average precision over all thresholds, row by row. Higher is better.",
    "AUC-ROC": "How often an anomalous row has a higher score than another; 0.5 is chance. Higher is better.",
    "event precision": "Of the stretches that were flagged, the share that touches a true event. Higher is better.",
    "event recall": "Of the true events, the share that a flagged row lies in. Higher is better.",
    "event F1": "The harmonic mean of these two. Higher is better.",
    "delay": "Rows from the start of a true event to its first flagged row, on average. Lower is better.",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AnomalyReport:
    """A report about one fit of a detector.

    Parameters
    ----------
    table
        The data that were scored.
    score, threshold, is_anomaly
        ``[row]`` of the table; a score is NaN where nothing could be judged.
    shares
        ``[row, target]``: the part of each variable in a score; without columns where there is one variable.
    events
        How many there are.
    scores
        Of the detector and of baselines by labels; empty without labels.
    losses
        Of each epoch: ``loss``, and ``val_loss`` where there was a validation.
    loss
        What these losses measure.
    settings
        Groups of settings to list: name of the group, then names and values.
    labels
        ``[row]``, 1 for a true anomaly; ``None`` where nobody knows.
    notes
        What was noticed in the data and mended.
    """

    table: SeriesTable
    score: np.ndarray
    threshold: np.ndarray
    is_anomaly: np.ndarray
    shares: np.ndarray
    events: int
    scores: Mapping[str, Mapping[str, float]]
    losses: Mapping[str, Sequence[float]]
    loss: str
    settings: Mapping[str, Mapping[str, object]]
    labels: np.ndarray | None = None
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        title = f"Anomalies in {', '.join(self.table.columns.targets)}"
        return page(title, self._lead(), self._sections(), self._charts(), first=0)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def _lead(self) -> str:
        rows, found = len(self.score), int(self.is_anomaly.sum())
        judged = int(np.isfinite(self.score).sum())
        share = number(100 * found / judged) if judged else "0"
        said = (
            f"{whole(found)} of {whole(rows)} rows lie above the threshold ({share} % of those that could be judged); "
            f"they form {whole(self.events)} event{'' if self.events == 1 else 's'}."
        )
        facts = {
            "Series": whole(len(self.table)),
            "Variables": whole(len(self.table.columns.targets)),
            "Rows": whole(rows),
            "Frequency": frequency_name(self.table.columns.frequency),
            "Events": whole(self.events),
            "Threshold": number(float(self.threshold[-1])),
        }
        return f'<p class="lead">{text(said)}</p>{tables.facts(facts)}'

    def _sections(self) -> list[Section]:
        return [
            Section("signal", "Signal, score and threshold", self._signal_section()),
            Section("events", "What was found", self._events_section()),
            Section("scores", "Scores beside simple detectors", self._scores_section()),
            *closing_sections(self.losses, self.notes, self.settings, of="windows", nothing=_NOTHING),
        ]

    def _signal_section(self) -> str:
        true = " Dotted, with open diamonds: where the labels say so." if self.labels is not None else ""
        signal = chart(
            "signal",
            label="The observed values, with the anomalies marked",
            caption=f"Solid: what was observed. Circles: rows above the threshold.{true} Gaps in the line are missing "
            "values. Of many rows, those are drawn that stand out.",
        )
        score = chart(
            "score",
            label="The score of each row beside the threshold",
            caption="Solid: how abnormal a row is, in units of what is usual. Dotted: the threshold, from which on it "
            "is an anomaly. A row that cannot be judged has no score.",
        )
        return f"{self._menu()}{signal}<h3>Score</h3>{score}"

    def _menu(self) -> str:
        """Give the chooser of series and variables; nothing where there is no choice."""
        if len(self._watched) < 2:
            return ""
        options = "".join(
            f'<option value="{place}"{"" if place else " selected"}>{text(self._label(one))}</option>'
            for place, one in enumerate(self._watched)
        )
        return f'<label for="watched">Series <select class="series" id="watched">{options}</select></label>'

    def _events_section(self) -> str:
        rows = self._listed()
        if not rows:
            return "<p>No row lies above the threshold.</p>"
        names = self.table.columns.targets if self.shares.shape[1] else ()
        columns = {"rows": "rows", "peak": "peak score"}
        columns |= {f"share {index}": f"{name}, %" for index, name in enumerate(names[:_WIDEST])}
        more = f" The {_LISTED} highest of {whole(self.events)} stretches." if len(rows) == _LISTED else ""
        shares = " Beside it the share of each variable in the score at the peak." if names else ""
        few = f" The first {_WIDEST} of {len(names)} variables." if len(names) > _WIDEST else ""
        caption = f"Stretches above the threshold, the highest first.{shares}{more}{few}"
        return tables.figure_table(rows, columns, caption, head="From")

    def _listed(self) -> dict[str, dict[str, float | None]]:
        """Give the highest stretches by the time of their first row, with their numbers."""
        starts = np.flatnonzero(self.is_anomaly & ~np.append(False, self.is_anomaly[:-1] & ~self._begins[1:]))
        found = []
        for start in starts.tolist():
            stop = start + 1
            while stop < len(self.score) and self.is_anomaly[stop] and not self._begins[stop]:
                stop += 1
            peak = start + int(np.nanargmax(self.score[start:stop]))
            found.append((float(self.score[peak]), start, stop, peak))
        rows: dict[str, dict[str, float | None]] = {}
        for score, start, stop, peak in sorted(found, key=lambda one: -one[0])[:_LISTED]:
            series = int(np.searchsorted(self.table.offsets, start, side="right")) - 1
            name = f"{self.table.ids[series]} · " if self.table.has_id else ""
            values: dict[str, float | None] = {"rows": float(stop - start), "peak": score}
            shares = self.shares[peak].tolist()
            rows[name + self.table.stamp(start)] = values | {
                f"share {place}": 100 * share for place, share in enumerate(shares)
            }
        return rows

    @cached_property
    def _begins(self) -> np.ndarray:
        """Whether a row is the first of its series, ``[row]``."""
        begins = np.zeros(len(self.score), bool)
        begins[self.table.offsets[:-1]] = True
        return begins

    def _scores_section(self) -> str:
        if not self.scores:
            return ""
        caption = (
            "By the labels in the data, of which nothing was learnt. The simple detectors flag as many rows as the "
            "model does. No point is adjusted: a row counts as it was flagged."
        )
        return tables.score_table(self.scores, caption, known=_METRICS) + tables.terms(_METRICS)

    def _charts(self) -> dict[str, Any]:
        drawn = {
            "signal": signal_chart(self.table, self._watched, self.score, self.is_anomaly, self.labels),
            "score": score_chart(self.table, self._watched, self.score, self.threshold),
        }
        if any(self.losses.values()):
            drawn["training"] = charts.training_curve(self.losses, unit=f"loss ({self.loss})", of="windows")
        return drawn

    def _label(self, one: Watched) -> str:
        targets = self.table.columns.targets
        series = [str(self.table.ids[one.series])] if self.table.has_id else []
        return " · ".join(series + [targets[one.target]] * (len(targets) > 1 or not series))

    @cached_property
    def _watched(self) -> list[Watched]:
        return watched(self.table, self.score, self.threshold)
