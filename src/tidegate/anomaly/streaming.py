"""Scores while values arrive one by one: a ring buffer, no data frames, no look ahead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegate.anomaly.covering import FloatArray, average_of_observed
from tidegate.anomaly.judge import Judge, combined, shares_of
from tidegate.anomaly.network import Detection
from tidegate.anomaly.quick import one_window
from tidegate.errors import DataError, ShapeError
from tidegate.kernels.packing import packed_context
from tidegate.specs.detection import Prediction

__all__ = ["DetectorStream"]

_LARGEST = 1e15  # as in a table: beyond it a value is nearly always a marker for "missing"


class DetectorStream:
    """The latest values of one series, and a score for each as it comes.

    A value costs the same however many have come before, and so does the memory: the window lies in a ring buffer, and
    filters and threshold hold a few numbers each (SPOT so many peaks as its description says). A score is that of
    ``decision_function(…, causal=True)`` for the same values, to rounding: it goes by windows that end at the value
    or before it. Until a window is full, and for a missing value, it is NaN.

    Not to be called from several threads at once; the detector may be.

    Parameters
    ----------
    network, judge
        The fitted detector's; the judge goes its own way from here.
    code
        Number of the series in training, −1 for another.
    """

    def __init__(self, network: Detection, judge: Judge, code: int) -> None:
        design = network.design
        self._network, self._judge = network, judge.fresh()
        self._context, self._targets = design.context, design.targets
        # Each value is written twice, a context apart, so that every window is one stretch of memory.
        self._buffer = np.full((2 * design.context, design.targets), np.nan)
        self._cursor = self._count = 0
        self._together = design.together
        self._pending: FloatArray | None = None
        if isinstance(design.method, Prediction):  # [made so many values ago, of which step, target]
            self._pending = np.full((design.steps, design.steps, design.targets), np.nan)
        self._units = network.series_scaling.one_by_one(code)
        self._least = network.series_scaling.transform.least
        self._ask = one_window(network)
        self._variables = packed_context(network)  # packed once, for the life of the stream
        self._errors = np.full((1, design.targets), np.nan)
        self._is_anomaly = False

    @property
    def threshold(self) -> float:
        """What the next score is held against."""
        return self._judge.follower.threshold

    @property
    def is_anomaly(self) -> bool:
        """Whether the latest score lies above the threshold that it was held against."""
        return self._is_anomaly

    @property
    def shares(self) -> FloatArray:
        """The share of each variable in the latest score, ``[channel]``, as `AnomalyDetector.predict` gives it."""
        shares: FloatArray = shares_of(self._errors, self._judge.scale)[0]
        return shares

    def score_one(self, value: float | npt.ArrayLike) -> float:
        """Take the next value, and say how abnormal it is.

        Parameters
        ----------
        value
            The variable, or ``[channel]``; NaN for a missing value.

        Returns
        -------
        float
            The score, higher being more abnormal; NaN where nothing can be judged.

        Raises
        ------
        DataError
            If the value is no number, infinite, beyond ±1e15, or outside the transform's domain.
        ShapeError
            If there is another number of variables.
        """
        row = self._units(self._row(value))
        self._push(row)
        self._errors = self._judged(row)
        score = float(combined(self._errors, self._judge.scale)[0])
        for each in self._judge.filters:
            score = each.step(score)
        self._is_anomaly = self._judge.follower.update(score)
        return score

    def update(self, values: npt.ArrayLike) -> None:
        """Take values that came before, ``[time]`` or ``[time, channel]``, to begin with a full window.

        They get no scores, and neither filters nor the threshold learn from them. Raises as `score_one`.
        """
        rows = np.asarray(values)
        if rows.ndim not in (1, 2):
            raise ShapeError(f"expected values [time] or [time, channel]; got shape {list(rows.shape)}")
        checked = [self._units(self._row(row)) for row in rows]
        needed = self._context + (0 if self._pending is None else len(self._pending) - 1)
        for position, row in enumerate(checked):
            self._push(row)
            if self._pending is not None and position >= len(checked) - needed:
                self._judged(row)

    def _row(self, value: float | npt.ArrayLike) -> FloatArray:
        try:
            row = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"expected a number, NaN where missing; got {value!r}") from error
        if row.shape not in ((), (self._targets,)) or (row.shape == () and self._targets > 1):
            raise ShapeError(f"expected {self._targets} value(s); got shape {list(row.shape)}")
        if (np.abs(row) > _LARGEST).any():
            raise DataError(f"expected finite values up to {_LARGEST:g}, NaN where missing; got {value!r}")
        if (row <= self._least).any():
            raise DataError(f"the transform of the model needs values above {self._least:g}; got {value!r}")
        return row.reshape(self._targets)

    def _push(self, row: FloatArray) -> None:
        self._buffer[self._cursor] = self._buffer[self._cursor + self._context] = row
        self._cursor = (self._cursor + 1) % self._context
        self._count = min(self._count + 1, self._context)

    def _judged(self, row: FloatArray) -> FloatArray:
        """Give the errors of the latest value, ``[1, target]``."""
        if self._pending is None:
            if self._count < self._context or np.isnan(row).all():
                return np.full((1, self._targets), np.nan)
            return np.abs(row - self._made())
        steps = np.arange(len(self._pending))
        errors = average_of_observed(np.abs(row - self._pending[steps, steps])[np.newaxis], self._together)
        self._pending[1:] = self._pending[:-1].copy()
        self._pending[0] = self._made() if self._count == self._context else np.nan
        return errors

    def _made(self) -> FloatArray:
        window = self._buffer[self._cursor : self._cursor + self._context]
        return self._variables.run(self._ask, window)
