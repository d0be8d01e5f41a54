"""The recursion of exponential smoothing over blocks of steps, with its gradient written out.

Within a block no longer than the shortest season, all seasonal values are known before the block begins: they come from
the season before. What is left is one linear recurrence, ``l[t] = (1 − α) l[t−1] + α r[t]``, over the observed steps of
the block. A missing step changes nothing, so the observed steps are moved up to the front first; every block then has
the same coefficients, and its levels are one product with a triangle of powers of ``1 − α``. Powers, rather than
ratios of cumulative products, stay exact where α reaches 1.

Time is the first axis here, so that a block of steps is one piece of memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["Scanned", "scan"]

_BLOCK = 32  # longest block: the work of a product grows with it, the number of operators falls


class Scanned(NamedTuple):
    """What `scan` gives."""

    levels: Tensor  # [time, row]
    seasonals: Tensor  # [time, row], the sum over seasons
    profiles: tuple[Tensor, ...]  # [season, row] of the steps that follow


def scan(
    values: Tensor,
    observed: Tensor,
    *,
    alpha: Tensor,
    gammas: tuple[Tensor, ...],
    level: Tensor,
    profiles: tuple[Tensor, ...],
) -> Scanned:
    """Smooth rows.

    Parameters
    ----------
    values
        [time, row], finite throughout; unobserved steps do not count.
    observed
        bool, of the same shape.
    alpha
        [row], 0 ≤ α ≤ 1.
    gammas
        One [row] a season, 0 ≤ γ ≤ 1.
    level
        [row], before the first step.
    profiles
        One [season, row] a season; the first entry belongs to the first step.

    Notes
    -----
    The gradient can be taken once, not twice.
    """
    block = min(_BLOCK, len(values), *map(len, profiles))
    lacking = -len(values) % block
    if lacking:  # missing steps before the first fill up its block: they only turn the profiles
        values, observed = (functional.pad(part, (0, 0, lacking, 0)) for part in (values, observed))
        profiles = tuple(profile.roll(lacking, 0) for profile in profiles)
    levels, seasonals, *after = _Scan.apply(values, observed, block, alpha, level, *gammas, *profiles)  # type: ignore[no-untyped-call]
    return Scanned(levels[lacking:], seasonals[lacking:], tuple(after))


class _Scan(torch.autograd.Function):
    """From values, coefficients and first state to levels, seasonal sums and last profiles.

    The history of a season, [season + time, row], begins with its first profile; entry ``t`` is what it adds to step
    ``t``. Rows of observed steps, moved up within a block, stand behind a row for the level before the block.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, observed: Tensor, block: int, alpha: Tensor, level: Tensor, *seasonal: Tensor
    ) -> tuple[Tensor, ...]:
        count = len(seasonal) // 2
        histories = [torch.cat([profile, torch.empty_like(values)]) for profile in seasonal[count:]]
        seasons = [len(profile) for profile in seasonal[count:]]
        mask = observed.to(values.dtype)
        rates, gammas = alpha * mask, [gamma * mask for gamma in seasonal[:count]]
        order = _blocks(observed, block).cumsum(1)  # how many steps of the block have been observed
        powers = _powers(alpha, block)
        moved = values.new_zeros(len(order), block + 1, values.shape[1])
        levels, rests, residuals = (torch.empty_like(values) for _ in range(3))
        last = level
        for index, begin in enumerate(range(0, len(values), block)):
            at = slice(begin, begin + block)
            rest, residual, current = rests[at], residuals[at], levels[at]
            _subtract(values[at], [history[at] for history in histories], out=rest)
            moved[index, 0] = last
            moved[index].scatter_add_(0, order[index], rest * rates[at])
            torch.gather((powers * moved[index]).sum(1), 0, order[index], out=current)
            torch.sub(rest, current, out=residual)
            for history, gamma, season in zip(histories, gammas, seasons, strict=True):
                torch.addcmul(history[at], gamma[at], residual, out=history[begin + season : at.stop + season])
            last = current[-1]
        before = torch.cat([level[None], levels[:-1]])
        ctx.save_for_backward(mask, rates, order, powers, rests - before, residuals, *gammas)
        ctx.block, ctx.seasons = block, seasons
        return (levels, values - rests, *(history[len(values) :] for history in histories))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_levels: Tensor, to_seasonals: Tensor, *to_after: Tensor) -> tuple[Tensor | None, ...]:
        """Walk back: the same recurrence from the end, in which a season's entry receives from the season after."""
        mask, rates, order, powers, errors, residuals, *gammas = ctx.saved_tensors
        block, seasons = ctx.block, ctx.seasons
        histories = [torch.cat([torch.empty_like(mask), given]) for given in to_after]
        moved = mask.new_zeros(len(order), block + 1, mask.shape[1])
        to_values, pushes = torch.empty_like(mask), torch.empty_like(mask)
        last = torch.zeros_like(mask[0])
        for index, begin in reversed(list(enumerate(range(0, len(mask), block)))):
            at = slice(begin, begin + block)
            later = [
                history[begin + season : at.stop + season] for history, season in zip(histories, seasons, strict=True)
            ]
            to_rest = torch.zeros_like(mask[at])  # by way of the residual
            for gamma, entry in zip(gammas, later, strict=True):
                to_rest.addcmul_(gamma[at], entry)
            to_level = to_levels[at] - to_rest
            to_level[-1] += last
            moved[index].scatter_add_(0, order[index], to_level)
            push = (powers * moved[index, :, None]).sum(0)
            torch.gather(push, 0, order[index], out=pushes[at])
            torch.addcmul(to_rest, rates[at], pushes[at], out=to_values[at])
            to_season = to_seasonals[at] - to_values[at]
            for history, entry in zip(histories, later, strict=True):
                torch.add(entry, to_season, out=history[at])
            last = push[0]
        to_alpha = (pushes * errors * mask).sum(0)
        received = residuals * mask
        to_gammas = [(history[season:] * received).sum(0) for history, season in zip(histories, seasons, strict=True)]
        to_profiles = [history[:season] for history, season in zip(histories, seasons, strict=True)]
        return (to_values, None, None, to_alpha, last, *to_gammas, *to_profiles)


def _blocks(values: Tensor, block: int) -> Tensor:
    return values.view(-1, block, values.shape[1])


def _powers(alpha: Tensor, block: int) -> Tensor:
    """Give the triangle of (1 − α)^(to − from), [to, from, row]; ``from`` 0 is the level before the block."""
    exponents = torch.arange(block + 1, device=alpha.device)
    powers = (1 - alpha).pow(exponents[:, None])  # 0⁰ is 1
    lags = exponents[:, None] - exponents
    return torch.where(lags[:, :, None] >= 0, powers[lags.clamp_min(0)], 0.0)


def _subtract(values: Tensor, parts: list[Tensor], *, out: Tensor) -> None:
    if not parts:
        out.copy_(values)
        return
    torch.sub(values, parts[0], out=out)
    for part in parts[1:]:
        out -= part
