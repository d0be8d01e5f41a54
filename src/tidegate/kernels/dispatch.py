"""Which implementation runs a layer, and why.

==============  ==============================================================================================
``torch``       torch's own kernels (ATen and oneDNN, cuDNN), which know plain cells only
``fused``       the operators ``tidegate::lstm`` and ``tidegate::gru`` on their compiled kernels, on a CPU
``reference``   the same operators step by step in Python: without the compiled library, on other devices, and for
                what the library does not know
==============  ==============================================================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd import forward_ad

from tidegate.errors import UnsupportedError
from tidegate.kernels import native
from tidegate.kernels.autocast import autocast_dtype
from tidegate.specs import checks

__all__ = [
    "FUSED",
    "REFERENCE",
    "TORCH",
    "Call",
    "Choice",
    "Explanation",
    "choose",
    "explain",
    "forced",
    "forced_implementation",
    "transformed",
]

TORCH = "torch"
FUSED = "fused"
REFERENCE = "reference"


class Crossover(NamedTuple):
    """Where torch's own kernels take over: from ``units`` on, in batches of fewer rows than ``rows``."""

    units: int
    rows: float = math.inf
    inference_only: bool = False

    def passed(self, call: Call) -> bool:
        """Say whether torch's own kernels are faster in a call."""
        training = torch.is_grad_enabled()
        return call.units >= self.units and call.rows < self.rows and not (self.inference_only and training)


# For plain cells, by the dtype of the products; with dtypes that are not here the compiled kernels win at every size.
# Measured on two cores with AVX-512 and AMX, 8 or 16 features, 20 and 100 steps; the numbers are torch's time over that
# of the compiled kernels, forward and backward, or forward alone:
#   LSTM, float32: the weights outgrow a core's cache. 256 units 0.94 to 1.48; 384 units 0.40 (1 row) to 1.08 (32), 1.38
#     (64 rows, 100 steps); 512 units 0.37 (1 row) to 1.01 (32), 1.04 and 1.21 (64 rows; 16 and 512 features)
#   GRU, float32: torch's steps of small operators lose but for single rows: forward at 512 units 0.36 (1 row), 0.70
#     (4), 1.51 (16); backward too 1.28 at least
#   bfloat16, which oneDNN multiplies natively: LSTM 160 units 1.31, 192 units 0.85; GRU 512 units 1.17, 1024 units 0.67
#   float16: LSTM 512 units 1.30, 1024 units 0.93; GRU 256 units 2.60, 1024 units 0.94
CROSSOVERS: Mapping[tuple[str, torch.dtype], Crossover] = {
    ("lstm", torch.float32): Crossover(320, rows=64),
    ("gru", torch.float32): Crossover(448, rows=8, inference_only=True),
    ("lstm", torch.bfloat16): Crossover(192),
    ("gru", torch.bfloat16): Crossover(768),
    ("lstm", torch.float16): Crossover(1024),
    ("gru", torch.float16): Crossover(1024),
}

# Layers that ask for int8 weights get them from so many units on; smaller ones are packed as float32, which is faster
# there: to quantise h costs more than a short product saves. Measured on one core with AVX-512 VNNI, one row, 100
# steps, 1 input and as many as units; the numbers are float32's time over int8's.
#   LSTM: 16 units 0.81 and 0.98, 24 units 0.95 and 1.1, 32 units 1.08 and 1.5, 64 units 1.8 and 2.7
#   GRU: 16 units 0.99 and 1.1, 24 units 1.07 and 1.3, 32 units 1.2 and 1.6
# The same on every instruction set, so that a model answers alike everywhere; AVX2 alone: LSTM 32 units 0.88 and 1.14.
INT8_UNITS = 32


class Choice(NamedTuple):
    """An implementation, `TORCH`, `FUSED` or `REFERENCE`, and the reason for it."""

    implementation: str
    reason: str


class Call(NamedTuple):
    """What a choice depends on."""

    cell: str  # "lstm" or "gru"
    beyond_torch: Sequence[str]  # the options at work that torch's own kernels lack
    values: Tensor  # the input
    units: int
    projected: bool
    steps: int  # of the padded sequences
    rows: int  # of the batch
    shortest: int | None = None  # the least of the lengths; None where every row is full
    compiled: bool = False  # whether the compiled library is loaded


_COMPILING = "torch.compile and torch.export keep an operator whole, but break at torch's own layers"
_EMPTY = "torch's own kernels refuse a sequence without steps"
_LENGTH_0 = "torch's own kernels refuse a length of 0"
_PROJECTION = "the compiled kernels know no projection"
_PLAIN_FUSED = Choice(FUSED, "the compiled kernels are the fastest for this cell")
_PLAIN = Choice(TORCH, "a plain cell: torch's own kernels compute exactly this")
_PLAIN_PROJECTED = Choice(TORCH, f"a plain cell with a projection: torch computes exactly this, and {_PROJECTION}")
_TRANSFORMED = "torch.func and forward-mode derivatives see through plain torch only"

_forced: str | None = None


@contextlib.contextmanager
def forced(implementation: str) -> Iterator[None]:
    """Send every layer to one implementation, in all threads of the process; for tests and measurements.

    Parameters
    ----------
    implementation
        ``"torch"``, ``"fused"`` or ``"reference"``. A layer that it cannot run raises `UnsupportedError` when called.

    Raises
    ------
    SpecError
        If there is no such implementation.

    Examples
    --------
    >>> from tidegate import nn
    >>> layer, x = nn.LSTM(3, 5), torch.zeros(7, 2, 3)
    >>> with forced("reference"):
    ...     explain(layer, x).implementation
    'reference'
    """
    global _forced  # noqa: PLW0603 - process-wide is what it is for
    checks.one_of("implementation", implementation, (TORCH, FUSED, REFERENCE))
    before, _forced = _forced, implementation
    try:
        yield
    finally:
        _forced = before


