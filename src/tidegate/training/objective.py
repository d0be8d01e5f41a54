"""What a training minimises: from a module and a batch to a loss."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Protocol

import torch
from torch import Tensor, nn

from tidegate.data.batches import Batch
from tidegate.errors import DataError, ShapeError
from tidegate.training.losses import Loss, align, reduce_loss, resolve_loss

__all__ = ["Objective", "Outcome", "Supervised"]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What an objective says of one batch.

    Parameters
    ----------
    loss
        A scalar: the mean over what counts in the batch.
    weight
        How much that mean counts beside other batches': the number (or summed weight) of the elements in it.
        Epoch losses and accumulated gradients are then means over elements, not means of means.
    output, target
        What the metrics compare; ``None`` where metrics make no sense.
    observed
        Bool, shaped like ``target``: which elements the metrics may look at. ``None`` for all.
    """

    loss: Tensor
    weight: float | Tensor
    output: Tensor | None = None
    target: Tensor | None = None
    observed: Tensor | None = None


class Objective(Protocol):
    """Anything that can be called with a module and a batch, and gives an `Outcome`."""

    def __call__(self, module: nn.Module, batch: Batch[Tensor], /) -> Outcome:
        """Run the module on the batch and compare."""
        ...


class Supervised:
    """The loss between ``module(values)`` and the batch's target.

    Parameters
    ----------
    loss
        ``"mse"``, ``"mae"``, ``"huber"``, ``"cross_entropy"`` (logits with the classes last), or a callable
        ``(output, target) -> Tensor`` that gives one number an element, or a single number.

    Notes
    -----
    ``lengths=`` is handed to a module whose ``forward`` takes it. Targets are masked by the batch's
    ``target_observed``; where there is none but there are ``lengths``, and the output and the target have a step for
    each step of the values, steps past an example's length do not count. Examples count by the batch's ``weight``.

    Floating-point values are cast to the module's dtype, targets to the output's; under autocast the loss is
    computed in float32. A target that differs from the output only in axes of length 1 (``[n]`` against ``[n, 1]``)
    is reshaped; nothing is ever broadcast.
    """

    def __init__(self, loss: str | Loss = "mse") -> None:
        self.loss = resolve_loss(loss)
        self._takes_lengths: tuple[nn.Module, bool] | None = None

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Run the module and compare. Raises `DataError` without a target, `ShapeError` for unlike shapes."""
        if batch.target is None:
            raise DataError("the batch has no target to learn from; give (X, y) or batches with a target")
        values = _cast_to_module(batch.values, module)
        if batch.lengths is not None and self._accepts_lengths(module):
            output = module(values, lengths=batch.lengths)
        else:
            output = module(values)
        if not isinstance(output, Tensor):
            raise ShapeError(
                f"the module returned a {type(output).__name__}, a loss needs one tensor; "
                "recurrent layers of tidegate.nn return one with return_state=False"
            )
        return self._compare(output, batch, batch.target)

    def _compare(self, output: Tensor, batch: Batch[Tensor], target: Tensor) -> Outcome:
        if output.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(output.device.type):
            output = output.float()
        if target.is_floating_point() and target.dtype != output.dtype:
            target = target.to(output.dtype)
        observed = batch.target_observed
        if observed is None and batch.lengths is not None:
            observed = _within_lengths(batch.values, batch.lengths, output, target)
        aligned = align(output, target, self.loss)
        if observed is not None and observed.shape != aligned.shape:
            observed = observed.reshape(aligned.shape)
        loss, weight = reduce_loss(self.loss, output, aligned, observed, batch.weight)
        return Outcome(loss, weight, output, aligned, observed)

    def _accepts_lengths(self, module: nn.Module) -> bool:
        if self._takes_lengths is None or self._takes_lengths[0] is not module:
            self._takes_lengths = module, "lengths" in inspect.signature(module.forward).parameters
        return self._takes_lengths[1]


def _cast_to_module(values: Tensor, module: nn.Module) -> Tensor:
    if not values.is_floating_point():
        return values  # ids: an embedding wants them as they are
    parameter = next(module.parameters(), None)
    return values if parameter is None or not parameter.is_floating_point() else values.to(parameter.dtype)


def _within_lengths(values: Tensor, lengths: Tensor, output: Tensor, target: Tensor) -> Tensor | None:
    if target.ndim < 2 or not values.shape[:2] == output.shape[:2] == target.shape[:2]:
        return None
    steps = torch.arange(target.shape[1], device=target.device)
    inside = steps < lengths.unsqueeze(1)  # [batch, time]
    return inside.reshape(*inside.shape, *[1] * (target.ndim - 2)).expand_as(target)
