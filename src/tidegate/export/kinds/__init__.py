"""What of each kind of estimator goes into a graph; a file a kind.

An entry is a function from a fitted estimator to an `Exportable`. It takes ``levels``, intervals in per cent, and
refuses them where the model has none.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator
from tidegate.export.exportable import Exportable

__all__ = ["KINDS", "exportable"]

#: The module of each kind, which has a function ``exportable``.
KINDS = {
    "forecaster": "tidegate.export.kinds.forecaster",
    "sequence_classifier": "tidegate.export.kinds.series",
    "sequence_regressor": "tidegate.export.kinds.series",
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
