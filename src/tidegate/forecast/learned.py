"""A fitted forecaster to the content of a model file and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tidegate.estimator.restoring import layers_of, restored_module
from tidegate.forecast.baselines import FloatArray
from tidegate.forecast.ensemble import ForecastEnsemble
from tidegate.forecast.network import Design
from tidegate.nn.calibration import Calibration

__all__ = ["arrays_of", "restored_ensemble"]


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
    layers = max(layers_of(design.network) for design in designs)
    return restored_module(lambda: _built(designs, calibrated), arrays, layers=layers, device=device)


def _built(designs: Sequence[Design], calibrated: int) -> ForecastEnsemble:
    first = designs[0]
    calibration = Calibration.empty(first.horizon, first.targets, calibrated) if calibrated else None
    return ForecastEnsemble(designs, calibration)
