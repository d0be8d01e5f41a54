"""A detector from its file on new rows: what ``predict`` and ``evaluate`` ask."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate import __version__
from tidegate.cli.columns import header_of
from tidegate.cli.console import Console
from tidegate.errors import ColumnError

if TYPE_CHECKING:
    from tidegate.data import SeriesTable

__all__ = ["evaluated", "predicted", "without_labels"]

_LABELS = ("label", "labels", "is_anomaly", "anomaly")


def predicted(model: Path, path: Path, console: Console) -> str:
    """Give the scores of the rows of a CSV file, as the text of one."""
    from tidegate.anomaly import AnomalyDetector
    from tidegate.data import read_csv

    detector = AnomalyDetector.load(model)
    table = read_csv(path, detector.columns_)
    for note in table.notes:
        console.remark(note)
    text: str = detector.predict(table).to_csv(index=False, lineterminator="\n", float_format="%.10g")
    return text


def evaluated(model: Path, path: Path, console: Console) -> dict[str, Any]:
    """Score a detector by the labels of a CSV file: its column ``label``, ``labels``, ``is_anomaly`` or ``anomaly``.

    Raises
    ------
    ColumnError
        If there is none of these columns.
    """
    from tidegate.anomaly import AnomalyDetector
    from tidegate.data import read_csv

    detector = AnomalyDetector.load(model)
    header = header_of(path)
    named = next((name for name in header if name.strip().lower() in _LABELS), None)
    if header and named is None:
        raise ColumnError(
            f"expected a column of labels, one of {', '.join(_LABELS)}; the columns are {', '.join(header)}"
        )
    past = () if named is None else (named,)  # without a header, reading the file explains it better
    table, labels = without_labels(read_csv(path, dataclasses.replace(detector.columns_, past=past)))
    for note in table.notes:
        console.remark(note)
    assert labels is not None
    return {
        "tidegate": __version__,
        "series": len(table),
        "rows": len(table.times),
        "anomalous_rows": int(labels.sum()),
        "threshold": detector.threshold_,
        "scores": detector.evaluate_labels(table, labels),
        "notes": list(table.notes),
    }


def without_labels(table: SeriesTable) -> tuple[SeriesTable, np.ndarray | None]:
    """Take the labels out of a table that was read with them as its only past covariate; a missing one is 0."""
    if not table.columns.past:
        return table, None
    labels = np.nan_to_num(table.past[:, 0], nan=0.0)
    columns = dataclasses.replace(table.columns, past=())
    return dataclasses.replace(table, past=np.empty((len(table.times), 0)), columns=columns), labels
