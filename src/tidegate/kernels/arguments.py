"""The operators' tensors by name, in the order of the schemas."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "CELL_GRADIENTS",
    "GRU_GRADIENTS",
    "LSTM_GRADIENTS",
    "GruTensors",
    "LstmTensors",
    "accumulation_dtype",
]


class LstmTensors(NamedTuple):
    """What ``tidegate::lstm`` reads; ``H`` units, ``P`` outputs (``H`` without a projection).

    An absent tensor switches its option off. Gate blocks lie in the order i, f, g, o.
    """

    input: Tensor  # [time, batch, I] or [batch, time, I], any strides
    lengths: Tensor | None  # int64 [batch]; None: every step is valid
    h_0: Tensor | None  # [batch, P]; None: zeros
    c_0: Tensor | None  # [batch, H]; None: zeros
    weight_ih: Tensor  # [4H, I]
    weight_hh: Tensor  # [4H, P]
    bias_ih: Tensor | None = None  # [4H]
    bias_hh: Tensor | None = None  # [4H]
    weight_hr: Tensor | None = None  # [P, H]
    weight_peephole: Tensor | None = None  # [3H], order i, f, o
    weight_norm_ih: Tensor | None = None  # [4H]
    weight_norm_hh: Tensor | None = None  # [4H]
    weight_norm_c: Tensor | None = None  # [H]
    bias_norm_c: Tensor | None = None  # [H]
    mask_x: Tensor | None = None  # [batch, I]; a constant: it gets no gradient
    mask_h: Tensor | None = None  # [batch, P]; a constant: it gets no gradient
    seed: Tensor | None = None  # int64 [1]; zoneout draws where it is given


class GruTensors(NamedTuple):
    """What ``tidegate::gru`` reads; gate blocks lie in the order r, z, n. See `LstmTensors`."""

    input: Tensor  # [time, batch, I] or [batch, time, I], any strides
    lengths: Tensor | None  # int64 [batch]
    h_0: Tensor | None  # [batch, H]
    weight_ih: Tensor  # [3H, I]
    weight_hh: Tensor  # [3H, H]
    bias_ih: Tensor | None = None  # [3H]
    bias_hh: Tensor | None = None  # [3H]
    weight_norm_ih: Tensor | None = None  # [3H]
    weight_norm_hh: Tensor | None = None  # [3H]
    mask_x: Tensor | None = None  # [batch, I]
    mask_h: Tensor | None = None  # [batch, H]
    seed: Tensor | None = None  # int64 [1]


_CONSTANTS = ("lengths", "mask_x", "mask_h", "seed")
LSTM_GRADIENTS = tuple(name for name in LstmTensors._fields if name not in _CONSTANTS)
GRU_GRADIENTS = tuple(name for name in GruTensors._fields if name not in _CONSTANTS)
CELL_GRADIENTS = {"lstm": LSTM_GRADIENTS, "gru": GRU_GRADIENTS}


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """Give the dtype of cell states, accumulators, norms and statistics: float32 at least."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
