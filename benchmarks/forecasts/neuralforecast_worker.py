"""A fit of NeuralForecast's LSTM on M4 hourly, in an environment that has it; `speed.py` starts it.

The argument is JSON: ``{"file", "steps", "context", "horizon", "units", "batch", "threads"}``. The last line that it
prints is JSON: the seconds of import, of reading the file and of the fit, and the memory in GiB: when all was ready for
the fit, and at its peak.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def fit(frame: Any, request: dict[str, Any]) -> float:
    """Give the seconds of the fit."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    model = LSTM(
        h=request["horizon"],
        input_size=request["context"],
        encoder_hidden_size=request["units"],
        encoder_n_layers=1,
        recurrent=False,
        windows_batch_size=request["batch"],
        max_steps=request["steps"],
        # What is no training is left out.
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    forecast = NeuralForecast(models=[model], freq=1)
    start = time.perf_counter()
    forecast.fit(frame)
    return time.perf_counter() - start


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    import neuralforecast
    import pandas as pd
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from forecasts.rows import peak_memory

    torch.set_num_threads(request["threads"])
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first optimiser of a process imports half of torch
    for name in ("pytorch_lightning", "lightning", "lightning.pytorch", "lightning_fabric", "neuralforecast"):
        logging.getLogger(name).setLevel(logging.ERROR)
    imported = time.perf_counter()
    frame = pd.read_csv(request["file"])
    read, ready = time.perf_counter(), peak_memory()
    seconds = fit(frame, request)
    answer = {
        "version": neuralforecast.__version__,
        "import": imported - start,
        "read": read - imported,
        "fit": seconds,
        "ready": ready,
        "peak": peak_memory(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
