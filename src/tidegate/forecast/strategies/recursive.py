"""One step of a horizon after the other, each fed back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.base import CarriedStrategy, quiet_linear, repeated_state
from tidegate.nn import build_network
from tidegate.nn.decoder import roll_out
from tidegate.nn.heads import Head
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.specs import Recursive
from tidegate.specs.parts import Network

__all__ = ["RecursiveStrategy"]


class RecursiveStrategy(CarriedStrategy):
    """One step, fed back: the recurrent state is carried through the horizon.

    An output is measured from the centre of the window, from the value before it, or from the value a season before it;
    beyond the context these are the forecasts themselves. It is trained by teacher forcing (Williams & Zipser, 1989):
    over the horizon it reads the true past of each step. Known covariates run one step ahead of the values, so that
    a step is forecast with its own.

    Parameters
    ----------
    spec, network
        The descriptions.
    scaling, head
        What an output is measured from, and what it means.
    sizes
        Of the windows.

    Raises
    ------
    SpecError
        If the network cannot go on from a state, there are past covariates, whose future nobody knows, or outputs
        are to be measured from a trend or a levelled season.
    """

    def __init__(self, spec: Recursive, network: Network, scaling: WindowScaling, head: Head, sizes: Sizes) -> None:
        super().__init__()
        if sizes.past:
            raise SpecError(
                "strategy='recursive' feeds its own output back, and would need the future of past covariates too; "
                "use strategy='direct', or name them as known if their future is known"
            )
        self.spec, self.scaling, self.meaning, self.sizes = spec, scaling, head, sizes
        lags = {"centre": 0, "last": 1, "season": scaling.season}
        if scaling.spec.output not in lags:
            raise SpecError(
                f"strategy='recursive' measures each output from a value before it: Scaling(output=…) must be one of "
                f"{', '.join(map(repr, lags))}; got {scaling.spec.output!r}"
            )
        self.lag = lags[scaling.spec.output]
        self.network = build_network(network, sizes.plain + sizes.static)
        if self.network.bidirectional:
            raise SpecError(
                "strategy='recursive' carries a state forward in time, which a bidirectional network does not have; "
                "use strategy='direct' or bidirectional=False"
            )
        if not self.network.streams:
            raise SpecError(
                "strategy='recursive' needs a network of recurrent layers alone, whose state can be carried on; "
                "use strategy='direct' with convolution or self-attention"
            )
        self.carries = True
        self.head = quiet_linear(self.network.output_size, sizes.targets * head.size, head)

    def read(self, context: Context, state: Any = None) -> tuple[Tensor, Any]:
        """Read; see `CarriedStrategy.read`."""
        inputs = self._inputs(context, context.values, context.observed, context.known)
        output, state = self.network(inputs if state is None else inputs[:, -1:], state)
        return output, state

    def made(self, output: Tensor, state: Any, context: Context) -> Tensor:
        """Forecast, feeding back the point forecast of each step; see `CarriedStrategy.made`."""
        return self._roll_out(output, state, context, lambda raw: self.meaning.centre(raw, context.scale))

    def sampled(self, context: Context, generator: torch.Generator, *, paths: int = 1) -> Tensor:
        """Draw paths, feeding back what was drawn: ``[batch · path, horizon, target]``, those of a row together."""
        output, state = self.read(context)  # once for all paths
        context, last = context.repeated(paths), output[:, -1:].repeat_interleave(paths, dim=0)
        drawn: list[Tensor] = []

        def draw(raw: Tensor) -> Tensor:
            drawn.append(self.meaning.sample(raw, context.scale, generator))
            return drawn[-1]

        self._roll_out(last, repeated_state(state, paths), context, draw)
        return torch.cat(drawn, dim=1)

    def _roll_out(self, output: Tensor, state: Any, context: Context, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Run through the horizon; ``choose`` gives the value [batch, 1, target] that a raw output stands for."""
        dtype = self.head.weight.dtype
        origins = [self._origin(context)]  # a queue: [batch, known steps ahead, target]
        ahead = [context.steps]  # the step that is forecast next

        def step(value: Tensor, state: Any) -> tuple[Tensor, Any]:
            known = None if context.known is None else context.known[:, ahead[0] : ahead[0] + 1]
            everything = torch.ones_like(value, dtype=torch.bool)
            output, state = self.network(self._step_inputs(context, value, everything, known, dtype), state)
            return self.head(output), state

        def feed(made: Tensor, k: int) -> tuple[Tensor, Tensor]:
            raw = torch.unflatten(wide(made), -1, (self.sizes.targets, self.meaning.size))
            if self.lag:
                raw = self.meaning.shifted(raw, origins[0][:, k : k + 1])
            value = choose(raw)
            if context.given is not None:
                given = context.given[:, k : k + 1]
                value = torch.where(given.isnan(), value, given)
            if self.lag:
                origins[0] = torch.cat([origins[0], value], dim=1)
            ahead[0] = context.steps + k + 1
            return raw, value

        return roll_out(step, feed, self.head(output[:, -1:]), state, steps=self.sizes.horizon)

    def fitted(self, context: Context, target: Tensor, target_observed: Tensor) -> Tensor:
        """Give each step's forecast from the true steps before it."""
        steps = self.sizes.horizon
        past = torch.cat([context.values, target[:, :-1]], dim=1)
        seen = torch.cat([context.observed, target_observed[:, :-1]], dim=1)
        output, _ = self.network(self._inputs(context, past, seen, context.known))
        made = torch.unflatten(wide(self.head(output[:, -steps:])), -1, (self.sizes.targets, self.meaning.size))
        if not self.lag:
            return made
        origin = self._origin(context)
        truth = torch.where(target_observed, target, 0.0)
        queue = torch.cat([origin, truth], dim=1)[:, :steps]
        known = torch.cat([torch.ones_like(origin, dtype=torch.bool), target_observed], dim=1)[:, :steps]
        # Where the true value is missing, what was known before it stands in.
        before = torch.where(known, queue, self.scaling.origin(context.values, context.observed, steps))
        return self.meaning.shifted(made, before)

    def _inputs(self, context: Context, values: Tensor, observed: Tensor, known: Tensor | None) -> Tensor:
        ahead = None if known is None else known[:, 1 : 1 + values.shape[1]]
        return self._step_inputs(context, values, observed, ahead, self.head.weight.dtype)

    @staticmethod
    def _step_inputs(
        context: Context, values: Tensor, observed: Tensor, known: Tensor | None, dtype: torch.dtype
    ) -> Tensor:
        parts = [values.to(dtype), observed.to(dtype)]
        if known is not None:
            parts.append(known.to(dtype))
        if context.static is not None:
            parts.append(context.static.to(dtype).unsqueeze(1).expand(-1, values.shape[1], -1))
        return torch.cat(parts, dim=-1)

    def _origin(self, context: Context) -> Tensor:
        return self.scaling.origin(context.values, context.observed, max(self.lag, 1))
