"""Special functions beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special

from tidegate.nn.special import betainc, gauss_legendre


def test_gauss_legendre_integrates_polynomials() -> None:
    places, weights = gauss_legendre(4)
    for power in range(8):  # exact up to twice the points, less one
        assert sum(w * x**power for x, w in zip(places, weights, strict=True)) == pytest.approx(1 / (power + 1), 1e-13)


def test_betainc_beside_scipys() -> None:
    draw = np.random.default_rng(0)
    a, b = 10 ** draw.uniform(-2, 4, 20_000), 10 ** draw.uniform(-2, 5, 20_000)
    x = special.betaincinv(a, b, draw.uniform(1e-4, 1 - 1e-4, 20_000))
    inside = (x > 1e-12) & (x < 1 - 1e-9)  # beyond, x itself has lost the digits that its logit would have
    a, b, x = a[inside], b[inside], x[inside]
    found = betainc(*(torch.from_numpy(part) for part in (a, b, np.log(x) - np.log1p(-x))))
    np.testing.assert_allclose(found.numpy(), special.betainc(a, b, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("a", "b"), [(2.0, 3.0), (0.5, 0.5), (30.0, 1.0), (1.0, 1.0)])
def test_betainc_of_the_mirror_image_is_the_rest(a: float, b: float) -> None:
    logit = torch.linspace(-20, 20, 41, dtype=torch.float64)
    one, two = torch.full_like(logit, a), torch.full_like(logit, b)
    torch.testing.assert_close(betainc(one, two, logit) + betainc(two, one, -logit), torch.ones_like(logit))


def test_betainc_by_hand() -> None:
    # I_x(1, b) = 1 − (1 − x)ᵇ, I_x(a, 1) = xᵃ
    x = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    one, three = torch.ones_like(x), torch.full_like(x, 3.0)
    torch.testing.assert_close(betainc(one, three, torch.logit(x)), 1 - (1 - x) ** 3, rtol=0, atol=1e-12)
    torch.testing.assert_close(betainc(three, one, torch.logit(x)), x**3, rtol=0, atol=1e-12)
