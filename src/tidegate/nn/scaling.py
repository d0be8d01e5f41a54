"""Scaling inside a window: what a network may know of the level and the spread of its series.

Everything here is computed from the observed context of the window itself. A new series needs no stored scaler, and
nothing from outside the window can leak into it.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.nn.transforms import Transform, make_transform
from tidegate.specs import Scaling

__all__ = ["WindowScale", "WindowScaling", "wide"]

# A window that does not vary still needs a scale that its errors can be measured in: a hundredth of its level, or 1
# where all is zero. Below the first ratio a spread is only what rounding left.
_ROUNDING = 1e-12
_CONSTANT = 1e-2


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowScale:
    """The affine map of each window, taken after the transform.

    ``scaled = (transform(values) − loc) / scale``
    """

    transform: Transform
    loc: Tensor  # [batch, 1, target]
    scale: Tensor  # [batch, 1, target], positive

    def encode(self, values: Tensor, observed: Tensor) -> Tensor:
        """Scale ``values`` [batch, time, target]; unobserved places become 0, the centre of the window."""
        safe = torch.where(observed, wide(values), 1.0)  # 1 lies in the domain of every transform
        return torch.where(observed, (self.transform.forward(safe) - self.loc) / self.scale, 0.0)

    def encode_all(self, values: Tensor) -> Tensor:
        """Scale ``values`` [batch, time, target], or [batch, time, target, …] of several numbers each; NaN stays."""
        loc, scale = self._beside(values)
        return (self.transform.forward(wide(values)) - loc) / scale

    def decode(self, scaled: Tensor) -> Tensor:
        """Undo the scaling; shapes as of `encode_all`. The result is `wide`, in the units of the input."""
        loc, scale = self._beside(scaled)
        return self.transform.inverse(wide(scaled) * scale + loc)

    def _beside(self, values: Tensor) -> tuple[Tensor, Tensor]:
        more = (1,) * (values.ndim - self.loc.ndim)
        return self.loc.reshape(*self.loc.shape, *more), self.scale.reshape(*self.scale.shape, *more)


class WindowScaling(nn.Module):
    """Find each window's `WindowScale`, and what its outputs are measured from.

    Parameters
    ----------
    spec
        Transform, method and output location.
    season
        Steps of a season, for ``method="difference"`` and ``output="season"``; 1 for none.
    power
        Box–Cox's λ where the spec leaves it to be fitted.

    Notes
    -----
    Statistics are float64 (`wide`) whatever the network's precision, also under autocast. A constant window gets a
    hundredth of its level as its scale, a window of zeros 1.
    """

    def __init__(self, spec: Scaling, *, season: int = 1, power: float | None = None) -> None:
        super().__init__()
        if spec.output == "auto":
            raise SpecError("output='auto' is settled by a forecaster's fit; name what outputs are measured from")
        self.spec = spec
        self.season = season
        self.transform = make_transform(spec.transform, spec.power if spec.power is not None else power)

    def forward(self, values: Tensor, observed: Tensor) -> WindowScale:
        """Measure the context.

        Parameters
        ----------
        values
            [batch, context, target], in the units of the input.
        observed
            bool, of the same shape; False where there is no value.
        """
        safe = torch.where(observed, wide(values), 1.0)
        transformed = torch.where(observed, self.transform.forward(safe), 0.0)
        loc, scale = self._measure(transformed, observed)
        loc = self._centre(transformed, observed, otherwise=loc)
        magnitude = transformed.abs().sum(1, keepdim=True) / _count(observed)
        floor = torch.where(magnitude > 0, magnitude * _CONSTANT, 1.0)
        return WindowScale(
            transform=self.transform, loc=loc, scale=torch.where(scale > magnitude * _ROUNDING, scale, floor)
        )

    def _measure(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        method = self.spec.method
        if method == "none":
            return torch.zeros_like(x[:, :1]), torch.ones_like(x[:, :1])
        if method == "minmax":
            low = torch.where(observed, x, torch.inf).amin(1, keepdim=True)
            high = torch.where(observed, x, -torch.inf).amax(1, keepdim=True)
            seen = observed.any(1, keepdim=True)
            return torch.where(seen, low, 0.0), torch.where(seen, high - low, 1.0)
        if method == "robust":
            masked = torch.where(observed, x, torch.nan)
            low, middle, high = (torch.nanquantile(masked, q, dim=1, keepdim=True) for q in (0.25, 0.5, 0.75))
            return middle.nan_to_num(0.0), (high - low).nan_to_num(1.0)
        mean = x.sum(1, keepdim=True) / _count(observed)
        if method == "centred":
            return mean, torch.ones_like(mean)
        if method == "mean":
            return torch.zeros_like(mean), x.abs().sum(1, keepdim=True) / _count(observed)
        deviation = torch.where(observed, x - mean, 0.0)
        std = (deviation.square().sum(1, keepdim=True) / _count(observed)).sqrt()
        if method == "standard":
            return mean, std
        return mean, self._difference(x, observed, otherwise=std)

    def _centre(self, x: Tensor, observed: Tensor, *, otherwise: Tensor) -> Tensor:
        """Give the loc where the spec moves it; a last season without any value leaves it where it is."""
        if self.spec.centre == "window":
            return otherwise
        if self.spec.centre == "last":
            return torch.where(observed.any(1, keepdim=True), _last_observed(x, observed), otherwise)
        mean, seen = _season_mean(x, observed, self.season, back=0)
        return torch.where(seen, mean, otherwise)

    def _difference(self, x: Tensor, observed: Tensor, *, otherwise: Tensor) -> Tensor:
        lag = self.season
        if x.shape[1] <= lag:
            return otherwise
        both = observed[:, lag:] & observed[:, :-lag]
        step = torch.where(both, (x[:, lag:] - x[:, :-lag]).abs(), 0.0).sum(1, keepdim=True) / _count(both)
        # A window that repeats itself exactly has no seasonal difference, but it has a spread.
        return torch.where(both.any(1, keepdim=True) & (step > 0), step, otherwise)

    def origin(self, scaled: Tensor, observed: Tensor, steps: int) -> Tensor:
        """Give what each of the next ``steps`` outputs is measured from: [batch, steps, target], scaled.

        Unobserved places of the last season are taken from the season before, and so on; where there is none,
        from the last observed value; a window without any observed value has the centre, 0.
        """
        if self.spec.output == "centre":
            return scaled.new_zeros(1, 1, 1).expand(scaled.shape[0], steps, scaled.shape[2])
        last = _last_observed(scaled, observed)
        if self.spec.output == "last":
            return last.expand(-1, steps, -1)
        if self.spec.output == "trend":
            ahead = torch.arange(1, steps + 1, device=scaled.device, dtype=scaled.dtype).view(1, -1, 1)
            return last + ahead * _slope(scaled, observed, last)
        season = _last_season(scaled, observed, self.season, fallback=last).repeat(1, -(-steps // self.season), 1)
        if self.spec.output == "level_season":
            season = season + self._growth(scaled, observed)
        return season[:, :steps]

    def _growth(self, scaled: Tensor, observed: Tensor) -> Tensor:
        """Give how far the mean of the last season lies from that of the one before, 0 where one is not observed."""
        now, seen = _season_mean(scaled, observed, self.season, back=0)
        before, seen_before = _season_mean(scaled, observed, self.season, back=1)
        return torch.where(seen & seen_before, now - before, 0.0)


def wide(values: Tensor) -> Tensor:
    """Return ``values`` in float64, the precision of statistics and units; on Apple's MPS in float32, its widest."""
    return values.to(torch.float32 if values.device.type == "mps" else torch.float64)


