"""Philox4x32-10, the counter-based generator that zoneout draws from.

Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). A value depends on key and counter
alone, never on the order of the draws, so that `reference`, the backward pass and a compiled kernel give the same bits.

The layout, which every kernel follows:

- key: the seed's low 32 bits, then its high 32 bits (of its two's complement);
- counter: ``(unit // 4, row, step, stream)``; of the four words that come back, word ``unit % 4`` is the unit's.
  ``row`` is the index in the batch as handed to the operator, ``step`` the index in time from the start of the
  sequence (also when the layer walks backwards), ``stream`` 0 for the hidden state and 1 for the cell;
- the uniform number of a word is ``(word >> 8) · 2⁻²⁴``, in [0, 1); a unit keeps its old value where it is less than
  the probability ``p``, that is, where ``word >> 8 < ceil(p · 2²⁴)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["CELL_STREAM", "HIDDEN_STREAM", "bernoulli", "philox", "uniform"]

HIDDEN_STREAM = 0
CELL_STREAM = 1

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_RESOLUTION = 24  # bits of a uniform number: as many as a float32 holds exactly

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Give four words of 32 random bits for each counter.

    Parameters
    ----------
    counter, key
        int64 tensors that broadcast, each holding 32 bits.

    Returns
    -------
    Four int64 tensors, each holding 32 bits.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(c0, _MULTIPLIERS[0])
        high1, low1 = _multiply(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def _multiply(x: Tensor, multiplier: int) -> tuple[Tensor, Tensor]:
    """Give the high and the low 32 bits of a product, by halves: no product leaves the range of int64."""
    upper, lower = (x >> 16) * multiplier, (x & 0xFFFF) * multiplier  # below 2**48 each
    return (upper + (lower >> 16)) >> 16, (((upper & 0xFFFF) << 16) + lower) & _MASK


def _bits(seed: Tensor, stream: int, steps: range, rows: int, units: int) -> Tensor:
    """Draw 24 bits for each step, row and unit: int64 ``[step, row, unit]``."""
    word = seed.reshape(()).to(torch.int64)
    key = (word & _MASK, (word >> 32) & _MASK)
    device = seed.device
    unit = torch.arange((units + 3) // 4, device=device)
    row = torch.arange(rows, device=device).unsqueeze(1)
    step = torch.arange(steps.start, steps.stop, device=device).reshape(-1, 1, 1)
    words = torch.stack(philox((unit, row, step, torch.full_like(unit, stream)), key), dim=-1)
    return words.flatten(2)[:, :, :units] >> (32 - _RESOLUTION)


def uniform(seed: Tensor, stream: int, steps: range, rows: int, units: int) -> Tensor:
    """Draw a number in [0, 1) for each step, row and unit.

    Parameters
    ----------
    seed
        int64, one element.
    stream
        `HIDDEN_STREAM` or `CELL_STREAM`.
    steps, rows, units
        Which steps, and how many rows and units.

    Returns
    -------
    float32 ``[step, row, unit]``.
    """
    return _bits(seed, stream, steps, rows, units).to(torch.float32) * 2.0**-_RESOLUTION


def bernoulli(seed: Tensor, stream: int, steps: range, rows: int, units: int, *, p: float) -> Tensor:
    """Say where `uniform` is less than ``p``: bool ``[step, row, unit]``, exact in every dtype."""
    return torch.lt(_bits(seed, stream, steps, rows, units), math.ceil(p * 2**_RESOLUTION))
