"""Functions of torch that ONNX lacks, written with those that it has.

They are put in place of torch's own while a module is traced, and of torch's operators before a program is translated,
where a function of torch called them. In float64 they keep what torch's own keep, to about twelve digits, so that no
head of a forecaster loses any in a graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["FUNCTIONS", "WrittenOut", "atan", "bucketize", "copysign", "cumprod", "lgamma", "ndtri", "tan"]

# Wichura (1988), algorithm AS 241, PPND16: numerators and denominators of the three pieces, constant term first.
_MIDDLE = (
    (
        3.3871328727963666080,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_OUTER = (
    (
        1.42343711074968357734,
        4.63033784615654529590,
        5.76949722146069140550,
        3.64784832476320460504,
        1.27045825245236838258,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187,
        1.67638483018380384940,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_FAR = (
    (
        6.65790464350110377720,
        5.46378491116411436990,
        1.78482653991729133580,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)
_ARC = (
    (
        -6.485021904942025371773e1,
        -1.228866684490136173410e2,
        -7.500855792314704667340e1,
        -1.615753718733365076637e1,
        -8.750608600031904122785e-1,
    ),
    (
        1.945506571482613964425e2,
        4.853903996359136964868e2,
        4.328810604912902668951e2,
        1.650270098316988542046e2,
        2.485846490142306297962e1,
        1.0,
    ),
)
_STEEP, _FLAT = 2.41421356237309504880, 0.66  # tan 3π/8, and where π/8 is taken off
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_RAISED = 8  # arguments are raised by this before Stirling's series, which then has twelve digits from 0 on


def ndtri(p: Tensor) -> Tensor:
    """Give the normal score of a probability: Φ⁻¹."""
    q = p - 0.5
    near = q.abs() <= 0.425
    middle = q * _ratio(_MIDDLE, 0.180625 - q * q)
    tail = torch.where(near, 0.25, torch.minimum(p, 1 - p))  # no logarithm of what is not read
    r = (-torch.log(tail)).sqrt()
    outer = torch.where(r <= 5, _ratio(_OUTER, r - 1.6), _ratio(_FAR, r - 5))
    return torch.where(near, middle, torch.where(q < 0, -outer, outer))


def lgamma(x: Tensor) -> Tensor:
    """Give the logarithm of Γ(x) for x > 0, by Stirling's series."""
    k = torch.arange(_RAISED, dtype=x.dtype, device=x.device)
    product = torch.log(x.unsqueeze(-1) + k).sum(-1)  # of x (x + 1) … (x + 7)
    y = x + _RAISED
    inverse = 1 / y
    series = _polynomial(_STIRLING, inverse * inverse) * inverse
    return (y - 0.5) * torch.log(y) - y + math.log(2 * math.pi) / 2 + series - product


def bucketize(x: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Count the boundaries below each number, those that equal it too if ``right``."""
    beside = x.unsqueeze(-1)
    passed = boundaries <= beside if right else boundaries < beside
    return passed.to(torch.int32 if out_int32 else torch.int64).sum(-1, dtype=torch.int32 if out_int32 else torch.int64)


def copysign(size: Tensor, sign: Tensor) -> Tensor:
    """Give ``size`` the sign of another number; a zero counts as positive."""
    return torch.where(sign < 0, -size.abs(), size.abs())


def cumprod(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """Multiply up along a short last axis."""
    x = x if dtype is None else x.to(dtype)
    assert dim in (-1, x.ndim - 1)
    count = x.shape[-1]
    before = torch.ones(count, count, dtype=torch.bool, device=x.device).tril()
    return torch.where(before, x.unsqueeze(-2), 1.0).prod(-1)


def atan(x: Tensor) -> Tensor:
    """Give the arc tangent, as Moshier's Cephes does; runtimes have it in float32 only."""
    size = x.abs()
    far, middle = size > _STEEP, size > _FLAT
    reduced = torch.where(far, -1 / size.clamp_min(1.0), torch.where(middle, (size - 1) / (size + 1), size))
    begin = (far.to(x.dtype) + middle.to(x.dtype)) * (math.pi / 4)  # what is far is past the middle too
    square = reduced * reduced
    angle = begin + reduced + reduced * square * _ratio(_ARC, square)
    return torch.where(x < 0, -angle, angle)


def tan(x: Tensor) -> Tensor:
    """Give the tangent by sine and cosine, which runtimes have in float64 too."""
    return torch.sin(x) / torch.cos(x)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Tensor) -> Tensor:
    above, below = coefficients
    return _polynomial(above, x) / _polynomial(below, x)


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    """Evaluate by Horner's rule; the constant term first."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


_ATEN = torch.ops.aten
FUNCTIONS: dict[Any, Callable[..., Tensor]] = {
    _ATEN.atan.default: atan,
    _ATEN.tan.default: tan,
    _ATEN.special_ndtri.default: ndtri,
    _ATEN.lgamma.default: lgamma,
    _ATEN.bucketize.Tensor: bucketize,
    _ATEN.copysign.Tensor: copysign,
    _ATEN.cumprod.default: cumprod,
}

_CALLS: dict[Any, Callable[..., Tensor]] = {  # as they are called in Python
    torch.special.ndtri: ndtri,
    **{
        getattr(owner, function.__name__): function
        for owner in (torch, Tensor)
        for function in (atan, tan, lgamma, bucketize, copysign, cumprod)
        if hasattr(owner, function.__name__)
    },
}


class WrittenOut(TorchFunctionMode):
    """Puts these functions in the place of torch's: cheaper than to trace twice."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, or ours."""
        del types
        return _CALLS.get(func, func)(*args, **(kwargs or {}))
