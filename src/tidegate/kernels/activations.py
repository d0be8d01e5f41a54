"""The activations, and their derivatives as functions of the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from tidegate.kernels.options import Activation

__all__ = ["ACTIVATIONS", "DERIVATIVES"]


def _linear(x: Tensor) -> Tensor:
    return x


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (x / 6 + 0.5).clamp(0, 1)  # torch's own hardsigmoid cannot be differentiated twice


ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    Activation.TANH: torch.tanh,
    Activation.SIGMOID: torch.sigmoid,
    Activation.HARD_SIGMOID: _hard_sigmoid,
    Activation.RELU: torch.relu,
    Activation.SOFTSIGN: functional.softsign,
    Activation.LINEAR: _linear,
}

# dy/dx from y alone, so that backward needs to keep only what forward has computed anyway. At a kink it is 0.
DERIVATIVES: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    Activation.TANH: lambda y: 1 - y * y,
    Activation.SIGMOID: lambda y: y * (1 - y),
    Activation.HARD_SIGMOID: lambda y: ((y > 0) & (y < 1)).to(y.dtype) / 6,
    Activation.RELU: lambda y: (y > 0).to(y.dtype),
    Activation.SOFTSIGN: lambda y: (1 - y.abs()).square(),  # y = x/(1+|x|), so 1/(1+|x|) = 1-|y|
    Activation.LINEAR: torch.ones_like,
}
