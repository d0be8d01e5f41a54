"""The threshold of telemanom, without a distribution (Hundman et al., 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.runs import runs
from tidegate.anomaly.thresholds.follower import FloatArray, observed
from tidegate.errors import DataError
from tidegate.specs.thresholds import Dynamic

__all__ = ["DynamicThreshold", "dynamic_threshold", "prune"]


class DynamicThreshold:
    """A constant, chosen by `dynamic_threshold`; events of finished series are pruned by `prune`.

    Parameters
    ----------
    spec
        The z that are tried, and how far events have to stand out.
    """

    def __init__(self, spec: Dynamic) -> None:
        self._spec = spec
        self.threshold = np.inf

    def fit(self, scores: FloatArray) -> None:
        """Choose the threshold."""
        known = observed(scores)
        if not len(known):
            raise DataError("a threshold needs training scores, and no row has one; give more observed rows")
        spec = self._spec
        count = int((spec.high - spec.low) / spec.step + 1e-9) + 1
        self.threshold = dynamic_threshold(known, spec.low + spec.step * np.arange(count))

    def update(self, score: float) -> bool:
        """Compare; nothing is learnt."""
        return score > self.threshold

    def walk(self, scores: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Compare all."""
        return np.full(len(scores), self.threshold), scores > self.threshold

    def pruned(self, scores: FloatArray, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Take back stretches that hardly stand out."""
        return prune(scores, flags, self._spec.prune)

    def state(self) -> dict[str, FloatArray]:
        """Give the threshold."""
        return {"threshold": np.array([self.threshold])}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        (self.threshold,) = state["threshold"].tolist()


def dynamic_threshold(scores: FloatArray, zs: FloatArray) -> float:
    """Choose ε = mean + z · deviation.

    It is the z with the largest (Δμ/μ + Δσ/σ) / (points above + (stretches above)²), Δμ and Δσ being how far mean and
    deviation fall without the points above. A z that leaves out half of the points is none; if all leave out none,
    it is the largest.

    Parameters
    ----------
    scores
        ``[time]``, without NaN.
    zs
        Those that are tried, ascending.
    """
    mean, deviation = float(scores.mean()), float(scores.std())
    best, chosen = 0.0, mean + float(zs[-1]) * deviation
    for z in zs.tolist():
        epsilon = mean + z * deviation
        above = scores > epsilon
        count = int(above.sum())
        if not 0 < count < len(scores) / 2:
            continue
        rest = scores[~above]
        fall = (mean - float(rest.mean())) / mean + (deviation - float(rest.std())) / deviation
        value = fall / (count + len(runs(above)[0]) ** 2)
        if value >= best:
            best, chosen = value, epsilon
    return chosen


def prune(scores: FloatArray, flags: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.bool_]:
    """Take back stretches of ``flags`` whose peaks do not stand out.

    The peaks, the highest first, and after them the highest score outside all stretches, form a descending row. What
    lies behind its last fall of more than ``share`` is taken back.

    Parameters
    ----------
    scores, flags
        ``[time]``; scores may be NaN where there is none.
    share
        The least fall from one peak to the next, as a share of it.
    """
    starts, ends = runs(flags)
    if not len(starts):
        return flags
    peaks = np.array([np.nanmax(scores[start:end]) for start, end in zip(starts, ends, strict=True)])
    outside = scores[~flags & ~np.isnan(scores)]
    order = np.argsort(-peaks, kind="stable")
    row = np.append(peaks[order], outside.max() if len(outside) else 0.0)
    falls = np.flatnonzero((row[:-1] - row[1:]) > share * row[:-1])
    kept = order[: falls[-1] + 1] if len(falls) else order[:0]
    result = np.zeros_like(flags)
    for index in kept.tolist():
        result[starts[index] : ends[index]] = True
    return result
