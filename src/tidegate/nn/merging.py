"""How the outputs of a layer's two directions meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["merged"]

_MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda forward, backward: torch.cat((forward, backward), dim=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}


def merged(outputs: Sequence[Tensor], mode: str) -> Tensor:
    """Merge the outputs of a layer's directions.

    Parameters
    ----------
    outputs
        Of the forward direction and, if there is one, the backward direction: ``[..., unit]``.
    mode
        ``"concat"``, ``"sum"``, ``"mul"`` or ``"ave"``.
    """
    return outputs[0] if len(outputs) == 1 else _MERGES[mode](outputs[0], outputs[1])
