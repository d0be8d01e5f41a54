"""Lower the learning rate when progress stalls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.monitor import Monitor
from tidegate.training.state import TrainingState

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by a factor when a value has not become better for a while.

    With a schedule, what is left of it is multiplied. The rate is logged as ``learning_rate``.

    Parameters
    ----------
    monitor
        The value.
    factor
        What the rate is multiplied by, 0 < factor < 1.
    patience
        Epochs without a better value after which the rate is lowered.
    mode
        ``"auto"``, ``"min"`` or ``"max"``; see `Monitor`.
    min_delta
        Absolute change that counts as better.
    cooldown
        Epochs after a reduction in which nothing is counted.
    min_lr
        The rate is not lowered below this.

    Raises
    ------
    SpecError
        At the first epoch's end, if nothing is logged under ``monitor``.
    """

    wait: int
    cooling: int
    best: float | None

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        checks.at_least("factor", factor, 0, exclusive=True)
        if factor >= 1:
            raise SpecError(f"factor must be less than 1, or the learning rate would not fall; got {factor!r}")
        checks.whole("patience", patience, least=0)
        checks.whole("cooldown", cooldown, least=0)
        checks.at_least("min_lr", min_lr, 0)
        self.monitor = Monitor(monitor, mode, min_delta)
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._begin()

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """Forget an earlier training."""
        self._begin()

    def on_epoch_end(self, state: TrainingState) -> None:
        """Compare, and lower the rate when patience is at its end."""
        value = self.monitor.read(state)
        state.logs["learning_rate"] = state.learning_rate
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if self.monitor.better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience and state.learning_rate > self.min_lr:
                state.learning_rate = max(state.learning_rate * self.factor, self.min_lr)
                self.cooling, self.wait = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Give the best value, and how long has been waited and is to be cooled."""
        return {"wait": self.wait, "cooling": self.cooling, "best": self.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.wait, self.cooling, self.best = state["wait"], state["cooling"], state["best"]

    def _begin(self) -> None:
        self.wait = self.cooling = 0
        self.best = None
