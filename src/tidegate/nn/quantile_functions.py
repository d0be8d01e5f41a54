"""Quantile functions given by a few of their values, straight lines between them in normal scores.

The normal score of a probability p is z = Φ⁻¹(p). On that axis a Gaussian's quantile function is a straight line, and
a distribution near to one is nearly straight, also beyond the outermost quantile that was learnt.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from statistics import NormalDist

import torch
from torch import Tensor

__all__ = ["interpolate", "mean_of_quantiles", "mean_weights"]

_TOGETHER = 20  # probabilities


def interpolate(values: Tensor, knots: Tensor, scores: Tensor, *, flat: bool = False) -> Tensor:
    """Read a quantile function between the points where it is known.

    Parameters
    ----------
    values
        ``[…, k]``: its values at the knots.
    knots
        ``[k]``: normal scores, increasing.
    scores
        ``[q]`` or ``[…, q]``: the normal scores that are asked for.
    flat
        Beyond the outermost knots keep their values, instead of going on along the last line. A single knot is
        always kept.

    Returns
    -------
    Tensor
        ``[…, q]``; at a knot exactly its value.
    """
    if len(knots) == 1:
        return values.expand(_together(values.shape, scores.shape))
    if flat:
        scores = scores.clamp(knots[0], knots[-1])
    index = torch.bucketize(scores, knots[1:-1])  # of the knot at the left end of each score's segment
    weight = ((scores - knots[index]) / (knots[index + 1] - knots[index])).to(values.dtype)
    shape = _together(values.shape[:-1], scores.shape[:-1])
    values = values.expand(*shape, len(knots))
    index = index.expand(*shape, scores.shape[-1])
    return torch.lerp(values.gather(-1, index), values.gather(-1, index + 1), weight)


def mean_weights(probabilities: Sequence[float]) -> tuple[float, ...]:
    """Give the weights by which the values at ``probabilities`` make the mean of what `interpolate` reads.

    The quantile function is a sum of tents over the knots, each times a value; the mean of a tent under the standard
    normal density has a closed form. There must be two probabilities at least.
    """
    normal = NormalDist()
    knots = [normal.inv_cdf(p) for p in probabilities]
    weights = [0.0] * len(knots)
    inner = [(normal.cdf(z), normal.pdf(z)) for z in knots[1:-1]]
    bounds = [(0.0, 0.0), *inner, (1.0, 0.0)]  # Φ and φ at the ends of each segment; the outer ones have none
    for k, ((cdf, pdf), (next_cdf, next_pdf)) in enumerate(itertools.pairwise(bounds)):
        mass, moment, width = next_cdf - cdf, pdf - next_pdf, knots[k + 1] - knots[k]
        weights[k] += (knots[k + 1] * mass - moment) / width
        weights[k + 1] += (moment - knots[k] * mass) / width
    return tuple(weights)


def mean_of_quantiles(quantiles: Callable[[Tensor], Tensor], *, like: Tensor, points: int = 200) -> Tensor:
    """Give the mean of a distribution by its quantiles, in the units in which these come.

    A nonlinear transform carries quantiles over exactly, but not the mean: exp of the mean of a logarithm is the
    median. Decoded quantiles have the right mean: ``∫₀¹ Q(p) dp``, here the average of Q at ``(i + ½) / points``.

    Parameters
    ----------
    quantiles
        From increasing probabilities ``[q]`` to decoded quantiles ``[…, q]``. It is called with a few at a time, so
        that memory does not grow with ``points``.
    like
        A tensor of the device and dtype that the probabilities are to have.
    points
        Points of the grid. The tails beyond the outermost ones do not count, which keeps a mean finite that a heavy
        tail under ``exp`` would not have; a log-normal's mean is short by 0.1 % for σ = ½, by 0.8 % for σ = 1.

    Returns
    -------
    Tensor
        ``[…]``.
    """
    grid = (torch.arange(points, dtype=like.dtype, device=like.device) + 0.5) / points
    parts = [quantiles(part).sum(-1) for part in torch.split(grid, _TOGETHER)]
    return torch.stack(parts).sum(0) / points


def _together(one: torch.Size, other: torch.Size) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(one, other)  # type: ignore[no-untyped-call]
    return shape
