"""What a fit settles before it trains: the season, the context, and which rows train and which stop the training."""

from __future__ import annotations

import dataclasses

import numpy as np

from tidegate.data import SeriesTable, Windows, seasons, split_bounds
from tidegate.errors import SpecError
from tidegate.forecast.baselines import seasonal_naive
from tidegate.forecast.tables import long_enough
from tidegate.metrics import mae
from tidegate.specs import Scaling, checks

__all__ = ["Plan", "check_options", "choose_season", "fit_power", "make_plan"]

_VALIDATION_WINDOWS = 2_000
_SEASON_WINDOWS = 500
_SEGMENTS = 7  # short seasons in a context, from which on each is read at once


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What was settled, and the windows that follow from it."""

    season: int
    segment: int  # steps that a direct network reads at once
    context: int
    least: int  # rows of context that a series must have; what lacks to `context` is padded and masked
    rows: SeriesTable  # what may train: without the rows that may stop the training
    train: Windows
    validation: Windows | None
    notes: tuple[str, ...]


def check_options(horizon: int, context: int | None, season: int | None) -> None:
    """Refuse what cannot be planned with. Raises `SpecError`."""
    checks.whole("horizon", horizon)
    if context is not None:
        checks.whole("context", context)
    if season is not None:
        checks.whole("season", season)
        if context is not None and season > context:
            raise SpecError(f"season ({season}) must fit into the context ({context}); lengthen the context")


def make_plan(
    table: SeriesTable,
    *,
    horizon: int,
    context: int | None,
    season: int | None,
    strategy: str,
    validation: float,
    skip_short: bool,
) -> Plan:
    """Settle season, context and windows.

    Parameters
    ----------
    table
        The rows to learn from.
    horizon, context, season
        As given to the forecaster; ``None`` is to be settled.
    strategy
        ``"direct"`` may read segments.
    validation
        Share of each series' rows, at its end, that may stop the training.
    skip_short
        Leave series out that are too short, instead of refusing the table.

    Raises
    ------
    ShortSeriesError
        If a series (with ``skip_short``: every series) is too short.
    """
    found = (season,) if season is not None else seasons(table)
    season = season if season is not None else choose_season(table, horizon, found)
    longest = max(int(table.lengths.max()) - horizon, 1)
    chosen = context if context is not None else min(_default_context(max(found, default=1), horizon), longest)
    segment = _segment(chosen, found, fixed=context is not None) if strategy == "direct" else 1
    # A context that was asked for is needed whole; of one that was chosen, as much as is forecast, or a season.
    least = chosen if context is not None else min(chosen, max(2, min(season, horizon)))
    chosen = -(-chosen // segment) * segment  # whole segments; what lacks in the first is masked
    table, skipped = long_enough(table, least + horizon, f"context {least} + horizon {horizon}", skip_short=skip_short)
    split = split_bounds(table, validation=float(validation), least_train=least + horizon, least=horizon)
    train = Windows.sliding(table, context=chosen, horizon=horizon, stop=split.train, least_context=least)
    held = None
    if (split.train < table.lengths).any():
        held = Windows.sliding(table, context=chosen, horizon=horizon, start=split.train, least_context=least)
        held = _thinned(held)
    return Plan(
        season=season,
        segment=segment,
        context=chosen,
        least=least,
        rows=table.truncate(split.train),
        train=train,
        validation=held,
        notes=(*skipped, *split.notes),
    )


def choose_season(table: SeriesTable, horizon: int, candidates: tuple[int, ...]) -> int:
    """Choose the candidate whose repetition forecasts the end of the table best; 1 if there is none."""
    found = [season for season in candidates if (table.lengths >= season + horizon).any()]
    if len(found) < 2:
        return found[0] if found else 1
    chosen = np.flatnonzero(table.lengths >= max(found) + horizon)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), _SEASON_WINDOWS)).astype(int)]
    ends = table.offsets[chosen + 1] - horizon
    actual = table.values[ends[:, None] + np.arange(horizon)]
    errors = np.stack(
        [mae(actual, seasonal_naive(table, chosen, ends, horizon, season), axis=(1, 2)) for season in found]
    )  # [season, series]
    errors = errors[:, np.isfinite(errors).all(axis=0)]  # the end of a series may be missing
    if not errors.size:
        return found[0]
    return found[int(np.median(errors / np.maximum(errors[0], 1e-12), axis=1).argmin())]


def fit_power(table: SeriesTable, scaling: Scaling, season: int) -> float | None:
    """Find Box–Cox's λ on the table's rows (Guerrero, 1993): the median over series, kept within −1 … 2."""
    if scaling.transform != "boxcox" or scaling.power is not None:
        return scaling.power
    from coreforecast.scalers import boxcox_lambda

    powers = []
    for index in range(len(table)):
        for column in table.values[table.rows(index)].T:
            known = column[~np.isnan(column)]
            if len(known) > 2 * max(season, 2):
                powers.append(boxcox_lambda(known, method="guerrero", season_length=max(season, 2), lower=-1, upper=2))
    finite = [power for power in powers if np.isfinite(power)]
    return float(np.median(finite)) if finite else 1.0


def _default_context(season: int, horizon: int) -> int:
    """Two or three seasons: three of a short one, two of a long one; five horizons without a season."""
    if season == 1:
        return max(5 * horizon, 24)
    return season * (3 if season <= 60 else 2)


def _segment(context: int, found: tuple[int, ...], *, fixed: bool) -> int:
    """Read a short season at once in a context of many: two weeks of hours as fourteen days."""
    short = min(found, default=1)
    return 1 if context < _SEGMENTS * short or (fixed and context % short) else short


def _thinned(windows: Windows) -> Windows:
    """Keep a few thousand windows, evenly spread, so that a validation costs less than an epoch."""
    if len(windows) <= _VALIDATION_WINDOWS:
        return windows
    return windows.subset(np.linspace(0, len(windows) - 1, _VALIDATION_WINDOWS).astype(np.int64))
