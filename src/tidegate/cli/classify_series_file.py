"""Whole series from files, and what a model says of them: for ``predict`` and ``evaluate``."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate import __version__
from tidegate.cli.console import Console
from tidegate.cli.series_checks import require_channels, require_like
from tidegate.errors import SpecError
from tidegate.specs import Columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.data import LabelledSeries

__all__ = ["answers_csv", "evaluated", "is_ts", "likened", "loaded", "predicted", "read_series"]


def predicted(model: Path, path: Path, console: Console) -> str:  # noqa: ARG001 - nothing to remark
    """Give the class of each series in a file with its probabilities, or its number, as the text of a CSV file.

    Raises
    ------
    MissingFileError, ModelFileError, FileFormatError, DataError
        If model or file cannot be used.
    """
    estimator = loaded(model)
    return answers_csv(estimator, likened(estimator, path, labelled=False))


def evaluated(model: Path, path: Path, console: Console) -> dict[str, Any]:  # noqa: ARG001
    """Score a model on the series of a file, which says what they are. Raises as `predicted`."""
    from tidegate.classify import SequenceClassifier

    estimator = loaded(model)
    data = likened(estimator, path, labelled=True)
    classes = estimator.classes_.tolist() if isinstance(estimator, SequenceClassifier) else None
    require_like(data, path, channels=len(data.channels), classes=classes)
    return {
        "tidegate": __version__,
        "kind": estimator.kind,
        "series": len(data),
        "scores": {"tidegate": estimator.evaluate(data)},
    }


def loaded(path: Path) -> SequenceClassifier | SequenceRegressor:
    """Read a model of either kind."""
    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.estimator import inspect_model

    regresses = inspect_model(path).kind == SequenceRegressor.kind
    return SequenceRegressor.load(path) if regresses else SequenceClassifier.load(path)


def is_ts(path: Path) -> bool:
    """Say whether a file is a ``.ts`` file, by its name."""
    return path.name.lower().removesuffix(".gz").endswith(".ts")


def read_series(path: Path, label: str | None, columns: Columns | None = None, *, sort: bool = False) -> LabelledSeries:
    """Read a ``.ts`` file or a long CSV file."""
    from tidegate.data import labelled_csv, read_ts

    return read_ts(path) if is_ts(path) else labelled_csv(path, label, columns, sort=sort)


def answers_csv(
    estimator: SequenceClassifier | SequenceRegressor, data: LabelledSeries, truth: npt.NDArray[Any] | None = None
) -> str:
    """Write what a model says of each series: its name, the truth if it is given, the answer, and probabilities."""
    from tidegate.classify import SequenceClassifier

    columns: dict[str, list[Any]] = {"series": data.ids.tolist()}
    if truth is not None:
        columns["true"] = truth.tolist()
    if isinstance(estimator, SequenceClassifier):
        probabilities = estimator.predict_proba(data.sequences)
        columns["predicted"] = estimator.classes_[probabilities.argmax(axis=1)].tolist()
        for name, column in zip(estimator.classes_.tolist(), probabilities.T, strict=True):
            columns[f"p_{name}"] = [f"{value:.6f}" for value in column.tolist()]
    else:
        columns["predicted"] = [f"{value:.10g}" for value in estimator.predict(data.sequences).tolist()]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def likened(estimator: SequenceClassifier | SequenceRegressor, path: Path, *, labelled: bool) -> LabelledSeries:
    """Read a file as the one that was trained on."""
    columns = estimator.columns_
    if is_ts(path):
        data = read_series(path, None)
        require_channels(data, path, estimator.fitted_.design.channels)
        return data
    if columns is None:
        raise SpecError(
            f"this model was trained on series of a .ts file or of arrays, and knows no columns; {str(path)!r} is a "
            "table: give a .ts file"
        )
    label = columns.static[0] if columns.static else None
    plain = dataclasses.replace(columns, static=(), frequency=None)
    return read_series(path, label if labelled else None, plain)
