from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tidegate.training.clipping import clip_gradients


def clipped(value: float | None, norm: float | None) -> list[float]:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, -4.0])
    clip_gradients([parameter], value=value, norm=norm)
    gradient: Tensor = parameter.grad
    return gradient.tolist()


def test_no_limit() -> None:
    assert clipped(None, None) == [3.0, -4.0]


def test_by_value() -> None:
    assert clipped(3.5, None) == [3.0, -3.5]


def test_by_norm() -> None:
    assert clipped(None, 1.0) == pytest.approx([0.6, -0.8], abs=1e-6)


def test_by_value_first_then_by_norm() -> None:
    assert clipped(3.0, 1.0) == pytest.approx([0.5**0.5, -(0.5**0.5)], abs=1e-6)


def test_the_norm_is_that_of_all_gradients() -> None:
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    first.grad, second.grad = torch.tensor([3.0]), torch.tensor([4.0])
    clip_gradients([first, second], value=None, norm=1.0)
    assert first.grad.item() == pytest.approx(0.6, abs=1e-6)
