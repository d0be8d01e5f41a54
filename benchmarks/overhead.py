"""What `tidegate.train` costs over a loop written by hand: the same layers, batches, loss and optimiser.

    .venv/bin/python benchmarks/overhead.py

Prints the median of interleaved runs, microseconds a step, and the ratio (1.0 is no overhead). Each run makes a
thousand steps, so that what happens once a training does not count.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from torch import Tensor, nn

import tidegate as tg

STEPS, BATCH, RUNS = 1_000, 32, 7


class LastStep(nn.Module):
    """Torch's own LSTM under a dense layer."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Read [batch, time, feature], give [batch, 1]."""
        output: Tensor = self.head(self.lstm(x)[0][:, -1])
        return output


def by_hand(module: nn.Module, X: Tensor, y: Tensor) -> None:
    """The loop that one would write: shuffled batches, mean squared error, Adam."""
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    for order in torch.split(torch.randperm(len(X)), BATCH):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(module(X[order]), y[order]).backward()  # type: ignore[no-untyped-call, unused-ignore]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()


def by_train(module: nn.Module, X: Tensor, y: Tensor) -> None:
    """The same by `tidegate.train`."""
    tg.train(module, (X, y), batch_size=BATCH, training=tg.Training(clip_norm=1.0), seed=0)


def main() -> None:
    """Measure the shapes of a first tutorial and of a larger layer."""
    for features, units, steps in ((1, 50, 20), (8, 128, 100)):
        rng = np.random.default_rng(0)
        count = STEPS if units == 50 else STEPS // 5
        X = torch.from_numpy(rng.standard_normal((count * BATCH, steps, features)).astype(np.float32))
        y = X[:, -1, :1].clone()
        seconds: dict[str, list[float]] = {"by hand": [], "train": []}
        for _ in range(RUNS):
            for name, loop in (("by hand", by_hand), ("train", by_train)):
                torch.manual_seed(0)
                module = LastStep(features, units)
                start = time.perf_counter()
                loop(module, X, y)
                seconds[name].append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(seconds["by hand"], seconds["train"], strict=True))
        each = {name: statistics.median(times) / count * 1e6 for name, times in seconds.items()}
        print(
            f"LSTM({features}, {units}), {steps} steps, batch {BATCH}: "
            f"by hand {each['by hand']:.0f} µs, train {each['train']:.0f} µs a step, ratio {ratio:.3f}"
        )


if __name__ == "__main__":
    main()
