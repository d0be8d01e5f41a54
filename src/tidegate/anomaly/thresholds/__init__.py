"""From which score on a point is an anomaly: chosen from the scores of training, followed from score to score.

Each kind of threshold has a file; `make_follower` finds it by its description. A new one needs a spec in
`tidegate.specs.thresholds` and a follower entered here.
"""

from __future__ import annotations

from tidegate.anomaly.thresholds.dynamic import DynamicThreshold
from tidegate.anomaly.thresholds.follower import Follower
from tidegate.anomaly.thresholds.quantile import QuantileThreshold
from tidegate.anomaly.thresholds.spot import SpotThreshold
from tidegate.specs.thresholds import Dynamic, Spot, Threshold

__all__ = ["Follower", "make_follower"]


def make_follower(spec: Threshold) -> Follower:
    """Build what ``spec`` describes: not fitted yet."""
    if isinstance(spec, Spot):
        return SpotThreshold(spec)
    if isinstance(spec, Dynamic):
        return DynamicThreshold(spec)
    return QuantileThreshold(spec)
