"""Exponential smoothing, and a recurrent network for what it leaves over."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.base import Highway, Strategy, in_segments, last_output, quiet_linear
from tidegate.forecast.strategies.direct import StepwiseHead
from tidegate.nn.heads import Head
from tidegate.nn.network import build_network
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.nn.series_smoothing import SeriesSmoothing
from tidegate.nn.smoothing import Smoothed
from tidegate.specs.parts import Network
from tidegate.specs.smoothing import Smoothing

__all__ = ["SmoothingStrategy"]


class SmoothingStrategy(Strategy):
    """ES-RNN (Smyl, 2020): smoothing takes level and seasons out of the window, the network forecasts the rest.

    The network reads the deseasonalised values relative to the last level. Its outputs are measured from the forecast
    of smoothing, the last level plus the seasons, which takes the place of `WindowScaling.origin`: the scaling's
    ``output`` plays no part. One loss trains both, so that a coefficient is good when the forecast is.

    Parameters
    ----------
    spec, network
        The descriptions.
    scaling, head
        The head says what an output means; of the scaling nothing is needed.
    sizes
        Of the windows.

    Raises
    ------
    SpecError
        If a season does not fit into the context, or the head is for counts, which are not measured from a level.
    """

    def __init__(
        self,
        spec: Smoothing,
        network: Network,
        scaling: WindowScaling,  # noqa: ARG002 - all strategies are made alike
        head: Head,
        sizes: Sizes,
    ) -> None:
        super().__init__()
        self.meaning, self.sizes = head, sizes
        seasons = spec.seasons if spec.seasons is not None else tuple(sorted(sizes.lags))
        _check(seasons, head, sizes)
        self.smoothing = SeriesSmoothing(
            seasons,
            targets=sizes.targets,
            series=sizes.series if spec.per_series else 0,
            alpha=spec.alpha,
            gamma=spec.gamma,
        )
        self.network = build_network(network, sizes.plain * sizes.segment + sizes.static)
        outputs = sizes.targets * head.size
        self.head: nn.Module
        if sizes.known:
            self.head = StepwiseHead(
                self.network.output_size, sizes.horizon, sizes.known + sizes.static, sizes.targets, head
            )
        else:
            self.head = quiet_linear(self.network.output_size, sizes.horizon * outputs, head)
        self.dropout = nn.Dropout(spec.dropout)
        self.highway = None
        if spec.highway:
            self.highway = Highway(spec.highway, sizes.horizon, experts=spec.experts, state=self.network.output_size)

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        sizes = self.sizes
        smoothed = self.smoothing(context.values, context.observed, context.series, context.position)
        rest = self._rest(smoothed, context.observed)
        dtype = next(self.network.parameters()).dtype
        output, _ = self.network(in_segments(self._history(rest, context, dtype), sizes.segment, context.static))
        last = last_output(output, bidirectional=self.network.bidirectional)
        read = self.dropout(last)
        made = self.head(read, context) if isinstance(self.head, StepwiseHead) else self.head(read)
        made = made.view(last.shape[0], sizes.horizon, sizes.targets, self.meaning.size)
        origin = smoothed.state.forecast(sizes.horizon)
        if self.highway is not None:
            origin = origin + wide(self.highway(rest, last))
        return self.meaning.shifted(wide(made), origin)

    @staticmethod
    def _rest(smoothed: Smoothed, observed: Tensor) -> Tensor:
        """Give what is left of each value beside its season, relative to the last level; 0 where unobserved."""
        return torch.where(observed, smoothed.rest - smoothed.state.level.unsqueeze(1), 0.0)

    @staticmethod
    def _history(rest: Tensor, context: Context, dtype: torch.dtype) -> Tensor:
        """Put what is known of each step side by side, as `Context.history` does: [batch, context, feature]."""
        parts = [rest, context.observed, context.past]
        if context.known is not None:
            parts.append(context.known[:, : context.steps])
        return torch.cat([part.to(dtype) for part in parts if part is not None], dim=-1)


def _check(seasons: tuple[int, ...], head: Head, sizes: Sizes) -> None:
    if seasons and seasons[-1] > sizes.context:
        raise SpecError(
            f"a season of {seasons[-1]} steps must fit into the context ({sizes.context}) to be smoothed; "
            "lengthen the context, or leave that season out"
        )
    if head.counts:
        raise SpecError(
            "strategy='smoothing' measures its outputs from a level and seasons, a head for counts from 0; "
            "take another head or another strategy"
        )
