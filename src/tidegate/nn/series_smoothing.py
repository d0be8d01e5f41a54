"""Exponential smoothing with parameters that are learned: shared ones, and corrections for each series."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError
from tidegate.nn.smoothing import Smoothed, SmoothingState, estimate_state, exponential_smoothing
from tidegate.specs import checks

__all__ = ["SeriesSmoothing"]

# How far a logit and an entry of a profile move when their parameter moves by 1.
_LOGIT = 5.0
_PROFILE = 0.1


class SeriesSmoothing(nn.Module):
    """Exponential smoothing whose coefficients and first profiles are learned, with corrections for each series.

    The coefficients are sigmoids: of the logits of ``alpha`` and ``gamma``, plus a learned change that all series share
    and, with ``series``, one for each. The profiles that a window begins with are estimated from the window
    (`estimate_state`), and corrected by a learned profile of the series that goes by absolute phase. Everything that is
    learned begins at 0: before any training this is classical smoothing with coefficients ``alpha`` and ``gamma``.

    Parameters
    ----------
    seasons
        Steps of each season, ascending; empty for a level alone.
    targets
        Variables, each with coefficients and profiles of its own.
    series
        How many series have corrections; 0 for none.
    alpha, gamma
        Coefficients of level and seasons to begin with, between 0 and 1.

    Notes
    -----
    The weights of a network move by a small step, whatever a parameter means. Parameters are therefore kept in units of
    their own: a step moves a logit five times as far, for there are a few of them that have a long way to go; and a
    profile a tenth as far, for each of its many entries sees little data, and learns a series by heart.
    """

    first: Tensor  # logits to begin with, [1 + seasons, 1]

    def __init__(
        self, seasons: Sequence[int], *, targets: int = 1, series: int = 0, alpha: float = 0.3, gamma: float = 0.3
    ) -> None:
        super().__init__()
        for season in seasons:
            checks.whole("a season", season, least=2)
        self.seasons, self.series = tuple(seasons), series
        logits = torch.tensor([_logit(alpha)] + [_logit(gamma)] * len(self.seasons))
        self.register_buffer("first", logits[:, None], persistent=False)
        size = (len(logits), targets)
        self.logits = nn.Parameter(torch.zeros(size))
        self.series_logits = nn.Parameter(torch.zeros(series, *size)) if series else None
        self.series_profiles = nn.ParameterList(
            torch.zeros(series, season, targets) for season in self.seasons if series
        )

    def forward(
        self, values: Tensor, observed: Tensor, series: Tensor | None = None, position: Tensor | None = None
    ) -> Smoothed:
        """Smooth a batch of windows.

        Parameters
        ----------
        values
            [batch, time, target]; what stands at unobserved places is not read.
        observed
            bool, of the same shape.
        series
            Whole numbers [batch] below ``series``, −1 for a series without corrections of its own: it gets the mean
            logits of those that have them, and its estimated profiles as they are. ``None``: −1 throughout.
        position
            Absolute number of the step after the window, whole numbers [batch]: tells the phase of the seasons.
            Needed with ``series``.

        Raises
        ------
        ShapeError
            If a tensor is of another shape, or ``position`` is needed and absent.
        """
        state = estimate_state(values, observed, self.seasons)
        if series is not None and self.series:
            if position is None:
                raise ShapeError("the profiles of a series go by absolute phase: give the position of each window")
            state = self._corrected(state, series, position - values.shape[1])
        alpha, *gammas = self.coefficients(values.shape[0], series).unbind(1)
        return exponential_smoothing(values, observed, alpha=alpha, gammas=gammas, state=state)

    def coefficients(self, batch: int, series: Tensor | None = None) -> Tensor:
        """Give α and then each season's γ, [batch, 1 + season, target], for ``series`` as in `forward`."""
        changes = self.logits.expand(batch, -1, -1)
        if self.series_logits is not None:
            mean = self.series_logits.mean(0)
            if series is None:
                changes = changes + mean
            else:
                changes = changes + torch.where(_seen(series), _rows(self.series_logits, series), mean)
        return (self.first + _LOGIT * changes).sigmoid()

    def _corrected(self, state: SmoothingState, series: Tensor, start: Tensor) -> SmoothingState:
        profiles = []
        for estimated, learned, season in zip(state.profiles, self.series_profiles, self.seasons, strict=True):
            phases = (start[:, None] + torch.arange(season, device=start.device)) % season  # [batch, season]
            correction = _rows(learned, series).gather(1, phases[:, :, None].expand_as(estimated))
            profiles.append(estimated + torch.where(_seen(series), _PROFILE * correction, 0.0))
        return SmoothingState(level=state.level, profiles=tuple(profiles))

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"seasons={self.seasons}, series={self.series}"


def _rows(table: Tensor, series: Tensor) -> Tensor:
    """Look up rows of ``table`` [series, …]; those of unseen series are to be replaced."""
    found = functional.embedding(series.clamp_min(0), table.flatten(1))
    return found.view(series.shape[0], *table.shape[1:])


def _seen(series: Tensor) -> Tensor:
    return (series >= 0).view(-1, 1, 1)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
