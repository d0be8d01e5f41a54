"""The score of the Numenta Anomaly Benchmark, by its rules.

Lavin & Ahmad (2015), "Evaluating real-time anomaly detection algorithms – the Numenta anomaly benchmark". Each series
has windows around its anomalies, given by hand. What a detector flags is worth, with ``σ(x) = 2/(1 + e^{5x}) − 1``,

- in a window of ``w`` rows: the earliest flagged point alone counts, for ``σ(−(rows to the end, itself included)/w)``,
  divided by ``σ(−1)`` so that the first row earns 1; a window without one costs the weight of a miss;
- elsewhere: each flagged point costs by its distance behind the last window, ``σ(rows behind its end/(w − 1))``, and 1
  from three windows on, or where no window came before.

The first 15 % of a series, at most 750 rows, are for learning and do not count. Scores are summed over all series with
the weights of a profile, and scaled so that 0 is a detector that flags nothing and 100 one that flags the first row of
each window and nothing else. One threshold serves all series; NAB chooses it so that the score is best, with the
labels in hand. What a detector scores with a threshold of its own is another figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError, ShapeError, SpecError

__all__ = ["NAB_PROFILES", "NabProfile", "NabScore", "nab_probation", "nab_score"]

Windows = Sequence[tuple[int, int]]  # first and last row of each, both included


@dataclass(frozen=True, kw_only=True)
class NabProfile:
    """What a detection earns, and what a miss and a false alarm cost.

    Parameters
    ----------
    detection
        Of a window, for its first row; later ones earn less.
    false_alarm
        Of each flagged point outside, at its most.
    miss
        Of a window without a flagged point.
    """

    detection: float = 1.0
    false_alarm: float = 0.11
    miss: float = 1.0


NAB_PROFILES = {
    "standard": NabProfile(),
    "reward_low_FP_rate": NabProfile(false_alarm=0.22),
    "reward_low_FN_rate": NabProfile(miss=2.0),
}


@dataclass(frozen=True, kw_only=True)
class NabScore:
    """A score, and what it came from.

    Parameters
    ----------
    score
        From minus infinity to 100, higher is better; 0 is what a detector that flags nothing has.
    threshold
        A point is flagged where its score is at least this.
    detected, windows
        Windows with a flagged point, and all of them.
    false_alarms
        Flagged points outside the windows.
    """

    score: float
    threshold: float
    detected: int
    windows: int
    false_alarms: int


def nab_probation(length: int) -> int:
    """Give how many rows at the start of a series of ``length`` rows do not count: 15 %, 750 at most.

    Examples
    --------
    >>> nab_probation(4032), nab_probation(22695)
    (604, 750)
    """
    return int(min(math.floor(0.15 * length), 750))


def nab_score(
    scores: Sequence[npt.ArrayLike],
    windows: Sequence[Windows],
    *,
    profile: str | NabProfile = "standard",
    threshold: float | None = None,
) -> NabScore:
    """Score a detector over a corpus of series, as NAB does.

    Parameters
    ----------
    scores
        Of each series ``[time]``, higher for more abnormal, its first rows (`nab_probation`) among them.
    windows
        Of each series the windows, each the first row and the last (included), in order and apart.
    profile
        The weights: a name of `NAB_PROFILES` or a `NabProfile`.
    threshold
        Points that reach it are flagged. Left out, the best of all is taken, as NAB does, which looks at the labels.
        For a detector that decides by itself, give its alarms as scores of 0 and 1, and 1 here.

    Raises
    ------
    ShapeError
        If scores and windows are not of as many series, or a score is not ``[time]``.
    DataError
        If a score is NaN, a window does not lie within its series, windows overlap, or there is none at all.
    SpecError
        If the profile is not known.

    Examples
    --------
    >>> score = [0.0] * 50 + [1.0] + [0.0] * 49  # flags row 50 alone
    >>> nab_score([score], [[(50, 59)]]).score, nab_score([score], [[(40, 59)]]).score < 100
    (100.0, True)
    """
    weights = _profile(profile)
    if len(scores) != len(windows):
        raise ShapeError(f"there must be windows for each series of scores; got {len(windows)} for {len(scores)}")
    parts = [_gains(_scores(s, i), w, weights, i) for i, (s, w) in enumerate(zip(scores, windows, strict=True))]
    count = sum(len(each) for each in windows)
    if not count:
        raise DataError("there must be at least one window to score by; there is none in any series")
    value, gain, false, first = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(-value, kind="stable")
    value = value[order]
    ends = np.flatnonzero(np.append(value[1:] != value[:-1], True)) if value.size else np.array([], int)
    raw = np.append(0.0, np.cumsum(gain[order])[ends])  # above the score of one that flags nothing
    cuts = np.append(np.inf, value[ends])
    at = int(raw.argmax()) if threshold is None else int(np.searchsorted(-cuts, -threshold, side="right")) - 1
    tally = [int(np.append(0, np.cumsum(each[order])[ends])[max(at, 0)]) for each in (false, first)]
    return NabScore(
        score=float(100 * raw[max(at, 0)] / (count * (weights.detection + weights.miss))),
        threshold=float(cuts[at]) if threshold is None else float(threshold),
        detected=tally[1],
        windows=count,
        false_alarms=tally[0],
    )


def _gains(
    scores: np.ndarray, windows: Windows, profile: NabProfile, series: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give, of the rows that count: score, gain, whether flagging it is a false alarm, whether it finds its window.

    The gain is what flagging a row adds when all rows of higher scores are flagged already.
    """
    length = scores.size
    _check_windows(windows, length, series)
    gain, counts = _cost_outside(length, windows) * profile.false_alarm, np.arange(length) >= nab_probation(length)
    false, first = counts.copy(), np.zeros(length, bool)
    for start, end in windows:
        rows = np.arange(start, end + 1)
        earned = profile.detection * _sigmoid((rows - end - 1) / rows.size) / _sigmoid(np.array(-1.0))
        false[rows] = False
        rows, earned = rows[counts[rows]], earned[counts[rows]]
        order = np.argsort(-scores[rows], kind="stable")
        best = np.maximum.accumulate(earned[order])
        gain[rows[order]] = np.diff(best, prepend=-profile.miss)  # only an earlier row adds anything
        first[rows[order[:1]]] = True
    return scores[counts], gain[counts], false[counts], first[counts]


