"""Negative binomial distributions beside torch's and scipy's."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from torch.distributions import NegativeBinomial
from torch.nn.functional import softplus

from tidegate.errors import SpecError
from tidegate.nn.heads import negative_binomial
from tidegate.nn.heads.negative_binomial import NegativeBinomialHead, negative_binomial_quantile
from tidegate.specs import Scaling

Array = npt.NDArray[np.float64]

RAW = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
SCALE = torch.linspace(0.5, 40, 20, dtype=torch.float64)
MEAN = (softplus(RAW[:, 0]) + 1e-4) * SCALE
SHAPE = 1 / (softplus(RAW[:, 1]) + 1e-4)


def quantiles(p: Array, mean: Array, shape: Array) -> Array:
    found: Array = negative_binomial_quantile(*(torch.from_numpy(part) for part in (p, mean, shape))).numpy()
    return found


def test_the_loss_is_torchs_of_the_count() -> None:
    counts = torch.arange(20, dtype=torch.float64)
    exact = NegativeBinomial(total_count=SHAPE, logits=(MEAN / SHAPE).log())
    found = NegativeBinomialHead().loss(RAW, counts / SCALE, SCALE)
    torch.testing.assert_close(found, -exact.log_prob(counts))  # type: ignore[no-untyped-call]


def test_mean_and_variance() -> None:
    head = NegativeBinomialHead()
    drawn = head.sample(RAW.expand(20_000, 20, 2), SCALE, torch.Generator().manual_seed(0)) * SCALE
    torch.testing.assert_close(head.mean(RAW, SCALE) * SCALE, MEAN)
    torch.testing.assert_close(drawn.mean(0), MEAN, rtol=0.1, atol=0.01)
    torch.testing.assert_close(drawn.var(0), MEAN + MEAN.square() / SHAPE, rtol=0.2, atol=0.01)
    torch.testing.assert_close(drawn, drawn.round())  # counts


def test_a_narrow_dispersion_is_poissons() -> None:
    raw = torch.tensor([2.0, -50.0], dtype=torch.float64)
    counts = torch.arange(10, dtype=torch.float64)
    rate = softplus(raw[0]) + 1e-4
    expected = -torch.distributions.Poisson(rate).log_prob(counts)  # type: ignore[no-untyped-call]
    found = NegativeBinomialHead().loss(raw, counts, torch.ones(1, dtype=torch.float64))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("means", "shapes"),
    [((0.001, 1.0), (0.02, 20.0)), ((0.1, 100.0), (0.1, 10_000.0)), ((100.0, 50_000.0), (0.1, 10_000.0))],
    ids=["intermittent", "usual", "large"],
)
def test_quantiles_are_scipys(means: tuple[float, float], shapes: tuple[float, float]) -> None:
    draw = np.random.default_rng(0)
    mean, shape = (np.exp(draw.uniform(np.log(bounds[0]), np.log(bounds[1]), 4000)) for bounds in (means, shapes))
    p = draw.uniform(0.005, 0.995, 4000)
    p[:1000], p[1000:2000], p[2000:2500] = 0.995, 0.005, 0.5
    expected = stats.nbinom.ppf(p, shape, shape / (shape + mean)).clip(0)
    np.testing.assert_array_equal(quantiles(p, mean, shape), expected)


def test_quantiles_of_millions_are_right_to_five_digits() -> None:
    draw = np.random.default_rng(1)
    mean, shape = np.exp(draw.uniform(np.log(1e6), np.log(1e8), 500)), draw.uniform(0.5, 1000, 500)
    p = draw.uniform(0.005, 0.995, 500)
    np.testing.assert_allclose(quantiles(p, mean, shape), stats.nbinom.ppf(p, shape, shape / (shape + mean)), rtol=1e-5)


def test_a_quantile_is_the_first_count_that_reaches_the_probability() -> None:
    # r = 1 is the geometric distribution: F(k) = 1 − (μ / (1 + μ))^(k + 1), here 1 − 0.75^(k + 1)
    p = np.array([0.2, 0.26, 0.4, 0.5, 0.9])
    assert quantiles(p, np.array(3.0), np.array(1.0)).tolist() == [0, 1, 1, 2, 8]


def test_many_are_searched_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    p = torch.tensor([0.1, 0.5, 0.975], dtype=torch.float64)
    whole = NegativeBinomialHead().quantiles(RAW, p, SCALE)
    monkeypatch.setattr(negative_binomial, "_TOGETHER", 7)
    assert torch.equal(NegativeBinomialHead().quantiles(RAW, p, SCALE), whole)
    expected = stats.nbinom.ppf(p[None], SHAPE[:, None], (SHAPE / (SHAPE + MEAN))[:, None])
    np.testing.assert_allclose(whole * SCALE[:, None], expected, rtol=1e-12)


def test_nothing_to_search() -> None:
    none = torch.zeros(0, 4, 2, dtype=torch.float64)
    found = NegativeBinomialHead().quantiles(none, torch.tensor([0.5], dtype=torch.float64), torch.ones(0, 1))
    assert found.shape == (0, 4, 1)


def test_counts_are_measured_from_nothing_but_0() -> None:
    head = NegativeBinomialHead()
    assert torch.equal(head.shifted(RAW, torch.zeros(20)), RAW)
    message = (
        "counts cannot be measured from an origin; "
        "a head 'negative_binomial' needs Scaling(method='mean' or 'none', output='centre')"
    )
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        head.shifted(RAW, torch.ones(20))


@pytest.mark.parametrize("method", ["mean", "none"])
def test_scalings_for_counts(method: str) -> None:
    NegativeBinomialHead().check_scaling(Scaling(method=method, output="centre"))


@pytest.mark.parametrize(
    "scaling",
    [
        Scaling(method="mean"),
        Scaling(method="standard", output="centre"),
        Scaling(transform="log1p", method="mean", output="centre"),
    ],
)
def test_refused_scalings(scaling: Scaling) -> None:
    message = (
        "a head for counts needs values that are scaled only, neither transformed nor shifted: "
        "Scaling(transform='identity', method='mean' or 'none', output='centre'); "
        f"got transform={scaling.transform!r}, method={scaling.method!r}, output={scaling.output!r}"
    )
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        NegativeBinomialHead().check_scaling(scaling)
