"""The description of how examples are changed at random in training."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Augmentation"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of whole series in training, which leave what they are (Um et al., 2017; Le Guennec et al., 2016).

    Values are measured after scaling, so that one means a standard deviation. Each change is made to each example of
    each batch anew, with ``probability``, in the order of the fields; one that is 0 is never made.

    Parameters
    ----------
    crop
        Largest share that is cut off; what is left is stretched to the old length.
    time_warp
        Standard deviation of the speed at which a series is read, a smooth curve about 1.
    magnitude_warp
        Standard deviation of a smooth curve about 1 that each channel is multiplied by.
    scaling
        Standard deviation of a number about 1 that each channel is multiplied by.
    jitter
        Standard deviation of noise that is added to every value.
    knots
        Random points of a smooth curve, ends not counted.
    probability
        Of each change.

    Raises
    ------
    SpecError
        If an option is out of its range, or nothing is to be changed.
    """

    crop: float = 0.0
    time_warp: float = 0.0
    magnitude_warp: float = 0.0
    scaling: float = 0.1
    jitter: float = 0.03
    knots: int = 4
    probability: float = 0.5

    def __post_init__(self) -> None:
        checks.probability("crop", self.crop)
        for name in ("time_warp", "magnitude_warp", "scaling", "jitter"):
            checks.at_least(name, getattr(self, name), 0)
        checks.whole("knots", self.knots)
        checks.at_least("probability", self.probability, 0, exclusive=True)
        if self.probability > 1:
            raise SpecError(f"probability must be at most 1; got {self.probability!r}")
        if not any((self.crop, self.time_warp, self.magnitude_warp, self.scaling, self.jitter)):
            raise SpecError("augmentation changes nothing: all are 0; leave it out, or set one")
