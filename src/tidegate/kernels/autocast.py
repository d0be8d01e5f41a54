"""Autocast, as the recurrences understand it: what the products read is cast, the rest is not."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["autocast_dtype", "cast"]


def autocast_dtype(values: Tensor) -> torch.dtype | None:
    """Give the dtype of products where autocast is on for the device of ``values``; None where it is off."""
    if values.is_meta:  # a device without autocast, and without values
        return None
    device = "cpu" if values.is_cpu else values.device.type  # the name of a device takes longer than the rest
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Cast to an autocast dtype; float64 stays what it is, as with torch's own operators."""
    return tensor if tensor.dtype == torch.float64 else tensor.to(dtype)
