"""One file for each kind of model: what it reads and gives over the wire."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import cast

from tidegate.errors import UnsupportedError
from tidegate.estimator import inspect_model
from tidegate.serve.served import Served

__all__ = ["KINDS", "load_served"]

#: The kinds that can be served, and the module here that does it: each has ``serve(path, *, device) -> Served``.
KINDS: Mapping[str, str] = {
    kind: kind
    for kind in (
        "forecaster",
        "anomaly_detector",
        "sequence_classifier",
        "sequence_regressor",
        "tagger",
        "text_classifier",
    )
}


def load_served(path: str | os.PathLike[str], *, device: str = "cpu") -> Served:
    """Read a model file and make it ready to answer.

    Raises
    ------
    MissingFileError, ModelFileError
        If there is no usable model file.
    UnsupportedError
        If its kind cannot be served.
    """
    kind = inspect_model(path).kind
    if kind not in KINDS:
        raise UnsupportedError(f"{str(path)!r} holds a {kind!r}, which is not served; served are {', '.join(KINDS)}")
    module = importlib.import_module(f"tidegate.serve.kinds.{KINDS[kind]}")
    return cast(Served, module.serve(path, device=device))
