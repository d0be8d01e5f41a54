"""A progress bar on standard error."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["Progress"]

_EVERY = 0.1  # seconds


class Progress(Callback):
    """Show how far a training has come, and what was logged last; nothing where standard error is no terminal.

    Parameters
    ----------
    console
        Where to draw; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._next = 0.0

    def on_train_begin(self, state: TrainingState) -> None:
        """Draw the empty bar."""
        console = self._console or Console(file=sys.stderr)
        if not console.is_terminal:
            return
        columns = (TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, TextColumn("{task.fields[values]}"), console=console, transient=False)
        self._bar.add_task("", total=state.plan.total_steps, epoch=1, values="")
        self._bar.start()

    def on_batch_end(self, state: TrainingState) -> None:
        """Move the bar, ten times a second at most."""
        if self._bar is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._bar.update(self._bar.task_ids[0], completed=state.step, epoch=state.epoch + 1)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Show what was logged."""
        if self._bar is not None:
            values = "  ".join(f"{name} {value:.4g}" for name, value in state.logs.items())
            self._bar.update(self._bar.task_ids[0], completed=state.step, epoch=state.epoch + 1, values=values)

    def on_train_end(self, state: TrainingState) -> None:  # noqa: ARG002
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
