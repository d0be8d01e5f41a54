"""SPOT and DSPOT: thresholds from the tail of the scores (Siffer et al., 2017)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.thresholds.follower import FloatArray, observed
from tidegate.anomaly.thresholds.pareto import fit_pareto, upper_tail
from tidegate.errors import DataError
from tidegate.specs.thresholds import Spot

__all__ = ["SpotThreshold"]

_FEWEST = 10  # peaks from which a tail can be told
_MOST_EXTREME = 0.2  # the largest share of scores that may count as extreme


class SpotThreshold:
    """A threshold that is exceeded with the probability ``spec.risk``, and learns from scores that are no alarm.

    Parameters
    ----------
    spec
        Risk, level, and the depth of the moving mean.
    """

    def __init__(self, spec: Spot) -> None:
        self._spec = spec
        self._level = self._above = math.inf  # both above the moving mean
        self._seen = 0
        self._exceeded = 0
        self._peaks: list[float] = []  # a ring, once it is full
        self._cursor = 0
        self._recent: list[float] = []  # the scores of the moving mean, a ring
        self._place = 0

    @property
    def threshold(self) -> float:
        """The tail's threshold, above the moving mean if there is one."""
        return self._mean() + self._above

    def fit(self, scores: FloatArray) -> None:
        """Choose the level, and fit the tail above it."""
        known = observed(scores)
        depth = self._spec.depth
        if depth:
            before = np.concatenate([[0.0], np.cumsum(known)])
            relative = known[depth:] - (before[depth:-1] - before[: -depth - 1]) / depth
        else:
            relative = known
        if len(relative) < _FEWEST / _MOST_EXTREME:
            after = f" after a moving mean of {depth}" if depth else ""
            raise DataError(
                f"SPOT needs {_FEWEST / _MOST_EXTREME:g} training scores to tell their tail; there are "
                f"{len(relative)}{after}: give more rows, or another threshold"
            )
        extreme = max(1 - self._spec.level, _FEWEST / len(relative))  # of a few scores a larger share
        level = float(np.quantile(relative, 1 - extreme))
        peaks = relative[relative > level] - level
        self._level, self._seen, self._exceeded = level, len(relative), len(peaks)
        self._peaks, self._cursor = peaks[-self._spec.peaks :].tolist(), 0
        self._recent, self._place = known[len(known) - depth :].tolist() if depth else [], 0
        self._refit()

    def update(self, score: float) -> bool:
        """Compare; an alarm teaches nothing, a peak is taken into the tail."""
        if math.isnan(score):
            return False
        relative = score - self._mean()
        if relative > self._above:
            return True
        self._seen += 1
        if relative > self._level:
            self._exceeded += 1
            self._remember(relative - self._level)
            self._refit()
        if self._spec.depth:
            self._recent[self._place] = score
            self._place = (self._place + 1) % self._spec.depth
        return False

    def walk(self, scores: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Update with one score after the other."""
        thresholds, flags = np.empty(len(scores)), np.zeros(len(scores), bool)
        for index, score in enumerate(scores.tolist()):
            thresholds[index] = self.threshold
            flags[index] = self.update(score)
        return thresholds, flags

    def pruned(self, scores: FloatArray, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Leave ``flags`` as they are."""
        del scores
        return flags

    def state(self) -> dict[str, FloatArray]:
        """Give level, counts, peaks and the latest scores, the oldest first."""
        peaks = self._peaks[self._cursor :] + self._peaks[: self._cursor]
        recent = self._recent[self._place :] + self._recent[: self._place]
        numbers = [self._level, self._above, self._seen, self._exceeded]
        return {"numbers": np.array(numbers), "peaks": np.array(peaks), "recent": np.array(recent)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self._level, self._above, seen, exceeded = state["numbers"].tolist()
        self._seen, self._exceeded = int(seen), int(exceeded)
        self._peaks, self._cursor = state["peaks"].tolist(), 0
        self._recent, self._place = state["recent"].tolist(), 0
        if len(self._peaks) > self._spec.peaks or len(self._recent) != self._spec.depth:
            raise ValueError("the state of the threshold does not belong to its options")

    def _mean(self) -> float:
        return sum(self._recent) / len(self._recent) if self._recent else 0.0

    def _remember(self, excess: float) -> None:
        if len(self._peaks) < self._spec.peaks:
            self._peaks.append(excess)
        else:
            self._peaks[self._cursor] = excess
            self._cursor = (self._cursor + 1) % self._spec.peaks

    def _refit(self) -> None:
        if not self._peaks:  # the highest training scores are all alike: what exceeds them is new
            self._above = self._level
            return
        gamma, sigma = fit_pareto(np.array(self._peaks))
        ratio = self._spec.risk * self._seen / self._exceeded
        self._above = self._level + upper_tail(gamma, sigma, min(ratio, 1.0))
