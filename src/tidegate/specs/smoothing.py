"""The description of exponential smoothing with a recurrent network around it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Smoothing"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Exponential smoothing and a recurrent network, trained together (ES-RNN; Smyl, 2020).

    Level and seasons of each window are found by additive exponential smoothing, whose coefficients are learned with
    the weights of the network; the network reads what the seasons leave over, relative to the last level, and its
    outputs are measured from the smoothing's own forecast: the last level plus the seasons. Values may be zero or
    negative. On a logarithm (``Scaling(transform="log")``) the seasons are factors, as published.

    Parameters
    ----------
    seasons
        Steps of each season, ascending, such as ``(24, 168)``; ``()`` for a level alone. ``None``: the seasons of
        the forecaster that are shorter than the context.
    segment
        Steps that the network reads at once. ``None``: the shortest season, where the context holds four of them or
        more; otherwise 1.
    highway
        Past steps that also reach the outputs through a linear map of their own (LSTNet's autoregressive highway, Lai
        et al., 2018), without their seasons and relative to the last level; 0 for none.
    experts, dropout
        As of `Direct`: linear maps of the highway, and the share of what was read that training hides from the output
        layer.
    per_series
        Learn corrections of each series to the shared coefficients, and to the seasonal profiles that smoothing
        starts from; their number grows with the number of series. A series never seen in training gets the mean
        coefficients of those that were, and the profiles of its own context without correction.
    alpha, gamma
        Coefficients of level and seasons that training starts from, between 0 and 1; 1 forgets all but the last
        value.
    """

    kind: ClassVar[str] = "smoothing"

    seasons: tuple[int, ...] | None = None
    segment: int | None = None
    highway: int = 0
    experts: int = 1
    dropout: float = 0.0
    per_series: bool = True
    alpha: float = 0.3
    gamma: float = 0.3

    def __post_init__(self) -> None:
        if self.seasons is not None:
            if not isinstance(self.seasons, tuple):
                raise SpecError(f"seasons must be a tuple of whole numbers, such as (24, 168); got {self.seasons!r}")
            for season in self.seasons:
                checks.whole("a season", season, least=2)
            if list(self.seasons) != sorted(set(self.seasons)):
                raise SpecError(f"seasons must be ascending, each once; got {self.seasons!r}")
        if self.segment is not None:
            checks.whole("segment", self.segment)
        checks.whole("highway", self.highway, least=0)
        checks.whole("experts", self.experts)
        if self.experts > 1 and not self.highway:
            raise SpecError(f"experts={self.experts} are linear maps of a highway, and highway is 0; give it steps")
        checks.probability("dropout", self.dropout)
        checks.flag("per_series", self.per_series)
        for name in ("alpha", "gamma"):
            value = getattr(self, name)
            checks.number(name, value)
            if not 0 < value < 1:
                raise SpecError(f"{name} must lie between 0 and 1, 0 < {name} < 1; got {value!r}")
