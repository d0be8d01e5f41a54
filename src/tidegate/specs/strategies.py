"""The descriptions of how a forecaster turns what it has read into a horizon of outputs."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeAlias

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.smoothing import Smoothing

__all__ = [
    "CHANNELS",
    "STRATEGIES",
    "Direct",
    "EncoderDecoder",
    "Recursive",
    "Segments",
    "Strategy",
    "resolve_strategy",
]

CHANNELS = ("joint", "independent")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direct:
    """All steps at once: the last output of the network, through one linear row for each step and variable.

    Parameters
    ----------
    segment
        Steps that the network reads at once (a day of hours is then one step of the recurrence). ``None``: the
        shortest season, where the context holds four of them or more; otherwise 1.
    highway
        Past steps that also reach the outputs through a linear map of their own (LSTNet's autoregressive highway,
        Lai et al., 2018); ``None`` for the whole context (none with a head for counts), 0 for none.
    experts
        Linear maps of the highway, among which a gate chooses by what the network has read (a mixture of experts;
        Jacobs et al., 1991).
    fade
        Steps of the horizon after which the network's own share in an output has fallen to 1/e; what the output is
        measured from, and the highway, are left whole. ``None``: two seasons for points where the
        horizon holds four or more, otherwise 0; 0 does not fade it. Far ahead a recurrent network knows
        little that a linear map does not, and learns noise.
    dropout
        Probability of zeroing an element of what was read before the output layer.
    channels
        ``"joint"``: several targets are read and forecast together. ``"independent"``: each target is forecast from
        its own past alone, by shared weights and a learned mark of the target.
    """

    kind: ClassVar[str] = "direct"

    segment: int | None = None
    highway: int | None = None
    experts: int = 1
    fade: float | None = None
    dropout: float = 0.0
    channels: str = "joint"

    def __post_init__(self) -> None:
        if self.segment is not None:
            checks.whole("segment", self.segment)
        if self.highway is not None:
            checks.whole("highway", self.highway, least=0)
        checks.whole("experts", self.experts)
        if self.experts > 1 and self.highway == 0:
            raise SpecError(f"experts={self.experts} are linear maps of a highway, and highway is 0; give it steps")
        if self.fade is not None:
            checks.at_least("fade", self.fade, 0)
        checks.probability("dropout", self.dropout)
        checks.one_of("channels", self.channels, CHANNELS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recursive:
    """One step, fed back: the recurrent state is carried through the horizon.

    Parameters
    ----------
    samples
        Paths that are drawn for quantiles, all in one batched roll-out; only heads that are distributions have them.
    """

    kind: ClassVar[str] = "recursive"

    samples: int = 200

    def __post_init__(self) -> None:
        checks.whole("samples", self.samples)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderDecoder:
    """A second recurrent network goes through the horizon, from the state in which the first has left the context.

    The decoder reads the covariates whose future is known, and which step it is (Sutskever et al., 2014; Wen et al.,
    2017, for forecasts that are not fed back).

    Parameters
    ----------
    attention
        Each step of the decoder attends to the encoder's outputs (Luong et al., 2015).
    channels
        As in `Direct`.
    """

    kind: ClassVar[str] = "encoder_decoder"

    attention: bool = True
    channels: str = "joint"

    def __post_init__(self) -> None:
        checks.flag("attention", self.attention)
        checks.one_of("channels", self.channels, CHANNELS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segments:
    """Segments in and out (SegRNN, Lin et al., 2023).

    The network reads whole segments, and makes each segment of the horizon in one step from its final state, all of
    them in parallel, told apart by a learned mark of their position.

    Parameters
    ----------
    length
        Steps of a segment; ``None``: the shortest season, or a sixth of the horizon where there is none.
    dropout
        Probability of zeroing an element before the output layer.
    highway
        As in `Direct`.
    channels
        As in `Direct`; independent by default, as published.
    """

    kind: ClassVar[str] = "segments"

    length: int | None = None
    dropout: float = 0.0
    highway: int = 0
    channels: str = "independent"

    def __post_init__(self) -> None:
        if self.length is not None:
            checks.whole("length", self.length)
        checks.probability("dropout", self.dropout)
        checks.whole("highway", self.highway, least=0)
        checks.one_of("channels", self.channels, CHANNELS)


Strategy: TypeAlias = Direct | Recursive | EncoderDecoder | Segments | Smoothing

#: Every strategy by the name that is short for its defaults.
STRATEGIES: dict[str, type[Strategy]] = {
    spec.kind: spec for spec in (Direct, Recursive, EncoderDecoder, Segments, Smoothing)
}


def resolve_strategy(strategy: str | Strategy) -> Strategy:
    """Turn a name of `STRATEGIES` into its defaults; a spec is taken as it is. Raises `SpecError`."""
    if isinstance(strategy, str):
        checks.one_of("strategy", strategy, STRATEGIES)
        return STRATEGIES[strategy]()
    if not isinstance(strategy, tuple(STRATEGIES.values())):
        names = ", ".join(cls.__name__ for cls in STRATEGIES.values())
        raise SpecError(f"strategy must be a name ({', '.join(STRATEGIES)}) or one of {names}; got {strategy!r}")
    return strategy
