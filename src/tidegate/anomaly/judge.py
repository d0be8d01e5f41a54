"""From errors to scores, shares and verdicts: what was learnt from the errors of training, for one kind of error."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.covering import FloatArray
from tidegate.anomaly.filters import Filter, filtered, make_filters
from tidegate.anomaly.thresholds import Follower, make_follower
from tidegate.errors import DataError
from tidegate.specs.detection import Likelihood
from tidegate.specs.thresholds import Threshold

__all__ = ["Judge", "Verdict", "combined", "shares_of"]

_LEAST = 1e-2  # of a mean error, in units of the series: a network that is never wrong still needs a measure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of the rows of one series.

    Parameters
    ----------
    score, threshold
        ``[row]``; a score is NaN where nothing could be judged.
    is_anomaly
        ``[row]``.
    shares
        ``[row, target]``, which add up to 1; NaN where nothing could be judged.
    """

    score: FloatArray
    threshold: FloatArray
    is_anomaly: npt.NDArray[np.bool_]
    shares: FloatArray


class Judge:
    """Turns errors into scores, and scores into verdicts.

    The errors of each variable are measured in their mean of training, so that all count alike; a score is their root
    mean square over the variables that were observed. Filters and a threshold follow.

    Parameters
    ----------
    likelihood, threshold
        As the detector's.
    targets
        How many variables.
    """

    def __init__(self, likelihood: Likelihood | None, threshold: Threshold, targets: int) -> None:
        self.scale: FloatArray = np.ones(targets)
        self.least = 0.0  # of all training scores: what is said where nothing can be judged and a number is needed
        self.filters: list[Filter] = make_filters(likelihood, threshold)
        self.follower: Follower = make_follower(threshold)

    def fit(self, errors: Sequence[FloatArray]) -> None:
        """Learn from the errors of training, ``[row, target]`` of each series, NaN where there are none.

        Raises
        ------
        DataError
            If there are too few for the threshold.
        """
        total = np.concatenate(list(errors))
        seen = ~np.isnan(total)
        mean = np.where(seen, total, 0.0).sum(0) / np.maximum(seen.sum(0), 1)
        if not seen.any():
            raise DataError("no training row could be judged; give more rows, or a shorter context")
        self.scale = np.maximum(mean, _LEAST)
        raw = [combined(each, self.scale) for each in errors]
        for series in raw:  # the long run is that of all series
            filtered(self.filters, series)
        self._begin()
        scores = np.concatenate([self._filtered(series) for series in raw])
        self.follower.fit(scores)
        self.least = float(np.nanmin(scores))

    def scores(self, errors: FloatArray) -> FloatArray:
        """Give the scores of one series, ``[row]``, from its errors ``[row, target]``."""
        return self._filtered(combined(errors, self.scale))

    def verdict(self, errors: FloatArray) -> Verdict:
        """Judge one series; the threshold goes with it from where training left it."""
        scores = self.scores(errors)
        follower = copy.deepcopy(self.follower)
        thresholds, flags = follower.walk(scores)
        return Verdict(
            score=scores,
            threshold=thresholds,
            is_anomaly=follower.pruned(scores, flags),
            shares=shares_of(errors, self.scale),
        )

    def fresh(self) -> Judge:
        """Give a copy that may go its own way."""
        return copy.deepcopy(self)

    def state(self) -> dict[str, FloatArray]:
        """Give all that was learnt, as arrays."""
        arrays = {"scale": self.scale, "least": np.array([self.least])}
        arrays |= {f"filters.{index}": np.array(each.state()) for index, each in enumerate(self.filters)}
        return arrays | {f"threshold.{name}": array for name, array in self.follower.state().items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave. Raises `LookupError` or `ValueError` for anything else."""
        scale = np.asarray(state["scale"], np.float64)
        if scale.shape != self.scale.shape or not (scale > 0).all():
            raise ValueError(f"expected {len(self.scale)} scales of errors above 0; got shape {list(scale.shape)}")
        self.scale, (self.least,) = scale, state["least"].tolist()
        for index, each in enumerate(self.filters):
            each.load(state[f"filters.{index}"].tolist())
        prefix = "threshold."
        self.follower.load({name[len(prefix) :]: part for name, part in state.items() if name.startswith(prefix)})

    def _begin(self) -> None:
        for each in self.filters:
            each.begin()

    def _filtered(self, raw: FloatArray) -> FloatArray:
        return filtered(copy.deepcopy(self.filters), raw)


def combined(errors: FloatArray, scale: FloatArray) -> FloatArray:
    """Give the root mean square of ``errors`` [row, target] in ``scale`` [target], over those that are not NaN."""
    seen = ~np.isnan(errors)
    squares = np.where(seen, errors / scale, 0.0) ** 2
    count = seen.sum(1)
    root: FloatArray = np.sqrt(squares.sum(1) / np.where(count, count, np.nan))
    return root


def shares_of(errors: FloatArray, scale: FloatArray) -> FloatArray:
    """Give the share of each variable in `combined`'s mean of squares, ``[row, target]``; 0 where it is missing.

    Where all errors are 0, observed variables have equal shares; where nothing was observed, shares are NaN.
    """
    seen = ~np.isnan(errors)
    squares = np.where(seen, errors / scale, 0.0) ** 2
    squares = np.where((squares.sum(1, keepdims=True) > 0), squares, seen.astype(np.float64))
    total = squares.sum(1, keepdims=True)
    shares: FloatArray = squares / np.where(total > 0, total, np.nan)
    return shares
