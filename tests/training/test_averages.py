from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate.errors import ShapeError, SpecError
from tidegate.training.averages import Averages, Mean, Metric, accuracy
from tidegate.training.objective import Outcome


def outcome(output: list[float], target: list[float], observed: list[bool] | None = None) -> Outcome:
    mask = None if observed is None else torch.tensor(observed)
    return Outcome(
        torch.tensor(float(len(output))), float(len(output)), torch.tensor(output), torch.tensor(target), mask
    )


def test_unequal_batches_are_averaged_exactly() -> None:
    averages = Averages(["mae", "mse", "rmse"])
    averages.add(outcome([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]))
    averages.add(outcome([5.0], [0.0]))
    values = averages.values("val_")
    assert values == {"val_loss": 2.5, "val_mae": 2.0, "val_mse": 7.0, "val_rmse": math.sqrt(7.0)}


def test_sums_lose_nothing_over_many_batches() -> None:
    mean = Mean()
    mean.add(torch.tensor(1e8), 1.0)
    for _ in range(1000):
        mean.add(torch.tensor(0.5), 1.0)
    assert mean.value() == (1e8 + 500) / 1001


def test_what_is_missing_does_not_count() -> None:
    averages = Averages(["mae"])
    averages.add(outcome([1.0, 7.0], [0.0, math.nan], [True, False]))
    averages.add(outcome([2.0, 3.0], [0.0, 0.0], [True, True]))
    assert averages.values()["mae"] == 2.0


def test_nothing_counted_is_nan() -> None:
    assert math.isnan(Averages([]).values()["loss"])


def test_accuracy_counts_the_largest_score() -> None:
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert accuracy(scores, torch.tensor([1, 1, 1])).tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(ShapeError, match=r"accuracy compares .* got \[2\] and torch.float32 \[2\]"):
        accuracy(torch.zeros(2), torch.zeros(2))


def largest_error(output: Tensor, target: Tensor) -> float:
    return float((output - target).abs().max())


def numpy_mae(output: Tensor, target: Tensor) -> np.float64:
    return np.float64(np.abs(np.asarray(output) - np.asarray(target)).mean())


@pytest.mark.parametrize(("metric", "expected"), [(largest_error, (3 * 3.0 + 5) / 4), (numpy_mae, (1 + 2 + 3 + 5) / 4)])
def test_own_metrics_are_weighted_by_the_batch(metric: Metric, expected: float) -> None:
    averages = Averages([metric])
    averages.add(outcome([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]))
    averages.add(outcome([5.0, 9.0], [0.0, math.nan], [True, False]))
    assert averages.values()[metric.__name__] == expected


def test_names_are_checked() -> None:
    with pytest.raises(SpecError, match=r"metrics must be one of .*'rmse'.*; got 'mape'"):
        Averages(["mape"])
    with pytest.raises(SpecError, match="two values would be logged as 'mae'"):
        Averages(["mae", "mae"])


def test_an_objective_without_output_has_no_metrics() -> None:
    with pytest.raises(SpecError, match="metrics need an output and a target"):
        Averages(["mae"]).add(Outcome(torch.tensor(1.0), 1.0))


def test_sums_can_be_taken_up_again() -> None:
    first, second = Averages(["mae"]), Averages(["mae"])
    first.add(outcome([1.0, 2.0], [0.0, 0.0]))
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    for averages in (first, second):
        averages.add(outcome([4.0], [0.0], [True]))
    assert first.values() == second.values()
    assert first.values()["mae"] == 7 / 3