def forced_implementation() -> str | None:
    """Give what `forced` asks for at the moment."""
    return _forced


def transformed() -> bool:
    """Say whether a transformation of torch.func or a forward-mode derivative is under way."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def choose(call: Call) -> Choice:
    """Choose the implementation for one call of a layer.

    Raises
    ------
    UnsupportedError
        If `forced` asks for one that cannot run it.
    """
    if _forced is not None:
        return _obeyed(call, _forced)
    if torch.compiler.is_compiling():  # asked first: what follows would turn sizes into constants of the graph
        return _on_operators(call, _COMPILING)
    if call.beyond_torch:
        return _on_operators(call, _lacking(call))
    if call.steps == 0:
        return _on_operators(call, _EMPTY)
    if call.shortest == 0:
        return _on_operators(call, _LENGTH_0)
    return _for_plain_cell(call)


def _for_plain_cell(call: Call) -> Choice:
    if transformed():
        return Choice(REFERENCE, _TRANSFORMED)
    if not (call.compiled and call.values.is_cpu):
        return _PLAIN
    if call.projected:
        return _PLAIN_PROJECTED
    dtype = autocast_dtype(call.values) or call.values.dtype
    crossover = CROSSOVERS.get((call.cell, dtype))
    if crossover is not None and crossover.passed(call):
        return Choice(TORCH, _beyond_crossover(crossover, dtype))
    return _PLAIN_FUSED


def _beyond_crossover(crossover: Crossover, dtype: torch.dtype) -> str:
    batches = "" if crossover.rows == math.inf else f" in batches of fewer than {crossover.rows} rows"
    when = ", without gradients" if crossover.inference_only else ""
    return f"a plain cell in {dtype}: torch's own kernels are faster from {crossover.units} units on{batches}{when}"


def _on_operators(call: Call, reason: str) -> Choice:
    obstacle = _fused_obstacle(call)
    return Choice(FUSED, reason) if obstacle is None else Choice(REFERENCE, f"{reason}, and {obstacle}")


def _lacking(call: Call) -> str:
    return f"torch's own kernels lack {', '.join(call.beyond_torch)}"


def _fused_obstacle(call: Call) -> str | None:
    """Say why the compiled kernels cannot run a call; None if they can."""
    if not torch.compiler.is_compiling() and transformed():
        return _TRANSFORMED
    if not call.values.is_cpu:
        return "the compiled kernels are for CPUs"
    if not call.compiled:
        return "the compiled kernels are missing"
    return _PROJECTION if call.projected else None


def _torch_obstacle(call: Call) -> str | None:
    """Say why torch's own kernels cannot run a call; None if they can."""
    if torch.compiler.is_compiling():
        return _COMPILING
    if call.beyond_torch:
        return _lacking(call)
    if call.steps == 0:
        return _EMPTY
    return _LENGTH_0 if call.shortest == 0 else None


def _obeyed(call: Call, implementation: str) -> Choice:
    obstacle = None
    if implementation == TORCH:
        obstacle = _torch_obstacle(call)
    elif implementation == FUSED:
        obstacle = _fused_obstacle(call)
    if obstacle is not None:
        raise UnsupportedError(
            f"the implementation {implementation!r} is forced, but cannot run this layer: {obstacle}; "
            "force another, or none"
        )
    return Choice(implementation, "it is forced")


class Chooses(Protocol):
    """A layer that can say beforehand how it would run."""

    def choice(self, input: Any, lengths: torch.Tensor | None = None) -> Choice:  # noqa: A002 - torch's own name
        """Say how a call with these arguments would run."""
        ...


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How a call of a layer would run. ``str()`` of it is a sentence."""

    layer: str
    implementation: str
    reason: str
    dtype: torch.dtype
    device: torch.device
    instruction_set: str | None  # of the compiled kernels, where they run

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = ", ".join(name for name in (self.implementation, self.instruction_set) if name)
        return f"{self.layer} runs on {where} ({self.dtype}, {self.device}): {self.reason}"


def explain(layer: Chooses, input: Any, lengths: torch.Tensor | None = None) -> Explanation:  # noqa: A002
    """Say which implementation ``layer(input, lengths=lengths)`` would run on, and why; nothing is computed.

    Parameters
    ----------
    layer
        An ``nn.LSTM`` or ``nn.GRU``, in the mode (``train()``, ``eval()``) that is asked about.
    input
        A tensor or a ``PackedSequence``.
    lengths
        As in the layer's ``forward``.

    Examples
    --------
    >>> from tidegate import nn
    >>> print(explain(nn.LSTM(3, 5, proj_size=2, peephole=True), torch.zeros(7, 2, 3)))
    LSTM runs on reference (torch.float32, cpu): torch's own kernels lack peephole, and the compiled kernels ...
    """
    choice = layer.choice(input, lengths)
    values = input if isinstance(input, Tensor) else input.data
    return Explanation(
        type(layer).__name__,
        choice.implementation,
        choice.reason,
        values.dtype,
        values.device,
        native.instruction_set() if choice.implementation == FUSED else None,
    )
