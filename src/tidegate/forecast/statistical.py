"""Statistical models as baselines: AutoETS, AutoARIMA and Theta of the library statsforecast (an extra).

They are functions of windows like those in `tidegate.forecast.baselines`, and like them read only what lies before a
window. A model is fitted for each window and target on all the rows of the series before it, so they take time: per
fit of 700 hourly values with a season of 24 about a second for AutoETS, half a minute for AutoARIMA, nothing to speak
of for Theta.

The models know no missing values. For them alone, those between observed values are interpolated on a straight line;
rows before the first observed value are left out; rows after the last are forecast with the horizon.
A series of fewer than five observed values, one that never changes, and one that the library cannot fit get
`tidegate.forecast.baselines.naive`: a baseline ends no backtest.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tidegate._core.extras import require
from tidegate.data import SeriesTable
from tidegate.errors import SpecError
from tidegate.forecast.baselines import BASELINES, Baseline, FloatArray, IntArray, naive
from tidegate.specs import checks

__all__ = ["STATISTICAL", "auto_arima", "auto_ets", "find_baselines", "theta"]

_FEWEST = 5  # observed values; the library itself refuses to fit some of the models to fewer


def auto_ets(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:
    """Exponential smoothing; error, trend and season chosen by AICc (Hyndman & Khandakar, 2008).

    The library takes no seasonal form for a season of more than 24 steps.
    """
    return _forecast(_model("AutoETS", season), table, series, ends, horizon)


def auto_arima(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:
    """ARIMA, seasonal if there is a season; orders by a stepwise search for the least AICc (Hyndman & Khandakar, 2008).

    Slow for long seasons.
    """
    return _forecast(_model("AutoARIMA", season), table, series, ends, horizon)


def theta(table: SeriesTable, series: IntArray, ends: IntArray, horizon: int, season: int) -> FloatArray:
    """Give the mean of a straight line and a smoothed series, after adjustment for the season.

    The standard Theta method, the best of the M3 competition (Assimakopoulos & Nikolopoulos, 2000).
    """
    return _forecast(_model("Theta", season), table, series, ends, horizon)


STATISTICAL: dict[str, Baseline] = {"auto_ets": auto_ets, "auto_arima": auto_arima, "theta": theta}


def find_baselines(names: Sequence[str]) -> dict[str, Baseline]:
    """Look baselines up by name, before time is spent on a model.

    Raises
    ------
    SpecError
        If a name is neither in `BASELINES` nor in `STATISTICAL`.
    MissingExtraError
        If one needs statsforecast, and that is not installed.
    """
    known = {**BASELINES, **STATISTICAL}
    if isinstance(names, str):
        raise SpecError(f"baselines must be a tuple of names, such as ({names!r},); got {names!r}")
    for name in names:
        checks.one_of("baselines", name, tuple(known))
        if name in STATISTICAL:
            _library()
    return {name: known[name] for name in names}


def _library() -> Any:
    return require("statsforecast.models", extra="statsforecast", purpose="a statistical baseline")


def _model(kind: str, season: int) -> Any:
    return getattr(_library(), kind)(season_length=season)


def _forecast(model: Any, table: SeriesTable, series: IntArray, ends: IntArray, horizon: int) -> FloatArray:
    found = naive(table, series, ends, horizon, 1)  # what stays where there is no fit
    for row, (index, end) in enumerate(zip(series, ends, strict=True)):
        history = table.values[table.offsets[index] : end]
        for column in range(history.shape[1]):
            ahead = _one_forecast(model, history[:, column], horizon)
            if ahead is not None:
                found[row, :, column] = ahead
    return found


def _one_forecast(model: Any, history: FloatArray, horizon: int) -> FloatArray | None:
    """Fit one series, [row], and give its next ``horizon`` steps; ``None`` where that cannot be."""
    seen = np.flatnonzero(~np.isnan(history))
    if len(seen) < _FEWEST or np.ptp(history[seen]) == 0:
        return None
    whole = np.interp(np.arange(seen[0], seen[-1] + 1), seen, history[seen])
    behind = len(history) - 1 - int(seen[-1])  # rows since the last observed value
    try:
        with warnings.catch_warnings():
            # A search tries models that do not converge and warns of each; none of them is the one that it gives.
            # Where warnings are errors, such a candidate would end the whole search.
            warnings.simplefilter("ignore")
            ahead = np.asarray(model.forecast(y=whole, h=behind + horizon)["mean"], np.float64)[behind:]
    except Exception:  # the library raises bare Exception, IndexError, NotImplementedError … for what it cannot fit
        return None
    return ahead if np.isfinite(ahead).all() else None
