"""Dropout within recurrent layers: one mask a sequence."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sequence_mask", "zoneout_seed"]


def sequence_mask(like: Tensor, batch: int, features: int, p: float) -> Tensor:
    """Draw a mask for every sequence, the same at all its steps (Gal & Ghahramani, 2016).

    Parameters
    ----------
    like
        Gives dtype and device.
    batch, features
        Sizes of the mask.
    p
        Probability of a 0; the rest is 1/(1−p).

    Returns
    -------
    ``[batch, feature]``, drawn from torch's generator.
    """
    return like.new_empty(batch, features).bernoulli_(1 - p).div_(1 - p)


def zoneout_seed(device: torch.device) -> Tensor:
    """Draw the key of a call's zoneout from torch's generator: int64 ``[1]``."""
    return torch.randint(torch.iinfo(torch.int64).max, (1,), device=device)
