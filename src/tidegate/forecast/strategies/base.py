"""What every strategy is, and the pieces that several of them are made of."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.forecast.context import Context
from tidegate.nn.heads import Head

__all__ = [
    "CarriedStrategy",
    "Highway",
    "Strategy",
    "in_segments",
    "last_output",
    "quiet_linear",
    "refuse_counts",
    "repeated_state",
]


class Strategy(nn.Module, abc.ABC):
    """From a scaled context to the raw outputs of a head: how a horizon is made.

    Strategies see scaled values only; `tidegate.forecast.network` puts scaling and head around them. What an output
    is measured from (`tidegate.nn.scaling.WindowScaling.origin`) is added here, through the head, so that a strategy
    gives whole forecasts.
    """

    #: Whether what was read can be carried on step by step: `CarriedStrategy` has the means.
    carries: bool = False

    @abc.abstractmethod
    def forward(self, context: Context) -> Tensor:
        """Forecast: raw outputs ``[batch, horizon, target, size]``, ``size`` numbers of the head for each value."""

    def fitted(self, context: Context, target: Tensor, target_observed: Tensor) -> Tensor:  # noqa: ARG002
        """Give what the loss compares with ``target`` ``[batch, horizon, target]``: here, the forecast itself.

        A strategy that is trained on true values of the horizon's past (teacher forcing) has its own.
        """
        return self.forward(context)


class CarriedStrategy(Strategy):
    """A strategy that reads first and forecasts then, so that a state can be carried on between the two."""

    @abc.abstractmethod
    def read(self, context: Context, state: Any = None) -> tuple[Tensor, Any]:
        """Read a context.

        Parameters
        ----------
        context
            All of it is read; with a ``state`` its last step alone.
        state
            What an earlier call gave.

        Returns
        -------
        output, state
            The network's output ``[batch, time, feature]``, and its state, to be handed back.
        """

    @abc.abstractmethod
    def made(self, output: Tensor, state: Any, context: Context) -> Tensor:
        """Forecast from what `read` gave; as `forward`."""

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        return self.made(*self.read(context), context)


class Highway(nn.Module):
    """Linear maps from the last steps to the horizon, the same for each target (Lai et al., 2018; LSTNet).

    With several maps a gate mixes them by what the network has read (Jacobs et al., 1991): series of different kinds
    go by different maps. The maps begin at 0, so that training starts without them.

    Parameters
    ----------
    steps, horizon
        How many past steps it reads, and how many it gives.
    experts
        Linear maps.
    state
        Features of what the network has read; only a gate needs them.
    """

    def __init__(self, steps: int, horizon: int, *, experts: int = 1, state: int = 0) -> None:
        super().__init__()
        self.steps, self.horizon, self.experts = steps, horizon, experts
        self.linear = nn.Linear(steps, horizon * experts, bias=False)
        self.gate = nn.Linear(state, experts) if experts > 1 else None
        nn.init.zeros_(self.linear.weight)  # the gate, drawn at random, tells the maps apart from the first step on

    def forward(self, values: Tensor, state: Tensor | None = None) -> Tensor:
        """Map ``values`` ``[batch, context, target]``, 0 where unobserved, to ``[batch, horizon, target]``."""
        recent = values[:, -self.steps :].transpose(1, 2).to(self.linear.weight.dtype)  # [batch, target, steps]
        made: Tensor = self.linear(recent)
        if self.gate is not None:
            shares = self.gate(state).softmax(-1)  # [batch, expert]
            made = torch.einsum("btke,be->btk", torch.unflatten(made, -1, (self.horizon, self.experts)), shares)
        return made.transpose(1, 2)


def refuse_counts(head: Head) -> None:
    """Refuse a highway beside a head that would not see it. Raises `SpecError`."""
    if head.counts:
        raise SpecError(
            "a highway moves what outputs are measured from, and a head for counts measures them from 0; "
            "leave highway at 0, and experts at 1, or take another head"
        )


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


def repeated_state(state: Any, count: int) -> Any:
    """Repeat each row of a network's state ``[layer, batch, …]``: [layer, batch · count, …]; whatever its nesting."""
    if isinstance(state, Tensor):
        return state.repeat_interleave(count, dim=1)
    return tuple(repeated_state(part, count) for part in state)


def quiet_linear(inputs: int, outputs: int, head: Head) -> nn.Linear:
    """Make an output layer that first gives nearly what ``head`` starts from, for each of the values.

    Training starts at the origin (the last value, the last season), a forecast that is hard to beat.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    with torch.no_grad():
        layer.bias.copy_(layer.bias.new_tensor(head.start).repeat(outputs // head.size))
    return layer
