"""From the lengths of ragged sequences to the steps that count."""

from __future__ import annotations

import torch
from torch import Tensor

from tidegate.errors import ShapeError

__all__ = ["valid_steps"]


def valid_steps(lengths: Tensor, batch: int, time: int) -> Tensor:
    """Mark the steps that lie within each sequence.

    Parameters
    ----------
    lengths
        Whole numbers [batch]: how many steps of each sequence count, from the first one. A length of ``time`` or
        more leaves the whole sequence.
    batch, time
        Shape of the sequences.

    Returns
    -------
    Tensor
        Booleans [batch, time], on the device of ``lengths``.

    Raises
    ------
    ShapeError
        If ``lengths`` is not [batch] or not of whole numbers.

    >>> valid_steps(torch.tensor([3, 1]), batch=2, time=3).int()
    tensor([[1, 1, 1],
            [1, 0, 0]], dtype=torch.int32)
    """
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ShapeError(
            f"lengths must be whole numbers of shape [{batch}], one a sequence; "
            f"got {lengths.dtype} of shape {list(lengths.shape)}"
        )
    return torch.arange(time, device=lengths.device) < lengths[:, None]  # [batch, time]
