"""The descriptions of thresholds: the score from which on a point is an anomaly."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeAlias

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["THRESHOLDS", "Contamination", "Dynamic", "Quantile", "Spot", "Threshold", "resolve_threshold"]


@dataclasses.dataclass(frozen=True)
class Contamination:
    """So many of the training rows are anomalies: the threshold is the quantile 1 − ``rate`` of their scores."""

    kind: ClassVar[str] = "contamination"

    rate: float = 0.01

    def __post_init__(self) -> None:
        checks.number("rate", self.rate)
        if not 0 < self.rate <= 0.5:
            raise SpecError(f"the rate of contamination must be above 0 and at most 0.5; got {self.rate!r}")


@dataclasses.dataclass(frozen=True)
class Quantile:
    """The threshold is a quantile of the training scores, times a ``factor``.

    Parameters
    ----------
    q
        0 to 1; 1 is the largest training score.
    factor
        More than 0. Where the training rows are known to be normal, ``Quantile(1, factor=1.1)`` leaves a margin.
    """

    kind: ClassVar[str] = "quantile"

    q: float = 0.99
    factor: float = 1.0

    def __post_init__(self) -> None:
        checks.number("q", self.q)
        if not 0 <= self.q <= 1:
            raise SpecError(f"q must lie between 0 and 1; got {self.q!r}")
        checks.at_least("factor", self.factor, 0, exclusive=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spot:
    """The threshold is exceeded with probability ``risk``, by extreme-value theory (Siffer et al., 2017).

    What exceeds a high level is described by a generalised Pareto distribution, which reaches beyond the largest
    score that was seen. New scores that exceed the level, and are no alarm, are taken into it.

    Parameters
    ----------
    risk
        Probability that a normal score exceeds the threshold.
    level
        Quantile of the training scores from which on they count as extreme; of a few hundred a lower one, so that
        there are ten.
    depth
        0 for SPOT; for DSPOT the steps of a moving mean, above which scores are judged: the threshold then moves with
        the level of the scores.
    peaks
        Excesses that are remembered at most, the latest ones.
    """

    kind: ClassVar[str] = "spot"

    risk: float = 1e-3
    level: float = 0.98
    depth: int = 0
    peaks: int = 1000

    def __post_init__(self) -> None:
        for name in ("risk", "level"):
            checks.at_least(name, getattr(self, name), 0, exclusive=True)
            checks.probability(name, getattr(self, name))
        if self.risk >= 1 - self.level:
            raise SpecError(
                f"risk must be less than 1 − level, the share of extreme scores; got risk={self.risk:g}, "
                f"level={self.level:g}"
            )
        checks.whole("depth", self.depth, least=0)
        checks.whole("peaks", self.peaks, least=10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dynamic:
    """The threshold of telemanom (Hundman et al., 2018), from smoothed training scores, without a distribution.

    Scores are smoothed by an exponentially weighted mean. The threshold is ε = mean + z · standard deviation, with the
    z for which removing what exceeds it makes mean and deviation fall most, beside how many points and stretches that
    takes. Stretches that hardly differ from the highest normal score are pruned from the events.

    Parameters
    ----------
    smoothing
        Steps of the exponentially weighted mean (its span).
    low, high, step
        The z that are tried.
    prune
        An event remains while the peak of the next lower one lies at least this share lower.
    """

    kind: ClassVar[str] = "dynamic"

    smoothing: int = 10
    low: float = 2.5
    high: float = 12.0
    step: float = 0.5
    prune: float = 0.13

    def __post_init__(self) -> None:
        checks.whole("smoothing", self.smoothing)
        for name in ("low", "high", "step"):
            checks.at_least(name, getattr(self, name), 0, exclusive=True)
        if self.low > self.high:
            raise SpecError(f"low must not exceed high; got low={self.low:g}, high={self.high:g}")
        checks.probability("prune", self.prune)


Threshold: TypeAlias = Contamination | Quantile | Spot | Dynamic

THRESHOLDS: dict[str, type[Threshold]] = {spec.kind: spec for spec in (Contamination, Quantile, Spot, Dynamic)}


def resolve_threshold(threshold: Any) -> Threshold:
    """Turn a rate of contamination, or a name of `THRESHOLDS`, into a spec. Raises `SpecError` for anything else."""
    if isinstance(threshold, Contamination | Quantile | Spot | Dynamic):
        return threshold
    if isinstance(threshold, str) and threshold in THRESHOLDS:
        return THRESHOLDS[threshold]()
    if isinstance(threshold, bool | str) or not hasattr(threshold, "__float__"):
        names = ", ".join(map(repr, THRESHOLDS))
        raise SpecError(
            f"threshold must be a rate of contamination, one of {names}, or a Contamination(…), Quantile(…), Spot(…) "
            f"or Dynamic(…); got {threshold!r}"
        )
    return Contamination(float(threshold))
