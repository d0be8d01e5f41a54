"""The generalised Pareto distribution, fitted by Grimshaw's (1993) reduction to one equation."""

from __future__ import annotations

import math

import numpy as np

from tidegate.anomaly.thresholds.follower import FloatArray

__all__ = ["fit_pareto", "log_likelihood", "upper_tail"]

_GRID = 64  # places, on either side of 0, between which roots are looked for
_HALVINGS = 40
_EXPONENTIAL = 1e-9  # of a shape: nearer to 0 the formula loses all digits
_NEAR = 1e-4  # of 0, where both factors meet and the exponential distribution speaks


def fit_pareto(excesses: FloatArray) -> tuple[float, float]:
    """Fit the distribution to excesses over a level by maximum likelihood.

    Grimshaw (1993) shows that the two equations of the maximum reduce to one of x = γ/σ, u(x) · v(x) = 1 with
    u(x) = mean(1/(1 + x·Y)) and v(x) = 1 + mean(log(1 + x·Y)). All its roots are looked for, and the likeliest is
    taken; the exponential distribution, γ = 0, is one of those that are compared.

    Parameters
    ----------
    excesses
        ``[peak]``, all more than 0.

    Returns
    -------
    gamma, sigma
        Shape (heavier tails above 0, an end below) and scale.
    """
    unit = float(excesses.mean())
    y = excesses / unit
    best = (0.0, 1.0)
    likeliest = log_likelihood(y, *best)
    for x in _roots(y):
        gamma = float(np.log1p(x * y).mean())
        candidate = (gamma, gamma / x)
        likelihood = log_likelihood(y, *candidate)
        if likelihood > likeliest:
            best, likeliest = candidate, likelihood
    return best[0], best[1] * unit


def log_likelihood(excesses: FloatArray, gamma: float, sigma: float) -> float:
    """Give the log-likelihood of excesses ``[peak]``; −∞ where they lie beyond the end of the distribution."""
    if sigma <= 0:
        return -math.inf
    if abs(gamma) < _EXPONENTIAL:
        return float(-len(excesses) * math.log(sigma) - excesses.sum() / sigma)
    inside = 1 + gamma / sigma * excesses
    if (inside <= 0).any():
        return -math.inf
    return float(-len(excesses) * math.log(sigma) - (1 + 1 / gamma) * np.log(inside).sum())


def upper_tail(gamma: float, sigma: float, ratio: float) -> float:
    """Give the excess that is exceeded with probability ``ratio`` of exceeding the level at all."""
    if abs(gamma) < _EXPONENTIAL:
        return -sigma * math.log(ratio)
    return sigma / gamma * math.expm1(-gamma * math.log(ratio))


def _roots(y: FloatArray) -> list[float]:
    largest, smallest = float(y.max()), float(y.min())
    below = np.geomspace(_NEAR, 1 - 1e-8, _GRID)[::-1] / -largest  # from the end of the distribution towards 0
    bound = max(2 * (1 - smallest) / smallest**2, 1.0)  # no root lies above (Grimshaw, 1993), y having the mean 1
    above = np.geomspace(_NEAR, min(bound, 1e6), _GRID)
    return [root for grid in (below, above) for root in _crossings(y, grid)]


def _crossings(y: FloatArray, grid: FloatArray) -> list[float]:
    values = _equation(y, grid)
    low, high = grid[:-1], grid[1:]
    crossing = np.sign(values[:-1]) * np.sign(values[1:]) < 0
    low, high, sign = low[crossing], high[crossing], np.sign(values[:-1][crossing])
    for _ in range(_HALVINGS if len(low) else 0):
        middle = (low + high) / 2
        same = np.sign(_equation(y, middle)) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    roots: list[float] = ((low + high) / 2).tolist()
    return roots


def _equation(y: FloatArray, x: FloatArray) -> FloatArray:
    """Give u(x) · v(x) − 1 for each ``x``."""
    inside = 1 + x[:, np.newaxis] * y
    values: FloatArray = (1 / inside).mean(1) * (1 + np.log(inside).mean(1)) - 1
    return values
