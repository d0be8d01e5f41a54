"""Save the weights as training goes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tidegate._core.files import atomic_path
from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.monitor import Monitor
from tidegate.training.state import TrainingState

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Callback):
    """Save the module's ``state_dict`` as a safetensors file; `safetensors.torch.load_file` reads it.

    Parameters
    ----------
    filepath
        Where to. It may hold fields: ``"net-{epoch:02d}-{val_loss:.2f}.safetensors"``, with the epoch counted from 1
        (as Keras does in file names), ``{step}`` and whatever is logged.
    monitor
        The value that decides what is best.
    save_best_only
        Save only when the value has become better.
    mode
        ``"auto"``, ``"min"`` or ``"max"``; see `Monitor`.
    save_freq
        ``"epoch"``, or a number of optimiser steps; then ``filepath`` may hold ``{epoch}`` and ``{step}`` only.

    Raises
    ------
    SpecError
        If ``save_best_only`` is asked for between epochs, or a field of ``filepath`` or ``monitor`` is not logged.
    OutputError
        If the file cannot be written.
    """

    best: float | None

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
    ) -> None:
        if save_freq != "epoch":
            checks.whole("save_freq", save_freq)
            if save_best_only:
                raise SpecError("save_best_only compares epochs; it needs save_freq='epoch'")
        self.filepath = os.fspath(filepath)
        self.monitor = Monitor(monitor, mode)
        self.save_best_only = save_best_only
        self.save_freq = save_freq
        self.best = None

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """Forget an earlier training."""
        self.best = None

    def on_safe_point(self, state: TrainingState) -> None:
        """Save after the steps asked for."""
        if self.save_freq != "epoch" and state.step and state.step % int(self.save_freq) == 0:
            self._save(state, {})

    def on_epoch_end(self, state: TrainingState) -> None:
        """Save, if it is time and the best."""
        if self.save_freq != "epoch":
            return
        if self.save_best_only:
            value = self.monitor.read(state)
            if not self.monitor.better(value, self.best):
                return
            self.best = value
        self._save(state, state.logs)

    def state_dict(self) -> dict[str, Any]:
        """Give the best value."""
        return {"best": self.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.best = state["best"]

    def _save(self, state: TrainingState, logs: Mapping[str, float]) -> None:
        from safetensors.torch import save_file

        fields = {**logs, "epoch": state.epoch + 1, "step": state.step}
        try:
            path = Path(self.filepath.format(**fields))
        except (KeyError, IndexError, ValueError) as error:
            raise SpecError(f"filepath={self.filepath!r} cannot be filled in: there is {', '.join(fields)}") from error
        # Cloned: tied weights share memory, which a file cannot.
        weights = {name: value.detach().cpu().contiguous().clone() for name, value in state.module.state_dict().items()}
        with atomic_path(path) as temporary:
            save_file(weights, temporary)
