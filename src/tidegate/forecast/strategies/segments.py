"""Segments in, segments out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.base import (
    Highway,
    Strategy,
    in_segments,
    quiet_linear,
    refuse_counts,
    repeated_state,
)
from tidegate.nn import build_stack
from tidegate.nn.heads import Head
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.specs import Recurrent, Segments
from tidegate.specs.parts import Network

__all__ = ["SegmentsStrategy"]


class SegmentsStrategy(Strategy):
    """SegRNN (Lin et al., 2023): whole segments are read, and whole segments are made, all in parallel.

    Each segment of the context goes through a linear layer into the recurrent network. Each segment of the horizon is
    one step of the same network from its final state, whose input is a learned mark of the segment's position, with
    the covariates known for it; a linear layer turns the result into the segment's values.

    Parameters
    ----------
    spec, network
        The descriptions; the network is one `Recurrent`.
    scaling, head
        What an output is measured from, and what it means.
    sizes
        Of the windows; ``segment`` is the length of the segments.

    Raises
    ------
    SpecError
        If the network has other parts than one recurrent stack, or is bidirectional.
    """

    def __init__(self, spec: Segments, network: Network, scaling: WindowScaling, head: Head, sizes: Sizes) -> None:
        super().__init__()
        if not isinstance(network, Recurrent) or network.bidirectional:
            raise SpecError(
                "strategy='segments' makes each segment in one step from the state that the network has reached, so "
                f"the network must be one Recurrent in one direction; got {network!r}"
            )
        self.scaling, self.meaning, self.sizes = scaling, head, sizes
        self.count = -(-sizes.horizon // sizes.segment)  # segments that are made; the last one may be cut
        width = network.sizes[0]
        self.embed = nn.Linear(sizes.plain * sizes.segment + sizes.static, width)
        self.network = build_stack(network, width)
        self.marks = nn.Parameter(torch.randn(self.count, width) / width**0.5)
        conditions = sizes.known * sizes.segment + sizes.static
        self.condition = nn.Linear(conditions, width) if conditions else None
        self.dropout = nn.Dropout(spec.dropout)
        self.head = quiet_linear(network.output_size, sizes.segment * sizes.targets * head.size, head)
        if spec.highway:
            refuse_counts(head)
        self.highway = Highway(spec.highway, sizes.horizon) if spec.highway else None

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        sizes, dtype = self.sizes, self.head.weight.dtype
        history = in_segments(context.history(dtype), sizes.segment, context.static)
        _, state = self.network(torch.relu(self.embed(history)))
        batch = context.values.shape[0]
        made = self.head(self.dropout(self._decoded(context, state, batch, dtype)))
        made = made.view(batch, -1, sizes.targets, self.meaning.size)[:, : sizes.horizon]
        origin = self.scaling.origin(context.values, context.observed, sizes.horizon)
        if self.highway is not None:
            origin = origin + wide(self.highway(context.values))
        return self.meaning.shifted(wide(made), origin)

    def _decoded(self, context: Context, state: object, batch: int, dtype: torch.dtype) -> Tensor:
        """Make one step for each segment of the horizon: ``[batch · segment, feature]``."""
        inputs = self.marks.unsqueeze(0).expand(batch, -1, -1)  # [batch, segment, feature]
        if self.condition is not None:
            inputs = inputs + self.condition(self._conditions(context, dtype))
        rows = inputs.reshape(batch * self.count, 1, -1)
        output: Tensor = self.network(rows, repeated_state(state, self.count))[0]
        return output[:, 0]

    def _conditions(self, context: Context, dtype: torch.dtype) -> Tensor:
        sizes, parts = self.sizes, []
        future = context.future(dtype)
        if future is not None:
            lacking = self.count * sizes.segment - sizes.horizon
            padded = nn.functional.pad(future, (0, 0, 0, lacking))
            parts.append(padded.reshape(padded.shape[0], self.count, -1))
        if context.static is not None:
            parts.append(context.static.to(dtype).unsqueeze(1).expand(-1, self.count, -1))
        return torch.cat(parts, dim=-1)
