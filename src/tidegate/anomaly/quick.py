"""One window at a time: what `Detection.newest` gives, with few calls of torch, which would cost more than the layers.

The scalings that a stream meets as a rule are done here in numpy; the others go the way of the module, which is also
what the tests hold this against.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tidegate.anomaly.covering import FloatArray
from tidegate.anomaly.network import CALMEST, FURTHEST, Design, Detection
from tidegate.specs import Scaling
from tidegate.specs.detection import Autoencoder

__all__ = ["Ask", "one_window"]

BoolArray = npt.NDArray[np.bool_]
Ask = Callable[[FloatArray], FloatArray]
"""From a window ``[time, target]`` in units of the series, NaN where missing, to ``[step, target]`` in the same."""

_ROUNDING, _CONSTANT = 1e-12, 1e-2  # as in `WindowScaling`


def one_window(network: Detection) -> Ask:
    """Give the quickest way to what a network makes of one window."""
    if _plain(network.design) and next(network.parameters()).device.type == "cpu":
        return _in_numpy(network)
    device = next(network.parameters()).device

    def ask(window: FloatArray) -> FloatArray:
        observed = ~np.isnan(window)
        values = torch.from_numpy(np.where(observed, window, 0.0)[np.newaxis]).to(device)
        with torch.inference_mode():
            made = network.newest(values, torch.from_numpy(observed[np.newaxis]).to(device))
        answer: FloatArray = made[0].cpu().numpy()
        return answer

    return ask


def _plain(design: Design) -> bool:
    scaling = design.scaling
    if scaling.centre != "window" or scaling.method not in ("none", "centred", "standard"):
        return False
    return isinstance(design.method, Autoencoder) or scaling.output in ("centre", "last")


def _in_numpy(network: Detection) -> Ask:
    design, targets = network.design, network.design.targets
    from_last = design.scaling.output == "last" and not isinstance(design.method, Autoencoder)
    features = np.empty((1, design.context, 2 * targets), np.float32)
    given = torch.from_numpy(features)  # the same memory

    def ask(window: FloatArray) -> FloatArray:
        missing = np.isnan(window)
        loc, scale = _measured(window, missing, design.scaling)
        scaled = (window - loc) / scale
        scaled[missing] = 0.0
        np.clip(scaled, -FURTHEST, FURTHEST, out=features[0, :, :targets], casting="same_kind")
        np.logical_not(missing, out=features[0, :, targets:], casting="unsafe")
        made = _mean([member.newest(given) for member in network.networks])
        return (made + (_last(scaled, missing) if from_last else 0.0)) * scale + loc

    def without_gradients(window: FloatArray) -> FloatArray:
        with torch.inference_mode():
            return ask(window)

    return without_gradients


def _mean(parts: list[Tensor]) -> FloatArray:
    made = parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)
    answer: FloatArray = made[0].numpy().astype(np.float64)
    return answer


def _measured(
    window: FloatArray, missing: BoolArray, scaling: Scaling
) -> tuple[FloatArray | float, FloatArray | float]:
    if scaling.method == "none":
        return 0.0, 1.0
    count = np.maximum(len(window) - missing.sum(0), 1)
    known = np.where(missing, 0.0, window)
    mean = known.sum(0) / count
    if scaling.method == "centred":
        return mean, 1.0
    spread = np.sqrt((np.where(missing, 0.0, window - mean) ** 2).sum(0) / count)
    level = np.abs(known).sum(0) / count
    scale = np.where(spread > level * _ROUNDING, spread, np.where(level > 0, level * _CONSTANT, 1.0))
    return mean, np.maximum(scale, CALMEST)


def _last(scaled: FloatArray, missing: BoolArray) -> FloatArray:
    """Give the last observed value of each variable, ``[target]``; 0 where there is none."""
    back = np.argmin(missing[::-1], axis=0)  # of a variable without any, the last step, where there is 0
    last: FloatArray = scaled[len(scaled) - 1 - back, np.arange(scaled.shape[1])]
    return last
