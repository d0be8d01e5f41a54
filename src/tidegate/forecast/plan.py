"""What a fit settles before it trains: the season, the context, and which rows serve which purpose."""

from __future__ import annotations

import dataclasses

import numpy as np

from tidegate.data import SeriesTable, Split, Windows, seasons, split_bounds, with_time_features
from tidegate.errors import DataError, ShortSeriesError, SpecError
from tidegate.estimator.tables import long_enough
from tidegate.forecast.baselines import IntArray, seasonal_naive
from tidegate.metrics import mae
from tidegate.specs import Scaling, Smoothing, Uncertainty, checks
from tidegate.specs.members import Member, resolve_members
from tidegate.specs.strategies import Direct, Segments, Strategy

__all__ = [
    "VALIDATION_WINDOWS",
    "Plan",
    "Request",
    "check_options",
    "check_units",
    "choose_season",
    "fit_power",
    "make_plan",
    "thinned",
]

VALIDATION_WINDOWS = 2_000  # at most
_CALIBRATION_WINDOWS = 10_000
_SEASON_WINDOWS = 500
_SHORT = 24  # steps of a season, of which a context may hold many
_MOST_SEASONS = 14  # in a context
_ROWS = 5  # of the longest series, for each step of a context of more than three seasons
_SEASONS = 4  # short seasons in a context, from which on each is read at once
_PARTS = 8  # segments in a long context, where they are smaller than a season
_LONG = 100  # steps of a context, from which on a recurrence of single steps is slow to run and to learn
_SEGMENT = 16  # steps at most that are read at once where there is no season


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a forecaster was asked for, as far as a plan depends on it."""

    horizon: int
    context: int | None
    season: int | tuple[int, ...] | None
    strategy: Strategy
    members: tuple[Member, ...]
    validation: float
    calibration: float | int
    skip_short: bool

    @property
    def contexts(self) -> list[int]:
        """The contexts that were asked for."""
        named = [self.context, *(member.context for member in self.members)]
        return [context for context in named if context is not None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What was settled, and the windows that follow from it."""

    season: int
    seasons: tuple[int, ...]  # of the calendar's and the data's, for Fourier features
    segment: int  # steps that are read at once
    contexts: tuple[int, ...]  # of each member
    least: int  # rows of context that a series must have; what lacks to the context is padded and masked
    whole: int  # rows of context that a window of the training has, where its series has them
    table: SeriesTable  # the series that are long enough, with features of their time stamps
    rows: SeriesTable  # what may train: without the rows that may stop the training or calibrate
    train: Windows
    validation: Windows | None
    calibration: Windows | None
    vocabularies: tuple[tuple[str, ...], ...]  # of each categorical covariate
    notes: tuple[str, ...]

    @property
    def context(self) -> int:
        """Steps of a window: what the member with the longest context reads."""
        return max(self.contexts)


def check_options(
    horizon: int,
    context: int | None,
    season: int | tuple[int, ...] | None,
    members: int | tuple[Member, ...] = 1,
) -> None:
    """Refuse what cannot be planned with. Raises `SpecError`."""
    checks.whole("horizon", horizon)
    contexts = [context, *(member.context for member in resolve_members(members))]
    if context is not None:
        checks.whole("context", context)
    if season is None:
        return
    seasons = season if isinstance(season, tuple) else (season,)
    if not seasons:
        raise SpecError("season must be a whole number, several of them, or None to find it; got ()")
    for steps in seasons:
        checks.whole("season", steps)
    for given in contexts:
        if given is not None and seasons[0] > given:
            raise SpecError(f"season ({seasons[0]}) must fit into the context ({given}); lengthen the context")


def check_units(uncertainty: Uncertainty, scaling: Scaling, members: tuple[Member, ...]) -> None:
    """Refuse a loss in the units of series where a transform makes others of them. Raises `SpecError`."""
    for used in (scaling, *(member.scaling for member in members if member.scaling is not None)):
        if uncertainty.units == "series" and used.transform != "identity":
            raise SpecError(
                "units='series' measures errors in the units of the data, and "
                f"transform={used.transform!r} makes others of them; take units='window', or transform='identity'"
            )


