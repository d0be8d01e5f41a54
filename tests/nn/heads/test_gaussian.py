"""Normal distributions beside torch's."""

from __future__ import annotations

import torch
from torch.distributions import Normal
from torch.nn.functional import softplus

from tidegate.nn.heads.gaussian import GaussianHead

ONE = torch.ones(1, dtype=torch.float64)
RAW = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
NORMAL = Normal(RAW[:, 0], softplus(RAW[:, 1]) + 1e-4)


def test_the_loss_is_torchs() -> None:
    target = torch.linspace(-5, 5, 20, dtype=torch.float64)
    torch.testing.assert_close(GaussianHead().loss(RAW, target, ONE), -NORMAL.log_prob(target))  # type: ignore[no-untyped-call]


def test_quantiles_are_torchs() -> None:
    asked = torch.tensor([0.001, 0.25, 0.5, 0.975], dtype=torch.float64)
    torch.testing.assert_close(GaussianHead().quantiles(RAW, asked, ONE), NORMAL.icdf(asked.unsqueeze(-1)).T)  # type: ignore[no-untyped-call]


def test_mean_and_median() -> None:
    assert torch.equal(GaussianHead().mean(RAW, ONE), NORMAL.mean)
    assert torch.equal(GaussianHead().centre(RAW, ONE), NORMAL.mean)


def test_the_spread_has_a_floor() -> None:
    raw = torch.tensor([0.0, -1000.0], dtype=torch.float64)
    quantile = GaussianHead().quantiles(raw, torch.tensor([0.975], dtype=torch.float64), ONE)
    torch.testing.assert_close(quantile, torch.tensor([1.959963984540054e-4], dtype=torch.float64))
