"""What goes step by step in Python, as loops of a graph: the same numbers, whatever the number of steps.

A program that is traced would hold as many copies of a step as there are steps. These modules stand in the place of the
layers whose steps are written in Python, in a copy of the model that is only traced.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.utils import _pytree as pytree

from tidegate.forecast.context import Context
from tidegate.forecast.network import ForecastNetwork
from tidegate.forecast.strategies import RecursiveStrategy, Strategy
from tidegate.forecast.strategies.smoothing import SmoothingStrategy
from tidegate.nn.scaling import wide
from tidegate.nn.series_smoothing import SeriesSmoothing
from tidegate.nn.smoothing import Smoothed, SmoothingState, estimate_state

__all__ = ["LoopedRecursion", "LoopedSmoothing", "Once", "with_loops"]


def with_loops(network: ForecastNetwork) -> None:
    """Put loops in the place of steps, and let the strategy run once for all that is asked of a batch."""
    strategy: Any = network.strategy
    if isinstance(strategy, RecursiveStrategy):
        strategy = LoopedRecursion(strategy)
    elif isinstance(strategy, SmoothingStrategy):
        strategy.smoothing = LoopedSmoothing(strategy.smoothing)  # type: ignore[assignment]
    network.strategy = Once(strategy)


class Once(Strategy):
    """A strategy whose forecast of a batch serves point forecast, quantiles and calibration alike."""

    def __init__(self, inner: Strategy) -> None:
        super().__init__()
        self.inner = inner
        self._made: Tensor | None = None

    def forget(self) -> None:
        """Make ready for another batch."""
        self._made = None

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        if self._made is None:
            self._made = self.inner(context)
        return self._made


class _Step(NamedTuple):
    """What the steps of a roll-out share."""

    strategy: RecursiveStrategy
    structure: Any  # of the network's state
    scale: Tensor
    static: Tensor | None


class LoopedRecursion(Strategy):
    """`RecursiveStrategy`'s roll-out of point forecasts as one loop."""

    def __init__(self, inner: RecursiveStrategy) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        inner, sizes = self.inner, self.inner.sizes
        output, state = inner.read(context)
        flat, structure = pytree.tree_flatten(state)
        origins = inner.scaling.origin(context.values, context.observed, max(inner.lag, 1)).contiguous()
        shared = _Step(inner, structure, context.scale, context.static)

        def step(carried: list[Tensor], known: Tensor) -> tuple[list[Tensor], Tensor]:
            made, origins, *state = carried
            return _rolled(shared, made, origins, state, known)

        begin = [inner.head(output[:, -1:]), origins, *(part.contiguous() for part in flat)]
        raw: Tensor = scan(step, begin, _ahead(context, sizes.horizon))[1]  # [horizon, batch, 1, target, size]
        return raw.squeeze(2).transpose(0, 1)


def _ahead(context: Context, horizon: int) -> Tensor:
    """Give the known covariates that the network reads after each step, ``[horizon, batch, 1, k]``; k is 0 without any.

    What it reads after the last step comes to nothing.
    """
    batch = context.values.shape[0]
    if context.known is None:
        return context.values.new_zeros(horizon, batch, 1, 1)
    ahead = context.known[:, context.steps + 1 :]
    return torch.cat([ahead, context.known[:, -1:]], dim=1).transpose(0, 1).unsqueeze(2).contiguous()


def _rolled(
    shared: _Step, made: Tensor, origins: Tensor, state: list[Tensor], known: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Take one step: the raw output of this one, and the network's for the next."""
    inner = shared.strategy
    raw = torch.unflatten(wide(made), -1, (inner.sizes.targets, inner.meaning.size))
    if inner.lag:
        raw = inner.meaning.shifted(raw, origins[:, :1])
    value = inner.meaning.centre(raw, shared.scale)
    dtype = made.dtype
    parts = [value.to(dtype), torch.ones_like(value, dtype=dtype)]
    if inner.sizes.known:
        parts.append(known.to(dtype))
    if shared.static is not None:
        parts.append(shared.static.to(dtype).unsqueeze(1))
    output, after = inner.network(torch.cat(parts, dim=-1), pytree.tree_unflatten(state, shared.structure))
    later = torch.cat([origins[:, 1:], wide(value)], dim=1)
    return [part.clone() for part in (inner.head(output), later, *pytree.tree_leaves(after))], raw.clone()


class LoopedSmoothing(nn.Module):
    """`SeriesSmoothing`, its recursion as one loop."""

    def __init__(self, inner: SeriesSmoothing) -> None:
        super().__init__()
        self.inner = inner

    def forward(
        self, values: Tensor, observed: Tensor, series: Tensor | None = None, position: Tensor | None = None
    ) -> Smoothed:
        """Smooth a batch of windows; see `SeriesSmoothing.forward`."""
        inner = self.inner
        state = estimate_state(values, observed, inner.seasons)
        if series is not None and inner.series:
            assert position is not None
            state = inner._corrected(state, series, position - values.shape[1])
        alpha, *gammas = (part.to(values.dtype) for part in inner.coefficients(values.shape[0], series).unbind(1))
        known = torch.where(observed, values, 0.0)

        def step(carried: list[Tensor], given: tuple[Tensor, Tensor]) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
            return _smoothed(carried, given, alpha, gammas)

        begin = [state.level.contiguous(), *(profile.transpose(0, 1).contiguous() for profile in state.profiles)]
        given = (known.transpose(0, 1).contiguous(), observed.transpose(0, 1).contiguous())
        (level, *profiles), (levels, seasonals) = scan(step, begin, given)
        seasonals = seasonals.transpose(0, 1)
        return Smoothed(
            levels=levels.transpose(0, 1),
            seasonals=seasonals,
            rest=torch.where(observed, known - seasonals, 0.0),
            state=SmoothingState(level=level, profiles=tuple(profile.transpose(0, 1) for profile in profiles)),
        )


def _smoothed(
    carried: list[Tensor], given: tuple[Tensor, Tensor], alpha: Tensor, gammas: list[Tensor]
) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """Take one step of `exponential_smoothing`: profiles are ``[season, batch, target]``, the next entry first."""
    level, *profiles = carried
    value, observed = given
    seasonal = torch.zeros_like(value)
    for profile in profiles:
        seasonal = seasonal + profile[0]
    rest = value - seasonal
    level = torch.where(observed, alpha * rest + (1 - alpha) * level, level)
    after = [level.clone()]
    for profile, gamma in zip(profiles, gammas, strict=True):
        entry = torch.where(observed, profile[0] + gamma * (rest - level), profile[0])
        after.append(torch.cat([profile[1:], entry.unsqueeze(0)]))
    return after, (level.clone(), seasonal.clone())
