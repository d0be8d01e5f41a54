"""The learning rate as a function of the epoch."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["LearningRateScheduler"]


class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of each epoch; it is logged as ``learning_rate``.

    Parameters
    ----------
    schedule
        ``(epoch, learning_rate) -> learning_rate``, with the epoch counted from 0 and the present rate.

    Raises
    ------
    SpecError
        If the training has a ``schedule``, too, or this one gives no rate of at least 0.
    """

    def __init__(self, schedule: Callable[[int, float], float]) -> None:
        self.schedule = schedule

    def on_train_begin(self, state: TrainingState) -> None:
        """Refuse a training whose rate is set by a schedule already."""
        if state.training.schedule is not None:
            raise SpecError(
                f"LearningRateScheduler and schedule={state.training.schedule!r} would both set the learning rate; "
                "take one"
            )

    def on_epoch_begin(self, state: TrainingState) -> None:
        """Set the rate."""
        rate = self.schedule(state.epoch, state.learning_rate)
        checks.at_least("the learning rate that the schedule gives", rate, 0)
        state.learning_rate = float(rate)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Log the rate."""
        state.logs["learning_rate"] = state.learning_rate
