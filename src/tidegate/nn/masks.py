"""From the lengths of ragged sequences to the steps that count."""

from __future__ import annotations

import torch
from torch import Tensor

from tidegate.errors import ShapeError

__all__ = ["valid_steps"]


def valid_steps(lengths: Tensor, sequences: Tensor) -> Tensor:
    """Mark the steps that lie within each sequence.

    Parameters
    ----------
    lengths
        Whole numbers [batch]: how many steps of each sequence count, from the first one. A length of ``time`` or
        more leaves the whole sequence.
    sequences
        [batch, time, feature]; only shape and device matter.

    Returns
    -------
    Tensor
        Booleans [batch, time], on the device of ``sequences``.

    Raises
    ------
    ShapeError
        If ``lengths`` is not [batch] or not of whole numbers.

    >>> valid_steps(torch.tensor([3, 1]), torch.empty(2, 3, 1)).int()
    tensor([[1, 1, 1],
            [1, 0, 0]], dtype=torch.int32)
    """
    batch, time = sequences.shape[:2]
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ShapeError(
            f"lengths must be whole numbers of shape [{batch}], one a sequence; "
            f"got {lengths.dtype} of shape {list(lengths.shape)}"
        )
    steps = torch.arange(time, device=sequences.device)
    return steps < lengths.to(sequences.device)[:, None]  # [batch, time]
