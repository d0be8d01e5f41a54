"""Forecasts for many made-up series by one small fitted model; `many.py` starts it.

The argument is JSON: ``{"series", "rows", "horizon", "context", "steps", "threads"}``. The last line that it prints is
JSON: the seconds of reading the data frame and of forecasting, and the peak memory in GiB.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def made_up(series: int, rows: int) -> pd.DataFrame:
    """Give days of sales with a weekly season, at levels from 1 to 1,000."""
    rng = np.random.default_rng(0)
    level, phase = 10 ** rng.uniform(0, 3, series), rng.integers(7, size=series)
    week = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(rows)[None, :] + phase[:, None]) / 7)
    values = level[:, None] * week
    values += level[:, None] * 0.1 * rng.standard_normal(values.shape)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.array([f"shop {number}" for number in range(series)], object), rows),
            "ds": np.tile(pd.date_range("2024-01-01", periods=rows, freq="D").to_numpy(), series),
            "y": values.reshape(-1),
        }
    )


def measure(request: dict[str, Any]) -> dict[str, float]:
    """Fit on some of the series, then forecast all."""
    from tidegate import Forecaster, Training
    from tidegate.data import read_frame

    training = Training(max_steps=request["steps"], batch_size=128, learning_rate=2e-3)
    model = Forecaster(horizon=request["horizon"], context=request["context"], training=training, device="cpu")
    model.fit(made_up(min(200, request["series"]), request["rows"]))
    frame = made_up(request["series"], request["rows"])
    start = time.perf_counter()
    table = read_frame(frame, model.columns_)
    read = time.perf_counter()
    forecast = model.predict(table)
    predicted = time.perf_counter()
    assert len(forecast) == request["series"] * request["horizon"]
    assert np.isfinite(forecast["y_hat"]).all()
    return {"read": read - start, "predict": predicted - read, "context": model.context_}


def main() -> None:
    """Answer one request."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import torch

    from forecasts.rows import peak_memory

    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    answer = measure(request)
    print(json.dumps({**answer, "peak": peak_memory()}))


if __name__ == "__main__":
    main()
