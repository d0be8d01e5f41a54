"""Stop when there is no more progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tidegate.specs import checks
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.monitor import Monitor
from tidegate.training.state import TrainingState

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Stop when a value has not become better for a while.

    Parameters
    ----------
    monitor
        The value.
    min_delta
        Absolute change that counts as better.
    patience
        Epochs without a better value after which training stops.
    mode
        ``"auto"``, ``"min"`` or ``"max"``; see `Monitor`.
    baseline
        A value that must be beaten from the start; ``None`` for none.
    restore_best_weights
        Give the module the weights of its best epoch when the training ends, however it ends.
    start_from_epoch
        Epochs to wait before watching.
    untrained
        Score the module before the first step too, so that a training which makes it no better leaves it as it was.

    Raises
    ------
    SpecError
        At the first epoch's end, if nothing is logged under ``monitor``.
    """

    wait: int
    best: float | None
    best_epoch: int | None
    best_weights: dict[str, Tensor]

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
        untrained: bool = False,
    ) -> None:
        checks.whole("patience", patience, least=0)
        checks.whole("start_from_epoch", start_from_epoch, least=0)
        self.monitor = Monitor(monitor, mode, min_delta)
        self.patience = patience
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.untrained = untrained
        self._begin()

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """Forget an earlier training."""
        self._begin()

    def on_first_validation(self, state: TrainingState) -> None:
        """Take the untrained module for the best so far."""
        value = self.monitor.read(state)
        if self.monitor.better(value, None):
            self._keep(value, None, state)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Compare, and stop when patience is at its end."""
        value = self.monitor.read(state)
        if state.epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.monitor.better(value, self.best):
            self._keep(value, state.epoch, state)
            if self.monitor.better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and state.epoch > 0:
            state.stop(f"{self.monitor.name} has not become better for {self.wait} epochs")

    def on_train_end(self, state: TrainingState) -> None:
        """Bring the best weights back."""
        if self.restore_best_weights and self.best_weights:
            state.module.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """Give the best value, its epoch and weights, and how long has been waited."""
        return {"wait": self.wait, "best": self.best, "best_epoch": self.best_epoch, "best_weights": self.best_weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.wait, self.best, self.best_epoch = state["wait"], state["best"], state["best_epoch"]
        self.best_weights = dict(state["best_weights"])

    def listens(self, event: str) -> bool:
        """Ask for the untrained module's score only where it is wanted."""
        return super().listens(event) and (self.untrained or event != "on_first_validation")

    def _keep(self, value: float, epoch: int | None, state: TrainingState) -> None:
        self.best, self.best_epoch = value, epoch
        if self.restore_best_weights:
            self.best_weights = {k: v.detach().clone() for k, v in state.module.state_dict().items()}

    def _begin(self) -> None:
        self.wait = 0
        self.best = self.best_epoch = None
        self.best_weights = {}
