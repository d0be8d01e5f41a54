"""The base of all callbacks."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.training.state import TrainingState

__all__ = ["Callback"]


class Callback(ABC):  # noqa: B024 - abstract by intent: every hook is optional
    """Something that is told how a training goes. Override the hooks that you need.

    A callback ends a training by ``state.stop(reason)``. What it must not forget when a training is killed and
    resumed, it gives in `state_dict`, in types that JSON knows, and tensors.

    Examples
    --------
    >>> class StopAt(Callback):
    ...     def __init__(self, loss):
    ...         self.loss = loss
    ...
    ...     def on_epoch_end(self, state):
    ...         if state.logs["loss"] <= self.loss:
    ...             state.stop(f"loss reached {self.loss}")
    """

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: B027
        """Before the first epoch. A callback used before begins anew here."""

    def on_epoch_begin(self, state: TrainingState) -> None:  # noqa: B027
        """Before the first batch of epoch ``state.epoch``; not again when an epoch is resumed in its middle."""

    def on_first_validation(self, state: TrainingState) -> None:  # noqa: B027
        """Before the first step: ``state.logs`` holds what the untrained module makes of the validation batches.

        That is scored only if there are some and a callback listens, and not again when a training is resumed.
        """

    def on_batch_end(self, state: TrainingState) -> None:  # noqa: B027
        """After each batch, and after the optimiser step if that batch completed one; ``state.loss`` is its loss."""

    def on_epoch_end(self, state: TrainingState) -> None:  # noqa: B027
        """After the epoch and its validation; ``state.logs`` becomes a row of the history."""

    def on_safe_point(self, state: TrainingState) -> None:  # noqa: B027
        """Before the first step, and after each one when all else is done: here a training can be cut and resumed."""

    def on_train_end(self, state: TrainingState) -> None:  # noqa: B027
        """After the training, however it ended: by an exception if ``state.failed``."""

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint must keep of this callback; empty if nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Go on from `state_dict`; called after ``on_train_begin``."""

    def listens(self, event: str) -> bool:
        """Tell whether this callback does something at ``event``."""
        return getattr(type(self), event) is not getattr(Callback, event) or event in vars(self)
