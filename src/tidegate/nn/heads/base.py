"""What a head is: the meaning of a forecaster's raw outputs."""

from __future__ import annotations

import abc
from typing import ClassVar

from torch import Generator, Tensor
from torch.nn import functional

from tidegate.errors import SpecError
from tidegate.specs import Scaling

__all__ = ["Head", "moved", "positive"]

# The least spread of a distribution, in scaled units. A series that repeats itself exactly would drive it to 0, and
# its likelihood beyond all bounds and all other series.
_FLOOR = 1e-4


class Head(abc.ABC):
    """The meaning of ``size`` raw numbers for each step and target: a point, quantiles or a distribution.

    A head has no parameters, and is made of plain tensor operations. It works in the scaled units of a window,
    ``(x − loc) / scale``. In all methods ``raw`` is ``[…, size]``; ``target``, ``origin`` and ``scale`` are ``[…]``
    and broadcast. Distributions whose functions lose digits in float32 are computed in float64 (`wide`), and so are
    their results.
    """

    #: Raw numbers for each step and target.
    size: int
    #: Whether its quantiles have no meaning before calibration has given them one.
    needs_calibration: ClassVar[bool] = False
    #: Whether targets are counts, ``target · scale`` whole numbers ≥ 0. ``scale`` is used by these heads only.
    counts: ClassVar[bool] = False

    @property
    def start(self) -> tuple[float, ...]:
        """The ``size`` numbers that an untrained network had best give: the origin, and a spread."""
        return (0.0,) * self.size

    @abc.abstractmethod
    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        """Give what is minimised in training, one number an element: ``[…]``. It may be negative."""

    @abc.abstractmethod
    def shifted(self, raw: Tensor, origin: Tensor) -> Tensor:
        """Measure the outputs from ``origin``: add it to the location, and leave the spread."""

    @abc.abstractmethod
    def centre(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Give the point forecast ``[…]``: the median, and for a point what its loss makes of it."""

    @abc.abstractmethod
    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Give the mean ``[…]``, in scaled units: under a nonlinear transform not that of the data."""

    @abc.abstractmethod
    def quantiles(self, raw: Tensor, probabilities: Tensor, scale: Tensor) -> Tensor:
        """Give the quantiles at increasing ``probabilities`` ``[q]``: ``[…, q]``, never decreasing in q."""

    @abc.abstractmethod
    def sample(self, raw: Tensor, scale: Tensor, generator: Generator | None) -> Tensor:
        """Draw one value for each element: ``[…]``."""

    def check_scaling(self, scaling: Scaling) -> None:
        """Refuse a scaling that the head cannot work in. Raises `SpecError`."""
        fits = scaling.method in ("mean", "none") and scaling.transform == "identity" and scaling.output == "centre"
        if self.counts and not fits:
            raise SpecError(
                "a head for counts needs values that are scaled only, neither transformed nor shifted: "
                "Scaling(transform='identity', method='mean' or 'none', output='centre'); "
                f"got transform={scaling.transform!r}, method={scaling.method!r}, output={scaling.output!r}"
            )


def moved(raw: Tensor, origin: Tensor) -> Tensor:
    """Add ``origin`` to the first of the raw numbers, the location."""
    return raw + functional.pad(origin.unsqueeze(-1), (0, raw.shape[-1] - 1))


def positive(raw: Tensor) -> Tensor:
    """Map any number to a positive one, at least 1e-4: softplus and a floor."""
    return functional.softplus(raw) + _FLOOR
