"""What stands between errors and scores: filters that look back, never ahead, in constant memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tidegate.anomaly.covering import FloatArray
from tidegate.specs.detection import Likelihood
from tidegate.specs.thresholds import Dynamic, Threshold

__all__ = ["Filter", "LikelihoodFilter", "SmoothingFilter", "filtered", "log10_tail", "make_filters"]

_CALMEST = 0.1  # spread of errors, whose mean in training is 1: a network that is never wrong is no measure
_LEAST = 1e-12  # of an error, before its logarithm; and of a spread


class Filter(Protocol):
    """One number in, one number out, with a state of constant size."""

    def step(self, value: float) -> float:
        """Take the next value. NaN gives NaN, and leaves the state as it is."""
        ...

    def begin(self) -> None:
        """Begin another series: forget the latest values, and keep what is known of the long run."""
        ...

    def state(self) -> list[float]:
        """Give what is known of the long run, as numbers."""
        ...

    def load(self, state: Sequence[float]) -> None:
        """Take back what `state` gave. Raises `ValueError` for anything else."""
        ...


class LikelihoodFilter:
    """The anomaly likelihood of Ahmad et al. (2017), as −log₁₀ of the tail's probability.

    Mean and variance of the long past decay exponentially (until ``long`` values have come they are those of all), so
    that the state is a few numbers however long the past.

    Parameters
    ----------
    spec
        Time constants.
    """

    def __init__(self, spec: Likelihood) -> None:
        self._spec = spec
        self._mean = self._variance = 0.0
        self._count = 0
        self._recent: list[float] = []  # the last errors, a ring
        self._cursor = 0
        self._peaks: deque[tuple[int, float]] = deque()  # scores of the rest that no later one reaches, with their age
        self._time = 0

    def step(self, value: float) -> float:
        """Take the next error; give how unlikely the mean of the last few is before what came earlier."""
        if math.isnan(value):
            return math.nan
        if self._spec.log:
            value = math.log(max(value, _LEAST))
        if len(self._recent) < self._spec.short:
            self._recent.append(value)
        else:
            self._recent[self._cursor] = value
        self._cursor = (self._cursor + 1) % self._spec.short
        spread = math.sqrt(self._variance)
        short = sum(self._recent) / len(self._recent)
        z = (short - self._mean) / max(spread, _CALMEST) if self._count > 1 else 0.0
        self._learn(value)
        return self._rested(log10_tail(z))

    def _rested(self, score: float) -> float:
        """Give the score where none of the last ``rest`` reached it, and else 0."""
        if not self._spec.rest:
            return score
        self._time += 1
        while self._peaks and self._peaks[0][0] < self._time - self._spec.rest:
            self._peaks.popleft()
        highest = self._peaks[0][1] if self._peaks else -math.inf
        while self._peaks and self._peaks[-1][1] <= score:
            self._peaks.pop()
        self._peaks.append((self._time, score))
        return score if score > highest else 0.0

    def _learn(self, value: float) -> None:
        self._count = min(self._count + 1, self._spec.long)
        rate = 1 / self._count
        change = value - self._mean
        self._mean += rate * change
        self._variance = (1 - rate) * (self._variance + rate * change * change)

    def begin(self) -> None:
        """Forget the last few errors and scores."""
        self._recent, self._cursor = [], 0
        self._peaks.clear()

    def state(self) -> list[float]:
        """Give mean, variance and count."""
        return [self._mean, self._variance, float(self._count)]

    def load(self, state: Sequence[float]) -> None:
        """Take back what `state` gave."""
        mean, variance, count = map(float, state)
        if not (variance >= 0 and 0 <= count <= self._spec.long):
            raise ValueError("the state of the likelihood does not belong to its options")
        self._mean, self._variance, self._count = mean, variance, int(count)
        self.begin()


class SmoothingFilter:
    """An exponentially weighted mean with a span of so many steps, as telemanom smooths its errors.

    Parameters
    ----------
    span
        Steps; 1 leaves values as they are.
    """

    def __init__(self, span: int) -> None:
        self._rate = 2 / (span + 1)
        self._level: float | None = None

    def step(self, value: float) -> float:
        """Take the next value; give the mean."""
        if math.isnan(value):
            return math.nan
        self._level = value if self._level is None else self._level + self._rate * (value - self._level)
        return self._level

    def begin(self) -> None:
        """Forget the mean."""
        self._level = None

    def state(self) -> list[float]:
        """Give nothing: there is no long run."""
        return []

    def load(self, state: Sequence[float]) -> None:
        """Take back nothing."""
        if len(state):
            raise ValueError("an exponentially weighted mean has no state of the long run")
        self.begin()


def make_filters(likelihood: Likelihood | None, threshold: Threshold) -> list[Filter]:
    """Build the filters that a detector's options ask for, in the order of the way of a score."""
    filters: list[Filter] = [] if likelihood is None else [LikelihoodFilter(likelihood)]
    if isinstance(threshold, Dynamic):
        filters.append(SmoothingFilter(threshold.smoothing))
    return filters


def filtered(filters: Sequence[Filter], values: FloatArray) -> FloatArray:
    """Send one series, ``[time]``, through the filters; their state goes on."""
    for each in filters:
        values = np.fromiter(map(each.step, values.tolist()), np.float64, len(values))
    return values


def log10_tail(z: float) -> float:
    """Give −log₁₀ of the probability that a standard normal variable exceeds ``z``, however large.

    >>> round(log10_tail(0.0), 4), round(log10_tail(3.0), 4), round(log10_tail(100.0), 1)
    (0.301, 2.8697, 2173.9)
    """
    if z < 20:
        return -math.log10(0.5 * math.erfc(z / math.sqrt(2)))
    z = min(z, 1e100)  # Mills' ratio; its error is below 1/z² there
    return (z * z / 2 + math.log(z * math.sqrt(2 * math.pi)) - math.log1p(-1 / (z * z))) / math.log(10)
