"""Means over an epoch, exact for batches of any size, without waiting for the device at any step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tidegate.errors import ShapeError, SpecError
from tidegate.specs import checks
from tidegate.training.losses import LOSSES
from tidegate.training.objective import Outcome

__all__ = ["METRICS", "Averages", "Mean", "Metric", "accuracy"]

Metric: TypeAlias = Callable[[Tensor, Tensor], Any]
"""``(output, target)`` -> one number an element (a tensor) or a single number for the batch."""


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Give 1 where the largest of ``output``'s ``[batch, …, class]`` is ``target``'s ``[batch, …]`` class, else 0."""
    if output.shape[:-1] != target.shape or target.is_floating_point():
        raise ShapeError(
            f"accuracy compares scores [batch, …, class] with class numbers [batch, …]; got {list(output.shape)} "
            f"and {target.dtype} {list(target.shape)}"
        )
    return (output.argmax(-1) == target).to(output.dtype)


METRICS: dict[str, Metric] = {**LOSSES, "rmse": LOSSES["mse"], "accuracy": accuracy}


class Mean:
    """A weighted mean that grows batch by batch; summed in float64 where the device has it."""

    def __init__(self) -> None:
        self.total: float | Tensor = 0.0
        self.weight: float | Tensor = 0.0

    def add(self, value: float | Tensor, weight: float | Tensor) -> None:
        """Count ``value``, a mean, as often as ``weight`` says. Nothing is read from the device."""
        if isinstance(value, Tensor):
            value = value.detach().to(_sum_dtype(value))
        self.total = self.total + value * weight
        self.weight = self.weight + weight

    def value(self) -> float:
        """Read the mean; NaN where nothing was counted."""
        weight = float(self.weight)
        return float(self.total) / weight if weight else math.nan

    def state_dict(self) -> dict[str, Any]:
        """Give the sums so far."""
        return {"total": self.total, "weight": self.weight}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from the sums in ``state``."""
        self.total, self.weight = (
            value.to(device) if isinstance(value, Tensor) else value for value in (state["total"], state["weight"])
        )


class Averages:
    """The loss and the metrics of an epoch.

    Parameters
    ----------
    metrics
        Names of `METRICS`, or callables ``(output, target)``, which are called with detached tensors and logged under
        their ``__name__``. What a callable gives for each element is averaged over all observed elements of the
        epoch; a single number a batch is averaged with the batch's observed elements as weight, which is exact for
        means. ``"rmse"`` is the root of the epoch's mean.

    Raises
    ------
    SpecError
        If a name is unknown, or two metrics would be logged under one name.
    """

    def __init__(self, metrics: Sequence[str | Metric]) -> None:
        self._functions: dict[str, Metric] = {}
        for metric in metrics:
            name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
            if isinstance(metric, str):
                checks.one_of("metrics", metric, METRICS)
            if name in self._functions or name == "loss":
                raise SpecError(f"two values would be logged as {name!r}; give the metric another __name__")
            self._functions[name] = METRICS[metric] if isinstance(metric, str) else metric
        self.reset()

    def reset(self) -> None:
        """Begin an epoch."""
        self._means = {name: Mean() for name in ("loss", *self._functions)}

    def empty(self) -> Averages:
        """Give averages of the same things, without anything counted."""
        copy = object.__new__(Averages)
        copy._functions = self._functions
        copy.reset()
        return copy

    def loss_is_finite(self) -> bool:
        """Read whether all losses so far were finite."""
        return math.isfinite(float(self._means["loss"].total))

    @property
    def names(self) -> tuple[str, ...]:
        """What is logged."""
        return tuple(self._means)

    def add(self, outcome: Outcome) -> None:
        """Count one batch."""
        self._means["loss"].add(outcome.loss, outcome.weight)
        if self._functions:
            self._add_metrics(outcome)

    def values(self, prefix: str = "") -> dict[str, float]:
        """Read the means so far, under their names behind ``prefix``."""
        means = {name: mean.value() for name, mean in self._means.items()}
        if self._functions.get("rmse") is METRICS["rmse"]:
            means["rmse"] = math.sqrt(means["rmse"])
        return {prefix + name: value for name, value in means.items()}

    def state_dict(self) -> dict[str, Any]:
        """Give the sums so far."""
        return {name: mean.state_dict() for name, mean in self._means.items()}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from the sums in ``state``."""
        for name, mean in self._means.items():
            mean.load_state_dict(state[name], device)

    @torch.no_grad()
    def _add_metrics(self, outcome: Outcome) -> None:
        if outcome.output is None or outcome.target is None:
            raise SpecError("metrics need an output and a target; this objective gives none")
        output, target, observed = outcome.output.detach(), outcome.target, outcome.observed
        if observed is not None:
            target = target.masked_fill(~observed, 0)
        for name, function in self._functions.items():
            self._means[name].add(*_mean_and_weight(name, function, output, target, observed))


def _mean_and_weight(
    name: str, function: Metric, output: Tensor, target: Tensor, observed: Tensor | None
) -> tuple[Tensor, float | Tensor]:
    result = torch.as_tensor(function(output, target))
    if result.ndim == 0:
        if observed is not None and output.shape == target.shape:  # it averages by itself: show it the observed alone
            output, target = output[observed], target[observed]
            result = torch.as_tensor(function(output, target)) if len(target) else torch.zeros(())
        elif observed is not None:
            raise ShapeError(f"targets are missing in places; the metric {name!r} must give one number an element")
        return result, float(len(target))
    if observed is None:
        return result.mean(dtype=_sum_dtype(result)), float(result.numel())
    if result.shape != observed.shape:
        raise ShapeError(
            f"the metric {name!r} gave shape {list(result.shape)} where the targets, some of them missing, "
            f"have {list(observed.shape)}; it must give one number an element"
        )
    weight = observed.sum()
    return torch.where(observed, result, 0).sum(dtype=_sum_dtype(result)) / weight.clamp(min=1), weight


def _sum_dtype(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.device.type == "mps" else torch.float64
