"""A fitted detector to the content of a model file and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from tidegate.anomaly.judge import Judge
from tidegate.anomaly.network import Design, Detection
from tidegate.estimator.restoring import layers_of, restored_module
from tidegate.specs.detection import Likelihood
from tidegate.specs.thresholds import Threshold

__all__ = ["arrays_of", "restored_judge", "restored_network"]


def arrays_of(network: Detection, **judges: Judge) -> dict[str, np.ndarray[Any, Any]]:
    """Give the weights, and what the judges have learnt, under names that tell them apart."""
    arrays = {f"network.{name}": tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    for kind, judge in judges.items():
        arrays |= {f"{kind}.{name}": array for name, array in judge.state().items()}
    return arrays


def restored_network(design: Design, arrays: Mapping[str, Any], device: torch.device) -> Detection:
    """Build the module that ``design`` describes around the arrays of a file; raises as `restored_module`."""
    layers = design.members * layers_of(design.network)
    return restored_module(lambda: Detection(design), _under("network.", arrays), layers=layers, device=device)


def restored_judge(
    kind: str, likelihood: Likelihood | None, threshold: Threshold, targets: int, arrays: Mapping[str, Any]
) -> Judge:
    """Build a judge again. Raises `LookupError` or `ValueError` where the arrays do not fit."""
    judge = Judge(likelihood, threshold, targets)
    judge.load(_under(f"{kind}.", arrays))
    return judge


def _under(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
