"""Measuring recurrent layers against each other on one machine.

A machine's speed drifts, on shared ones by half and more, so seconds mean little and ratios are taken within a run:
`interleaved` lets the contenders take turns, a few hundredths of a second each, and a `Ratio` is the median of the
ratios of the single turns. Nothing here prints, and nothing here knows which layers there are: they are handed in.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tidegate.errors import ShapeError, SpecError

__all__ = [
    "SHAPES",
    "Contender",
    "LayerFactory",
    "Network",
    "Pace",
    "Ratio",
    "Shape",
    "Timing",
    "inference",
    "interleaved",
    "layer_pass",
    "repeating",
    "require_agreement",
    "training_step",
]

Contender = Callable[[int], float]  # does its work so many times, and gives the seconds that this took


class LayerFactory(Protocol):
    """What makes a recurrent layer: `torch.nn.LSTM`, `torch.nn.GRU`, or a layer with their arguments."""

    def __call__(self, input_size: int, hidden_size: int, *, batch_first: bool, bidirectional: bool) -> nn.Module:
        """Make one layer."""
        ...


# ------------------------------------------------------------------------------------------------------------ timing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How long to measure.

    Parameters
    ----------
    runs
        Turns of each contender.
    least_seconds
        Length of a turn at least; the work is repeated to fill it.
    pause
        Seconds of rest before a turn: threads that wait actively for more work of the last contender go to sleep.

    Raises
    ------
    SpecError
        If there is no run, or a time is negative.
    """

    runs: int = 5
    least_seconds: float = 0.05
    pause: float = 0.005

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise SpecError(f"runs must be at least 1; got {self.runs}")
        if self.least_seconds < 0 or self.pause < 0:
            raise SpecError(f"least_seconds and pause must be ≥ 0; got {self.least_seconds} and {self.pause}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median of a ratio over the runs, with the least and the greatest."""

    median: float
    lowest: float
    highest: float


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of one call of each contender, a number for each run."""

    seconds: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """Give the median over the runs, in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, of: str, to: str) -> Ratio:
        """Give how many times as long ``of`` takes as ``to``, from the turns of the same run.

        >>> Timing({"slow": (6.0, 4.0, 9.0), "fast": (2.0, 2.0, 2.0)}).ratio("slow", "fast")
        Ratio(median=3.0, lowest=2.0, highest=4.5)
        """
        ratios = [a / b for a, b in zip(self.seconds[of], self.seconds[to], strict=True)]
        return Ratio(median=statistics.median(ratios), lowest=min(ratios), highest=max(ratios))


