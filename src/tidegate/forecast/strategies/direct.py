"""All steps of a horizon at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.base import (
    CarriedStrategy,
    Highway,
    in_segments,
    last_output,
    quiet_linear,
    refuse_counts,
)
from tidegate.nn import build_network
from tidegate.nn.heads import Head
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.specs import Direct
from tidegate.specs.parts import Network

__all__ = ["DirectStrategy", "StepwiseHead"]

_FAR = 4  # seasons in a horizon, from which on a network's share fades towards its end
_STATE = 16  # numbers that the last output hands to each step, where steps have covariates of their own


class DirectStrategy(CarriedStrategy):
    """All steps at once: the network's last output, through one linear row for each step and variable.

    A step's loss therefore reaches no other step's output; the steps share only the recurrent network. With a
    segment of several steps the network reads that many at once (Lin et al., 2023): a day of hours is one step of
    the recurrence, and a context of weeks a short sequence. Where covariates are known ahead, each step has a small
    network of its own covariates instead of the linear row (`StepwiseHead`).

    Parameters
    ----------
    spec, network
        The descriptions.
    scaling, head
        What an output is measured from, and what it means.
    sizes
        Of the windows.
    """

    shares: Tensor

    def __init__(self, spec: Direct, network: Network, scaling: WindowScaling, head: Head, sizes: Sizes) -> None:
        super().__init__()
        self.scaling, self.meaning, self.sizes = scaling, head, sizes
        self.network = build_network(network, sizes.history * sizes.segment + sizes.static)
        outputs = sizes.targets * head.size
        self.head: nn.Module
        if sizes.known:
            self.head = StepwiseHead(
                self.network.output_size, sizes.horizon, sizes.known + sizes.static, sizes.targets, head
            )
        else:
            self.head = quiet_linear(self.network.output_size, sizes.horizon * outputs, head)
        self.dropout = nn.Dropout(spec.dropout)
        fade = _fade(sizes.horizon, scaling.season, head) if spec.fade is None else spec.fade
        shares = torch.exp(-torch.arange(sizes.horizon) / fade) if fade else torch.ones(sizes.horizon)
        self.register_buffer("shares", shares.view(1, -1, 1, 1), persistent=False)
        self.faded = fade > 0
        self.carries = self.network.streams and sizes.segment == 1
        usual = 0 if head.counts and spec.experts == 1 else sizes.context  # counts are measured from 0
        steps = usual if spec.highway is None else spec.highway
        self.highway = None
        if steps:
            refuse_counts(head)
            self.highway = Highway(steps, sizes.horizon, experts=spec.experts, state=self.network.output_size)

    def read(self, context: Context, state: Any = None) -> tuple[Tensor, Any]:
        """Read; see `CarriedStrategy.read`."""
        history = context.history(next(self.parameters()).dtype, lags=self.sizes.lags)
        if state is not None:
            history = history[:, -1:]
        output, state = self.network(in_segments(history, self.sizes.segment, context.static), state)
        return output, state

    def made(self, output: Tensor, state: Any, context: Context) -> Tensor:  # noqa: ARG002 - the output says it all
        """Forecast; see `CarriedStrategy.made`."""
        sizes = self.sizes
        last = last_output(output, bidirectional=self.network.bidirectional)
        read = self.dropout(last)
        made = self.head(read, context) if isinstance(self.head, StepwiseHead) else self.head(read)
        made = made.view(last.shape[0], sizes.horizon, sizes.targets, self.meaning.size)
        if self.faded:
            made = made * self.shares
        origin = self.scaling.origin(context.values, context.observed, sizes.horizon)
        if self.highway is not None:
            origin = origin + wide(self.highway(context.values, last))
        return self.meaning.shifted(wide(made), origin)


def _fade(horizon: int, season: int, head: Head) -> float:
    """Settle after how many steps the network's share has fallen to 1/e; 0 for no fading.

    Only points fade by themselves: quantiles would close in on each other.
    """
    return 2.0 * season if season > 1 and horizon >= _FAR * season and head.size == 1 else 0.0


class StepwiseHead(nn.Module):
    """A small network for each step: what was read, and the covariates of that step (Wen et al., 2017).

    Parameters
    ----------
    inputs
        Features of what was read.
    horizon
        Steps.
    covariates
        Known covariates of a step, and the static ones.
    targets
        Values of each step.
    head
        What the numbers mean, and how many stand for a value.
    """

    def __init__(self, inputs: int, horizon: int, covariates: int, targets: int, head: Head) -> None:
        super().__init__()
        self.horizon = horizon
        self.spread = nn.Linear(inputs, horizon * _STATE)
        self.hidden = nn.Linear(_STATE + covariates, 2 * _STATE)
        self.output = quiet_linear(_STATE + 2 * _STATE, targets * head.size, head)

    def forward(self, last: Tensor, context: Context) -> Tensor:
        """Give ``[batch, horizon, target · size]`` of what was read ``[batch, feature]``."""
        state = self.spread(last).view(last.shape[0], self.horizon, _STATE)
        parts = [state, context.future(last.dtype)]
        if context.static is not None:
            parts.append(context.static.to(last.dtype).unsqueeze(1).expand(-1, self.horizon, -1))
        hidden = torch.relu(self.hidden(torch.cat([part for part in parts if part is not None], dim=-1)))
        made: Tensor = self.output(torch.cat([state, hidden], dim=-1))
        return made
