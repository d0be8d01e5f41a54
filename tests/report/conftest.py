"""A table of made-up series and a made-up backtest of it, as the report gets them."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from tidegate.data.table import SeriesTable
from tidegate.forecast.backtest import Backtest
from tidegate.forecast.scores import wanted_probabilities
from tidegate.report import ForecastReport
from tidegate.specs import Columns


@pytest.fixture
def make_report() -> Callable[..., ForecastReport]:
    return build


def build(
    *,
    series: int = 1,
    rows: int = 120,
    horizon: int = 6,
    windows: int = 2,
    targets: tuple[str, ...] = ("units",),
    ids: list[str] | None = None,
    notes: tuple[str, ...] = (),
    levels: tuple[float, ...] = (),
) -> ForecastReport:
    """Make a report; with ``levels`` the model's forecasts are normal distributions, as its errors are."""
    rng = np.random.default_rng(0)
    wave = 100 + 10 * np.sin(np.arange(rows + horizon) * 2 * np.pi / 12)
    whole = wave[None, :, None] + rng.normal(size=(series, rows + horizon, len(targets)))
    start = np.datetime64("2024-01-01", "us")
    moments = start + np.arange(rows + horizon) * np.timedelta64(1, "D")
    names = np.array(ids or [f"store {index}" for index in range(series)], dtype=object)
    table = SeriesTable(
        ids=names,
        offsets=np.arange(series + 1) * rows,
        times=np.tile(moments[:rows], series),
        values=whole[:, :rows].reshape(-1, len(targets)),
        columns=Columns(id="store", time="date", targets=targets, frequency="D"),
        has_id=True,
        timezone=None,
        backend="pandas",
        notes=notes,
    )
    starts = [rows - horizon * (windows - window) for window in range(windows)]
    actual = np.stack([whole[:, begin : begin + horizon] for begin in starts])
    spread = 1 + np.arange(series)[None, :, None, None] / 10  # later series are forecast worse
    forecasts = {
        "tidegate": actual + spread * rng.normal(size=actual.shape),
        "naive": actual + 4 * rng.normal(size=actual.shape),
        "seasonal_naive": actual + 3 * rng.normal(size=actual.shape),
    }
    intervals, quantiles, bands = {}, {}, {}
    probabilities = wanted_probabilities(levels) if levels else np.empty(0)
    if levels:
        normal = np.array([NormalDist().inv_cdf(p) for p in probabilities])
        quantiles = {"tidegate": forecasts["tidegate"][..., None] + spread[..., None] * normal}
        intervals = {"tidegate": {level: {"coverage": level - 1, "width": 2.5, "MSIS": 3.5} for level in levels}}
        reach = {level: NormalDist().inv_cdf(0.5 + level / 200) for level in levels}
        bands = {level: (whole[:, rows:] - far, whole[:, rows:] + far) for level, far in reach.items()}
    scores = {
        name: {
            "MAE": float(np.abs(values - actual).mean()),
            "R2": 0.5,
            "MASE": float(np.abs(values - actual).mean()) / 10,
        }
        for name, values in forecasts.items()
    }
    if levels:
        scores["tidegate"] |= {"CRPS": 0.75, "pinball": 0.25}
    scale = np.full((windows, series, len(targets)), 10.0)
    return ForecastReport(
        table=table,
        times=np.tile(moments[rows:], (series, 1)),
        forecast=whole[:, rows:],
        backtest=Backtest(
            ids=names,
            targets=targets,
            cutoffs=np.stack([np.repeat(moments[begin - 1], series) for begin in starts]),
            times=np.stack([np.tile(moments[begin : begin + horizon], (series, 1)) for begin in starts]),
            actual=actual,
            forecasts=forecasts,
            season=12,
            scores=scores,
            scale=scale,
            squared_scale=scale**2,
            levels=levels,
            probabilities=probabilities,
            quantiles=quantiles,
            intervals=intervals,
        ),
        bands=bands,
        losses={"loss": [0.9, 0.5, 0.4], "val_loss": [1.0, 0.6, 0.55]},
        loss="mae",
        settings={
            "Network": {"cell": "lstm", "hidden size": (64, 32)},
            "Run": {"seed": 0, "device": None, "refit": False},
        },
        notes=notes,
    )
