"""Targets that are forecast each by itself: as rows of a batch, and back."""

from __future__ import annotations

from torch import Tensor

__all__ = ["apart", "together"]


def apart(values: Tensor) -> Tensor:
    """Make rows of targets: ``[batch, time, target]`` to ``[target · batch, time, 1]``, the first target's rows first.

    >>> import torch
    >>> apart(torch.tensor([[[1, 10], [2, 20]]])).squeeze(-1).tolist()
    [[1, 2], [10, 20]]
    """
    return values.permute(2, 0, 1).reshape(-1, values.shape[1], 1)


def together(values: Tensor, targets: int) -> Tensor:
    """Undo `apart`: ``[target · batch, time, 1, …]`` to ``[batch, time, target, …]``."""
    parted = values.reshape(targets, -1, values.shape[1], *values.shape[3:])
    return parted.movedim(0, 2)
