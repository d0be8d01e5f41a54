"""How a network that has read the context makes a horizon of outputs; a strategy a file, one interface."""

from __future__ import annotations

from tidegate.forecast.context import Sizes
from tidegate.forecast.strategies.base import Strategy
from tidegate.forecast.strategies.direct import DirectStrategy
from tidegate.forecast.strategies.encoder_decoder import EncoderDecoderStrategy
from tidegate.forecast.strategies.recursive import RecursiveStrategy
from tidegate.forecast.strategies.segments import SegmentsStrategy
from tidegate.nn.heads import Head
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import strategies as specs
from tidegate.specs.parts import Network

__all__ = ["RecursiveStrategy", "Strategy", "make_strategy"]


def make_strategy(spec: specs.Strategy, network: Network, scaling: WindowScaling, head: Head, sizes: Sizes) -> Strategy:
    """Build what ``spec`` describes. Raises `SpecError` if the network cannot serve it."""
    match spec:
        case specs.Direct():
            return DirectStrategy(spec, network, scaling, head, sizes)
        case specs.Recursive():
            return RecursiveStrategy(spec, network, scaling, head, sizes)
        case specs.EncoderDecoder():
            return EncoderDecoderStrategy(spec, network, scaling, head, sizes)
        case specs.Segments():
            return SegmentsStrategy(spec, network, scaling, head, sizes)
        case _:
            from tidegate.forecast.strategies.smoothing import SmoothingStrategy

            return SmoothingStrategy(spec, network, scaling, head, sizes)
