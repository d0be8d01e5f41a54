"""Functions that ONNX lacks, beside torch's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tidegate.export.operators import functions

POSITIVE = torch.cat([torch.logspace(-8, 6, 400, dtype=torch.float64), torch.arange(1, 60, dtype=torch.float64)])
REAL = torch.cat([-POSITIVE, torch.zeros(1, dtype=torch.float64), POSITIVE])
SHARES = torch.sigmoid(torch.linspace(-30, 30, 801, dtype=torch.float64))


@pytest.mark.parametrize(
    ("ours", "theirs", "x", "rtol"),
    [
        (functions.ndtri, torch.special.ndtri, SHARES, 1e-13),
        (functions.lgamma, torch.lgamma, POSITIVE, 1e-11),
        (functions.atan, torch.atan, REAL, 1e-14),
        (functions.tan, torch.tan, torch.linspace(-1.57, 1.57, 301, dtype=torch.float64), 1e-12),
    ],
)
def test_functions_keep_the_digits_of_float64(
    ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], x: Tensor, rtol: float
) -> None:
    torch.testing.assert_close(ours(x), theirs(x), rtol=rtol, atol=1e-11)


@pytest.mark.parametrize("right", [False, True])
def test_bucketize(right: bool) -> None:
    boundaries = torch.tensor([-1.0, 0.0, 0.5, 2.0])
    x = torch.tensor([[-2.0, -1.0, 0.25], [0.5, 2.0, 3.0]])
    assert torch.equal(functions.bucketize(x, boundaries, right=right), torch.bucketize(x, boundaries, right=right))


def test_bucketize_without_boundaries_has_one_bucket() -> None:
    assert functions.bucketize(torch.tensor([1.0, 2.0]), torch.zeros(0)).tolist() == [0, 0]


def test_copysign_and_cumprod() -> None:
    size, sign = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([-0.5, 4.0, 0.0])
    assert functions.copysign(size, sign).tolist() == [-1.0, 2.0, 3.0]
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(functions.cumprod(x, -1), x.cumprod(-1))
