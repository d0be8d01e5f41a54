"""Student's t distributions beside torch's and scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import StudentT
from torch.nn.functional import softplus

from tidegate.nn.heads.student_t import StudentTHead, student_t_quantile

ONE = torch.ones(1, dtype=torch.float64)
RAW = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
FREEDOM = 2 + 1e-4 + softplus(RAW[:, 2])
SPREAD = softplus(RAW[:, 1]) + 1e-4


def test_the_loss_is_torchs() -> None:
    target = torch.linspace(-50, 50, 20, dtype=torch.float64)
    expected = -StudentT(FREEDOM, RAW[:, 0], SPREAD).log_prob(target)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(StudentTHead().loss(RAW, target, ONE), expected)


@pytest.mark.parametrize(
    ("least", "tolerance"), [(0.005, 1e-9), (0.0005, 1e-6), (1e-6, 0.05)], ids=["within", "beyond", "far beyond"]
)
def test_quantiles_beside_scipys(least: float, tolerance: float) -> None:
    scores = np.linspace(stats.norm.ppf(least), -stats.norm.ppf(least), 50)  # an even number: none at the median
    p, freedom = np.meshgrid(stats.norm.cdf(scores), [2, 2.0001, 2.3, 3, 4.5, 7, 12, 30, 100.5, 1000])
    found = student_t_quantile(torch.from_numpy(p), torch.from_numpy(freedom))
    np.testing.assert_allclose(found, stats.t.ppf(p, freedom), rtol=tolerance, atol=0)


def test_quantiles_by_hand() -> None:
    # With 2 degrees of freedom: (2p − 1) / √(2p (1 − p))
    p = torch.tensor([0.01, 0.5, 0.75, 0.99], dtype=torch.float64)
    two = torch.full_like(p, 2.0)
    torch.testing.assert_close(
        student_t_quantile(p, two), (2 * p - 1) / (2 * p * (1 - p)).sqrt(), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("freedom", [1e6, 1e12])
def test_with_many_degrees_of_freedom_it_is_the_normal_one(freedom: float) -> None:
    p = torch.linspace(0.005, 0.995, 21, dtype=torch.float64)
    found = student_t_quantile(p, torch.tensor(freedom, dtype=torch.float64))
    torch.testing.assert_close(found, torch.special.ndtri(p), rtol=3e-6, atol=1e-12)


def test_quantiles_of_the_head() -> None:
    p = torch.tensor([0.025, 0.5, 0.9], dtype=torch.float64)
    expected = stats.t.ppf(p[None], FREEDOM[:, None], RAW[:, :1], SPREAD[:, None])
    np.testing.assert_allclose(StudentTHead().quantiles(RAW, p, ONE), expected, rtol=1e-8)


def test_mean_and_median_are_the_location() -> None:
    assert torch.equal(StudentTHead().mean(RAW, ONE), RAW[:, 0])
    assert torch.equal(StudentTHead().centre(RAW, ONE), RAW[:, 0])


def test_there_are_more_than_two_degrees_of_freedom() -> None:
    raw = torch.tensor([[0.0, 0.0, -200.0]], dtype=torch.float32)
    target = torch.tensor([3.0], dtype=torch.float64)
    spread = softplus(torch.zeros(1, dtype=torch.float64)) + 1e-4
    expected = -StudentT(torch.tensor(2.0001, dtype=torch.float64), 0, spread).log_prob(target)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(StudentTHead().loss(raw, target, ONE), expected)


def test_draws_have_heavy_tails() -> None:
    drawn = StudentTHead().sample(RAW[:1].expand(100_000, 3), ONE, torch.Generator().manual_seed(0))
    exact = stats.t(FREEDOM[0].item(), RAW[0, 0].item(), SPREAD[0].item())
    assert stats.kstest(drawn.numpy(), exact.cdf).pvalue > 0.01
