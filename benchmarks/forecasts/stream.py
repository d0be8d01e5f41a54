"""One row in, one forecast out: how long a stream takes, and `update` with `predict` beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from forecasts.rows import cell, heading, row
from tidegate import Direct, Forecaster, Recurrent, Training

__all__ = ["stream"]

_WARM_UP = 20


def stream(
    updates: int = 3_000,
    frames: int = 200,
    *,
    context: int = 168,
    horizon: int = 24,
    units: int = 64,
    threads: Sequence[int] = (1, 2),
) -> None:
    """Print medians and 99th percentiles of one update and forecast, in milliseconds, for each number of threads."""
    frame = hours(context + 1_000)
    model = Forecaster(
        horizon=horizon,
        context=context,
        season=min(24, context),
        strategy=Direct(segment=1),
        network=Recurrent(hidden_size=units),
        training=Training(max_steps=20, batch_size=32),
        device="cpu",
    ).fit(frame)
    print(f"LSTM of {units}, context {context}, horizon {horizon}; one update and one forecast\n")
    print(heading(["how", "threads", "updates", "median, ms", "99th percentile, ms"]), flush=True)
    for count in threads:
        torch.set_num_threads(count)
        for name, carry in (("model.stream(…)", False), ("model.stream(…, carry=True)", True)):
            _print(name, count, _through_stream(model, frame, updates, carry=carry))
        _print("model.update(frame), model.predict()", count, _through_frames(model, frame, frames))


def hours(rows: int) -> pd.DataFrame:
    """Give made-up hours with a day in them."""
    steps = np.arange(rows)
    noise = np.random.default_rng(0).standard_normal(rows)
    return pd.DataFrame({"ds": steps, "y": 100 + 20 * np.sin(2 * np.pi * steps / 24) + 3 * noise})


def _through_stream(model: Forecaster, frame: pd.DataFrame, updates: int, *, carry: bool) -> list[float]:
    running = model.stream(frame, carry=carry)
    values = hours(updates + _WARM_UP)["y"].tolist()

    def step(number: int) -> None:
        running.update(values[number])
        running.forecast()

    return _timed(step, updates)


def _through_frames(model: Forecaster, frame: pd.DataFrame, updates: int) -> list[float]:
    vars(model).pop("recent_", None)  # the rows of an earlier round
    model.update(frame)
    values = hours(updates + _WARM_UP)["y"].tolist()
    rows = [pd.DataFrame({"ds": [len(frame) + number], "y": [value]}) for number, value in enumerate(values)]

    def step(number: int) -> None:
        model.update(rows[number])
        model.predict()

    return _timed(step, updates)


def _timed(step: Callable[[int], None], times: int) -> list[float]:
    """Give the milliseconds of each step, the first few left out."""
    found = []
    for number in range(_WARM_UP + times):
        start = time.perf_counter()
        step(number)
        found.append((time.perf_counter() - start) * 1e3)
    return found[_WARM_UP:]


def _print(name: str, threads: int, found: list[float]) -> None:
    median, high = np.percentile(found, [50, 99])
    print(row([name, str(threads), f"{len(found):,}", cell(float(median)), cell(float(high))]), flush=True)
