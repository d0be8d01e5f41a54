"""A second recurrent network that goes through the horizon."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.base import Strategy, quiet_linear
from tidegate.nn import Attention, build_stack
from tidegate.nn.heads import Head
from tidegate.nn.scaling import WindowScaling, wide
from tidegate.specs import EncoderDecoder, Recurrent
from tidegate.specs.parts import Network

__all__ = ["EncoderDecoderStrategy"]

_MARK = 8  # numbers that tell the steps of the horizon apart


class EncoderDecoderStrategy(Strategy):
    """Encoder and decoder: two recurrent networks, the second begins in the state in which the first ends.

    The decoder reads, for each step of the horizon, what its output is measured from, the covariates known for it, the
    static ones and a learned mark of the step; not its own output, so that the whole horizon is one call. With
    attention each step also sees a mean of the encoder's outputs, weighted by how well they answer the decoder's
    (Luong et al., 2015).

    Parameters
    ----------
    spec, network
        The descriptions; the network is one `Recurrent`, which both are built from.
    scaling, head
        What an output is measured from, and what it means.
    sizes
        Of the windows.

    Raises
    ------
    SpecError
        If the network has other parts than one recurrent stack, or is bidirectional.
    """

    def __init__(
        self, spec: EncoderDecoder, network: Network, scaling: WindowScaling, head: Head, sizes: Sizes
    ) -> None:
        super().__init__()
        if not isinstance(network, Recurrent) or network.bidirectional:
            raise SpecError(
                "strategy='encoder_decoder' hands the encoder's state to a decoder of the same layers, so the network "
                f"must be one Recurrent in one direction; got {network!r}"
            )
        self.scaling, self.meaning, self.sizes = scaling, head, sizes
        self.encoder = build_stack(network, sizes.history + sizes.static)
        self.marks = nn.Parameter(torch.randn(sizes.horizon, _MARK) / _MARK**0.5)
        reads = sizes.targets + sizes.known + sizes.static + _MARK
        self.decoder = build_stack(dataclasses.replace(network, input_dropout=0.0), reads)
        width = network.output_size
        self.attention = Attention(width, width, hidden_size=width) if spec.attention else None
        self.head = quiet_linear(width * (2 if spec.attention else 1), sizes.targets * head.size, head)

    def forward(self, context: Context) -> Tensor:
        """Forecast; see `Strategy.forward`."""
        sizes, dtype = self.sizes, self.head.weight.dtype
        static = None if context.static is None else context.static.to(dtype).unsqueeze(1)
        history = context.history(dtype, lags=sizes.lags)
        if static is not None:
            history = torch.cat([history, static.expand(-1, context.steps, -1)], dim=-1)
        encoded, state = self.encoder(history)
        origin = self.scaling.origin(context.values, context.observed, sizes.horizon)
        parts = [origin.to(dtype), self.marks.expand(origin.shape[0], -1, -1), context.future(dtype)]
        if static is not None:
            parts.append(static.expand(-1, sizes.horizon, -1))
        decoded, _ = self.decoder(torch.cat([part for part in parts if part is not None], dim=-1), state)
        if self.attention is not None:
            decoded = torch.cat([decoded, self.attention(encoded, decoded)], dim=-1)
        made = torch.unflatten(wide(self.head(decoded)), -1, (sizes.targets, self.meaning.size))
        return self.meaning.shifted(made, origin)
