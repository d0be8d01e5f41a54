"""Monotone elementwise transforms and their inverses.

Being monotone, they carry quantiles over exactly.
"""

from __future__ import annotations

import abc
import dataclasses

import torch
from torch import Tensor

from tidegate.errors import SpecError

__all__ = ["BoxCox", "Identity", "Log", "Log1p", "Transform", "make_transform"]


class Transform(abc.ABC):
    """A strictly increasing function of one number, defined above `least`."""

    #: Values must be larger than this.
    least: float = float("-inf")

    @abc.abstractmethod
    def forward(self, values: Tensor) -> Tensor:
        """Apply the transform elementwise; any shape."""

    @abc.abstractmethod
    def inverse(self, values: Tensor) -> Tensor:
        """Undo `forward` elementwise; any shape."""


class Identity(Transform):
    """Leave values as they are."""

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values``."""
        return values

    def inverse(self, values: Tensor) -> Tensor:
        """Return ``values``."""
        return values


class Log(Transform):
    """Natural logarithm, for values above 0."""

    least = 0.0

    def forward(self, values: Tensor) -> Tensor:
        """Return ln(values)."""
        return values.log()

    def inverse(self, values: Tensor) -> Tensor:
        """Return exp(values)."""
        return values.exp()


class Log1p(Transform):
    """ln(1 + x), for values above −1: counts with zeros."""

    least = -1.0

    def forward(self, values: Tensor) -> Tensor:
        """Return ln(1 + values)."""
        return values.log1p()

    def inverse(self, values: Tensor) -> Tensor:
        """Return exp(values) − 1."""
        return values.expm1()


@dataclasses.dataclass(frozen=True)
class BoxCox(Transform):
    """The power transform (xᵖ − 1) / p of Box & Cox (1964), ln(x) for p = 0; for values above 0."""

    power: float
    least = 0.0

    def forward(self, values: Tensor) -> Tensor:
        """Return (valuesᵖ − 1) / p."""
        if self.power == 0:
            return values.log()
        return (values.pow(self.power) - 1) / self.power

    def inverse(self, values: Tensor) -> Tensor:
        """Return (p·values + 1)^(1/p).

        The transform's range is bounded on one side. A forecast beyond the bound has no original; it is answered
        with the bound's neighbour: 0 for p > 0, a very large number for p < 0.
        """
        if self.power == 0:
            return values.exp()
        smallest = torch.finfo(values.dtype).tiny if self.power > 0 else 1e-30 ** abs(self.power)
        return (self.power * values + 1).clamp_min(smallest).pow(1 / self.power)


def make_transform(name: str, power: float | None) -> Transform:
    """Build the transform that `tidegate.Scaling` names; ``"boxcox"`` needs its ``power`` (λ)."""
    if name == "boxcox":
        if power is None:
            raise SpecError("transform 'boxcox' needs its power (λ) to be given or fitted")
        return BoxCox(power)
    plain: dict[str, Transform] = {"identity": Identity(), "log": Log(), "log1p": Log1p()}
    return plain[name]
