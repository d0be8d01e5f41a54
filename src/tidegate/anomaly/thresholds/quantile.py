"""A quantile of the training scores; a rate of contamination is one too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.thresholds.follower import FloatArray, observed
from tidegate.errors import DataError
from tidegate.specs.thresholds import Contamination, Quantile

__all__ = ["QuantileThreshold"]


class QuantileThreshold:
    """A constant: the quantile that the spec names.

    Parameters
    ----------
    spec
        ``Contamination(rate)``, which is the quantile 1 − rate, or ``Quantile(q, factor)``.
    """

    def __init__(self, spec: Contamination | Quantile) -> None:
        self._spec = spec
        self.threshold = np.inf

    def fit(self, scores: FloatArray) -> None:
        """Take the quantile; between two scores, linearly."""
        known = observed(scores)
        if not len(known):
            raise DataError("a threshold needs training scores, and no row has one; give more observed rows")
        if isinstance(self._spec, Contamination):
            self.threshold = float(np.quantile(known, 1 - self._spec.rate))
        else:
            self.threshold = float(np.quantile(known, self._spec.q)) * self._spec.factor

    def update(self, score: float) -> bool:
        """Compare; nothing is learnt."""
        return score > self.threshold

    def walk(self, scores: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Compare all."""
        return np.full(len(scores), self.threshold), scores > self.threshold

    def pruned(self, scores: FloatArray, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Leave ``flags`` as they are."""
        del scores
        return flags

    def state(self) -> dict[str, FloatArray]:
        """Give the threshold."""
        return {"threshold": np.array([self.threshold])}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        (self.threshold,) = state["threshold"].tolist()