def make_plan(table: SeriesTable, request: Request) -> Plan:
    """Settle season, context and windows.

    Parameters
    ----------
    table
        The rows to learn from.
    request
        What was asked for; what it leaves open is settled here.

    Raises
    ------
    ShortSeriesError
        If a series (with ``skip_short``: every series) is too short.
    DataError
        If nothing is observed in the rows kept apart for calibration.
    SpecError
        If a segment does not go into a context, a highway is longer than one, or calibration rows hold no horizon.
    """
    horizon, asked = request.horizon, request.contexts
    _check_calibration(request.calibration, horizon)
    before = _before_calibration(table, request.calibration, horizon)
    found = _given(request.season) or seasons(before)
    season = choose_season(before, horizon, found) if request.season is None else found[0]
    longest = max(int(table.lengths.max()) - horizon, 1)
    usual = min(_default_context(max(found, default=1), horizon, longest), longest)
    contexts = [member.context or request.context or usual for member in request.members]
    segment = _segment(request.strategy, min(contexts), found, horizon, fixed=bool(asked))
    # What lacks to a context is masked, down to as much as is forecast, or a season.
    least = min(*contexts, max(2, min(season, horizon)))
    whole = min(asked) if asked else least  # a context that was asked for is trained on whole, where a series has it
    contexts = [-(-context // segment) * segment for context in contexts]  # what lacks in the first is masked
    _check_highway(request.strategy, min(contexts))
    why = f"context {least} + horizon {horizon}"
    table = with_time_features(table, [season for season in found if season > 1])
    table, skipped = long_enough(table, least + horizon, why, skip_short=request.skip_short)
    split = split_bounds(
        table,
        validation=float(request.validation),
        calibration=request.calibration,
        least_train=least + horizon,
        least=horizon,
    )
    vocabularies = table.vocabularies()
    train, validation, calibration = _parts(
        table,
        split,
        context=max(contexts),
        horizon=horizon,
        least=least,
        whole=whole,
        codes=table.category_codes(vocabularies),
    )
    return Plan(
        season=season,
        seasons=found,
        segment=segment,
        contexts=tuple(contexts),
        least=least,
        whole=whole,
        table=table,
        rows=table.truncate(split.train),
        train=train,
        validation=validation,
        calibration=calibration,
        vocabularies=vocabularies,
        notes=(*skipped, *split.notes, *_unobserved(split, validation, calibration)),
    )


def _before_calibration(table: SeriesTable, calibration: float | int, horizon: int) -> SeriesTable:
    """Leave out rows that calibrate: a season chosen by them would make the errors there too small."""
    return table.truncate(split_bounds(table, calibration=calibration, least=horizon).train) if calibration else table


def _parts(
    table: SeriesTable, split: Split, *, context: int, horizon: int, least: int, whole: int, codes: IntArray
) -> tuple[Windows, Windows | None, Windows | None]:
    """Cut the windows of training, early stopping and calibration."""

    def windows(start: IntArray, stop: IntArray) -> Windows:
        return Windows.sliding(
            table, context=context, horizon=horizon, start=start, stop=stop, least_context=least, codes=codes
        )

    def held(start: IntArray, stop: IntArray, most: int) -> Windows | None:
        try:
            return thinned(windows(start, stop), most) if (start < stop).any() else None
        except ShortSeriesError:  # nothing is observed there, or has a weight
            return None

    train = windows(np.clip(split.train - horizon, least, whole), split.train)
    validation = held(split.train, split.validation, VALIDATION_WINDOWS)
    return train, validation, held(split.validation, split.calibration, _CALIBRATION_WINDOWS)


def _unobserved(split: Split, validation: Windows | None, calibration: Windows | None) -> tuple[str, ...]:
    """Say that nothing is observed in rows kept apart. Raises `DataError` for those of the calibration."""
    if calibration is None and (split.validation < split.calibration).any():
        raise DataError(
            "no value that counts is observed in the rows kept apart for calibration; keep more rows apart with "
            "Uncertainty(calibration=…), or set it to 0"
        )
    if validation is None and (split.train < split.validation).any():
        return (
            "no value that counts is observed in the rows kept apart for early stopping: the training goes to its end",
        )
    return ()


def _given(season: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if season is None:
        return ()
    return season if isinstance(season, tuple) else (season,)


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


def _default_context(season: int, horizon: int, longest: int) -> int:
    """Three seasons, two of a long one, up to fourteen of a short one if rows suffice; five horizons without one."""
    if season == 1:
        return max(5 * horizon, 24)
    enough = min(longest // (_ROWS * season), _MOST_SEASONS) if season <= _SHORT else 0
    return season * max(enough, 3 if season <= 60 else 2)


def _segment(strategy: Strategy, context: int, found: tuple[int, ...], horizon: int, *, fixed: bool) -> int:
    """Settle how many steps are read at once: two weeks of hours, say, as fourteen days."""
    short = min(found, default=1)
    match strategy:
        case Direct(segment=int() as asked) | Segments(length=int() as asked) | Smoothing(segment=int() as asked):
            if fixed and context % asked:
                raise SpecError(f"a segment of {asked} steps does not go into a context of {context}; change either")
            return asked
        case Segments():
            return min(short if short > 1 else max(horizon // 6, 1), context)
        case Direct() | Smoothing():
            whole = short if short > 1 else min(horizon, _SEGMENT)
            if context >= _SEASONS * short > _SEASONS:
                sizes = [short]
            elif context >= _LONG:  # the largest part of a season that leaves a sequence to read
                sizes = [size for size in range(whole, 1, -1) if whole % size == 0 and context >= _PARTS * size]
            else:
                sizes = []
            return next((size for size in sizes if not (fixed and context % size)), 1)
        case _:
            return 1


def _check_calibration(calibration: float | int, horizon: int) -> None:
    if not isinstance(calibration, float) and 0 < calibration < horizon:
        raise SpecError(
            f"calibration={calibration} rows hold no horizon of {horizon}; keep at least that many apart, or a share"
        )


def _check_highway(strategy: Strategy, context: int) -> None:
    highway = getattr(strategy, "highway", None)  # None is as long as the context is
    if highway is not None and highway > context:
        raise SpecError(f"a highway of {highway} steps is longer than the context of {context}; shorten it")


def thinned(windows: Windows, most: int) -> Windows:
    """Keep so many windows at most, evenly spread: what scores them costs less than an epoch."""
    if len(windows) <= most:
        return windows
    return windows.subset(np.linspace(0, len(windows) - 1, most).astype(np.int64))
