"""How checks compare, and how they say what they found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["Check", "close", "hold", "run_checks", "same"]

Check: TypeAlias = Callable[..., None]


def hold(condition: bool, message: str) -> None:
    """Raise `AssertionError` with ``message`` unless ``condition``; unlike ``assert``, under ``python -O`` too."""
    if not condition:
        raise AssertionError(message)


def same(one: Any, two: Any) -> bool:
    """Tell whether two values, nested or not, are of the same types and the same to the bit; NaN is NaN."""
    if type(one) is not type(two):
        return False
    if isinstance(one, Tensor):
        return (one.dtype, one.shape, one.device) == (two.dtype, two.shape, two.device) and torch.equal(
            _bits(one), _bits(two)
        )
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(value, two[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(two)
    return bool(one == two)


def close(one: Tensor, two: Tensor, *, tolerance: float = 1e-5) -> bool:
    """Tell whether two tensors differ by rounding only: by ``tolerance`` times the largest magnitude at most."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    if not one.numel():
        return True
    limit = tolerance * max(float(two.abs().max()), torch.finfo(two.dtype).tiny)
    return bool((one - two).abs().max() <= limit)  # false for NaN, too


def run_checks(checks: Iterable[Check], name: str, *arguments: Any) -> None:
    """Run ``checks`` on ``arguments``.

    Raises
    ------
    AssertionError
        At the first check that does not hold, or whose subject raises; it names subject and check.
    """
    for check in checks:
        try:
            check(*arguments)
        except Exception as error:
            came = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"{name} does not pass {check.__name__}: {came}") from error


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
