"""Temperature scaling: one number that makes a classifier as sure of itself as it is right."""

from __future__ import annotations

import numpy.typing as npt
import torch
from torch import Tensor

from tidegate.errors import DataError, ShapeError

__all__ = ["BOUNDS", "fit_temperature"]

#: Temperatures lie between these: beyond, probabilities are those of a coin, or 0 and 1 to the last digit.
BOUNDS = (0.05, 20.0)

_STEPS = 100
_EXACT = 1e-12  # of 1 / temperature, relative


def fit_temperature(
    logits: Tensor | npt.ArrayLike, target: Tensor | npt.ArrayLike, *, multi_label: bool = False
) -> float:
    """Find the temperature T that minimises the negative log-likelihood of ``softmax(logits / T)``.

    Guo et al. (2017), "On calibration of modern neural networks". Above 1 the classifier was too sure, below 1 not
    sure enough. Which class is the likeliest never changes. Take examples that training has not seen.

    Parameters
    ----------
    logits
        ``[example, class]``; with ``multi_label`` ``[example, label]``, each for a sigmoid of its own.
    target
        Codes ``[example]``, counted from 0; with ``multi_label`` 0 and 1 ``[example, label]``.
    multi_label
        Whether an example may have any number of labels. All of them share the temperature.

    Returns
    -------
    float
        Within `BOUNDS`, to about twelve digits.

    Raises
    ------
    ShapeError
        If the shapes do not fit together, or there are no examples.
    DataError
        If a logit is not finite, or ``target`` holds anything but codes, or 0 and 1.

    Notes
    -----
    The loss is convex in 1 / T. Its slope, ``mean(E_p[z] − z_y)``, is brought to zero by Newton's method in float64,
    with a bracket that is halved wherever a step would leave it, so it always ends.

    Some data have no minimum inside the bounds. Where every example is right, the loss falls for ever as T does, and
    that says little about a next example. Then T falls, from 1, only until right classes have the mean probability
    (n + 1) / (n + 2) that Laplace's rule of succession gives after n right ones of n (with ``multi_label`` n counts
    labels); where they have as much already, T is 1. Where logits say nothing of the class, or the opposite, the loss
    falls as T grows, and T is the upper bound. Where all logits of an example are equal T does not matter; if that is
    so everywhere, it is 1.
    """
    z, y = _pair(logits, target, multi_label=multi_label)
    z = z - z.gather(1, y.unsqueeze(1))  # measured from the right class: its own logit is 0 throughout
    if bool((z == 0).all()):
        return 1.0
    if bool((z <= 0).all()):
        return _all_right(z)
    low, high = 1 / BOUNDS[1], 1 / BOUNDS[0]
    if _slope(z, low)[0] >= 0:
        return BOUNDS[1]
    if _slope(z, high)[0] <= 0:
        return BOUNDS[0]
    return 1 / _root(z, low, high)


def _root(z: Tensor, low: float, high: float) -> float:
    """Find the inverse temperature between both at which the slope of the loss is 0; it is negative at ``low``."""
    inverse = min(max(1.0, low), high)
    for _ in range(_STEPS):
        slope, curvature = _slope(z, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        following = inverse - slope / curvature if curvature > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - inverse) <= _EXACT * inverse:
            return following
        inverse = following
    return inverse


def _slope(z: Tensor, inverse: float) -> tuple[float, float]:
    """Give the first and the second derivative of the mean loss by the inverse temperature."""
    p = torch.softmax(z * inverse, dim=1)
    mean = (p * z).sum(1)
    return float(mean.mean()), float((p * (z - mean.unsqueeze(1)).square()).sum(1).mean())


def _all_right(z: Tensor) -> float:
    """Sharpen until the right classes are as probable as the rule of succession says, within the bounds."""
    wanted = (len(z) + 1) / (len(z) + 2)
    low, high = 1.0, 1 / BOUNDS[0]
    if _confidence(z, low) >= wanted:
        return 1.0
    if _confidence(z, high) <= wanted:
        return BOUNDS[0]
    while high - low > _EXACT * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _confidence(z, middle) >= wanted else (middle, high)
    return 1 / high


def _confidence(z: Tensor, inverse: float) -> float:
    return float(torch.exp(-torch.logsumexp(z * inverse, dim=1)).mean())


def _pair(
    logits: Tensor | npt.ArrayLike, target: Tensor | npt.ArrayLike, *, multi_label: bool
) -> tuple[Tensor, Tensor]:
    """Give logits in float64 ``[example, class]`` and codes ``[example]``; each label is an example of two classes."""
    z = torch.as_tensor(logits).detach().to("cpu", torch.float64)
    y = torch.as_tensor(target).detach().to("cpu")
    wanted = list(z.shape) if multi_label else list(z.shape[:1])
    if z.ndim != 2 or not z.numel() or list(y.shape) != wanted:
        kind = "[example, label]" if multi_label else "[example]"
        raise ShapeError(
            f"a temperature needs logits [example, class], one example at least, and a target {kind}; got "
            f"{list(z.shape)} and {list(y.shape)}"
        )
    finite = torch.isfinite(z).all(dim=1)
    if not bool(finite.all()):
        raise DataError(
            f"logits must be finite; those of example {int((~finite).int().argmax())}, counted from 0, are not"
        )
    classes = 2 if multi_label else z.shape[1]
    codes = y.to(torch.float64)
    known = (codes >= 0) & (codes < classes) & (codes == codes.floor())
    if not bool(known.all()):
        raise DataError(f"the target must hold whole numbers from 0 to {classes - 1}; got {codes[~known][0]:g}")
    if multi_label:
        z = torch.stack((torch.zeros_like(z), z), dim=-1).reshape(-1, 2)
    return z, y.to(torch.int64).reshape(-1)
