"""One number for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Generator, Tensor

from tidegate.errors import SpecError
from tidegate.nn.heads.base import Head, moved
from tidegate.specs import checks

__all__ = ["POINT_LOSSES", "PointHead"]


def _huber(error: Tensor) -> Tensor:
    size = error.abs()
    inside = size.clamp_max(1.0)
    return inside * (size - inside / 2)  # e²/2 up to 1, |e| − ½ beyond


POINT_LOSSES: dict[str, Callable[[Tensor], Tensor]] = {"mae": torch.abs, "mse": torch.square, "huber": _huber}


class PointHead(Head):
    """A point forecast: near the median for ``"mae"``, the mean for ``"mse"``, between them for ``"huber"``.

    It has no spread of its own. Its quantiles are those of a standard normal around the point, for calibration to
    stretch: the factors that calibration finds are then quantiles of errors.

    Parameters
    ----------
    loss
        ``"mae"``, ``"mse"``, or ``"huber"`` (Huber, 1964: e²/2 where the error |e| ≤ 1, |e| − 1/2 beyond).
    """

    needs_calibration: ClassVar[bool] = True

    def __init__(self, loss: str = "mae") -> None:
        checks.one_of("loss", loss, POINT_LOSSES)
        self.size = 1
        self._loss = POINT_LOSSES[loss]

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the loss of the error."""
        return self._loss(raw[..., 0] - target)

    def shifted(self, raw: Tensor, origin: Tensor) -> Tensor:
        """Add ``origin`` to the point."""
        return moved(raw, origin)

    def centre(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the point."""
        return raw[..., 0]

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the point."""
        return raw[..., 0]

    def quantiles(self, raw: Tensor, probabilities: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the point plus Φ⁻¹(p): a spread without a meaning, until it is calibrated."""
        scores: Tensor = torch.special.ndtri(probabilities).to(raw.dtype)
        return raw + scores

    def sample(self, raw: Tensor, scale: Tensor, generator: Generator | None) -> Tensor:  # noqa: ARG002
        """Refuse: there is nothing to draw from. Raises `SpecError`."""
        raise SpecError(
            "a head 'point' has no distribution to draw from; "
            "use Uncertainty(head='quantiles') or another head with a spread"
        )
