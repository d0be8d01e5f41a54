"""Networks that go on learning: a little, from where a training has left them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence

from torch import nn

from tidegate._core.seeds import derive_seed
from tidegate.data.ragged import RaggedSource
from tidegate.specs import Training, checks
from tidegate.training.averages import Metric
from tidegate.training.callbacks.base import Callback
from tidegate.training.history import History
from tidegate.training.members import train_members
from tidegate.training.objective import Objective

__all__ = ["tune_members", "tuning"]

_GENTLER = 10  # by how much the rate is lower, where none is given


def tuning(
    training: Training, *, max_steps: int, learning_rate: float | None, schedule: str | None, validation: float
) -> Training:
    """Describe a further training: as the first one was, but for its length, its rate and its validation.

    Parameters
    ----------
    training
        The first.
    max_steps, schedule, validation
        As of `Training`.
    learning_rate
        ``None`` for a tenth of the first one's.

    Raises
    ------
    SpecError
        If a value cannot be, by name.
    """
    checks.whole("max_steps", max_steps)
    return dataclasses.replace(
        training,
        epochs=None,
        max_steps=max_steps,
        learning_rate=training.learning_rate / _GENTLER if learning_rate is None else learning_rate,
        schedule=schedule,
        validation=validation,
        patience=training.patience if validation else None,
    )


def tune_members(
    networks: nn.ModuleList,
    source: RaggedSource,
    objective: Objective,
    *,
    validation: RaggedSource | None = None,
    training: Training,
    seed: int,
    metrics: Sequence[str | Metric] = (),
    callbacks: Callable[[], Sequence[Callback]] = tuple,
) -> tuple[nn.ModuleList, History]:
    """Train copies of networks further, where they are; a training that fails leaves the networks as they were.

    Parameters
    ----------
    networks
        From `train_members`.
    source, objective, validation, training, seed, metrics, callbacks
        As there.

    Returns
    -------
    networks : ModuleList
        The copies, in evaluation mode.
    history : History
        Of the first one.

    Raises
    ------
    TrainingError
        If a loss is not finite.
    """
    copies = iter(copy.deepcopy(networks))
    return train_members(
        lambda: next(copies),
        source,
        objective,
        validation=validation,
        training=training,
        members=len(networks),
        seed=derive_seed(seed, "fine_tune"),
        device=next(networks.parameters()).device,
        metrics=metrics,
        callbacks=callbacks,
    )
