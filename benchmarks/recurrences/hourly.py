"""The training of the M4 hourly run beside the same training on torch's own layers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from m4 import DATA, HORIZON
from recurrences.rows import Figure, Row, Settings, milliseconds
from tidegate.data import SeriesTable, read_csv
from tidegate.errors import UnsupportedError
from tidegate.forecast import Forecaster
from tidegate.kernels.bench import Contender, interleaved
from tidegate.nn import build
from tidegate.nn.options import LayerOptions
from tidegate.specs import Columns
from tidegate.training import Callback
from tidegate.training.state import TrainingState

__all__ = ["hourly"]

_QUICK_STEPS = 10


class TorchLSTM(torch.nn.LSTM):
    """`torch.nn.LSTM` where a stack expects ours; it knows no option beyond torch's."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, **given: Any) -> None:
        names = {field.name for field in dataclasses.fields(LayerOptions)}
        self.options = LayerOptions(**{name: value for name, value in given.items() if name in names})
        if self.options != LayerOptions():
            raise UnsupportedError(f"torch.nn.LSTM has not all of the options {self.options}")
        super().__init__(
            input_size, hidden_size, num_layers, **{name: value for name, value in given.items() if name not in names}
        )

    def forward(self, x: Tensor, hx: Any = None, *, lengths: Tensor | None = None) -> Any:  # type: ignore[override]
        """Run on full rows."""
        if lengths is not None:
            raise UnsupportedError("torch.nn.LSTM takes no lengths; this comparison is made for full rows")
        return super().forward(x, hx)


class Stopwatch(Callback):
    """Takes the time from the first step to the end of a training."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002 - the hook's signature
        self._start = time.perf_counter()

    def on_train_end(self, state: TrainingState) -> None:  # noqa: ARG002 - the hook's signature
        self.seconds += time.perf_counter() - self._start


def hourly(settings: Settings) -> Iterator[Row]:
    """Compare the fit on all rows with which `benchmarks/m4.py hourly` ends: same batches, weights and optimiser."""
    path = DATA / "m4_hourly_train.csv.gz"
    if not path.exists():
        print("skipped: the M4 data are not in $TIDEGATE_DATA")
        return
    series = read_csv(path, Columns(targets=("y",)))
    losses: dict[str, float] = {}
    contenders = {
        "ours": _fit(series, settings, losses, "ours"),
        "torch": _on_torch(_fit(series, settings, losses, "torch")),
    }
    timing = interleaved(contenders, settings.pace)
    last = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    detail = f"{milliseconds(timing, 'ours', 'torch')}; last loss: {last}"
    figure = Figure(name="M4 hourly", value=timing.ratio("torch", "ours"), detail=detail)
    yield Row(what="training phase of M4 hourly, against the same on torch's layers", figures=[figure], target=1.5)


def _fit(series: SeriesTable, settings: Settings, losses: dict[str, float], name: str) -> Contender:
    def fit(times: int) -> float:
        watch = Stopwatch()
        for _ in range(times):
            model = Forecaster(horizon=HORIZON["hourly"], device="cpu")
            if settings.quick:
                model.set_params(training__max_steps=_QUICK_STEPS)
            losses[name] = model.fit(series, callbacks=[watch]).history_["loss"][-1]
        return watch.seconds

    return fit


def _on_torch(contender: Contender) -> Contender:
    """Build networks of torch's own layers meanwhile."""

    def run(times: int) -> float:
        with mock.patch.object(build, "LSTM", TorchLSTM):
            return contender(times)

    return run
