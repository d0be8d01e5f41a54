"""What a strategy reads: the context of a batch of windows, scaled and prepared."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

__all__ = ["Context", "Sizes"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """A batch of contexts in scaled units.

    Parameters
    ----------
    values
        ``[batch, context, target]`` of float64, 0 where unobserved.
    observed
        bool, of the same shape.
    scale
        What a scaled 1 is in the (transformed) units of the data, ``[batch, 1, target]``.
    past
        Past covariates, ``[batch, context, p]``, standardised, with their masks beside them; ``None`` without any.
    known
        Covariates whose future is known, ``[batch, context + horizon, k]``, likewise.
    static
        Covariates of the series, ``[batch, s]``, categories embedded.
    series
        Number of the series in training, ``[batch]`` of int64, −1 for one never seen.
    position
        Absolute step number of the first target step, ``[batch]`` of int64.
    given
        True values of the horizon that are known already, ``[batch, horizon, target]``, NaN elsewhere; only a
        recursive strategy takes them.
    """

    values: Tensor
    observed: Tensor
    scale: Tensor
    past: Tensor | None = None
    known: Tensor | None = None
    static: Tensor | None = None
    series: Tensor | None = None
    position: Tensor | None = None
    given: Tensor | None = None

    @property
    def steps(self) -> int:
        """Steps of the context."""
        return self.values.shape[1]

    def repeated(self, count: int) -> Context:
        """Repeat each row of the batch, its copies beside each other."""
        parts: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given = {name: part for name, part in parts.items() if part is not None}
        return Context(**{name: part.repeat_interleave(count, dim=0) for name, part in given.items()})

    def history(self, dtype: torch.dtype, *, lags: tuple[int, ...] = ()) -> Tensor:
        """Put what is known of each step of the context side by side: ``[batch, context, feature]``.

        Parameters
        ----------
        dtype
            Of the network.
        lags
            Steps of each season: the change since the season before is a feature of its own. It says how far today
            lies from where the last season would have put it.
        """
        parts = [self.values.to(dtype), self.observed.to(dtype)]
        parts += [self._change(lag).to(dtype) for lag in lags]
        if self.past is not None:
            parts.append(self.past.to(dtype))
        if self.known is not None:
            parts.append(self.known[:, : self.steps].to(dtype))
        return torch.cat(parts, dim=-1)

    def future(self, dtype: torch.dtype) -> Tensor | None:
        """Give the known covariates of the horizon, ``[batch, horizon, k]``."""
        return None if self.known is None else self.known[:, self.steps :].to(dtype)

    def _change(self, season: int) -> Tensor:
        values, observed = self.values, self.observed
        if self.steps <= season:
            return torch.zeros_like(values)
        both = observed[:, season:] & observed[:, :-season]
        known = torch.where(both, values[:, season:] - values[:, :-season], 0.0)
        return torch.nn.functional.pad(known, (0, 0, season, 0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes that a strategy is built for.

    Parameters
    ----------
    context, horizon, targets
        Of the windows.
    lags
        Seasons, in steps, whose changes are read.
    segment
        Steps that are read at once; the context is a multiple of it.
    past, known, static
        Features of the covariates as `Context` holds them; 0 for none.
    series
        Series that were trained on, for strategies with parameters of each.
    """

    context: int
    horizon: int
    targets: int
    lags: tuple[int, ...] = ()
    segment: int = 1
    past: int = 0
    known: int = 0
    static: int = 0
    series: int = 0

    @property
    def history(self) -> int:
        """Features of `Context.history`, with the changes of all ``lags``."""
        return self.plain + self.targets * len(self.lags)

    @property
    def plain(self) -> int:
        """Features of `Context.history` without changes."""
        return self.targets * 2 + self.past + self.known
