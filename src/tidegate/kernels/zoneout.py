"""Zoneout (Krueger et al., 2017): a unit keeps its old value with some probability."""

from __future__ import annotations

import torch
from torch import Tensor

from tidegate.kernels import philox

__all__ = ["Zoneout"]

_BLOCK = 16  # steps that are drawn at once: bounds the memory of the draws


class Zoneout:
    """The zoneout of one state over the steps of one call.

    Parameters
    ----------
    probability
        Of keeping the old value; 0 switches zoneout off.
    seed
        int64, one element; ``None`` asks for the expectation, as at inference.
    stream
        `philox.HIDDEN_STREAM` or `philox.CELL_STREAM`.
    steps, batch, units
        Sizes of the call.
    """

    def __init__(self, probability: float, seed: Tensor | None, stream: int, *, steps: int, batch: int, units: int):
        self.probability = probability
        self._seed = seed
        self._stream = stream
        self._sizes = (steps, batch, units)
        self._block: tuple[int, Tensor] | None = None

    def _kept(self, seed: Tensor, step: int) -> Tensor:
        start = step - step % _BLOCK
        if self._block is None or self._block[0] != start:
            steps, batch, units = self._sizes
            block = range(start, min(start + _BLOCK, steps))
            draws = philox.bernoulli(seed, self._stream, block, batch, units, p=self.probability)
            self._block = (start, draws)
        return self._block[1][step - start]

    def apply(self, old: Tensor, new: Tensor, step: int) -> Tensor:
        """Give the state after ``step``, ``[batch, unit]``."""
        if self.probability == 0:
            return new
        if self._seed is None:
            return self.probability * old + (1 - self.probability) * new
        return torch.where(self._kept(self._seed, step), old, new)

    def share(self, gradient: Tensor, step: int) -> tuple[Tensor | float, Tensor]:
        """Split the gradient of the state after ``step`` into those of the old and of the new value."""
        if self.probability == 0:
            return 0.0, gradient
        if self._seed is None:
            return self.probability * gradient, (1 - self.probability) * gradient
        kept = self._kept(self._seed, step)
        return gradient * kept, gradient * ~kept
