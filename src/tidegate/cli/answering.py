"""Which room answers for a model file, by its kind: what ``predict`` and ``evaluate`` need of it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from tidegate.cli.console import Console
from tidegate.errors import ModelFileError, SpecError

__all__ = ["FORECASTER", "Answering", "answering", "require_no_options"]

FORECASTER = "forecaster"

_ROOMS = {
    "anomaly_detector": "detect_file",
    "sequence_classifier": "classify_series_file",
    "sequence_regressor": "classify_series_file",
    "tagger": "tag_file",
    "text_classifier": "classify_text_file",
}


class Answering(Protocol):
    """What such a module offers."""

    def predicted(self, model: Path, path: Path, console: Console) -> str:
        """Give the answers of the model in ``model`` on the file at ``path``, as the text of a file."""
        ...

    def evaluated(self, model: Path, path: Path, console: Console) -> dict[str, Any]:
        """Score it on the file at ``path``, which says what is true, in types that JSON knows."""
        ...


def answering(kind: str, model: Path) -> Answering:
    """Give the module that answers for a kind of model. Raises `ModelFileError` for an unknown one."""
    if kind not in _ROOMS:
        known = ", ".join((FORECASTER, *_ROOMS))
        raise ModelFileError(f"{str(model)!r} holds a {kind!r}, which is not known here; known: {known}")
    return cast(Answering, importlib.import_module(f"tidegate.cli.{_ROOMS[kind]}"))


def require_no_options(kind: str, options: Mapping[str, Any]) -> None:
    """Refuse options of forecasters for another kind of model.

    Parameters
    ----------
    kind
        Of the model.
    options
        The flags, with what was given for each; what is neither ``None`` nor ``False`` was asked for.

    Raises
    ------
    SpecError
        If one was asked for.
    """
    asked = [flag for flag, value in options.items() if value is not None and value is not False]
    if asked:
        raise SpecError(
            f"{asked[0]} is an option for forecasters; the model is a {kind.replace('_', ' ')}: leave it out"
        )
