"""Stop when the loss is no longer a number."""

from __future__ import annotations

import math

from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["TerminateOnNaN"]


class TerminateOnNaN(Callback):
    """Stop when a batch's loss is NaN or infinite, where the training would otherwise raise `TrainingError`.

    The batch is not learnt from, and does not enter the epoch's means. Off the CPU this waits for the device at each
    batch.
    """

    def on_batch_end(self, state: TrainingState) -> None:
        """Look at the loss."""
        loss = state.loss.item()
        if not math.isfinite(loss):
            state.stop(f"the loss is {loss} at step {state.step}")
