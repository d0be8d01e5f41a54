"""Which implementation runs a layer, and why.

There are two: torch's own kernels, which know plain cells only, and the operators ``tidegate::lstm`` and
``tidegate::gru``, which know every option. What the operators themselves run on a device (a compiled kernel or
`reference`) is torch's dispatcher's affair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch

__all__ = ["TIDEGATE", "TORCH", "Choice", "Explanation", "choose", "explain"]

TORCH = "torch"
TIDEGATE = "tidegate"


class Choice(NamedTuple):
    """An implementation, `TORCH` or `TIDEGATE`, and the reason for it."""

    implementation: str
    reason: str


_PLAIN = Choice(TORCH, "a plain cell: torch's own kernels compute exactly this")
_COMPILING = Choice(TIDEGATE, "torch.compile and torch.export keep an operator whole, but break at torch's own layers")
_EMPTY = Choice(TIDEGATE, "torch's own kernels refuse a sequence without steps")
_LENGTH_0 = Choice(TIDEGATE, "torch's own kernels refuse a length of 0")


def choose(beyond_torch: Sequence[str], *, steps: int, shortest: int | None = None) -> Choice:
    """Choose the implementation for one call of a layer.

    Parameters
    ----------
    beyond_torch
        The options at work in this call that torch's own kernels lack.
    steps
        Steps of the padded sequences.
    shortest
        The least of the lengths; None where every row is full.
    """
    if torch.compiler.is_compiling():  # asked first: what follows would turn sizes into constants of the graph
        return _COMPILING
    if beyond_torch:
        return Choice(TIDEGATE, f"torch's own kernels lack {', '.join(beyond_torch)}")
    if steps == 0:
        return _EMPTY
    if shortest == 0:
        return _LENGTH_0
    return _PLAIN


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

    def __str__(self) -> str:
        """Say it in a sentence."""
        return f"{self.layer} runs on {self.implementation} ({self.dtype}, {self.device}): {self.reason}"


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
    >>> import torch
    >>> from tidegate import nn
    >>> print(explain(nn.LSTM(3, 5, peephole=True), torch.zeros(7, 2, 3)))
    LSTM runs on tidegate (torch.float32, cpu): torch's own kernels lack peephole
    """
    choice = layer.choice(input, lengths)
    values = input if isinstance(input, torch.Tensor) else input.data
    return Explanation(type(layer).__name__, choice.implementation, choice.reason, values.dtype, values.device)
