"""How long a training lasts and where its epochs end."""

from __future__ import annotations

import dataclasses

from tidegate.specs import Training

__all__ = ["EPOCHS_OF_STEPS", "Plan"]

EPOCHS_OF_STEPS = 20  # a training given by max_steps alone has that many epochs


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
        Optimiser steps an epoch, where that is not a pass.
    ends_with_pass
        An epoch is a pass.
    total_steps
        Optimiser steps of the whole training; ``None`` if the batches have no length that would tell.

    Examples
    --------
    An epoch is a pass, or a twentieth of ``max_steps`` where no number of passes is given:

    >>> Plan.make(Training(max_steps=100), batches=30)
    Plan(passes=None, max_steps=100, epoch_steps=5, ends_with_pass=False, total_steps=100)
    >>> Plan.make(Training(epochs=2, max_steps=100), batches=30)
    Plan(passes=2, max_steps=100, epoch_steps=None, ends_with_pass=True, total_steps=60)
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
        by_steps = training.max_steps is not None and training.epochs is None
        epoch_steps = -(-(training.max_steps or 0) // EPOCHS_OF_STEPS) if by_steps else None
        limits = [] if training.max_steps is None else [training.max_steps]
        if passes is not None and pass_steps is not None:
            limits.append(passes * pass_steps)
        return cls(
            passes=passes,
            max_steps=training.max_steps,
            epoch_steps=epoch_steps,
            ends_with_pass=not by_steps,
            total_steps=min(limits) if limits and (passes is None or pass_steps is not None) else None,
        )
