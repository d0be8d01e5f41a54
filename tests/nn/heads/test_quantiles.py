"""Heads of quantiles: pinball losses, sorting, and what lies between and beyond."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate.nn.heads.quantiles import QuantileHead

ONE = torch.ones(1, dtype=torch.float64)
FIVE = (0.025, 0.25, 0.5, 0.75, 0.975)


def doubles(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_loss_by_hand() -> None:
    head = QuantileHead((0.1, 0.5, 0.9))
    raw = doubles(-1, 0, 2)
    # target 1: errors 2, 1, −1 → pinball 0.2, 0.5, 0.1, twice their mean
    assert head.loss(raw, doubles(1).squeeze(), ONE).item() == pytest.approx(2 * 0.8 / 3)


def test_the_loss_of_the_median_is_the_absolute_error() -> None:
    raw = torch.zeros(4, 3, dtype=torch.float64)
    target = doubles(-2, -0.5, 0, 3)
    alone = QuantileHead((0.499999, 0.5, 0.500001))
    torch.testing.assert_close(alone.loss(raw, target, ONE), target.abs(), rtol=1e-5, atol=1e-12)


def test_the_loss_is_least_at_the_quantiles_of_the_data() -> None:
    data = torch.distributions.Exponential(doubles(1)).sample((4000,)).squeeze()
    head = QuantileHead((0.1, 0.5, 0.9))
    truth = torch.quantile(data, doubles(0.1, 0.5, 0.9))
    best = head.loss(truth.expand(4000, 3), data, ONE).mean()
    for k in range(3):
        for step in (-0.05, 0.05):
            other = truth.clone()
            other[k] += step
            assert head.loss(other.expand(4000, 3), data, ONE).mean() > best


def test_crossed_quantiles_are_sorted() -> None:
    head = QuantileHead((0.1, 0.5, 0.9))
    raw = doubles(2, 3, -1)
    assert head.quantiles(raw, doubles(0.1, 0.5, 0.9), ONE).tolist() == [-1, 2, 3]
    assert head.centre(raw, ONE).item() == 2


def test_its_own_quantiles_come_back_exactly() -> None:
    raw = torch.randn(6, 5, dtype=torch.float64).sort(-1).values
    assert torch.equal(QuantileHead(FIVE).quantiles(raw, doubles(*FIVE), ONE), raw)


def test_a_normal_distribution_is_continued_exactly() -> None:
    asked = doubles(0.0001, 0.01, 0.1, 0.4, 0.5, 0.6, 0.99, 0.9999)
    raw = 3 + 2 * torch.special.ndtri(doubles(*FIVE))
    found = QuantileHead(FIVE).quantiles(raw, asked, ONE)
    torch.testing.assert_close(found, 3 + 2 * torch.special.ndtri(asked), rtol=0, atol=1e-12)


def test_the_mean_is_that_of_the_quantile_function() -> None:
    raw = doubles(-1, 0, 0.5, 3, 9)
    grid = torch.from_numpy((np.arange(200_000) + 0.5) / 200_000)
    head = QuantileHead(FIVE)
    assert head.mean(raw, ONE).item() == pytest.approx(head.quantiles(raw, grid, ONE).mean().item(), rel=1e-4)
    assert head.mean(raw, ONE).item() > head.centre(raw, ONE).item() + 1  # it is skewed
