"""What the tests of the training room share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tidegate.data.batches import Arrays, Batch, Batches
from tidegate.specs import Training
from tidegate.training import Callback, Outcome, Supervised
from tidegate.training.state import TrainingState

MakeState: TypeAlias = Callable[..., TrainingState]
LogsRun: TypeAlias = Callable[[Sequence[Callback], Sequence[dict[str, float]]], TrainingState]


@pytest.fixture(autouse=True)
def _torch_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Give 50 examples of a linear law with three inputs, without noise."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    return X, X @ np.array([[1.0], [-2.0], [0.5]]) + 0.25


@pytest.fixture
def make_state() -> MakeState:
    """Give a maker of states before the first step, of a linear module on ten examples."""

    def make(*callbacks: Callback, training: Training = Training(), validation: bool = False) -> TrainingState:
        X = np.linspace(-1, 1, 10).reshape(-1, 1)
        batches = Batches(Arrays(X, 2 * X), 5)
        return TrainingState.make(
            nn.Linear(1, 1),
            batches,
            Supervised(),
            training,
            validation=Batches(Arrays(X, X), 5) if validation else None,
            metrics=(),
            callbacks=callbacks,
            optimizer=None,
        )

    return make


@pytest.fixture
def run_logs(make_state: MakeState) -> LogsRun:
    """Give a runner that tells callbacks of epochs with given logs, as the loop would, until one stops it."""

    def run(callbacks: Sequence[Callback], rows: Sequence[dict[str, float]]) -> TrainingState:
        state = make_state(*callbacks)
        for callback in callbacks:
            callback.on_train_begin(state)
        for row in rows:
            for callback in callbacks:
                callback.on_epoch_begin(state)
            state.logs = dict(row)
            for callback in callbacks:
                callback.on_epoch_end(state)
            state.history.append(state.logs)
            state.epoch += 1
            if state.stopped:
                break
        for callback in callbacks:
            callback.on_train_end(state)
        return state

    return run


class OwnLoss(nn.Module):
    """A module whose only weight is its loss: gradients can be worked out by hand."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))


@pytest.fixture
def times_values() -> Callable[[nn.Module, Batch[Tensor]], Outcome]:
    """Give an objective whose loss is weight · mean(values), so that its gradient is mean(values)."""

    def objective(module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        weight = next(module.parameters())
        return Outcome((weight * batch.values.to(weight.dtype)).mean(), float(len(batch.values)))

    return objective


@pytest.fixture
def one_weight() -> nn.Module:
    """Give a module with a single weight of 1."""
    return OwnLoss()
