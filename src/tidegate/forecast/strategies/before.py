"""How a network that has read the context makes a horizon of outputs: all at once, or one step after the other.

Both work on scaled values only and share one interface; `tidegate.forecast.model` puts the scaling around them. What
an output is measured from (`origin`) is added here, so that a strategy sees whole forecasts.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.nn import build_stack
from tidegate.nn.decoder import roll_out
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.specs import Recurrent

__all__ = ["STRATEGIES", "Direct", "Recursive", "Strategy", "make_strategy"]

STRATEGIES = ("direct", "recursive")


class Strategy(nn.Module, abc.ABC):
    """From a scaled context to scaled forecasts."""

    @abc.abstractmethod
    def forward(self, scaled: Tensor, observed: Tensor) -> Tensor:
        """Forecast.

        Parameters
        ----------
        scaled
            [batch, context, target] ; 0 where unobserved.
        observed
            bool, of the same shape.

        Returns
        -------
        Tensor
            [batch, horizon, target], scaled.
        """

    @abc.abstractmethod
    def fitted(self, scaled: Tensor, observed: Tensor, target: Tensor, target_observed: Tensor) -> Tensor:
        """Give what the loss compares with ``target`` [batch, horizon, target]; it may read the target's past."""


class Direct(Strategy):
    """All steps at once: the network's last output, through one linear row for each step and variable.

    A step's loss therefore reaches no other step's output; the steps share only the recurrent network. With a
    ``segment`` of several steps the network reads that many at once (Lin et al., 2023): a day of hours is one step of
    the recurrence, and a context of weeks a short sequence.
    """

    def __init__(
        self, network: Recurrent, scaling: WindowScaling, *, horizon: int, targets: int, segment: int = 1
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.scaling = scaling
        self.segment = segment
        self.bidirectional = network.bidirectional
        channels = 2 if scaling.season == 1 else 3
        self.stack = build_stack(network, channels * targets * segment)
        self.head = _quiet_linear(network.output_size, horizon * targets)

    def forward(self, scaled: Tensor, observed: Tensor) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        features = self._features(scaled, observed, self.head.weight.dtype)
        batch, context, size = features.shape
        output, _ = self.stack(features.reshape(batch, context // self.segment, size * self.segment))
        steps = self.head(self._last(output)).view(scaled.shape[0], self.horizon, scaled.shape[2])
        return self.scaling.origin(scaled, observed, self.horizon) + wide(steps)

    def fitted(self, scaled: Tensor, observed: Tensor, target: Tensor, target_observed: Tensor) -> Tensor:  # noqa: ARG002
        """Give the forecast itself: nothing of the target is read."""
        return self.forward(scaled, observed)

    def _features(self, scaled: Tensor, observed: Tensor, dtype: torch.dtype) -> Tensor:
        """Put the mask and the change since the season before beside the values: [batch, time, 2 or 3 · target].

        The change says how far today lies from where the last season would have put it, which the origin leaves out.
        """
        features = _features(scaled, observed, dtype)
        lag = self.scaling.season
        if lag == 1:
            return features
        if scaled.shape[1] <= lag:
            change = torch.zeros_like(scaled)
        else:
            both = observed[:, lag:] & observed[:, :-lag]
            known = torch.where(both, scaled[:, lag:] - scaled[:, :-lag], 0.0)
            change = nn.functional.pad(known, (0, 0, lag, 0))
        return torch.cat([features, change.to(dtype)], dim=-1)

    def _last(self, output: Tensor) -> Tensor:
        """Give what each direction says once it has read everything: [batch, feature]."""
        if not self.bidirectional:
            return output[:, -1]
        ahead, back = output.chunk(2, dim=-1)
        return torch.cat([ahead[:, -1], back[:, 0]], dim=-1)


class Recursive(Strategy):
    """One step, fed back: the recurrent state is carried through the horizon.

    An output is measured from the centre of the window, from the value before it, or from the value a season before it;
    beyond the context these are the forecasts themselves. It is trained by teacher forcing (Williams & Zipser, 1989):
    over the horizon it reads the true past of each step.
    """

    def __init__(self, network: Recurrent, scaling: WindowScaling, *, horizon: int, targets: int) -> None:
        super().__init__()
        if network.bidirectional:
            raise SpecError(
                "strategy='recursive' carries a state forward in time, which a bidirectional network does not have; "
                "use strategy='direct' or bidirectional=False"
            )
        self.horizon = horizon
        self.scaling = scaling
        self.lag = {"centre": 0, "last": 1, "season": scaling.season}[scaling.spec.output]
        self.stack = build_stack(network, 2 * targets)
        self.head = _quiet_linear(network.output_size, targets)

    def forward(self, scaled: Tensor, observed: Tensor) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        dtype = self.head.weight.dtype
        output, state = self.stack(_features(scaled, observed, dtype))
        origins = [self._origin(scaled, observed)]  # a queue: [batch, known steps ahead, target]

        def step(value: Tensor, state: object) -> tuple[Tensor, object]:
            output, state = self.stack(_features(value, torch.ones_like(value, dtype=torch.bool), dtype), state)
            return self.head(output), state

        def feed(change: Tensor, k: int) -> tuple[Tensor, Tensor]:
            value = wide(change)
            if self.lag:
                queue = origins[0]
                value = value + queue[:, k : k + 1]
                origins[0] = torch.cat([queue, value], dim=1)
            return value, value

        return roll_out(step, feed, self.head(output[:, -1:]), state, steps=self.horizon)

    def fitted(self, scaled: Tensor, observed: Tensor, target: Tensor, target_observed: Tensor) -> Tensor:
        """Give each step's forecast from the true steps before it."""
        steps = self.horizon
        past = torch.cat([scaled, target[:, :-1]], dim=1)
        seen = torch.cat([observed, target_observed[:, :-1]], dim=1)
        output, _ = self.stack(_features(past, seen, self.head.weight.dtype))
        change = wide(self.head(output[:, -steps:]))
        if not self.lag:
            return change
        origin = self._origin(scaled, observed)
        truth = torch.where(target_observed, target, 0.0)
        queue = torch.cat([origin, truth], dim=1)[:, :steps]
        known = torch.cat([torch.ones_like(origin, dtype=torch.bool), target_observed], dim=1)[:, :steps]
        # Where the true value is missing, what was known before it stands in.
        return change + torch.where(known, queue, self.scaling.origin(scaled, observed, steps))

    def _origin(self, scaled: Tensor, observed: Tensor) -> Tensor:
        return self.scaling.origin(scaled, observed, max(self.lag, 1))


def make_strategy(
    name: str, network: Recurrent, scaling: WindowScaling, *, horizon: int, targets: int, segment: int
) -> Direct | Recursive:
    """Build the strategy called ``name``, one of `STRATEGIES`; ``segment`` is for ``"direct"``."""
    if name == "direct":
        return Direct(network, scaling, horizon=horizon, targets=targets, segment=segment)
    return Recursive(network, scaling, horizon=horizon, targets=targets)


def _features(scaled: Tensor, observed: Tensor, dtype: torch.dtype) -> Tensor:
    """Put the mask beside the values: [batch, time, 2 · target]."""
    return torch.cat([scaled.to(dtype), observed.to(dtype)], dim=-1)


def _quiet_linear(inputs: int, outputs: int) -> nn.Linear:
    # Training starts at the origin (the last value, the last season), a forecast that is hard to beat.
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer
