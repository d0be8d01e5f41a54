"""The season of a table, found in its autocorrelation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tidegate.data.calendar import DAY, HOUR, BusinessSteps, FixedSteps, MonthSteps, Steps
from tidegate.data.table import SeriesTable
from tidegate.data.windows import Windows

__all__ = ["detect_season", "seasons"]

_MOST_SERIES = 200
_MOST_VALUES = 400_000
_MOST_ROWS = 40_000
_LEAST = 0.1  # a weaker season does not help a forecast
_CLEARLY = 0.05  # how much a longer season must stand out among the echoes of a shorter one
_CONFIRMED = 0.5  # share of the autocorrelation that must be left a season later
_AS_GOOD = 0.9  # a shorter season is preferred if it explains this share of what the best one does
_POOLED = 9  # series count as independent evidence only up to here: those of one table move together


def detect_season(table: SeriesTable) -> int:
    """Find the length of the season, in steps; 1 if there is none.

    The shortest of `seasons`: a longer one contains it, and a context of two or three short seasons is affordable.

    Examples
    --------
    >>> import pandas as pd
    >>> from tidegate.data import read_frame
    >>> days = pd.date_range("2026-01-01", periods=70)
    >>> detect_season(read_frame(pd.DataFrame({"ds": days, "y": days.day_of_week >= 5})))
    7
    """
    return (*seasons(table), 1)[0]


def seasons(table: SeriesTable) -> tuple[int, ...]:
    """Find the lengths of all seasons, in steps, the shortest (fundamental) first; empty if there is none.

    The median over series of an autocorrelation decides: that of first differences, which have no trend and are noise
    for a random walk, or else that of deviations from a moving average over two to four seasons, in which a smooth
    season under noise shows. A season is a lag where it has a peak, with a trough on both sides, that is significant
    (three of Bartlett's standard errors for the seasons that the frequency suggests, four where every lag is a
    candidate), of use (at least 0.1), and there again a season later. Of several the shortest counts that is nearly
    as good as the best. A multiple of it is a season of its own only where it stands out among its echoes.

    The candidates are those of the calendar: hours 24 and 168, days 7 and 365, business days 5, weeks 52, months 12,
    quarters 4, minutes 60, 1440 and 10080, and so on. Where time counts steps, every lag is one.

    The result depends on at most 200 series, evenly spaced in the table, and on nothing random. At least half of these
    series must be one and a half seasons long, and three where every lag is a candidate.
    """
    values = _sample(table)
    natural = _natural(table.calendar.steps) if table.times.dtype.kind == "M" else None
    found: dict[int, _Evidence] = {}
    for series, lags in _representations(values):
        candidates = [lag for lag in (lags if natural is None else natural) if lag in lags]
        if not candidates:
            continue
        evidence = _evidence(series)
        for lag in candidates:
            better = lag not in found or evidence.score(lag) > found[lag].score(lag)
            if better and evidence.supports(lag, searched=natural is None):
                found[lag] = evidence
    ordered = sorted(found)
    if natural is None:
        ordered = _as_good_as_any(found)
    chain = ordered[:1]
    for lag in ordered[1:]:
        if found[chain[0]].stands_out(lag, base=chain[-1]):
            chain.append(lag)
    return tuple(chain)


def _sample(table: SeriesTable) -> np.ndarray:
    """Give the last rows of some series, ``[series × target, time]``, NaN where nothing was observed."""
    rows = int(min(table.lengths.max(), _MOST_ROWS))
    most = int(np.clip(_MOST_VALUES // (rows * table.values.shape[1]), 1, _MOST_SERIES))
    chosen = np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).astype(np.int64))
    batch = Windows.last(table, context=rows).batch(chosen)
    assert batch.observed is not None  # Windows always says what was observed
    return np.where(batch.observed, batch.values, np.nan).transpose(0, 2, 1).reshape(-1, rows)


def _representations(values: np.ndarray) -> Iterator[tuple[np.ndarray, range]]:
    """Give the series without their trend, in several ways, each with the lags that show in it."""
    rows = values.shape[1]
    yield np.diff(values, axis=1), range(2, rows)
    window = 8
    while window // 4 < rows // 2:
        yield values - _moving_average(values, window), range(window // 4 + 1, window // 2 + 1)
        window *= 2


def _moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Average ``window`` steps around each step, fewer at the ends, over what was observed."""
    observed = ~np.isnan(values)
    sums = np.pad(np.cumsum(np.where(observed, values, 0.0), axis=1), ((0, 0), (1, 0)))
    counts = np.pad(np.cumsum(observed, axis=1), ((0, 0), (1, 0)))
    steps = np.arange(values.shape[1])
    first, last = np.maximum(steps - window // 2, 0), np.minimum(steps + window // 2 + 1, len(steps))
    average: np.ndarray = (sums[:, last] - sums[:, first]) / np.maximum(counts[:, last] - counts[:, first], 1)
    return average


@dataclasses.dataclass(frozen=True, eq=False)
class _Evidence:
    """A pooled autocorrelation ``[lag]`` (NaN where half of the series are too short) and its standard errors.

    ``noise`` is that of white noise, ``error`` Bartlett's (1946): it grows with the autocorrelation at shorter lags,
    here up to half a season, as the season itself is not to count against it.
    """

    correlation: np.ndarray
    noise: np.ndarray
    error: np.ndarray

    def supports(self, lag: int, *, searched: bool) -> bool:
        """Say whether there is a peak at ``lag`` that is significant, of use, and confirmed."""
        reach, half = self.correlation[: 2 * lag + 1], lag // 2
        if len(reach) <= lag + half or np.isnan(reach[: lag + half + 1]).any():
            return False
        peak, error = reach[lag], self.error[lag]
        least = max(_LEAST, (4.0 if searched else 3.0) * error)
        deep = peak - least
        if peak <= least or reach[1:lag].min() > deep or np.nanmin(reach[lag + 1 :]) > deep:
            return False
        if reach[lag - half : lag + half + 1].max() > peak + min(2 * error, _LEAST):
            return False
        later = reach[2 * lag] if len(reach) > 2 * lag else np.nan
        return bool(later > _CONFIRMED * peak or (np.isnan(later) and not searched))

    def score(self, lag: int) -> float:
        """Average over a lag and its first multiples, where a lag next to the true one falls behind."""
        return float(np.nanmean(self.correlation[lag : 4 * lag + 1 : lag]))

    def stands_out(self, lag: int, *, base: int) -> bool:
        """Say whether a multiple of a season is a peak among the season's echoes."""
        if lag % base:
            return False
        echoes = self.correlation[base : 2 * lag : base]  # at base, 2·base, … on both sides of the lag
        place = lag // base - 1
        low = echoes[place] - max(_CLEARLY, 3 * float(self.noise[lag]))
        before, after = echoes[:place], echoes[place + 1 :][np.isfinite(echoes[place + 1 :])]
        peak = bool(echoes[place] >= echoes[place - 1])
        return peak and bool(before.min() <= low) and (not after.size or bool(after.min() <= low))


def _evidence(series: np.ndarray) -> _Evidence:
    """Pool the autocorrelations of series ``[series, time]``."""
    correlation, pairs = _each(series)
    common = np.isfinite(correlation).sum(axis=0) * 2 >= len(series)
    pooled, counted = np.full(len(common), np.nan), np.ones(len(common))
    if common.any():
        pooled[common] = np.nanmedian(correlation[:, common], axis=0)
        counted[common] = np.nanmedian(np.where(np.isfinite(correlation), pairs, np.nan)[:, common], axis=0)
    squares = np.cumsum(np.nan_to_num(pooled) ** 2)  # 1 at lag 0
    before = squares[np.arange(len(pooled)) // 2]
    noise = 1 / np.sqrt(counted * min(len(series), _POOLED))
    return _Evidence(pooled, noise, noise * np.sqrt(np.maximum(2 * before - 1, 1)))


def _each(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give autocorrelation and number of pairs of each series, ``[series, lag]``, with the Wiener–Khinchin theorem."""
    present = ~np.isnan(series)
    enough = present.sum(axis=1) >= 4
    series, present = series[enough], present[enough]
    if not len(series):
        return np.full((1, 1), np.nan), np.zeros((1, 1))
    # Clipped, so that a fault or a strike does not decide.
    low, high = np.nanquantile(series, (0.01, 0.99), axis=1, keepdims=True)
    clipped = np.clip(series, low, high)
    centred = np.where(present, clipped - np.nanmean(clipped, axis=1, keepdims=True), 0.0)
    centred /= np.maximum(np.abs(centred).max(axis=1, keepdims=True), np.finfo(float).tiny)  # squares that fit
    lags = min(series.shape[1], 2 * series.shape[1] // 3 + 2)
    covariance, pairs = _products(centred)[:, :lags], np.rint(_products(present.astype(float))[:, :lags])
    variance = covariance[:, :1] / np.maximum(pairs[:, :1], 1)
    valid = (pairs >= np.maximum(np.arange(lags) // 2, 4)) & (variance > 0)
    correlation = np.full(covariance.shape, np.nan)
    np.divide(covariance, pairs * variance, out=correlation, where=valid)
    return correlation, pairs


def _products(rows: np.ndarray) -> np.ndarray:
    size = 1 << (2 * rows.shape[1] - 1).bit_length()  # zeros after the end, so that lags do not wrap around
    spectrum = np.fft.rfft(rows, size, axis=1)
    return np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)[:, : rows.shape[1]]


def _natural(steps: Steps) -> tuple[int, ...]:
    """Give the seasons that a calendar suggests, in steps, ascending."""
    if isinstance(steps, MonthSteps):
        return (12 // steps.months,) if 12 % steps.months == 0 and steps.months < 12 else ()
    if isinstance(steps, BusinessSteps):
        return (5, 261) if steps.days == 1 else ()
    assert isinstance(steps, FixedSteps)
    year = round(365.25 * DAY / steps.size) if steps.size >= DAY else 0
    cycles = [cycle // steps.size for cycle in (HOUR // 60, HOUR, DAY, 7 * DAY) if cycle % steps.size == 0]
    return tuple(season for season in (*cycles, year) if season >= 2)


def _as_good_as_any(found: dict[int, _Evidence]) -> list[int]:
    """Begin the lags with the shortest whose peak is nearly as high as the highest, or the best of those around it."""
    if not found:
        return []
    heights = {lag: float(evidence.correlation[lag]) for lag, evidence in found.items()}
    shortest = min(lag for lag, height in heights.items() if height >= _AS_GOOD * max(heights.values()))
    beside = (lag for lag in found if shortest <= lag <= 1.5 * shortest)
    best = max(beside, key=lambda lag: found[lag].score(lag))
    return sorted(lag for lag in found if lag >= best)
