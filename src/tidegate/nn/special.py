"""Special functions that torch lacks, of plain tensor operations.

They run wherever tensors do and are exported as they are: no loop ends on what a tensor holds.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["betainc", "gauss_legendre"]

_RAISED = 8  # to this both parameters are raised: then the tail falls off smoothly, whatever they were
_POINTS = 20
_DEVIATIONS = 9  # of the density in y: what lies beyond is nothing


@functools.cache
def gauss_legendre(points: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give places and weights of Gauss and Legendre's quadrature over [0, 1]; the weights add up to 1."""
    places, weights = np.polynomial.legendre.leggauss(points)
    return tuple(((places + 1) / 2).tolist()), tuple((weights / 2).tolist())


_RULE = gauss_legendre(_POINTS)  # here: what traces a loop cannot look into numpy


def betainc(a: Tensor, b: Tensor, logit: Tensor) -> Tensor:
    """Give the regularised incomplete beta function I_x(a, b) at ``x = 1 / (1 + exp(−logit))``.

    Parameters
    ----------
    a, b
        Positive, of one shape with ``logit``. In float64 the absolute error is below 1e-9 up to a hundred thousand,
        and grows from there as the digits of lgamma go.
    logit
        ``ln(x / (1 − x))``, which keeps its digits where x is next to 0 or 1.

    Notes
    -----
    Both parameters are raised first by the recurrences of DLMF 8.17.20–21. What is left is the tail on the nearer
    side of the mode, in ``y = logit(x)``, where the density is log-concave: a Gauss–Legendre rule over nine
    standard deviations. Memory is some hundred times that of the arguments; who has many takes them in parts.
    """
    x, rest = torch.sigmoid(logit), torch.sigmoid(-logit)
    log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    density = torch.exp(a * functional.logsigmoid(logit) + b * functional.logsigmoid(-logit) - log_beta)
    gained, term = _raised(density / a, a, b, x)
    a = a + _RAISED
    lost, term = _raised(term * a / b, b, a, rest)
    b = b + _RAISED
    left = logit <= torch.log(a / b)  # the mode of the density in y
    tail = term * b * _tail(torch.where(left, a, b), a + b, torch.where(left, x, rest))
    return gained - lost + torch.where(left, tail, 1 - tail)


def _raised(first: Tensor, a: Tensor, b: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Raise ``a``, with ``first = xᵃ (1 − x)ᵇ / (a B(a, b))``: the sum of the terms passed by, and the next of them."""
    k = torch.arange(_RAISED, dtype=a.dtype, device=a.device)
    a, b, x = a.unsqueeze(-1), b.unsqueeze(-1), x.unsqueeze(-1)
    products = ((a + b + k) * x / (a + k + 1)).cumprod(-1)
    return first * (1 + products[..., :-1].sum(-1)), first * products[..., -1]


def _tail(a: Tensor, total: Tensor, x: Tensor) -> Tensor:
    # ∫₀^∞ exp(−drop(v)) dv, drop(v) = a v + total · log(1 − x + x e⁻ᵛ): convex, and 0 at 0.
    reach = _DEVIATIONS * (1 / a + 1 / (total - a)).sqrt()
    places, weights = a.new_tensor(_RULE[0]), a.new_tensor(_RULE[1])
    v = places * reach.unsqueeze(-1)
    drop = a.unsqueeze(-1) * v + total.unsqueeze(-1) * torch.log1p(x.unsqueeze(-1) * torch.expm1(-v))
    return reach * (torch.exp(-drop) * weights).sum(-1)
