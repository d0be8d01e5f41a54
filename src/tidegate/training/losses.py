"""Losses by name or as the user's own, and how their elements become one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from tidegate.errors import ShapeError
from tidegate.specs import checks

__all__ = [
    "LOSSES",
    "Loss",
    "align",
    "binary_cross_entropy",
    "cross_entropy",
    "huber",
    "mae",
    "mse",
    "reduce_loss",
    "resolve_loss",
]

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""``(output, target) -> Tensor``: one number an element, or a single number for the batch."""


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Give the squared error of each element, shaped like ``output`` and ``target``, which agree in shape."""
    return functional.mse_loss(output, _same_shape("mse", output, target), reduction="none")


def mae(output: Tensor, target: Tensor) -> Tensor:
    """Give the absolute error of each element, shaped like ``output`` and ``target``, which agree in shape."""
    return functional.l1_loss(output, _same_shape("mae", output, target), reduction="none")


def huber(output: Tensor, target: Tensor) -> Tensor:
    """Give Huber's (1964) loss of each element: e²/2 where the error |e| ≤ 1, |e| − 1/2 beyond."""
    return functional.huber_loss(output, _same_shape("huber", output, target), reduction="none")


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Give the negative log-probability of each class in ``target``.

    Parameters
    ----------
    output
        Logits, the classes last: ``[batch, …, class]``.
    target
        Class numbers, int64 ``[batch, …]``, from 0 to class − 1.

    Returns
    -------
    Tensor
        ``[batch, …]``.

    Raises
    ------
    ShapeError
        If ``target`` is no whole-number tensor of ``output``'s shape without its last axis.
    """
    if target.is_floating_point() or target.dtype == torch.bool:
        raise ShapeError(f"cross_entropy needs class numbers (int64) as target; got {target.dtype}")
    if output.shape[:-1] != target.shape:
        raise ShapeError(
            f"cross_entropy needs logits [batch, …, class] and class numbers [batch, …]; "
            f"got {list(output.shape)} and {list(target.shape)}"
        )
    flat = functional.cross_entropy(output.flatten(0, -2), target.flatten().long(), reduction="none")
    return flat.reshape(target.shape)


def binary_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Give the negative log-probability of each mark, shaped like both.

    Parameters
    ----------
    output
        Logits ``[batch, …, label]``.
    target
        Of the same shape: 1 where the label holds, 0 where it does not; between them a probability.
    """
    same = _same_shape("binary_cross_entropy", output, target)
    return functional.binary_cross_entropy_with_logits(output, same, reduction="none")


LOSSES: dict[str, Loss] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}


def resolve_loss(loss: str | Loss) -> Loss:
    """Turn a name of `LOSSES` or a callable into a callable. Raises `SpecError` for an unknown name."""
    if callable(loss):
        return loss
    checks.one_of("loss", loss, LOSSES)
    return LOSSES[loss]


def align(output: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """Give ``target`` the shape of ``output`` where they differ in axes of length 1 only.

    ``[n]`` against ``[n, 1]`` would otherwise broadcast to ``[n, n]``, and a training would run on nonsense. For
    class numbers the axes that count are those before the classes. Other differences are left to the loss, which
    refuses them or, if it is the user's own, knows what they mean.
    """
    wanted = output.shape[:-1] if loss is cross_entropy else output.shape
    if target.shape == wanted or not (target.is_floating_point() or loss in LOSSES.values()):
        return target
    same = [size for size in target.shape if size != 1] == [size for size in wanted if size != 1]
    return target.reshape(wanted) if same else target


def reduce_loss(
    loss: Loss, output: Tensor, target: Tensor, observed: Tensor | None = None, weight: Tensor | None = None
) -> tuple[Tensor, float | Tensor]:
    """Average ``loss`` over the elements that count.

    Parameters
    ----------
    loss
        From `resolve_loss`.
    output, target
        As the loss takes them.
    observed
        Bool, shaped like ``target``: False where the target is unknown. What stands there, NaN included, touches
        neither the loss nor its gradient.
    weight
        ``[batch]`` or ``[batch, time]``: how much an example, or each of its steps, counts beside the others. It
        applies to all that follows these axes.

    Returns
    -------
    tuple of Tensor and (float or Tensor)
        The weighted mean, a scalar, and the sum of the weights that it was divided by: elements where there are no
        weights. A batch in which nothing counts has loss 0.

    Raises
    ------
    ShapeError
        If the loss gives a single number where one an element (or an example) is needed to mask or to weigh.
    """
    if observed is None:
        elements = loss(output, target)
        if weight is None:
            return (elements, float(len(target))) if elements.ndim == 0 else (elements.mean(), float(elements.numel()))
        return _weighted(elements, _example_weights(weight, elements))
    # Filled before the loss sees it: 0 · NaN would bring the NaN back in the gradient.
    elements = loss(output, target.masked_fill(~observed, 0))
    if elements.ndim == 0:
        return _over_observed(loss, output, target, observed, weight)
    if elements.shape != observed.shape:
        raise ShapeError(
            f"the loss gave shape {list(elements.shape)}, the mask of observed targets has {list(observed.shape)}; "
            "a loss over targets with missing values must give one number an element"
        )
    counts = observed.to(elements.dtype)
    return _weighted(elements, counts if weight is None else counts * _example_weights(weight, elements))


def _weighted(elements: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    total = weights.sum()
    return (elements * weights).sum() / torch.where(total > 0, total, 1), total.detach()


def _example_weights(weight: Tensor, elements: Tensor) -> Tensor:
    if elements.ndim == 0 or elements.shape[: weight.ndim] != weight.shape:
        what = "a step" if weight.ndim > 1 else "an example"
        raise ShapeError(
            f"examples are weighted (weight has shape {list(weight.shape)}), but the loss gave shape "
            f"{list(elements.shape)}; give a loss with one number an element or {what} (reduction='none')"
        )
    column = weight.to(elements.dtype).reshape(*weight.shape, *[1] * (elements.ndim - weight.ndim))
    return column.expand_as(elements)


def _over_observed(
    loss: Loss, output: Tensor, target: Tensor, observed: Tensor, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    # A loss that averages by itself is given the observed elements alone.
    if weight is not None or output.shape != target.shape:
        raise ShapeError(
            "the loss gives a single number, so it cannot be masked or weighted element by element; "
            "give one with one number an element (reduction='none')"
        )
    total = observed.sum()
    if not total:
        return output.sum() * 0, total
    return loss(output[observed], target[observed]), total


def _same_shape(name: str, output: Tensor, target: Tensor) -> Tensor:
    if output.shape != target.shape:
        raise ShapeError(
            f"{name} compares output and target element by element; the output has shape {list(output.shape)}, "
            f"the target {list(target.shape)}. Give both the same shape"
        )
    return target
