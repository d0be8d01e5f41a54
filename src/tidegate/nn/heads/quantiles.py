"""Several quantiles for each step, each with a pinball loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from tidegate.nn.heads.base import Head
from tidegate.nn.quantile_functions import interpolate, mean_weights

__all__ = ["QuantileHead"]


_START = 0.5  # standard deviation, in scaled units


class QuantileHead(Head):
    """Quantiles at fixed probabilities (Koenker & Bassett, 1978; Wen et al., 2017).

    The raw numbers may cross. Sorted, they are never further from the true quantiles than before (Chernozhukov et
    al., 2010); between and beyond them the quantile function is straight in normal scores.

    Parameters
    ----------
    probabilities
        Increasing, strictly between 0 and 1, with 0.5 and others on both sides of it among them.
    """

    def __init__(self, probabilities: Sequence[float]) -> None:
        self.probabilities = tuple(probabilities)
        self.size = len(self.probabilities)
        self._middle = self.probabilities.index(0.5)
        self._weights = mean_weights(self.probabilities)

    @property
    def start(self) -> tuple[float, ...]:
        """Quantiles of a narrow normal distribution: those that start as one number part late, on one side first."""
        scores = torch.special.ndtri(torch.tensor(self.probabilities, dtype=torch.float64, device="cpu"))
        return tuple((_START * scores).tolist())

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give twice the mean of the pinball losses; that of the median is then the absolute error."""
        error = target.unsqueeze(-1) - raw
        p = raw.new_tensor(self.probabilities)
        return 2 * torch.maximum(p * error, (p - 1) * error).mean(-1)

    def shifted(self, raw: Tensor, origin: Tensor) -> Tensor:
        """Add ``origin`` to each quantile."""
        return raw + origin.unsqueeze(-1)

    def centre(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the median."""
        return raw.sort(-1).values[..., self._middle]

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the mean of the whole quantile function, tails included."""
        return (raw.sort(-1).values * raw.new_tensor(self._weights)).sum(-1)

    def quantiles(self, raw: Tensor, probabilities: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Read the quantile function at ``probabilities``."""
        knots = torch.special.ndtri(probabilities.new_tensor(self.probabilities))
        return interpolate(raw.sort(-1).values, knots, torch.special.ndtri(probabilities))

    def sample(self, raw: Tensor, scale: Tensor, generator: Generator | None) -> Tensor:  # noqa: ARG002
        """Read the quantile function at a random normal score: inverse transform sampling."""
        knots = torch.special.ndtri(raw.new_tensor(self.probabilities))
        scores = torch.randn(raw[..., :1].shape, generator=generator, dtype=raw.dtype, device=raw.device)
        return interpolate(raw.sort(-1).values, knots, scores).squeeze(-1)
