"""Optimisers from their description, or as the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import nn

from tidegate.errors import SpecError
from tidegate.specs import Optimizer, Training, checks
from tidegate.specs.training import OPTIMIZERS

__all__ = ["OptimizerLike", "build_optimizer"]

OptimizerLike: TypeAlias = (
    str | Optimizer | torch.optim.Optimizer | Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
)
"""A name, a description, an optimiser of torch's kind, or a callable that makes one from the parameters."""

_FUSED_DEVICES = ("cpu", "cuda", "mps")


def build_optimizer(module: nn.Module, training: Training, given: OptimizerLike | None = None) -> torch.optim.Optimizer:
    """Give the optimiser for the parameters of ``module`` that want a gradient.

    Parameters
    ----------
    module
        What is trained.
    training
        Its ``learning_rate``, and its ``optimizer`` where none is ``given``.
    given
        Overrides ``training.optimizer``. An optimiser, or what a callable makes, keeps the learning rate it has.

    Raises
    ------
    SpecError
        If there is nothing to train, or ``given`` is no optimiser.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise SpecError("there is nothing to train: the module has no parameters that want a gradient")
    if isinstance(given, torch.optim.Optimizer):
        _check_owns(given, parameters)
        return given
    spec = training.optimizer if given is None else given
    if isinstance(spec, str):
        checks.one_of("optimizer", spec, OPTIMIZERS)
        spec = Optimizer(spec)
    if isinstance(spec, Optimizer):
        return _from_spec(spec, parameters, training.learning_rate)
    made = spec(parameters) if callable(spec) else spec
    if not isinstance(made, torch.optim.Optimizer):
        raise SpecError(
            f"optimizer must be a name, an Optimizer, one of torch.optim, or a callable that makes one from the "
            f"parameters; got {made!r}"
        )
    return made


def _from_spec(spec: Optimizer, parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    # One fused kernel a step where torch has one: many small parameters cost launches, not arithmetic.
    fused = all(p.device.type in _FUSED_DEVICES and p.is_floating_point() for p in parameters)
    common: dict[str, Any] = {"lr": rate, "weight_decay": spec.weight_decay}
    match spec.name:
        case "adam":
            return torch.optim.Adam(parameters, fused=fused, **common)
        case "adamw":
            return torch.optim.AdamW(parameters, fused=fused, **common)
        case "sgd":
            return torch.optim.SGD(parameters, momentum=spec.momentum, fused=fused, **common)
        case _:
            return torch.optim.RMSprop(parameters, momentum=spec.momentum, foreach=True, **common)


def _check_owns(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in owned for parameter in parameters):
        raise SpecError(
            "the optimizer holds none of the module's parameters; make it after the module, from module.parameters()"
        )
