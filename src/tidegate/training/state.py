"""Where a training stands: what the loop works on and callbacks see."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tidegate.specs import Training
from tidegate.training.averages import Averages, Metric
from tidegate.training.feed import Feed
from tidegate.training.history import History
from tidegate.training.objective import Objective
from tidegate.training.optimizers import OptimizerLike, build_optimizer
from tidegate.training.plan import Plan
from tidegate.training.schedules import LearningRate
from tidegate.training.stepper import Stepper

if TYPE_CHECKING:
    from tidegate.training.callbacks.base import Callback

__all__ = ["TrainingState"]


@dataclasses.dataclass(kw_only=True)
class TrainingState:
    """What a training consists of, and how far it has come.

    Callbacks may read all of it, change ``logs`` in ``on_epoch_end``, set ``learning_rate``, and call `stop`.

    Attributes
    ----------
    module, training, objective, feed, validation, stepper, averages, callbacks, plan
        The parts. ``validation`` is ``None`` without validation data.
    history
        The epochs so far.
    epoch
        The epoch being run, counted from 0; after its end, the next.
    step
        Optimiser steps made.
    batches_in_epoch, steps_in_epoch
        Batches seen and optimiser steps made in this epoch.
    loss
        Loss of the last batch, a scalar where the module lies.
    logs
        The epoch's values under their names; filled before ``on_epoch_end``.
    stopped
        Why a callback stopped the training, else ``None``.
    failed
        An exception is ending the training.
    """

    module: nn.Module
    training: Training
    objective: Objective
    feed: Feed
    validation: Feed | None
    stepper: Stepper
    averages: Averages
    callbacks: tuple[Callback, ...]
    plan: Plan
    device: torch.device
    history: History = dataclasses.field(default_factory=History)
    epoch: int = 0
    step: int = 0
    batches_in_epoch: int = 0
    steps_in_epoch: int = 0
    loss: Tensor = dataclasses.field(default_factory=lambda: torch.zeros(()))
    logs: dict[str, float] = dataclasses.field(default_factory=dict)
    stopped: str | None = None
    failed: bool = False
    _listeners: dict[str, tuple[Callback, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def make(
        cls,
        module: nn.Module,
        batches: Iterable[object],
        objective: Objective,
        training: Training,
        *,
        validation: Iterable[object] | None,
        metrics: Sequence[str | Metric],
        callbacks: Sequence[Callback],
        optimizer: OptimizerLike | None,
    ) -> TrainingState:
        """Put the parts together before the first step."""
        built = build_optimizer(module, training, optimizer)
        device = next(module.parameters()).device
        feed = Feed(batches, device)
        plan = Plan.make(training, feed.length)
        rate = LearningRate(built, training.schedule, plan.total_steps)
        return cls(
            module=module,
            training=training,
            objective=objective,
            feed=feed,
            validation=None if validation is None else Feed(validation, device),
            stepper=Stepper(built, rate, training, device),
            averages=Averages(metrics),
            callbacks=tuple(callbacks),
            plan=plan,
            device=device,
        )

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimiser."""
        return self.stepper.optimizer

    @property
    def learning_rate(self) -> float:
        """The present learning rate (of the first parameter group); setting it changes all groups in proportion."""
        return self.stepper.rate.value

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.stepper.rate.set(rate)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        plan = self.plan
        return (
            self.stopped is not None
            or (plan.max_steps is not None and self.step >= plan.max_steps)
            or (plan.passes is not None and self.feed.passes >= plan.passes)
        )

    @property
    def epoch_over(self) -> bool:
        """Whether the epoch has had its batches."""
        at_pass_end = self.feed.position == 0 and self.batches_in_epoch > 0
        return (
            self.finished
            or (self.plan.ends_with_pass and at_pass_end)
            or (self.plan.epoch_steps is not None and self.steps_in_epoch >= self.plan.epoch_steps)
        )

    def listeners(self, event: str) -> tuple[Callback, ...]:
        """List the callbacks that do something at ``event``; the others cost nothing there."""
        if event not in self._listeners:
            self._listeners[event] = tuple(c for c in self.callbacks if c.listens(event))
        return self._listeners[event]

    def stop(self, reason: str) -> None:
        """End the training after this epoch's validation, or at once between epochs. The first reason is kept."""
        if self.stopped is None:
            self.stopped = reason