def _cost_outside(length: int, windows: Windows) -> np.ndarray:
    """Give of each row what flagging it is worth outside a window, from −1 to 0."""
    worth = np.full(length, -1.0)
    for start, end in windows:
        rows = np.arange(end + 1, length)
        behind = (rows - end) / max(end - start, 1)
        worth[end + 1 :] = np.where(behind >= 3, -1.0, _sigmoid(behind))
    return worth


def _sigmoid(position: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = 2 / (1 + np.exp(5 * np.minimum(position, 100.0))) - 1
    return scaled


def _profile(profile: str | NabProfile) -> NabProfile:
    if isinstance(profile, NabProfile):
        return profile
    if profile not in NAB_PROFILES:
        raise SpecError(f"profile must be one of {', '.join(NAB_PROFILES)}, or a NabProfile; got {profile!r}")
    return NAB_PROFILES[profile]


def _scores(score: npt.ArrayLike, series: int) -> np.ndarray:
    values = np.asarray(score, np.float64)
    if values.ndim != 1:
        raise ShapeError(f"scores of a series must be [time]; those of series {series} are {values.shape}")
    unknown = np.isnan(values)
    unknown[: nab_probation(values.size)] = False
    if unknown.any():
        raise DataError(f"a score must be a number; that of series {series} is NaN at row {int(unknown.argmax())}")
    return values


def _check_windows(windows: Windows, length: int, series: int) -> None:
    before = -1
    for start, end in windows:
        if not before < start <= end < length:
            raise DataError(
                f"windows must lie within their series, in order and apart; got {start} to {end} in series {series} "
                f"of {length} rows" + (f", after one that ends at {before}" if before >= 0 else "")
            )
        before = end
