"""Go on after a crash as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from tidegate._core.files import output_folder
from tidegate.specs import checks
from tidegate.training import checkpoint
from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["BackupAndRestore"]


class BackupAndRestore(Callback):
    """Keep a checkpoint of the training, and go on from it when the same training is begun again.

    A training that is killed at any moment and begun again with the same arguments, on the same machine's CPU, ends
    with the same bits, weights and history, as one that was not disturbed. The checkpoint holds weights, all buffers,
    optimiser, schedule, torch's generators, the place in the data, callbacks and the sums of an epoch under way.
    Data that is not `Batches` or `ContinuousBatches` is gone through again up to that place.

    Parameters
    ----------
    backup_dir
        Folder of ``checkpoint.safetensors``; made if absent. One training, one folder.
    save_freq
        ``"epoch"``, or a number of optimiser steps; then also at the end of each epoch.
    delete_checkpoint
        Delete the checkpoint when the training ends well; it is kept if an exception ends it.

    Raises
    ------
    FileFormatError
        If the file there is damaged, or of a training with another module, optimiser, `Training` or data.
    OutputError
        If the folder cannot be written.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Literal["epoch"] | int = "epoch",
        delete_checkpoint: bool = True,
    ) -> None:
        if save_freq != "epoch":
            checks.whole("save_freq", save_freq)
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self._begun = False

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.backup_dir / "checkpoint.safetensors"

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """See that the folder can be written, before there is something to lose."""
        output_folder(self.backup_dir)
        self._begun = False

    def on_safe_point(self, state: TrainingState) -> None:
        """Restore before the first step, save after those asked for."""
        if not self._begun:
            self._begun = True
            if self.path.exists():
                checkpoint.restore(state, self.path)
        elif state.batches_in_epoch == 0 or (self.save_freq != "epoch" and state.step % int(self.save_freq) == 0):
            checkpoint.save(state, self.path)

    def on_train_end(self, state: TrainingState) -> None:
        """Delete the checkpoint of a training that ended well."""
        if self.delete_checkpoint and not state.failed:
            self.path.unlink(missing_ok=True)
