"""The training loop: named steps, one below the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from tidegate.errors import TrainingError
from tidegate.specs import Training
from tidegate.training.averages import Metric
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.early_stopping import EarlyStopping
from tidegate.training.callbacks.terminate_on_nan import TerminateOnNaN
from tidegate.training.feed import Feed, generator_state, set_generator_state
from tidegate.training.history import History
from tidegate.training.objective import Objective
from tidegate.training.optimizers import OptimizerLike
from tidegate.training.state import TrainingState
from tidegate.training.stateful import reset_states, states_aside

__all__ = ["fit"]

_CHECK_EVERY = 50  # batches; reading a number from an accelerator waits for all that it has yet to do


def fit(
    module: nn.Module,
    batches: Iterable[Any],
    objective: Objective,
    *,
    training: Training,
    validation: Iterable[Any] | None = None,
    metrics: Sequence[str | Metric] = (),
    callbacks: Sequence[Callback] = (),
    optimizer: OptimizerLike | None = None,
) -> History:
    """Train ``module`` on ``batches``, where its parameters lie; the layer beneath `train`.

    Parameters
    ----------
    module
        Changed in place; left in evaluation mode.
    batches
        `Batches`, `ContinuousBatches`, a DataLoader or another iterable of `Batch`, ``(X, y)`` or ``(X, y, weight)``
        that can be gone through again and again. ``training.batch_size`` is theirs to follow.
    objective
        From module and batch to an `Outcome`, for example `Supervised`. Batches reach it as tensors of the dtype they
        came in.
    training
        How. ``epochs`` counts passes; with ``max_steps`` alone an epoch of the history is a twentieth of the steps.
        With neither there is one pass. With validation batches, ``patience``
        stops the training early and brings the best weights back, unless an `EarlyStopping` is among the callbacks;
        without them it has no meaning. ``training.validation`` is the caller's business.
    validation
        Batches to score after each epoch. That neither sees nor changes any state of the training: recurrent states,
        torch's generators and the modes of submodules are given back bit by bit.
    metrics
        Names (``"mae"``, ``"mse"``, ``"rmse"``, ``"huber"``, ``"cross_entropy"``, ``"accuracy"``) or callables
        ``(output, target)``.
    callbacks
        Called in this order.
    optimizer
        Overrides ``training.optimizer``: also one of `torch.optim`, or a callable that makes one from the parameters.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        If the loss is not finite and no callback (`TerminateOnNaN`) stops the training for it. On a CPU that is seen
        before the optimiser uses it; elsewhere within 50 batches. Best weights kept by a callback are restored first.
    SpecError
        If there is nothing to train, or options do not go together.
    """
    if validation is not None and training.patience is not None and not _has_early_stopping(callbacks):
        callbacks = (EarlyStopping(patience=training.patience, restore_best_weights=True, untrained=True), *callbacks)
    state = TrainingState.make(
        module,
        batches,
        objective,
        training,
        validation=validation,
        metrics=metrics,
        callbacks=callbacks,
        optimizer=optimizer,
    )
    module.train()
    try:
        _run(state)
    except BaseException:
        state.failed = True
        raise
    finally:
        _close(state)
    return state.history


def _run(state: TrainingState) -> None:
    state.stepper.discard()  # what earlier code left is none of this training's
    _notify(state, "on_train_begin")
    _notify(state, "on_safe_point")  # a checkpoint is restored here
    if state.step == 0 and state.validation is not None and state.listeners("on_first_validation"):
        state.logs = validate(state, state.validation)
        _notify(state, "on_first_validation")
    while not state.finished:
        run_epoch(state)


def run_epoch(state: TrainingState) -> None:
    """Train to the end of the epoch, from its beginning or from where a checkpoint was taken."""
    if state.batches_in_epoch == 0:
        state.averages.reset()
        _notify(state, "on_epoch_begin")
    while not state.epoch_over:
        train_batch(state)
        if state.stepper.pending == 0 and not state.epoch_over:
            _notify(state, "on_safe_point")
    end_epoch(state)
    _notify(state, "on_safe_point")


def train_batch(state: TrainingState) -> None:
    """Run one batch forward and backward, and make an optimiser step if it completes one."""
    feed, stepper = state.feed, state.stepper
    if feed.position == 0:
        reset_states(state.module)
    batch = feed.next()
    with stepper.autocast():
        outcome = state.objective(state.module, batch)
    state.loss = outcome.loss.detach()
    state.batches_in_epoch += 1
    finite = _is_finite(state)
    if finite:
        stepper.backward(outcome.loss, outcome.weight)
        state.averages.add(outcome)
        if stepper.pending == state.training.accumulate or feed.position == 0:
            stepper.step(state.step)
            state.step += 1
            state.steps_in_epoch += 1
    _notify(state, "on_batch_end")
    if state.stopped is not None:
        stepper.discard()
    elif not finite:
        raise TrainingError(
            f"the loss is {state.loss.item()} at step {state.step} (epoch {state.epoch}); lower learning_rate, "
            "set clip_norm, look for extreme values in the data, or end such a training quietly with TerminateOnNaN()"
        )


def end_epoch(state: TrainingState) -> None:
    """Read the means, validate, tell the callbacks, and write the history."""
    state.logs = state.averages.values()
    if state.validation is not None:
        state.logs |= validate(state, state.validation)
    _notify(state, "on_epoch_end")
    state.history.append(state.logs)
    state.history.steps = state.step
    state.epoch += 1
    state.batches_in_epoch = state.steps_in_epoch = 0


def validate(state: TrainingState, batches: Feed) -> dict[str, float]:
    """Score ``batches`` in evaluation mode, without a trace in the training."""
    module, averages = state.module, state.averages.empty()
    modes = [(layer, layer.training) for layer in module.modules()]
    generators = generator_state(state.device)
    module.eval()
    try:
        with torch.no_grad(), states_aside(module):
            for batch in batches:
                with state.stepper.autocast():
                    averages.add(state.objective(module, batch))
    finally:
        set_generator_state(generators, state.device)
        for layer, mode in modes:
            layer.training = mode
    return averages.values("val_")


def _close(state: TrainingState) -> None:
    state.history.stopped, state.history.steps = state.stopped, state.step
    _notify(state, "on_train_end")
    state.module.eval()


def _notify(state: TrainingState, event: str) -> None:
    for callback in state.listeners(event):
        getattr(callback, event)(state)


def _is_finite(state: TrainingState) -> bool:
    watched = any(isinstance(callback, TerminateOnNaN) for callback in state.listeners("on_batch_end"))
    if state.device.type == "cpu" or watched:
        return math.isfinite(state.loss.item())
    last = state.feed.position == 0
    if not last and state.batches_in_epoch % _CHECK_EVERY:
        return True
    return state.averages.loss_is_finite() and math.isfinite(state.loss.item())


def _has_early_stopping(callbacks: Sequence[Callback]) -> bool:
    return any(isinstance(callback, EarlyStopping) for callback in callbacks)