def _count(observed: Tensor) -> Tensor:
    return observed.sum(1, keepdim=True).clamp_min(1)


def _last_observed(scaled: Tensor, observed: Tensor) -> Tensor:
    steps = torch.arange(scaled.shape[1], device=scaled.device).view(1, -1, 1)
    last = torch.where(observed, steps, 0).amax(1, keepdim=True)
    return scaled.gather(1, last)  # an unobserved window holds 0 at step 0 as everywhere


def _slope(scaled: Tensor, observed: Tensor, last: Tensor) -> Tensor:
    """Give the change per step from the first to the last observed value, [batch, 1, target]; 0 where there is one."""
    steps = torch.arange(scaled.shape[1], device=scaled.device).view(1, -1, 1)
    end = torch.where(observed, steps, -1).amax(1, keepdim=True)
    begin = torch.where(observed, steps, scaled.shape[1] - 1).amin(1, keepdim=True)
    apart = end - begin
    return torch.where(apart > 0, (last - scaled.gather(1, begin)) / apart.clamp_min(1), 0.0)


def _season_mean(scaled: Tensor, observed: Tensor, season: int, *, back: int) -> tuple[Tensor, Tensor]:
    """Give the mean of the last season, or of one before it, and whether anything of it was observed."""
    stop = scaled.shape[1] - back * season
    part = slice(max(stop - season, 0), max(stop, 0))
    seen = observed[:, part]
    total = torch.where(seen, scaled[:, part], 0.0).sum(1, keepdim=True)
    return total / _count(seen), seen.any(1, keepdim=True)


def _last_season(scaled: Tensor, observed: Tensor, season: int, *, fallback: Tensor) -> Tensor:
    batch, context, targets = scaled.shape
    count = context // season
    if count == 0:
        return fallback.expand(batch, season, targets)
    shape = (batch, count, season, targets)  # whole seasons, up to the end of the context
    seasons, seen = (x[:, context - count * season :].reshape(shape) for x in (scaled, observed))
    order = torch.arange(count, device=scaled.device).view(1, -1, 1, 1)
    last = torch.where(seen, order, -1).amax(1, keepdim=True)
    found = seasons.gather(1, last.clamp_min(0))
    return torch.where(last >= 0, found, fallback.unsqueeze(1)).squeeze(1)
