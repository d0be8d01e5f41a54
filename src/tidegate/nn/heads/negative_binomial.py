"""A negative binomial distribution for each step, for counts, and its quantiles, which torch lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Generator, Tensor

from tidegate.errors import SpecError
from tidegate.nn.heads.base import Head, positive
from tidegate.nn.scaling import wide
from tidegate.nn.special import betainc

__all__ = ["NegativeBinomialHead", "negative_binomial_quantile"]

_TOGETHER = 4_096  # elements of a search: `betainc` needs a hundred times their memory, and this fits a cache
_ROUNDS = 8  # of the search: 3 are usual; more were never needed between the quantiles 0.005 and 0.995


class NegativeBinomialHead(Head):
    """A negative binomial distribution of counts, as in DeepAR (Salinas et al., 2020).

    The raw numbers are, through softplus, the mean in scaled units and the dispersion α: ``count = target · scale``
    has the mean μ = mean · scale and the variance μ + α μ². Counts are scaled and never shifted. The point forecast
    is the median, a whole number, as for every other head; where series are intermittent it is often 0, and the mean
    says more.
    """

    size = 2
    counts: ClassVar[bool] = True

    def loss(self, raw: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        """Give the negative log-likelihood of the count; between whole numbers Γ continues it."""
        mean, shape = _parameters(raw, scale)
        return -_log_probability(wide(target) * wide(scale), mean, shape)

    def shifted(self, raw: Tensor, origin: Tensor) -> Tensor:
        """Give ``raw`` back: counts are measured from 0. Raises `SpecError` for another ``origin``."""
        if not torch.compiler.is_compiling() and bool(origin.any()):
            raise SpecError(
                "counts cannot be measured from an origin; "
                "a head 'negative_binomial' needs Scaling(method='mean' or 'none', output='centre')"
            )
        return raw

    def centre(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Give the median. It has to be searched for: many times the work of the mean."""
        return self.quantiles(raw, raw.new_tensor([0.5]), scale).squeeze(-1)

    def mean(self, raw: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give the mean."""
        return positive(wide(raw[..., 0]))

    def quantiles(self, raw: Tensor, probabilities: Tensor, scale: Tensor) -> Tensor:
        """Give the quantiles: whole numbers, over the scale; see `negative_binomial_quantile`."""
        mean, shape = _parameters(raw, scale)
        counts = negative_binomial_quantile(wide(probabilities), mean.unsqueeze(-1), shape.unsqueeze(-1))
        return counts / wide(scale).unsqueeze(-1)

    def sample(self, raw: Tensor, scale: Tensor, generator: Generator | None) -> Tensor:
        """Draw from the distribution: a Poisson variable whose rate is drawn from a gamma distribution."""
        mean, shape = _parameters(raw, scale)
        shape = shape.expand_as(mean)
        # What torch.distributions.Gamma calls; the class itself takes no generator.
        rate = torch._standard_gamma(shape, generator=generator) * (mean / shape)
        return torch.poisson(rate, generator=generator) / wide(scale)


def negative_binomial_quantile(probability: Tensor, mean: Tensor, shape: Tensor) -> Tensor:
    """Give the least whole number whose distribution function reaches ``probability``.

    Parameters
    ----------
    probability
        Strictly between 0 and 1. The arguments broadcast.
    mean, shape
        Mean μ, and r = 1/α: the variance is μ + μ²/r.

    Returns
    -------
    Tensor
        Whole numbers as floats; right as long as they are below a million, to about five digits beyond.

    Notes
    -----
    The distribution function at k is I_π(r, k + 1) with π = r / (r + μ). Cantelli's inequality brackets the answer;
    Newton's steps in ln(k + 1) and normal scores, where the function is nearly straight, close the bracket.
    """
    p, mean, shape = torch.broadcast_tensors(probability, mean, shape)  # type: ignore[no-untyped-call]
    if torch.compiler.is_compiling():
        return _search(p, mean, shape)
    parts = zip(*(part.reshape(-1).split(_TOGETHER) for part in (p, mean, shape)), strict=True)
    return torch.cat([_search(*part) for part in parts]).view(p.shape)


def _search(p: Tensor, mean: Tensor, shape: Tensor) -> Tensor:
    deviation = (mean + mean.square() / shape).sqrt()
    # Below `low` (inclusive) the function has not reached p, at `high` it has.
    low = torch.floor(mean - deviation * ((1 - p) / p).sqrt()).sub(1).clamp_min(-1)
    high = torch.ceil(mean + deviation * (p / (1 - p)).sqrt()) + 1
    score = torch.special.ndtri(p)
    skewness = (1 + 2 * mean / shape) / deviation
    count = _within(mean + deviation * (score + skewness * (score.square() - 1) / 6), low, high)

    def closer(low: Tensor, high: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _closer(low, high, count, p, mean, shape)

    if torch.compiler.is_exporting():
        return _rounds_as_loop(closer, low, high, count)
    for _ in range(_ROUNDS):
        low, high, count = closer(low, high, count)
        if not torch.compiler.is_compiling() and bool((high - low <= 1).all()):
            break
    return high


def _closer(
    low: Tensor, high: Tensor, count: Tensor, p: Tensor, mean: Tensor, shape: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Narrow the bracket of the answer, and give the next guess."""
    reached = betainc(shape, count + 1, shape.log() - mean.log())
    mass = _log_probability(count, mean, shape).exp()
    before = reached - mass  # at count − 1
    high = torch.where(before >= p, count - 1, torch.where(reached >= p, count, high))
    low = torch.where(reached < p, count, torch.where(before < p, count - 1, low))
    now = torch.special.ndtri(reached)
    density = torch.exp(-now.square() / 2) / math.sqrt(2 * math.pi)
    step = (torch.special.ndtri(p) - now) * density / (mass * (count + 1))
    newton = torch.exp(step) * (count + 1) - 1
    return low, high, _within(torch.where(newton.isfinite(), newton, (low + high) / 2), low, high)


def _rounds_as_loop(closer: Callable[..., tuple[Tensor, ...]], *begin: Tensor) -> Tensor:
    """Do all rounds in one loop of an exported program, which else would hold each of them."""
    from torch._higher_order_ops.scan import scan

    def step(bracket: list[Tensor], number: Tensor) -> tuple[list[Tensor], Tensor]:
        return [part.clone() for part in closer(*bracket)], number.clone()

    found: list[Tensor] = scan(step, [part.clone() for part in begin], begin[0].new_zeros(_ROUNDS))[0]
    return found[1]


def _within(guess: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Give a whole number above ``low`` and below ``high``; where there is none left, ``high``."""
    inside = torch.minimum(torch.maximum(torch.ceil(guess), low + 1), high - 1)
    return torch.where(high - low <= 1, high, inside)


def _log_probability(count: Tensor, mean: Tensor, shape: Tensor) -> Tensor:
    ways = torch.lgamma(count + shape) - torch.lgamma(shape) - torch.lgamma(count + 1)
    return ways - shape * torch.log1p(mean / shape) - count * torch.log1p(shape / mean)


def _parameters(raw: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    raw = wide(raw)
    return positive(raw[..., 0]) * wide(scale), 1 / positive(raw[..., 1])
