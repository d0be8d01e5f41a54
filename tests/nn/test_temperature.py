from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from tidegate.errors import DataError, ShapeError
from tidegate.nn.temperature import BOUNDS, fit_temperature


def drawn(scale: float, examples: int = 400, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw logits and classes that follow them, then make the logits larger."""
    generator = torch.Generator().manual_seed(seed)
    logits = 1.5 * torch.randn(examples, classes, generator=generator, dtype=torch.float64)
    target = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return scale * logits, target


@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0, 15.0])
def test_it_is_the_minimum_of_the_loss(scale: float) -> None:
    logits, target = drawn(scale)
    found = fit_temperature(logits, target)

    def loss(log_t: float) -> float:
        return float(functional.cross_entropy(logits / math.exp(log_t), target))

    oracle = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-9})
    assert found == pytest.approx(math.exp(oracle.x), rel=1e-5)
    assert found == pytest.approx(scale, rel=0.2)


def test_labels_share_one() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(300, 4, generator=generator, dtype=torch.float64)
    target = (torch.rand(300, 4, generator=generator) < logits.sigmoid()).double()
    found = fit_temperature(3 * logits, target, multi_label=True)
    t = torch.tensor(found, dtype=torch.float64, requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(3 * logits / t, target)
    (slope,) = torch.autograd.grad(loss, t)
    assert abs(float(slope)) < 1e-10
    assert found == pytest.approx(3, rel=0.2)


def test_by_hand() -> None:
    # Three of four right, each at a margin of 6: they are as sure as they are right where sigmoid(6 / T) = 3 / 4.
    logits = np.array([[6.0, 0.0]] * 4)
    assert fit_temperature(logits, [0, 0, 0, 1]) == pytest.approx(6 / math.log(3), rel=1e-10)
    assert fit_temperature(logits + 1e3, [0, 0, 0, 1]) == pytest.approx(6 / math.log(3), rel=1e-10)


def test_where_all_are_right_the_rule_of_succession_bounds_it() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert fit_temperature(logits, [0, 1, 0]) == pytest.approx(1 / math.log(4))  # sigmoid(1 / T) = 4 / 5
    assert fit_temperature(10 * logits, [0, 1, 0]) == 1  # sure enough already
    assert fit_temperature(1e-3 * logits, [0, 1, 0]) == BOUNDS[0]
    tied = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # never surer than half of the second
    assert fit_temperature(tied, [0, 0]) == BOUNDS[0]


def test_where_logits_say_nothing_or_the_opposite_it_is_the_upper_bound() -> None:
    assert fit_temperature([[2.0, 0.0], [2.0, 0.0]], [0, 1]) == BOUNDS[1]
    assert fit_temperature([[2.0, 0.0]], [1]) == BOUNDS[1]
    assert fit_temperature([[7.0, 7.0], [1.0, 1.0]], [0, 1]) == 1


def test_a_mistake_by_a_hair_leaves_it_at_the_lower_bound() -> None:
    logits = torch.tensor([[0.2, 0.0]] * 1000 + [[0.0, 1e-6]])
    assert fit_temperature(logits, [0] * 1001) == BOUNDS[0]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_logits_of_any_size_have_one(scale: float) -> None:
    logits, target = drawn(1.0)
    found = fit_temperature(scale * logits, target)
    assert found == {1e-30: BOUNDS[0], 1e30: BOUNDS[1]}.get(scale, pytest.approx(1, rel=0.2))


def test_float32_and_gradients_are_no_matter() -> None:
    logits, target = drawn(2.0)
    single = logits.float().requires_grad_()
    assert fit_temperature(single, target) == pytest.approx(fit_temperature(logits, target), rel=1e-5)
    assert single.grad is None


@pytest.mark.parametrize(
    ("logits", "target", "options", "error", "message"),
    [
        ([[1.0, 2.0]], [0, 1], {}, ShapeError, "a temperature needs logits [example, class], one example at least, "
         "and a target [example]; got [1, 2] and [2]"),
        (np.empty((0, 2)), [], {}, ShapeError, "a temperature needs logits [example, class], one example at least, "
         "and a target [example]; got [0, 2] and [0]"),
        ([[1.0, 2.0]], [1], {"multi_label": True}, ShapeError, "a temperature needs logits [example, class], one "
         "example at least, and a target [example, label]; got [1, 2] and [1]"),
        ([[1.0, 2.0], [np.inf, 1.0]], [0, 1], {}, DataError, "logits must be finite; those of example 1, counted from "
         "0, are not"),
        ([[1.0, 2.0]], [2], {}, DataError, "the target must hold whole numbers from 0 to 1; got 2"),
        ([[1.0, 2.0]], [[0.5, 1.0]], {"multi_label": True}, DataError, "the target must hold whole numbers from 0 to "
         "1; got 0.5"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    logits: Any, target: Any, options: dict[str, bool], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        fit_temperature(logits, target, **options)
    assert str(caught.value) == message
