"""What every strategy is, and the pieces that several of them are made of."""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn

from tidegate.forecast.context import Context

__all__ = ["Highway", "Strategy", "in_segments", "last_output", "quiet_linear"]


class Strategy(nn.Module, abc.ABC):
    """From a scaled context to the raw outputs of a head: how a horizon is made.

    Strategies see scaled values only; `tidegate.forecast.network` puts scaling and head around them. What an output
    is measured from (`tidegate.nn.scaling.WindowScaling.origin`) is added here, through the head, so that a strategy
    gives whole forecasts.
    """

    @abc.abstractmethod
    def forward(self, context: Context) -> Tensor:
        """Forecast: raw outputs ``[batch, horizon, target, size]``, ``size`` numbers of the head for each value."""

    def fitted(self, context: Context, target: Tensor, target_observed: Tensor) -> Tensor:  # noqa: ARG002
        """Give what the loss compares with ``target`` ``[batch, horizon, target]``: here, the forecast itself.

        A strategy that is trained on true values of the horizon's past (teacher forcing) has its own.
        """
        return self.forward(context)


class Highway(nn.Module):
    """A linear map from the last steps to the horizon, the same for each target (Lai et al., 2018; LSTNet).

    Its weights begin at 0, so that training starts without it.

    Parameters
    ----------
    steps, horizon
        How many past steps it reads, and how many it gives.
    size
        Numbers of the head for each step.
    """

    def __init__(self, steps: int, horizon: int, size: int) -> None:
        super().__init__()
        self.steps, self.horizon, self.size = steps, horizon, size
        self.linear = nn.Linear(steps, horizon * size)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Map ``values`` ``[batch, context, target]`` to ``[batch, horizon, target, size]``."""
        batch, _, targets = values.shape
        recent = values[:, -self.steps :].transpose(1, 2).to(self.linear.weight.dtype)  # [batch, target, steps]
        made: Tensor = self.linear(recent).view(batch, targets, self.horizon, self.size)
        return made.transpose(1, 2)


def in_segments(history: Tensor, segment: int, static: Tensor | None) -> Tensor:
    """Lay ``segment`` steps side by side, and the static covariates beside each: [batch, time/segment, feature]."""
    batch, steps, features = history.shape
    segments = history.reshape(batch, steps // segment, features * segment)
    if static is None:
        return segments
    return torch.cat([segments, static.to(history.dtype).unsqueeze(1).expand(-1, segments.shape[1], -1)], dim=-1)


def last_output(output: Tensor, *, bidirectional: bool) -> Tensor:
    """Give what each direction says once it has read everything, [batch, feature], of ``output`` [batch, time, …]."""
    if not bidirectional:
        return output[:, -1]
    ahead, back = output.chunk(2, dim=-1)
    return torch.cat([ahead[:, -1], back[:, 0]], dim=-1)


def quiet_linear(inputs: int, outputs: int) -> nn.Linear:
    """Make an output layer whose first outputs are nearly 0.

    Training starts at the origin (the last value, the last season), a forecast that is hard to beat.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer
