"""Scaling of whole series, channel by channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tidegate.specs import checks

__all__ = ["CHANNEL_SCALINGS", "ChannelScaling"]

CHANNEL_SCALINGS = ("train", "series", None)

_ROUNDING = 1e-12  # below this share of the level a spread is what rounding left


class ChannelScaling(nn.Module):
    """Bring each channel to mean 0 and standard deviation 1; missing values (NaN) are not counted, and stay missing.

    Parameters
    ----------
    kind
        ``"train"``: by mean and standard deviation of a channel over all steps of training, which `fit` measures and
        buffers keep, so that levels and sizes tell series apart; ``"series"``: by those of the series itself, so that
        only its shape does; ``None``: not at all.
    channels
        How many.

    Raises
    ------
    SpecError
        If ``kind`` is unknown.

    Examples
    --------
    >>> scaling = ChannelScaling("train", channels=1)
    >>> scaling.fit(np.array([[1.0], [3.0]]))
    >>> scaling(torch.tensor([[[5.0], [2.0]]])).flatten().tolist()
    [3.0, 0.0]
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, kind: str | None, channels: int) -> None:
        super().__init__()
        checks.one_of("scaling", kind, CHANNEL_SCALINGS)
        self.kind = kind
        self.register_buffer("loc", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(channels, dtype=torch.float64))

    def fit(self, steps: npt.NDArray[np.float64]) -> None:
        """Measure the steps of all series of training, ``[step, channel]``, NaN where missing."""
        if self.kind == "train":
            loc, scale = _measured(torch.from_numpy(steps).unsqueeze(0), ~torch.from_numpy(steps).isnan().unsqueeze(0))
            self.loc.copy_(loc[0, 0])
            self.scale.copy_(scale[0, 0])

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Scale ``x`` [batch, time, channel], of whose steps ``lengths`` [batch] count; in float64 where there is any.

        Returns
        -------
        Tensor
            [batch, time, channel], NaN where missing.
        """
        loc, scale = self.units(x, lengths=lengths)
        return (_wide(x) - loc) / scale

    def units(self, x: Tensor, *, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give what is taken from ``x`` and what that is divided by: [channel], or [batch, 1, channel]."""
        if self.kind != "series":
            return self.loc, self.scale
        wide = _wide(x)
        observed = ~wide.isnan()
        if lengths is not None:
            inside = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)
            observed = observed & inside.unsqueeze(2)
        return _measured(wide, observed)

    def extra_repr(self) -> str:
        """Say what the buffers do not show."""
        return f"{self.kind!r}, channels={len(self.loc)}"


def _wide(x: Tensor) -> Tensor:
    return x if x.device.type == "mps" else x.double()


def _measured(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Give mean and standard deviation over time, [batch, 1, channel]; of a constant channel 1 for the latter."""
    count = observed.sum(1, keepdim=True).clamp(min=1)
    zero = x.new_zeros(())
    loc = x.where(observed, zero).sum(1, keepdim=True) / count
    scale = ((x - loc).where(observed, zero).square().sum(1, keepdim=True) / count).sqrt()
    level = x.abs().where(observed, zero).sum(1, keepdim=True) / count
    return loc, torch.where(scale <= level * _ROUNDING, 1.0, scale)
