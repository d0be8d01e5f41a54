"""From losses to optimiser steps: precision, accumulation, clipping, schedule."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training.clipping import clip_gradients
from tidegate.training.schedules import LearningRate

__all__ = ["Stepper", "resolve_precision"]


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Give the dtype that products are computed in.

    Raises
    ------
    SpecError
        If float16 is asked for off CUDA.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "float16" and device.type != "cuda":
        raise SpecError(f"precision='float16' needs a CUDA device, the module lies on {device}; take 'bfloat16'")
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


class Stepper:
    """Collects gradients of ``accumulate`` batches and makes an optimiser step of them.

    The gradient of a step is that of the mean over all elements of its batches, whatever each batch weighs, as if
    they had been one.

    Attributes
    ----------
    pending : int
        Batches whose gradients wait for a step.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, rate: LearningRate, training: Training, device: torch.device
    ) -> None:
        self.optimizer = optimizer
        self.rate = rate
        self.pending = 0
        self._training = training
        self._device = device
        self._parameters: list[nn.Parameter] = [p for group in optimizer.param_groups for p in group["params"]]
        self._dtype = resolve_precision(training.precision, device)
        self._scaler = torch.amp.GradScaler("cuda") if self._dtype == torch.float16 else None
        self._weight: float | Tensor = 0.0

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Give the context in which the forward pass runs."""
        if self._dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def backward(self, loss: Tensor, weight: float | Tensor) -> None:
        """Add the gradient of one batch."""
        if self._training.accumulate > 1:
            loss = loss * weight
            self._weight = self._weight + weight
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()  # type: ignore[no-untyped-call]
        self.pending += 1

    def step(self, index: int) -> None:
        """Make optimiser step ``index``, counted from 0, of the gradients that wait."""
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        if self._training.accumulate > 1:
            self._average()
        clip_gradients(self._parameters, value=self._training.clip_value, norm=self._training.clip_norm)
        if self._scaler is not None:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            self.optimizer.step()
        self.discard()
        self.rate.apply(index + 1)

    def discard(self) -> None:
        """Forget the gradients that wait."""
        for parameter in self._parameters:  # what zero_grad does, without its bookkeeping
            parameter.grad = None
        self.pending, self._weight = 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Give the state of optimiser, schedule and scaler; taken when nothing is pending."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "scaler": None if self._scaler is None else self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        if self._scaler is not None and state["scaler"] is not None:
            self._scaler.load_state_dict(state["scaler"])

    def _average(self) -> None:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        weight = self._weight
        if isinstance(weight, Tensor):
            weight = torch.where(weight > 0, weight, 1)
        elif not weight:
            return
        torch._foreach_div_(gradients, weight)
