"""Models of any kind, from their files, and the files that they are trained and scored on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.cli.console import Console

if TYPE_CHECKING:
    from tidegate.estimator import Estimator

__all__ = ["labelled_data", "loaded_model"]

_ROOMS = {  # where each kind of estimator is registered
    "anomaly_detector": "tidegate.anomaly",
    "forecaster": "tidegate.forecast",
    "sequence_classifier": "tidegate.classify",
    "sequence_regressor": "tidegate.classify",
    "tagger": "tidegate.text",
    "text_classifier": "tidegate.text",
}


def loaded_model(path: Path) -> Estimator:
    """Read a model of any kind. Raises `MissingFileError` or `ModelFileError`."""
    from tidegate.estimator.modelfile import inspect_model
    from tidegate.estimator.registry import load

    kind = inspect_model(path).kind
    if kind in _ROOMS:
        importlib.import_module(_ROOMS[kind])
    return load(path)


def labelled_data(model: Any, path: Path, console: Console) -> Any:
    """Read a file that a model can be trained or scored on, in the form of its training.

    Parameters
    ----------
    model
        Fitted.
    path
        Of the file: a table; series or texts with their classes; tagged sentences.
    console
        For what was noticed.

    Raises
    ------
    MissingFileError, FileFormatError, DataError
        If the file cannot be used.
    """
    match model.kind:
        case "forecaster" | "anomaly_detector":
            from tidegate.data import read_csv

            table = read_csv(path, model.columns_)
            for note in table.notes:
                console.remark(note)
            return table
        case "sequence_classifier" | "sequence_regressor":
            from tidegate.cli.classify_series_file import likened

            return likened(model, path, labelled=True)
        case "text_classifier":
            from tidegate.cli.classify_text_file import text_columns
            from tidegate.data.textfile import read_text_csv

            return read_text_csv(path, text_columns(model))
        case _:
            from tidegate.data.conll import read_conll

            return read_conll(path, width=model.columns_)
