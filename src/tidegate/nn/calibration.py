"""Conformal calibration: how wide a forecast has to be, from its errors on windows kept apart.

Where training never saw those windows, and they and the window to come are exchangeable, the quantile that comes out
is right with no assumption on the network: at least a share p of what comes lies below it for p > ½, and for a single
step hardly more (Vovk et al., 2005; Lei et al., 2018). Windows of one series that follow each other are not quite
exchangeable; coverage is then near the level instead of above it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from tidegate.errors import DataError, ShapeError
from tidegate.nn.quantile_functions import interpolate
from tidegate.nn.scaling import wide

__all__ = ["PROBABILITIES", "Calibration", "fit_calibration"]

#: Where errors are measured; between these, factors are interpolated.
PROBABILITIES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)

_LEAST_SPREAD = 1e-6  # in scaled units: what is narrower has no spread that a factor could stretch
_ROUNDING = 1e-9  # 40 · 0.975 is 39, whatever a float says


class Calibration(nn.Module):
    """Factors that stretch the distance between a forecast's centre and its quantiles, for each step and target.

    Parameters
    ----------
    probabilities
        ``[p]``, increasing.
    factors
        ``[horizon, target, p]``; 1 leaves a quantile where it is. Those of the median stay unused.

    Notes
    -----
    Both are buffers of float32, which every device has, and answers have the dtype of the quantiles.
    """

    probabilities: Tensor
    factors: Tensor

    def __init__(self, probabilities: Tensor, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("probabilities", probabilities)
        self.register_buffer("factors", factors)

    @classmethod
    def empty(cls, horizon: int, targets: int, count: int = len(PROBABILITIES)) -> Calibration:
        """Build one that changes nothing, with room for the ``state_dict`` of another of ``count`` probabilities."""
        probabilities = torch.arange(1, count + 1, dtype=torch.float32) / (count + 1)
        return cls(probabilities, torch.ones(horizon, targets, count, dtype=torch.float32))

    def forward(self, centre: Tensor, quantiles: Tensor, probabilities: Tensor) -> Tensor:
        """Stretch quantiles, and sort them.

        Parameters
        ----------
        centre
            The point forecast, ``[batch, horizon, target]``, scaled.
        quantiles
            Those of the head, ``[batch, horizon, target, q]``.
        probabilities
            ``[q]``, ascending. Between those of the calibration, factors are interpolated in normal scores, each
            side of the median by itself; beyond the outermost they stay.

        Returns
        -------
        Tensor
            ``[batch, horizon, target, q]``, never decreasing in q (Chernozhukov et al., 2010).
        """
        scores = torch.special.ndtri(probabilities)
        knots = torch.special.ndtri(self.probabilities.to(scores.dtype))
        least_above = torch.where(knots > 0, knots, torch.inf).amin()
        most_below = torch.where(knots < 0, knots, -torch.inf).amax()
        scores = torch.where(scores > 0, torch.maximum(scores, least_above), scores)
        scores = torch.where(scores < 0, torch.minimum(scores, most_below), scores)
        factors = interpolate(self.factors.to(quantiles.dtype), knots, scores, flat=True)
        middle = centre.unsqueeze(-1)
        return (middle + factors * (quantiles - middle)).sort(-1).values


def fit_calibration(
    centre: Tensor,
    quantiles: Tensor,
    target: Tensor,
    observed: Tensor,
    *,
    probabilities: Sequence[float] = PROBABILITIES,
) -> tuple[Calibration, tuple[str, ...]]:
    """Find the factors on windows kept apart.

    The factor of a quantile above the median is itself a quantile: of ``(target − centre) / (quantile − centre)``
    over the windows, at rank ⌈(n + 1) p⌉ of n; below the median it is the mirror image. A step with fewer windows
    than that rank shares those of all steps of its target, and where these are too few, of all targets. Where even
    they are, the largest ratio stands in: the widest that was needed so far.

    Parameters
    ----------
    centre
        Point forecasts, ``[window, horizon, target]``, scaled by each window.
    quantiles
        Of the head at ``probabilities``, ``[window, horizon, target, p]``. For a point it is its centre + Φ⁻¹(p).
    target
        What came, shaped as ``centre``; what stands at unobserved places is not read.
    observed
        bool, of the same shape.
    probabilities
        Increasing, strictly between 0 and 1; the median among them has no factor.

    Returns
    -------
    calibration, notes
        The factors, and what is to be known about them: where windows were shared or too few.

    Raises
    ------
    ShapeError
        If shapes do not fit together.
    DataError
        If nothing was observed.

    Notes
    -----
    A window in which the head sees no spread at all (counts that are surely 0) has no ratio and is left out: no
    factor changes its quantiles.
    """
    _check(centre, quantiles, target, observed, len(probabilities))
    factors = torch.ones(quantiles.shape[1:], dtype=torch.float32, device=centre.device)
    counts: dict[float, _Counts] = {}
    for k, p in enumerate(probabilities):
        if p == 0.5:
            continue
        outwards = 1 if p > 0.5 else -1
        spread = wide(quantiles[..., k] - centre) * outwards
        usable = observed & (spread > _LEAST_SPREAD)
        # What cannot be used goes to the end, behind every rank that is asked for.
        ratios = torch.where(usable, wide(target - centre) * outwards / spread, torch.inf)
        factors[..., k], counts[p] = _factors(ratios, usable, max(p, 1 - p))
    grid = torch.tensor(probabilities, dtype=torch.float32, device=centre.device)
    return Calibration(grid, factors), _notes(counts)


@dataclasses.dataclass(frozen=True)
class _Counts:
    """How many windows were too few: for some step, and for all of them together; ``None`` where there were enough."""

    step: int | None = None
    together: int | None = None


def _factors(ratios: Tensor, usable: Tensor, level: float) -> tuple[Tensor, _Counts]:
    """Give factors [horizon, target], and how many windows were too few."""
    found, enough = _ranked(ratios, usable, level)
    if bool(enough.all()) or not bool(usable.any()):
        return found, _Counts()
    targets = ratios.shape[2]
    of_target, enough_of_target = _ranked(ratios.reshape(-1, targets), usable.reshape(-1, targets), level)
    of_all, enough_of_all = _ranked(ratios.reshape(-1, 1), usable.reshape(-1, 1), level)
    found = torch.where(enough, found, torch.where(enough_of_target, of_target, of_all))
    short = not bool((enough | enough_of_target | enough_of_all).all())
    return found, _Counts(int(usable.sum(0).min()), int(usable.sum()) if short else None)


def _ranked(ratios: Tensor, usable: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Give the corrected quantile over the first axis, and whether there is enough for it.

    Where there is not enough it is the largest that can be used, where there is nothing 1.
    """
    count = usable.sum(0)
    rank = torch.ceil((count + 1) * level - _ROUNDING).long()
    place = torch.minimum(rank, count).clamp_min(1) - 1
    found = ratios.sort(0).values.gather(0, place.unsqueeze(0)).squeeze(0)
    return torch.where(count > 0, found, 1.0), rank <= count


