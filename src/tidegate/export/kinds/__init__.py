"""What of each kind of estimator goes into a graph; a file a kind.

An entry is a module with a function ``exportable`` from a fitted estimator to an `Exportable`. It takes ``levels``,
intervals in per cent, and refuses them where the model has none. Where a graph's inputs are made of what no graph
reads, such as words, a function ``inputs_of`` makes them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator
from tidegate.export.exportable import Arrays, Exportable

__all__ = ["KINDS", "exportable", "inputs_of"]

#: The module of each kind.
KINDS = {
    "anomaly_detector": "tidegate.export.kinds.anomaly_detector",
    "forecaster": "tidegate.export.kinds.forecaster",
    "sequence_classifier": "tidegate.export.kinds.series",
    "sequence_regressor": "tidegate.export.kinds.series",
    "tagger": "tidegate.export.kinds.tagger",
    "text_classifier": "tidegate.export.kinds.text_classifier",
}


def exportable(model: Estimator, levels: Sequence[float] | None = None) -> Exportable:
    """Make a fitted estimator ready for export.

    Raises
    ------
    UnsupportedError
        If there is no export of its kind, or not of its options.
    SpecError
        If ``levels`` cannot be.
    """
    if model.kind not in KINDS:
        raise UnsupportedError(
            f"a model of kind {model.kind!r} cannot be exported yet; so far only {', '.join(map(repr, KINDS))}"
        )
    make: Callable[..., Exportable] = importlib.import_module(KINDS[model.kind]).exportable
    return make(model, levels)


def inputs_of(model: Estimator, data: Any) -> Arrays:
    """Make the inputs of a model's graph.

    Parameters
    ----------
    model
        A fitted `Tagger` or `TextClassifier`.
    data
        What its ``predict`` takes.

    Returns
    -------
    dict
        An array for each input, by its name.

    Raises
    ------
    NotFittedError
        If the model has not been fitted.
    DataError
        If the data cannot be used.
    UnsupportedError
        If a model of this kind has a graph that takes the data as they are.
    """
    model._require_fitted("inputs_of")
    make: Callable[..., Arrays] | None = None
    if model.kind in KINDS:
        make = getattr(importlib.import_module(KINDS[model.kind]), "inputs_of", None)
    if make is None:
        raise UnsupportedError(
            f"the graph of a model of kind {model.kind!r} takes values as they are, in arrays; docs/export.md says how"
        )
    return make(model, data)