def repeating(call: Callable[[], object]) -> Contender:
    """Make a contender of a function without arguments."""

    def repeat(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            call()
        return time.perf_counter() - start

    return repeat


def interleaved(contenders: Mapping[str, Contender], pace: Pace = Pace()) -> Timing:
    """Measure contenders that take turns, each second run in the opposite order.

    Each is called first without being timed, and again at the beginning of each turn, unless a single call fills the
    turn anyway.

    Parameters
    ----------
    contenders
        By name.
    pace
        How long.
    """
    repeats = {name: _repeats(contender, pace.least_seconds) for name, contender in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(pace.runs):
        names = list(contenders)[:: 1 if run % 2 == 0 else -1]
        for name in names:
            time.sleep(pace.pause)
            if repeats[name] > 1:
                contenders[name](1)
            seconds[name].append(contenders[name](repeats[name]) / repeats[name])
    return Timing({name: tuple(values) for name, values in seconds.items()})


def _repeats(contender: Contender, least_seconds: float) -> int:
    """Find how many repetitions fill a turn, with a tenth to spare."""
    first = contender(
        1
    )  # it also allocates, compiles, loads and fills caches: it says nothing of a second, if a short one
    if first >= least_seconds and contender(1) >= least_seconds:
        return 1
    times = 1
    while (taken := min(contender(times), contender(times))) < least_seconds / 4:  # one hiccup must not end the search
        times *= 2
    return max(1, round(1.1 * least_seconds * times / taken))


# ---------------------------------------------------------------------------------------------------------- networks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a network and of a batch.

    Parameters
    ----------
    name
        For tables.
    features, units
        Size of the input, and of each layer.
    steps, batch
        Of the input.
    bidirectional
        Whether the layers read from both ends.
    vocabulary
        Where not 0, an embedding of so many words, ``features`` wide, lies below the layers.
    """

    name: str
    features: int
    units: tuple[int, ...]
    steps: int
    batch: int = 32
    bidirectional: bool = False
    vocabulary: int = 0

    def layer_sizes(self) -> list[tuple[int, int]]:
        """Give input and hidden size of each layer."""
        directions = 2 if self.bidirectional else 1
        inputs = (self.features, *(directions * units for units in self.units[:-1]))
        return list(zip(inputs, self.units, strict=True))

    def words(self, *, seed: int = 0) -> Tensor:
        """Draw word numbers, int64 [batch, time]."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.vocabulary, (self.batch, self.steps), generator=generator)

    def values(self, *, dtype: torch.dtype = torch.float32, batch_first: bool = True, seed: int = 0) -> Tensor:
        """Draw values, normal [batch, time, feature], or [time, batch, feature]."""
        generator = torch.Generator().manual_seed(seed)
        sizes = (self.batch, self.steps) if batch_first else (self.steps, self.batch)
        return torch.randn(*sizes, self.features, generator=generator).to(dtype)


SHAPES = (
    Shape(name="50, 20 steps, 1 feature", features=1, units=(50,), steps=20),
    Shape(name="64 + 32, 10 steps, 1 feature", features=1, units=(64, 32), steps=10),
    Shape(name="50 + 50, 20 steps, 1 feature", features=1, units=(50, 50), steps=20),
    Shape(name="128, 100 steps, 8 features", features=8, units=(128,), steps=100),
    Shape(
        name="embedding 128, bidirectional 64, 100 steps",
        features=128,
        units=(64,),
        steps=100,
        bidirectional=True,
        vocabulary=10_000,
    ),
)


class Network(nn.Module):
    """Recurrent layers of any make one above the other, and what lies below them.

    Parameters
    ----------
    shape
        The sizes; an embedding is built where ``embedding`` asks for the one that it describes.
    layer
        Makes all layers but the last, and the last as well where ``last`` is not given.
    last
        Makes the last layer.
    final
        Give the last layer's final output, [batch, merged], instead of the output of every step.
    embedding
        Read words, [batch, time], where the shape has a vocabulary; otherwise values, [batch, time, feature].
    batch_first
        As in the layers.
    """

    def __init__(
        self,
        shape: Shape,
        layer: LayerFactory,
        *,
        last: LayerFactory | None = None,
        final: bool = False,
        embedding: bool = False,
        batch_first: bool = True,
    ) -> None:
        super().__init__()
        sizes = shape.layer_sizes()
        makers = [layer] * (len(sizes) - 1) + [last or layer]
        self.embedding = nn.Embedding(shape.vocabulary, shape.features) if embedding and shape.vocabulary else None
        self.layers = nn.ModuleList(
            make(inputs, units, batch_first=batch_first, bidirectional=shape.bidirectional)
            for make, (inputs, units) in zip(makers, sizes, strict=True)
        )
        self._read = _final_output if final else _sequence

    def forward(self, x: Tensor) -> Tensor:
        """Give the last layer's output."""
        if self.embedding is not None:
            x = self.embedding(x)
        *below, last = self.layers
        for layer in below:
            x = _sequence(layer(x))
        return self._read(last(x))


def _sequence(answer: Any) -> Tensor:
    """Give the output of a layer that answers with it alone, or with its state beside it."""
    output: Tensor = answer if isinstance(answer, Tensor) else answer[0]
    return output


def _final_output(answer: Any) -> Tensor:
    """Give the final output; where a layer has none of its own, it is its final hidden state, directions merged."""
    if isinstance(answer, Tensor):
        return answer
    state = answer[1]
    h_n = state if isinstance(state, Tensor) else state[0]  # [directions, batch, unit]
    return h_n[0] if len(h_n) == 1 else torch.cat(tuple(h_n), dim=-1)


def require_agreement(ours: Tensor, theirs: Tensor, *, tolerance: float, what: str) -> None:
    """Refuse to compare the speed of what does not give the same results.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ArithmeticError
        If an element differs by more than ``tolerance``.
    """
    if ours.shape != theirs.shape:
        raise ShapeError(f"{what}: expected outputs of one shape; got {list(ours.shape)} and {list(theirs.shape)}")
    difference = float((ours.detach().double() - theirs.detach().double()).abs().max())
    if not difference <= tolerance:  # this way round, so that NaN is refused
        raise ArithmeticError(f"{what}: outputs differ by {difference:.2e}, more than {tolerance:.0e}; speed is moot")


# -------------------------------------------------------------------------------------------------------------- work


def training_step(module: nn.Module, call: Callable[[], Tensor]) -> Contender:
    """Forward, backward from the sum of what ``call`` gives, and a step of fused Adam on the module's parameters."""
    # The rate changes nothing in the cost; so small, the weights stay where gradients are ordinary numbers.
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        call().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return repeating(step)


def layer_pass(module: nn.Module, values: Tensor) -> Contender:
    """Forward and backward alone: gradients of all parameters, and of the values where they require one."""
    wanted = [*module.parameters(), *([values] if values.requires_grad else [])]
    gradient = torch.randn_like(module(values))
    return repeating(lambda: torch.autograd.grad(module(values), wanted, gradient))


def inference(module: nn.Module, values: Tensor) -> Contender:
    """Forward alone, in inference mode."""
    repeat = repeating(lambda: module(values))

    def infer(times: int) -> float:
        with torch.inference_mode():
            return repeat(times)

    return infer
