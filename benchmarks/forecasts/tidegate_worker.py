"""A fit of ours beside `neuralforecast_worker.py`: the same request, the same answer."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def fit(frame: Any, request: dict[str, Any]) -> float:
    """Give the seconds of the fit."""
    from tidegate import Columns, Direct, Forecaster, Recurrent, Training

    model = Forecaster(
        horizon=request["horizon"],
        context=request["context"],
        season=24,
        strategy=Direct(segment=1),
        network=Recurrent(hidden_size=request["units"]),
        training=Training(
            max_steps=request["steps"],
            batch_size=request["batch"],
            learning_rate=1e-3,
            clip_norm=None,
            validation=0.0,
            patience=None,
        ),
        columns=Columns(targets=("y",)),
        device="cpu",
    )
    start = time.perf_counter()
    model.fit(frame)
    return time.perf_counter() - start


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.argv[1])
    start = time.perf_counter()
    import pandas as pd
    import torch

    import tidegate

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from forecasts.rows import peak_memory

    tidegate.Forecaster  # noqa: B018 - loaded when first asked for
    torch.set_num_threads(request["threads"])
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first optimiser of a process imports half of torch
    imported = time.perf_counter()
    frame = pd.read_csv(request["file"])
    read, ready = time.perf_counter(), peak_memory()
    seconds = fit(frame, request)
    answer = {
        "version": tidegate.__version__,
        "import": imported - start,
        "read": read - imported,
        "fit": seconds,
        "ready": ready,
        "peak": peak_memory(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
