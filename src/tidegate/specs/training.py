"""The description of a training."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.base import from_dict
from tidegate.specs.sampling import Sampling

__all__ = ["OPTIMIZERS", "PRECISIONS", "SCHEDULES", "Optimizer", "Training"]

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
SCHEDULES = (None, "one_cycle", "cosine", "linear")
PRECISIONS = ("float32", "bfloat16", "float16", "auto")


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optimiser without its learning rate.

    Parameters
    ----------
    name
        ``"adam"`` (Kingma & Ba, 2015), ``"adamw"`` (Loshchilov & Hutter, 2019), ``"sgd"`` or ``"rmsprop"``.
    weight_decay
        L2 penalty; decoupled from the gradient for ``"adamw"``.
    momentum
        Of ``"sgd"`` and ``"rmsprop"``; the others have their own and refuse it.
    """

    name: str = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        checks.one_of("optimizer", self.name, OPTIMIZERS)
        checks.at_least("weight_decay", self.weight_decay, 0)
        checks.probability("momentum", self.momentum)
        if self.momentum and self.name in ("adam", "adamw"):
            raise SpecError(f"momentum is an option of 'sgd' and 'rmsprop'; {self.name!r} has moments of its own")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    epochs
        Passes over the data at most; ``None`` leaves it to ``max_steps``, or to the task's default if that is
        ``None`` too.
    max_steps
        Optimiser steps at most. Without ``epochs`` an *epoch* (after which validation and callbacks run) is then a
        twentieth of ``max_steps``, however many passes over the data that is.
    batch_size
        Examples a batch.
    validation
        Share of the rows, at the end of time, kept for early stopping; 0 for none.
    patience
        Epochs without a better validation loss after which training stops and the best weights come back;
        ``None`` trains to the end and keeps the last weights.
    optimizer
        A name of `OPTIMIZERS` or an `Optimizer`.
    learning_rate
        The optimiser's; for ``"one_cycle"`` the peak.
    schedule
        ``None`` (constant), ``"one_cycle"`` (Smith & Topin, 2018), ``"cosine"`` or ``"linear"`` (both down to 0).
    clip_norm
        Longest global gradient norm, ``None`` for no limit.
    clip_value
        Largest magnitude of a single gradient element, ``None`` for no limit; applied before ``clip_norm``.
    accumulate
        Batches whose gradients are averaged before one optimiser step.
    precision
        ``"float32"``, ``"bfloat16"``, ``"float16"`` (CUDA only), or ``"auto"``: bfloat16 on a CUDA device that has
        it, else float16 on CUDA, else float32.
    sampling
        How often each window of a table is drawn; only estimators have windows to choose from.
    """

    epochs: int | None = None
    max_steps: int | None = None
    batch_size: int = 32
    validation: float = 0.1
    patience: int | None = 10
    optimizer: str | Optimizer = "adam"
    learning_rate: float = 1e-3
    schedule: str | None = None
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    accumulate: int = 1
    precision: str = "float32"
    sampling: Sampling = Sampling()

    def __post_init__(self) -> None:
        for name in ("epochs", "max_steps", "patience"):
            if getattr(self, name) is not None:
                checks.whole(name, getattr(self, name))
        for name in ("batch_size", "accumulate"):
            checks.whole(name, getattr(self, name))
        checks.probability("validation", self.validation)
        if isinstance(self.optimizer, dict):  # from JSON
            object.__setattr__(self, "optimizer", from_dict(Optimizer, self.optimizer))
        if not isinstance(self.optimizer, Optimizer):
            checks.one_of("optimizer", self.optimizer, OPTIMIZERS)
        checks.at_least("learning_rate", self.learning_rate, 0, exclusive=True)
        checks.one_of("schedule", self.schedule, SCHEDULES)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                checks.at_least(name, getattr(self, name), 0, exclusive=True)
        checks.one_of("precision", self.precision, PRECISIONS)
        if isinstance(self.sampling, dict):  # from JSON
            object.__setattr__(self, "sampling", from_dict(Sampling, self.sampling))
        if not isinstance(self.sampling, Sampling):
            raise SpecError(f"sampling must be a Sampling(…); got {self.sampling!r}")
