"""A fitted forecaster to the content of a model file and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tidegate._core.seeds import seeded
from tidegate.forecast.baselines import FloatArray
from tidegate.forecast.ensemble import ForecastEnsemble, check_shapes
from tidegate.forecast.network import Design
from tidegate.nn.calibration import Calibration
from tidegate.specs import Recurrent
from tidegate.specs.parts import Part, flat_parts, network_parts
from tidegate.training import History

__all__ = ["arrays_of", "restored_ensemble", "restored_history"]


def arrays_of(ensemble: ForecastEnsemble) -> dict[str, FloatArray]:
    """Give weights, statistics of covariates and calibration, by the names of the ``state_dict``."""
    return {name: tensor.cpu().numpy() for name, tensor in ensemble.state_dict().items()}


def restored_ensemble(
    designs: Sequence[Design], calibrated: int, arrays: Mapping[str, Any], device: torch.device
) -> ForecastEnsemble:
    """Build the networks that ``designs`` describe around the arrays of a file.

    Raises
    ------
    ValueError
        If more layers are described than the file has tensors: nothing of that size is built.
    ShapeError
        If a tensor is absent or of another shape; that is seen before memory is taken.
    """
    for design in designs:
        layers = sum(map(_layers, flat_parts(network_parts(design.network))))
        if layers > len(arrays):  # each has several
            raise ValueError(f"{layers} layers are described, the file has {len(arrays)} tensors")
    with torch.device("meta"):
        check_shapes(_built(designs, calibrated), arrays)
    with seeded(0):  # the first weights, which are drawn, are replaced at once
        ensemble = _built(designs, calibrated)
    ensemble.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return ensemble.to(device).eval()


def restored_history(described: Mapping[str, Any]) -> History:
    """Build the curve of the training again; what JSON could not say was NaN."""
    history = History()
    logs = described["logs"]
    finite = {name: [math.nan if value is None else value for value in column] for name, column in logs.items()}
    history.load_dict({**described, "logs": finite})
    return history


def _layers(part: Part) -> int:
    return getattr(part, "num_layers", 1) if isinstance(part, Recurrent) else getattr(part, "layers", 1)


def _built(designs: Sequence[Design], calibrated: int) -> ForecastEnsemble:
    first = designs[0]
    calibration = Calibration.empty(first.horizon, first.targets, calibrated) if calibrated else None
    return ForecastEnsemble(designs, calibration)
