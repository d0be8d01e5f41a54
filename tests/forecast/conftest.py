"""Tables and forecasters that are small enough to fit in a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import Forecaster, Recurrent, Training
from tidegate.data import SeriesTable, read_frame

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


@pytest.fixture(scope="session")
def make_frame() -> MakeFrame:
    """Daily series of very different levels with a season, a trend and noise."""

    def make(*, series: int = 3, rows: int = 60, season: int = 6, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        steps = np.arange(rows)
        parts = []
        for index in range(series):
            shape = np.sin(2 * np.pi * steps / season + index) + 0.01 * steps + 0.1 * rng.standard_normal(rows)
            stamps = pd.date_range("2024-01-01", periods=rows, freq="D")
            parts.append(pd.DataFrame({"unique_id": f"s{index}", "ds": stamps, "y": 10.0**index * (5 + shape)}))
        return pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture
def frame(make_frame: MakeFrame) -> pd.DataFrame:
    return make_frame()


@pytest.fixture
def table(frame: pd.DataFrame) -> SeriesTable:
    return read_frame(frame)


@pytest.fixture(scope="session")
def make_forecaster() -> MakeForecaster:
    """Give a forecaster that trains in a moment."""

    def make(**options: Any) -> Forecaster:
        quick = {
            "horizon": 4,
            "season": 6,
            "network": Recurrent(hidden_size=8),
            "training": Training(max_steps=20, batch_size=16, learning_rate=1e-2, validation=0.2),
            "device": "cpu",
        }
        return Forecaster(**{**quick, **options})

    return make
