"""The history for TensorBoard."""

from __future__ import annotations

import os
from typing import Any

from tidegate._core.extras import require
from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Write what is logged at each epoch's end as scalars, over the epoch.

    Parameters
    ----------
    log_dir
        The folder that TensorBoard is shown.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        require("tensorboard", extra="tensorboard", purpose="the TensorBoard callback")
        self.log_dir = os.fspath(log_dir)
        self._writer: Any = None

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """Forget an earlier training."""
        self._writer = None

    def on_epoch_end(self, state: TrainingState) -> None:
        """Write the epoch's values."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # A training that was killed may have written further than its checkpoint: that is hidden.
            self._writer = SummaryWriter(self.log_dir, purge_step=state.epoch or None)
        for name, value in state.logs.items():
            self._writer.add_scalar(name, value, state.epoch)
        self._writer.flush()

    def on_train_end(self, state: TrainingState) -> None:  # noqa: ARG002
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