def _notes(counts: dict[float, _Counts]) -> tuple[str, ...]:
    notes = []
    shared = {p: count.step for p, count in counts.items() if count.step is not None}
    if shared:
        notes.append(
            f"calibration: {min(shared.values())} windows for a step of the horizon are too few for the quantiles "
            f"{_named(shared)}; such steps share the errors of all steps"
        )
    short = {p: count.together for p, count in counts.items() if count.together is not None}
    if short:
        outer = max(max(p, 1 - p) for p in short)
        notes.append(
            f"calibration: {min(short.values())} errors in all are too few for the quantiles {_named(short)}, the "
            f"outermost of which needs {math.ceil(outer / (1 - outer) - _ROUNDING)}; the largest error stands in, and "
            "they may be too narrow. Keep more rows apart with Uncertainty(calibration=…)"
        )
    return tuple(notes)


def _named(probabilities: Iterable[float]) -> str:
    return ", ".join(f"{p:g}" for p in probabilities)


def _check(centre: Tensor, quantiles: Tensor, target: Tensor, observed: Tensor, count: int) -> None:
    wanted = list(centre.shape)
    if centre.ndim != 3 or list(quantiles.shape) != [*wanted, count]:
        raise ShapeError(
            f"calibration needs forecasts [window, horizon, target] and their quantiles [window, horizon, target, "
            f"{count}]; got {wanted} and {list(quantiles.shape)}"
        )
    if list(target.shape) != wanted or list(observed.shape) != wanted:
        raise ShapeError(
            f"calibration compares forecasts of shape {wanted} with what came; the target has shape "
            f"{list(target.shape)}, its mask {list(observed.shape)}"
        )
    if not bool(observed.any()):
        raise DataError(
            "calibration found no observed value in the rows kept apart for it; "
            "keep more rows apart with Uncertainty(calibration=…), or set it to 0"
        )
