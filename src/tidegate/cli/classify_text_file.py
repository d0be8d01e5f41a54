"""Texts from files, and what a model says of them: for ``predict`` and ``evaluate``."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate import __version__
from tidegate.cli.console import Console
from tidegate.specs.text import TextColumns

if TYPE_CHECKING:
    import numpy.typing as npt

    from tidegate.data.textfile import LabelledTexts
    from tidegate.text import TextClassifier

__all__ = ["answers_csv", "evaluated", "joined", "predicted", "text_columns"]


def predicted(model: Path, path: Path, console: Console) -> str:
    """Give what a model says of each text of a CSV file, with its probabilities, as the text of a CSV file.

    Raises
    ------
    MissingFileError, ModelFileError, FileFormatError, ColumnError, DataError
        If model or file cannot be used.
    """
    from tidegate.data.textfile import read_text_csv
    from tidegate.text import TextClassifier

    estimator = TextClassifier.load(model)
    columns = dataclasses.replace(text_columns(estimator), label=None, separator=None)
    texts = read_text_csv(path, columns)
    console.remark(f"{len(texts)} texts of column {columns.text!r}")
    return answers_csv(estimator, texts, estimator.predict_proba(texts))


def evaluated(model: Path, path: Path, console: Console) -> dict[str, Any]:
    """Score a model on the labelled texts of a CSV file, beside the classes' shares in training."""
    import numpy as np

    from tidegate.data.textfile import read_text_csv
    from tidegate.metrics.class_scores import classification_scores
    from tidegate.text import TextClassifier

    estimator = TextClassifier.load(model)
    texts = read_text_csv(path, text_columns(estimator))
    console.remark(f"{len(texts)} texts")
    own = estimator.evaluate(texts)
    fitted = estimator.fitted_
    target = fitted.classes.encode(texts.labels or [])
    shares = np.tile(fitted.frequencies, (len(texts), 1))
    names = list(map(str, fitted.classes.names))
    return {
        "tidegate": __version__,
        "kind": estimator.kind,
        "texts": len(texts),
        "scores": {"tidegate": own, "majority": classification_scores(target, shares, names)},
    }


def answers_csv(estimator: TextClassifier, texts: LabelledTexts, probabilities: npt.NDArray[Any]) -> str:
    """Write what a model says of each text: its line, itself, the truth if it is known, the answer, probabilities."""
    columns: dict[str, list[Any]] = {"line": list(texts.lines), "text": texts.texts}
    if texts.labels is not None:
        columns["true"] = [joined(label, texts.columns.separator) for label in texts.labels]
    separator = text_columns(estimator).separator
    columns["predicted"] = [joined(label, separator) for label in estimator.decide(probabilities)]
    for name, column in zip(estimator.classes_.tolist(), probabilities.T, strict=True):
        columns[f"p_{name}"] = [f"{value:.6f}" for value in column.tolist()]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def joined(label: Any, separator: str | None = None) -> str:
    """Write a label, or several with what parts them in a file."""
    return (separator or ", ").join(map(str, label)) if isinstance(label, list | tuple) else str(label)


def text_columns(estimator: TextClassifier) -> TextColumns:
    """Give the columns of the file that a model was trained on; usual names where it was none."""
    if estimator.columns_ is not None:
        return estimator.columns_
    return TextColumns(separator=";" if estimator.several_ else None)
