"""How long a training lasts and where its epochs end."""

from __future__ import annotations

import dataclasses

from tidegate.specs import Training

__all__ = ["EPOCHS_OF_STEPS", "Plan"]

EPOCHS_OF_STEPS = 20  # a training given by max_steps has at least that many epochs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The length of a training.

    Parameters
    ----------
    passes
        Passes over the data at most; ``None`` for no limit.
    max_steps
        Optimiser steps at most; ``None`` for no limit.
    epoch_steps
        Optimiser steps an epoch, where that is not a whole pass.
    ends_with_pass
        An epoch ends with each pass, too.
    total_steps
        Optimiser steps of the whole training; ``None`` if the batches have no length that would tell.

    Examples
    --------
    An epoch is a pass or a twentieth of ``max_steps``, whichever is shorter:

    >>> Plan.make(Training(max_steps=100), batches=30)
    Plan(passes=None, max_steps=100, epoch_steps=5, ends_with_pass=False, total_steps=100)
    >>> Plan.make(Training(max_steps=100), batches=3)
    Plan(passes=None, max_steps=100, epoch_steps=None, ends_with_pass=True, total_steps=100)
    """

    passes: int | None
    max_steps: int | None
    epoch_steps: int | None
    ends_with_pass: bool
    total_steps: int | None

    @classmethod
    def make(cls, training: Training, batches: int | None) -> Plan:
        """Plan a training on ``batches`` batches a pass (``None`` if unknown); without any limit, one pass."""
        passes = 1 if training.epochs is None and training.max_steps is None else training.epochs
        pass_steps = None if batches is None else -(-batches // training.accumulate)
        epoch_steps = None if training.max_steps is None else -(-training.max_steps // EPOCHS_OF_STEPS)
        if epoch_steps is not None and pass_steps is not None and pass_steps <= epoch_steps:
            epoch_steps = None
        limits = [] if training.max_steps is None else [training.max_steps]
        if passes is not None and pass_steps is not None:
            limits.append(passes * pass_steps)
        return cls(
            passes=passes,
            max_steps=training.max_steps,
            epoch_steps=epoch_steps,
            ends_with_pass=epoch_steps is None or pass_steps is None,
            total_steps=min(limits) if limits and (passes is None or pass_steps is not None) else None,
        )
