"""What every threshold can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "Follower", "observed"]

FloatArray = npt.NDArray[np.floating]


class Follower(Protocol):
    """A threshold that goes with the scores, or stays where it is."""

    @property
    def threshold(self) -> float:
        """What the next score is held against."""
        ...

    def fit(self, scores: FloatArray) -> None:
        """Choose from training scores, ``[time]``; NaN is left out. Raises `DataError` if they are too few."""
        ...

    def update(self, score: float) -> bool:
        """Say whether the next score is an anomaly, and learn from it; NaN is none, and teaches nothing."""
        ...

    def walk(self, scores: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Update with scores ``[time]``: the threshold that each was held against, and whether it is above."""
        ...

    def pruned(self, scores: FloatArray, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Take back what does not stand out of a finished series, ``[time]``; never asked of a stream."""
        ...

    def state(self) -> dict[str, FloatArray]:
        """Give what was chosen, as arrays."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave. Raises `LookupError` or `ValueError` for anything else."""
        ...


def observed(scores: FloatArray) -> FloatArray:
    """Give the scores without NaN, as float64."""
    scores = np.asarray(scores, np.float64)
    return scores[~np.isnan(scores)]
