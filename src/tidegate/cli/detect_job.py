"""The job of ``tidegate detect``: fit, score, find events, report, and the five files they end in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate import __version__
from tidegate._core.files import write_text
from tidegate.cli.console import Console, strict_json
from tidegate.cli.job import write_frame
from tidegate.cli.outputs import placed_together
from tidegate.cli.settings import fields_of, network_settings, versions
from tidegate.errors import SpecError
from tidegate.specs.detection import resolve_method
from tidegate.specs.thresholds import resolve_threshold

if TYPE_CHECKING:
    from tidegate.anomaly import AnomalyDetector
    from tidegate.data import SeriesTable

__all__ = ["FILES", "DetectJob"]

FILES = {
    "scores": "scores.csv",
    "events": "events.csv",
    "model": "model.safetensors",
    "report": "report.html",
    "summary": "scores.json",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectJob:
    """One run of ``tidegate detect``.

    Parameters
    ----------
    table
        The data.
    model
        Not fitted yet.
    folder
        Where the files go.
    labels
        ``[row]``, 0 or 1, to score by; nothing is learnt from them.
    train_rows
        Rows of each series that are trained on, from the first; ``None`` for all.
    causal
        Score each row without a look at those after it.
    gap
        Rows between events that are joined.
    skip_short
        Leave out series that are too short, instead of refusing the table.
    """

    table: SeriesTable
    model: AnomalyDetector
    folder: Path
    labels: np.ndarray | None = None
    train_rows: int | None = None
    causal: bool = False
    gap: int = 0
    skip_short: bool = False

    def run(self, console: Console) -> dict[str, Any]:
        """Do it.

        Returns
        -------
        dict
            What `scores.json` holds (see `_summary`) and, under ``files``, the paths of all five files.
        """
        with placed_together(self.folder, list(FILES.values())) as place:
            summary = self._write(place, console)
        return summary | {"files": {name: str(self.folder / file) for name, file in FILES.items()}}

    def _write(self, place: Path, console: Console) -> dict[str, Any]:
        from tidegate.anomaly.evaluation import read_labels

        model, table = self.model, self.table
        if self.labels is not None:
            read_labels(table, self.labels)  # refused before the training, not after it
        rows = self._trained()
        console.remark("training on all rows" if rows is table else f"training on the first {self.train_rows} rows")
        model.fit(rows, skip_short=self.skip_short, callbacks=console.progress())
        for note in model.notes_:
            console.remark(note)
        options: dict[str, Any] = {"causal": self.causal, "skip_short": self.skip_short}
        frame, events = model.predict(table, **options), model.events(table, gap=self.gap, **options)
        scores = {} if self.labels is None else model.evaluate_labels(table, self.labels, causal=self.causal)
        summary = self._summary(frame, len(events), scores)
        write_frame(frame, place / FILES["scores"])
        write_frame(events, place / FILES["events"])
        model.save(place / FILES["model"])
        self._report(frame, events, scores, place / FILES["report"])
        write_text(place / FILES["summary"], strict_json(summary) + "\n")
        return summary

    def _trained(self) -> SeriesTable:
        if self.train_rows is None:
            return self.table
        least = int(self.table.lengths.min())
        if self.train_rows > least:
            raise SpecError(f"--train-rows is {self.train_rows}, and the shortest series has {least} rows")
        return self.table.truncate(self.train_rows)

    def _report(self, frame: Any, events: Any, scores: dict[str, dict[str, float]], path: Path) -> None:
        from tidegate.report import AnomalyReport

        model = self.model
        table = self.table
        if self.skip_short:
            table = table.select(np.flatnonzero(table.lengths >= model.least_rows_))
        names = [f"{name}_share" for name in table.columns.targets if f"{name}_share" in frame]
        AnomalyReport(
            table=table,
            score=frame["score"].to_numpy(),
            threshold=frame["threshold"].to_numpy(),
            is_anomaly=frame["is_anomaly"].to_numpy(),
            shares=frame[names].to_numpy(),
            events=len(events),
            labels=self.labels,
            scores=scores,
            losses={name: model.history_[name] for name in model.history_},
            loss=f"{resolve_method(model.method).loss} of scaled values",
            settings=_settings(model),
            notes=model.notes_,
        ).write(path)

    def _summary(self, frame: Any, events: int, scores: dict[str, dict[str, float]]) -> dict[str, Any]:
        """Say what came out, in types that JSON knows.

        ==============================  ===============================================================================
        ``tidegate``                    the version
        ``series``, ``rows``            of the data that were scored
        ``targets``, ``frequency``      what was watched, and how far apart the rows are
        ``method``, ``context``         how, and the steps of a window
        ``threshold``                   that training has chosen for these scores
        ``anomalies``, ``events``       rows above the threshold, and the stretches that they form
        ``scores``                      with labels, of Tidegate and the baselines: VUS-PR, VUS-ROC, AUC-PR, AUC-ROC,
                                        event precision, recall and F1, delay in rows; empty without
        ``epochs``, ``steps``           of the training
        ``notes``                       what was noticed in the data
        ==============================  ===============================================================================
        """
        model = self.model
        return {
            "tidegate": __version__,
            "series": len(self.table),
            "rows": len(frame),
            "targets": list(self.table.columns.targets),
            "frequency": self.table.columns.frequency,
            "method": resolve_method(model.method).kind,
            "context": model.context,
            "threshold": model.threshold_causal_ if self.causal else model.threshold_,
            "anomalies": int(frame["is_anomaly"].sum()),
            "events": events,
            "scores": scores,
            "epochs": model.history_.epochs,
            "steps": model.history_.steps,
            "notes": list(model.notes_),
        }


def _settings(model: AnomalyDetector) -> dict[str, dict[str, object]]:
    """List the settings of a fitted detector in groups: of each, names and values."""
    method, threshold = resolve_method(model.method), resolve_threshold(model.threshold)
    groups: dict[str, dict[str, object]] = {
        "Detection": {
            "context": model.context,
            "members": model.members,
            "seed": model.seed,
            "device": str(model.device),
        },
        f"Method: {method.kind}": fields_of(method),
        f"Threshold: {threshold.kind}": fields_of(threshold) | {"chosen": model.threshold_},
        "Likelihood": {} if model.likelihood is None else fields_of(model.likelihood),
    }
    groups |= network_settings(model.network)
    groups |= {
        "Training": fields_of(model.training)
        | {"epochs run": model.history_.epochs, "steps run": model.history_.steps},
        "Scaling": fields_of(model.scaling),
        "Versions": versions(),
    }
    return {name: pairs for name, pairs in groups.items() if pairs}
