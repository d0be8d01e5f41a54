"""Quantile functions in normal scores, and means of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate.nn.quantile_functions import interpolate, mean_of_quantiles, mean_weights

KNOTS = torch.tensor([-1.5, -0.5, 0.0, 1.0], dtype=torch.float64)
VALUES = torch.tensor([[-3.0, -1.0, 0.5, 1.0], [0.0, 0.0, 2.0, 8.0]], dtype=torch.float64)


def test_between_knots_it_is_what_numpy_interpolates() -> None:
    scores = torch.linspace(-1.5, 1.0, 26, dtype=torch.float64)
    expected = np.stack([np.interp(scores, KNOTS, row) for row in VALUES])
    np.testing.assert_allclose(interpolate(VALUES, KNOTS, scores), expected, rtol=0, atol=1e-14)


def test_at_a_knot_it_is_exactly_the_value() -> None:
    assert torch.equal(interpolate(VALUES, KNOTS, KNOTS), VALUES)


def test_beyond_the_knots_the_last_line_goes_on_or_the_value_stays() -> None:
    scores = torch.tensor([-2.5, 3.0], dtype=torch.float64)
    assert interpolate(VALUES, KNOTS, scores).tolist() == [[-5.0, 2.0], [0.0, 20.0]]
    assert interpolate(VALUES, KNOTS, scores, flat=True).tolist() == [[-3.0, 1.0], [0.0, 8.0]]


def test_each_element_may_ask_for_its_own_score() -> None:
    scores = torch.tensor([[-1.0], [0.5]], dtype=torch.float64)
    assert interpolate(VALUES, KNOTS, scores).tolist() == [[-2.0], [5.0]]


def test_a_single_knot_is_kept() -> None:
    scores = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)
    assert interpolate(VALUES[:, :1], KNOTS[:1], scores).tolist() == [[-3.0] * 3, [0.0] * 3]


@pytest.mark.parametrize("probabilities", [(0.1, 0.9), (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975), (0.3, 0.5, 0.999)])
def test_mean_weights_are_the_integral(probabilities: tuple[float, ...]) -> None:
    values = torch.rand(len(probabilities), dtype=torch.float64, generator=torch.Generator().manual_seed(0)).cumsum(0)
    scores = torch.linspace(-9, 9, 180_001, dtype=torch.float64)
    knots = torch.special.ndtri(torch.tensor(probabilities, dtype=torch.float64))
    density = torch.exp(-scores.square() / 2) / math.sqrt(2 * math.pi)
    slow = torch.trapezoid(interpolate(values, knots, scores) * density, scores)
    fast = sum(w * v for w, v in zip(mean_weights(probabilities), values.tolist(), strict=True))
    assert fast == pytest.approx(slow.item(), rel=1e-8)


@pytest.mark.parametrize(("sigma", "short"), [(0.25, 2.16e-4), (0.5, 1.06e-3), (1.0, 7.8e-3)])
def test_the_mean_behind_a_logarithm_is_that_of_the_log_normal(sigma: float, short: float) -> None:
    mu = torch.tensor([0.0, 3.0], dtype=torch.float64)
    truth = torch.exp(mu + sigma**2 / 2)

    def decoded(probabilities: Tensor) -> Tensor:
        return torch.exp(mu.unsqueeze(-1) + sigma * torch.special.ndtri(probabilities))

    found = mean_of_quantiles(decoded, like=mu)
    assert ((truth - found) / truth).tolist() == pytest.approx([short, short], rel=0.03)
    naive = torch.exp(mu)  # the median: short by far more
    assert ((truth - naive) / (truth - found) > 30).all()


def test_the_mean_is_the_average_over_the_grid() -> None:
    asked: list[Tensor] = []

    def square(probabilities: Tensor) -> Tensor:
        asked.append(probabilities)
        return probabilities.square().expand(2, -1)

    like = torch.zeros((), dtype=torch.float64)
    grid = (np.arange(50) + 0.5) / 50
    assert mean_of_quantiles(square, like=like, points=50).tolist() == pytest.approx([np.mean(grid**2)] * 2, rel=1e-14)
    np.testing.assert_allclose(torch.cat(asked), grid, rtol=1e-15)
    assert max(len(part) for part in asked) <= 20
