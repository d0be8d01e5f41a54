"""Forecasters whose networks have parts that see both ways: within a window, which lies in the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidegate as tg
from tidegate.errors import SpecError

BESIDE = tg.Parallel(
    branches=(
        tg.Recurrent(hidden_size=4, bidirectional=True),
        (tg.Convolution(channels=4, causal=False, norm="batch"), tg.SelfAttention(heads=2, causal=False)),
    )
)
SMALL: dict[str, Any] = {
    "horizon": 3,
    "context": 8,
    "season": 1,
    "network": BESIDE,
    "training": tg.Training(max_steps=4, batch_size=8, validation=0.0),
    "device": "cpu",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame({"ds": range(40), "y": np.sin(np.arange(40.0))})


def test_branches_and_norms_come_back_from_a_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    model = tg.Forecaster(**SMALL).fit(frame)
    model.save(tmp_path / "model.safetensors")
    twin = tg.Forecaster.load(tmp_path / "model.safetensors")
    assert twin.network == BESIDE
    pd.testing.assert_frame_equal(twin.predict(frame), model.predict(frame))


def test_what_comes_after_a_window_reaches_no_forecast(frame: pd.DataFrame) -> None:
    model = tg.Forecaster(**SMALL).fit(frame)
    whole = model.backtest(frame, windows=1).forecasts
    changed = frame.assign(y=[*frame["y"][:-3], 9.0, -9.0, 9.0])
    np.testing.assert_array_equal(model.backtest(changed, windows=1).forecasts["tidegate"], whole["tidegate"])


def test_a_strategy_that_carries_a_state_refuses_them(frame: pd.DataFrame) -> None:
    with pytest.raises(
        SpecError, match=r"^strategy='recursive' needs a network of recurrent layers alone, whose state"
    ):
        tg.Forecaster(**SMALL, strategy="recursive").fit(frame)
