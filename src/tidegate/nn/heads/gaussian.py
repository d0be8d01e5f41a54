"""A normal distribution for each step."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from tidegate.nn.heads.base import Head, moved, positive

__all__ = ["GaussianHead"]


class GaussianHead(Head):
    """A normal distribution; the raw numbers are its mean and, through softplus, its standard deviation."""

    size = 2

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the negative log-likelihood."""
        mean, spread = raw[..., 0], positive(raw[..., 1])
        return ((target - mean) / spread).square() / 2 + spread.log() + math.log(2 * math.pi) / 2

    def shifted(self, raw: Tensor, origin: Tensor) -> Tensor:
        """Add ``origin`` to the mean."""
        return moved(raw, origin)

    def centre(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the median, which is the mean."""
        return raw[..., 0]

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the mean."""
        return raw[..., 0]

    def quantiles(self, raw: Tensor, probabilities: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give mean + Φ⁻¹(p) standard deviations."""
        scores: Tensor = torch.special.ndtri(probabilities).to(raw.dtype)
        return raw[..., :1] + positive(raw[..., 1:]) * scores

    def sample(self, raw: Tensor, scale: Tensor, generator: Generator | None) -> Tensor:  # noqa: ARG002
        """Draw from the distribution."""
        noise = torch.randn(raw.shape[:-1], generator=generator, dtype=raw.dtype, device=raw.device)
        return raw[..., 0] + positive(raw[..., 1]) * noise
