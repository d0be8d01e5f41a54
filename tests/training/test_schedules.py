from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tidegate.errors import SpecError
from tidegate.training.schedules import LearningRate, cosine, linear, one_cycle


def sgd(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)


def test_linear_and_cosine_by_hand() -> None:
    assert [linear(step, 4) for step in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    expected = [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0.0, 0.0]
    assert [cosine(step, 4) for step in range(6)] == pytest.approx(expected)


@pytest.mark.parametrize("total", [2, 3, 10, 100, 333])
def test_one_cycle_is_torchs(total: int) -> None:
    optimizer = sgd()
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=total, cycle_momentum=False)
    expected = []
    for _ in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < total:
            torchs.step()
    ours = LearningRate(sgd(0.5), "one_cycle", total)
    rates = []
    for step in range(total):
        ours.apply(step)
        rates.append(ours.value)
    assert rates == pytest.approx(expected, rel=1e-12)


def test_one_cycle_of_one_step_is_the_peak() -> None:
    assert one_cycle(0, 1) == 1.0


def test_a_schedule_needs_to_know_the_steps() -> None:
    with pytest.raises(SpecError, match=r"schedule='cosine' needs to know how many steps .* give max_steps"):
        LearningRate(sgd(), "cosine", None)


def test_setting_a_rate_lowers_the_rest_of_a_schedule() -> None:
    rate = LearningRate(sgd(1.0), "linear", 4)
    rate.apply(2)
    rate.set(0.25)
    assert rate.value == 0.25
    rate.apply(3)
    assert rate.value == 0.125


def test_setting_a_rate_keeps_the_proportion_of_groups() -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [parameters[0]], "lr": 1.0}, {"params": [parameters[1]], "lr": 0.1}])
    LearningRate(optimizer, None, None).set(0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])


def test_from_a_rate_of_zero_every_group_gets_the_new_one() -> None:
    rate = LearningRate(sgd(0.0), None, None)
    rate.set(0.1)
    assert rate.value == 0.1


def test_it_goes_on_after_the_optimizer_was_restored() -> None:
    optimizer = sgd(1.0)
    rate = LearningRate(optimizer, "linear", 4)
    optimizer.load_state_dict(optimizer.state_dict())
    rate.apply(1)
    assert optimizer.param_groups[0]["lr"] == 0.75


def test_a_rate_on_the_device_stays_there() -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=torch.tensor(1.0), foreach=False)
    LearningRate(optimizer, "linear", 2).apply(1)
    assert optimizer.param_groups[0]["lr"].item() == 0.5
