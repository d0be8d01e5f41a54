from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from tidegate.errors import SpecError
from tidegate.specs import Optimizer, Training
from tidegate.training.optimizers import build_optimizer

NO_LIMIT: dict[str, Any] = {"learning_rate": 0.1, "clip_norm": None}


def after_two_steps(optimizer: str | Optimizer, gradients: tuple[float, float] = (2.0, 1.0)) -> float:
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    built = build_optimizer(module, Training(optimizer=optimizer, **NO_LIMIT))
    for gradient in gradients:
        module.weight.grad = torch.tensor([[gradient]])
        built.step()
    return module.weight.item()


def test_sgd_by_hand() -> None:
    assert after_two_steps("sgd") == pytest.approx(1 - 0.1 * 2 - 0.1 * 1)


def test_sgd_with_momentum_by_hand() -> None:
    assert after_two_steps(Optimizer("sgd", momentum=0.5)) == pytest.approx(1 - 0.1 * 2 - 0.1 * (0.5 * 2 + 1))


def test_l2_and_decoupled_weight_decay_by_hand() -> None:
    one = 1 - 0.1 * (2 + 0.3 * 1)
    assert after_two_steps(Optimizer("sgd", weight_decay=0.3)) == pytest.approx(one - 0.1 * (1 + 0.3 * one))
    plain, decayed = (
        after_two_steps("adamw", (1.0, 1.0)),
        after_two_steps(Optimizer("adamw", weight_decay=0.5), (1.0, 1.0)),
    )
    assert plain == pytest.approx(0.8, abs=1e-6)  # Adam's step is the rate where the gradient is constant
    assert decayed == pytest.approx((1 * 0.95 - 0.1) * 0.95 - 0.1, abs=1e-6)


def test_adam_by_hand() -> None:
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate((2.0, 1.0), start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight -= 0.1 * (first / (1 - 0.9**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
    assert after_two_steps("adam") == pytest.approx(weight, abs=1e-6)


def test_rmsprop_by_hand() -> None:
    weight, square = 1.0, 0.0
    for gradient in (2.0, 1.0):
        square = 0.99 * square + 0.01 * gradient**2
        weight -= 0.1 * gradient / (math.sqrt(square) + 1e-8)
    assert after_two_steps("rmsprop") == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_fused_where_torch_has_it(name: str) -> None:
    assert build_optimizer(nn.Linear(1, 1), Training(optimizer=name)).param_groups[0]["fused"]


def test_own_optimizers_and_factories_are_taken() -> None:
    module = nn.Linear(1, 1)
    own = torch.optim.Adagrad(module.parameters(), lr=0.7)
    assert build_optimizer(module, Training(), own) is own
    made = build_optimizer(module, Training(), lambda parameters: torch.optim.NAdam(parameters, lr=0.3))
    assert (type(made), made.param_groups[0]["lr"]) == (torch.optim.NAdam, 0.3)
    assert isinstance(build_optimizer(module, Training(), "sgd"), torch.optim.SGD)


def test_frozen_parameters_are_left_alone() -> None:
    module = nn.Linear(1, 1)
    module.weight.requires_grad_(False)
    assert build_optimizer(module, Training()).param_groups[0]["params"] == [module.bias]


def test_refusals() -> None:
    with pytest.raises(SpecError, match="nothing to train: the module has no parameters"):
        build_optimizer(nn.Tanh(), Training())
    with pytest.raises(SpecError, match="holds none of the module's parameters"):
        build_optimizer(nn.Linear(1, 1), Training(), torch.optim.SGD(nn.Linear(1, 1).parameters()))
    with pytest.raises(SpecError, match=r"optimizer must be one of 'adam', .*; got 'lion'"):
        build_optimizer(nn.Linear(1, 1), Training(), "lion")
    with pytest.raises(SpecError, match="a callable that makes one from the parameters; got 3"):
        build_optimizer(nn.Linear(1, 1), Training(), 3)  # type: ignore[arg-type]
