"""Exponential smoothing as a layer: level and seasons of a window, differentiable in everything.

Additive smoothing without a trend (Holt, 1957; Winters, 1960; for several seasons Taylor, 2003), in the form that
ES-RNN puts before its network (Smyl, 2020, "A hybrid method of exponential smoothing and recurrent neural networks for
time series forecasting"). On logarithms it is the multiplicative form that was published there; as it is, it takes
zeros and negative values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tidegate.errors import ShapeError
from tidegate.nn.smoothing_scan import scan

__all__ = ["Smoothed", "SmoothingState", "estimate_state", "exponential_smoothing"]

_EARLY = 8  # observed steps that a first level is the mean of
_SWEEPS = 2  # of the least-squares fit of cycles and phases; one would do where nothing is missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmoothingState:
    """Where smoothing stands between two steps.

    Parameters
    ----------
    level
        [batch, target].
    profiles
        One [batch, season, target] a season: what the season adds to each of the steps that follow, the next one first.
    """

    level: Tensor
    profiles: tuple[Tensor, ...]

    def seasonal(self, steps: int) -> Tensor:
        """Give what the seasons add to each of the ``steps`` that follow, [batch, steps, target]."""
        total = self.level.new_zeros(self.level.shape[0], steps, self.level.shape[1])
        for profile in self.profiles:
            total = total + profile.repeat(1, -(-steps // profile.shape[1]), 1)[:, :steps]
        return total

    def forecast(self, steps: int) -> Tensor:
        """Give the forecast of smoothing itself: the level and the seasons, [batch, steps, target]."""
        return self.level.unsqueeze(1) + self.seasonal(steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Smoothed:
    """A window taken apart: ``values = seasonals + rest``, and ``levels`` is what is smooth in ``rest``.

    Parameters
    ----------
    levels
        After each step, [batch, time, target].
    seasonals
        The sum of the seasons as it stood before each step, [batch, time, target].
    rest
        The deseasonalised values, [batch, time, target]; 0 where unobserved.
    state
        After the last step.
    """

    levels: Tensor
    seasonals: Tensor
    rest: Tensor
    state: SmoothingState


def exponential_smoothing(
    values: Tensor, observed: Tensor, *, alpha: Tensor, gammas: Sequence[Tensor], state: SmoothingState
) -> Smoothed:
    r"""Smooth a batch of windows.

    With the seasons :math:`s^k` of lengths :math:`m_k`, over the observed steps:

    .. math::

        l_t = \alpha (y_t - \textstyle\sum_k s^k_t) + (1 - \alpha) l_{t-1}, \qquad
        s^k_{t+m_k} = s^k_t + \gamma_k (y_t - l_t - \textstyle\sum_k s^k_t)

    A missing step carries level and seasons on as they are.

    Parameters
    ----------
    values
        [batch, time, target]; what stands at unobserved places is not read.
    observed
        bool, of the same shape.
    alpha
        How fast the level follows, 0 to 1, [batch, target].
    gammas
        How fast each season follows, 0 to 1, one [batch, target] a season.
    state
        Before the first step: estimated by `estimate_state`, learned, or where an earlier call ended. Its profiles say
        how long the seasons are.

    Returns
    -------
    Smoothed
        In the dtype of ``values``.

    Raises
    ------
    ShapeError
        If a tensor is of another shape, or a season has no coefficient.

    Notes
    -----
    The steps of a block, as long as the shortest season or 32, are done at once. The gradient reaches values,
    coefficients and state; it can be taken once, not twice.

    Examples
    --------
    >>> values = torch.tensor([4.0, 0.0, 6.0, 0.0, 6.0]).view(1, -1, 1)
    >>> half = torch.full((1, 1), 0.5)
    >>> state = SmoothingState(level=torch.tensor([[2.0]]), profiles=(torch.tensor([[[2.0], [-2.0]]]),))
    >>> smoothed = exponential_smoothing(values, values > -1, alpha=half, gammas=[half], state=state)
    >>> smoothed.levels.flatten().tolist(), smoothed.state.forecast(3).flatten().tolist()
    ([2.0, 2.0, 3.0, 2.5, 3.0], [0.75, 5.75, 0.75])
    """
    _check_shapes(values, observed, alpha, gammas, state)
    batch, _, targets = values.shape

    def rows(part: Tensor) -> Tensor:  # [batch, time, target] to [time, batch · target]
        return part.transpose(0, 1).reshape(part.shape[1], batch * targets)

    def back(part: Tensor) -> Tensor:
        return part.view(part.shape[0], batch, targets).transpose(0, 1)

    known = torch.where(observed, values, 0.0)
    found = scan(
        rows(known),
        rows(observed),
        alpha=alpha.reshape(-1).to(values.dtype),
        gammas=tuple(gamma.reshape(-1).to(values.dtype) for gamma in gammas),
        level=state.level.reshape(-1).to(values.dtype),
        profiles=tuple(rows(profile.to(values.dtype)) for profile in state.profiles),
    )
    levels, seasonals = back(found.levels), back(found.seasonals)
    return Smoothed(
        levels=levels,
        seasonals=seasonals,
        rest=torch.where(observed, known - seasonals, 0.0),
        state=SmoothingState(level=levels[:, -1], profiles=tuple(map(back, found.profiles))),
    )


def estimate_state(values: Tensor, observed: Tensor, seasons: Sequence[int]) -> SmoothingState:
    """Estimate where smoothing may start, from the window that it is to smooth.

    Season by season, the shortest first, the values are fitted by a mean for each cycle, a slope that all cycles share,
    and a profile that sums to 0; the profile is taken out before the next season's turn. The level is the mean of the
    first eight observed values without their seasons.

    Parameters
    ----------
    values
        [batch, time, target]; what stands at unobserved places is not read.
    observed
        bool, of the same shape.
    seasons
        Steps of each season, ascending.

    Returns
    -------
    SmoothingState
        Before the first step. A season that is longer than the time from the first observed value to the end has a
        profile of zeros; so has a phase that is never observed.
    """
    rest = torch.where(observed, values, 0.0)
    seen = observed.to(values.dtype)
    profiles = []
    for season in seasons:
        profile = _profile(rest, seen, season)
        repeated = profile.repeat(1, -(-values.shape[1] // season), 1)[:, : values.shape[1]]
        rest = (rest - repeated) * seen
        profiles.append(profile)
    early = seen * (observed.cumsum(1) <= _EARLY)
    return SmoothingState(level=_mean(rest, early, 1), profiles=tuple(profiles))


def _profile(values: Tensor, seen: Tensor, season: int) -> Tensor:
    """Fit cycles and phases; ``values`` hold 0 where ``seen`` does. The first entry belongs to the first step."""
    lacking = -values.shape[1] % season  # the first cycle is filled up with missing steps
    shape = (values.shape[0], -1, season, values.shape[2])
    cycles, there = (functional.pad(part, (0, 0, lacking, 0)).reshape(shape) for part in (values, seen))
    both = there[:, 1:] * there[:, :-1]
    slope = _mean(cycles[:, 1:] - cycles[:, :-1], both, (1, 2)) / season  # a step
    phase = torch.arange(season, device=values.device, dtype=values.dtype)[:, None]
    level = cycles - slope[:, None, None] * phase
    profile = torch.zeros_like(level[:, :1])
    for _ in range(_SWEEPS):
        means = _mean(level - profile, there, 2).unsqueeze(2)
        profile = _mean(level - means, there, 1).unsqueeze(1)
    profile = profile.squeeze(1)  # [batch, season, target]
    known = there.amax(1)
    whole = seen[:, : max(values.shape[1] - season + 1, 0)].sum(1, keepdim=True) > 0
    centred = torch.where(whole, (profile - _mean(profile, known, 1).unsqueeze(1)) * known, 0.0)
    return centred.roll(-lacking, 1)


def _mean(values: Tensor, weight: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    return (values * weight).sum(dim) / weight.sum(dim).clamp_min(1)


def _check_shapes(
    values: Tensor, observed: Tensor, alpha: Tensor, gammas: Sequence[Tensor], state: SmoothingState
) -> None:
    if values.dim() != 3 or not values.shape[1] or observed.shape != values.shape or observed.dtype != torch.bool:
        raise ShapeError(
            "expected values [batch, time, target] of at least one step, and a mask of booleans of the same shape; "
            f"got values {list(values.shape)} and {observed.dtype} {list(observed.shape)}"
        )
    if len(gammas) != len(state.profiles):
        raise ShapeError(
            f"expected one coefficient a season; got {len(gammas)} for {len(state.profiles)} seasonal profiles"
        )
    batch, _, targets = values.shape
    for name, given in (("alpha", alpha), ("level", state.level), *(("gamma", gamma) for gamma in gammas)):
        if given.shape != (batch, targets):
            raise ShapeError(f"expected {name} of shape [{batch}, {targets}]; got {list(given.shape)}")
    for profile in state.profiles:
        if profile.dim() != 3 or (profile.shape[0], profile.shape[2]) != (batch, targets) or not profile.shape[1]:
            raise ShapeError(f"expected a profile of shape [{batch}, season, {targets}]; got {list(profile.shape)}")
