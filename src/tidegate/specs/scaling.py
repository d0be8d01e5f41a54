"""The description of the scaling inside a window."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["CENTRES", "LOCATIONS", "METHODS", "ORIGINS", "TRANSFORMS", "Scaling"]

TRANSFORMS = ("identity", "log", "log1p", "boxcox")
METHODS = ("standard", "minmax", "robust", "mean", "difference", "centred", "none")
CENTRES = ("window", "season", "last")
ORIGINS = ("centre", "last", "season", "level_season", "trend")
LOCATIONS = ("auto", *ORIGINS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaling:
    """What happens to values between a table and a network, and backwards to the network's outputs.

    First ``transform``, elementwise and monotone; then ``(x − loc) / scale``, with both taken from the observed
    context of the same window and of nothing else.

    Parameters
    ----------
    transform
        ``"identity"``, ``"log"`` (values > 0), ``"log1p"`` (values > −1) or ``"boxcox"`` (Box & Cox, 1964;
        values > 0).
    power
        Box–Cox's λ; ``None`` fits it on the training rows. Only with ``transform="boxcox"``.
    method
        ``loc`` and ``scale`` of a window: ``"standard"`` (mean, standard deviation), ``"minmax"`` (minimum, range),
        ``"robust"`` (median, interquartile range), ``"mean"`` (0, mean magnitude), ``"difference"`` (mean, mean
        magnitude of the seasonal difference, MASE's scale), ``"centred"`` (mean, 1) or ``"none"`` (0, 1).
    output
        What an output is measured from: ``"centre"`` (the ``loc`` above), ``"last"`` (the last observed value),
        ``"season"`` (the value a season before: the last observed season, repeated), ``"level_season"`` (the same,
        moved by how far the last season's mean lies from that of the season before) or ``"trend"`` (the line from
        the first to the last observed value, gone on). ``"auto"``: one of the first four, whichever forecasts the
        training rows best by itself; only a forecaster can settle it.
    centre
        What ``loc`` is for methods with a mean or median: ``"window"`` (that of the whole context), ``"season"`` (the
        mean of the last season: where the level moves, the network sees values near 0 all the same) or ``"last"``
        (the last observed value).
    """

    transform: str = "identity"
    power: float | None = None
    method: str = "standard"
    output: str = "last"
    centre: str = "window"

    def __post_init__(self) -> None:
        checks.one_of("transform", self.transform, TRANSFORMS)
        checks.one_of("method", self.method, METHODS)
        checks.one_of("output", self.output, LOCATIONS)
        checks.one_of("centre", self.centre, CENTRES)
        if self.centre != "window" and self.method in ("minmax", "mean", "none"):
            raise SpecError(
                f"centre={self.centre!r} moves the loc of a window, and method={self.method!r} has one of its own; "
                "take 'standard', 'robust', 'difference' or 'centred', or centre='window'"
            )
        if self.power is not None:
            checks.number("power", self.power)
            if self.transform != "boxcox":
                raise SpecError(f"power belongs to transform='boxcox'; transform is {self.transform!r}")
