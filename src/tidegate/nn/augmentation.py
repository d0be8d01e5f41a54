"""Random changes of sequences in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate import specs

__all__ = ["Augmentation", "resampled", "smooth_curve"]

_SLOWEST = 0.1  # share of the usual speed; at 0 time would stand, below it run backwards


class Augmentation(nn.Module):
    """Change examples at random in training, as `tidegate.specs.Augmentation` says; in evaluation leave them.

    Randomness is that of torch's generator, so a training from a seed comes out the same. Missing values (NaN) stay
    missing; a value between two steps is missing where one of them is.

    Parameters
    ----------
    spec
        The description.
    """

    def __init__(self, spec: specs.Augmentation) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Change ``x`` [batch, time, channel], of whose steps ``lengths`` [batch] count, to the same shape."""
        spec = self.spec
        if not self.training or x.shape[1] < 2:
            return x
        if spec.crop:
            x = self._some(x, resampled(x, self._cropped(x, lengths)))
        if spec.time_warp:
            x = self._some(x, resampled(x, self._warped(x, lengths)))
        if spec.magnitude_warp:
            x = self._some(x, x * smooth_curve(x, lengths, spec.knots, spec.magnitude_warp, x.shape[2]))
        if spec.scaling:
            x = self._some(x, x * (1 + spec.scaling * torch.randn_like(x[:, :1])))
        if spec.jitter:
            x = self._some(x, x + spec.jitter * torch.randn_like(x))
        return x

    def _some(self, x: Tensor, changed: Tensor) -> Tensor:
        """Take the change of examples drawn with the probability of the spec."""
        drawn = torch.rand(len(x), 1, 1, device=x.device) < self.spec.probability
        return torch.where(drawn, changed, x)

    def _cropped(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        kept = 1 - self.spec.crop * torch.rand(len(x), 1, device=x.device)
        start = torch.rand_like(kept) * (1 - kept)
        last = _last(x, lengths)
        return start * last + kept * _steps(x)

    def _warped(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        speed = smooth_curve(x, lengths, self.spec.knots, self.spec.time_warp, 1)[:, :, 0].clamp(min=_SLOWEST)
        passed = torch.cat([torch.zeros_like(speed[:, :1]), speed.cumsum(1)[:, :-1]], dim=1)  # [batch, time]
        last = _last(x, lengths)
        return passed / passed.gather(1, last.long()).clamp(min=_SLOWEST) * last


def resampled(x: Tensor, places: Tensor) -> Tensor:
    """Read ``x`` [batch, time, channel] at ``places`` [batch, time], in steps from 0, linearly between them."""
    places = places.clamp(0, x.shape[1] - 1)
    lower = places.floor()
    upper = (lower + 1).clamp(max=x.shape[1] - 1)
    part = (places - lower).unsqueeze(2).to(x.dtype)
    before, after = (x.gather(1, step.long().unsqueeze(2).expand_as(x)) for step in (lower, upper))
    return torch.where(part > 0, before + part * (after - before), before)  # on a step its neighbour does not matter


def smooth_curve(x: Tensor, lengths: Tensor | None, knots: int, spread: float, channels: int) -> Tensor:
    """Draw smooth curves about 1 over the steps of sequences: [batch, time, channel].

    A curve goes through ``knots`` points and its two ends, all drawn from a normal distribution of standard deviation
    ``spread``, by cubics (Catmull & Rom, 1974).
    """
    points = spread * torch.randn(len(x), knots + 4, channels, dtype=x.dtype, device=x.device)  # one beyond each end
    place = (_steps(x) / _last(x, lengths).clamp(min=1) * (knots + 1)).clamp(max=knots + 1)
    segment = place.floor().clamp(max=knots)
    u = (place - segment).unsqueeze(2).to(x.dtype)  # [batch, time, 1]
    index = segment.long().unsqueeze(2).expand(*place.shape, channels)
    a, b, c, d = (points.gather(1, index + shift) for shift in range(4))
    curve = b + 0.5 * u * ((c - a) + u * ((2 * a - 5 * b + 4 * c - d) + u * (3 * (b - c) + d - a)))
    return 1 + curve


def _steps(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1], device=x.device, dtype=torch.float32).expand(len(x), -1)


def _last(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Give the number of the last step of each sequence, [batch, 1]."""
    if lengths is None:
        return torch.full((len(x), 1), x.shape[1] - 1, device=x.device, dtype=torch.float32)
    return (lengths.to(x.device) - 1).clamp(min=0).unsqueeze(1).float()
