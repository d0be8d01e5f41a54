"""The history as a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate._core.files import write_bytes
from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write a line an epoch: its number, counted from 0, and what was logged. UTF-8, with a header.

    The file is whole at any moment, and after a training was killed and resumed it has each epoch once.

    Parameters
    ----------
    filename
        Where to.
    separator
        Between values.
    append
        Keep what the file holds, and its header, and go on below.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] = []
        self._text = ""

    def on_train_begin(self, state: TrainingState) -> None:  # noqa: ARG002
        """Begin the file, or read what is there to go on below."""
        self._columns, self._text = [], ""
        if self.append and self.filename.is_file():
            self._text = self.filename.read_text("utf-8")
            self._columns = next(csv.reader(io.StringIO(self._text), delimiter=self.separator), [])

    def on_epoch_end(self, state: TrainingState) -> None:
        """Add the epoch's line."""
        if not self._columns:
            self._columns = ["epoch", *state.logs]
            self._text = self._line(self._columns)
        row: dict[str, Any] = {"epoch": state.epoch, **state.logs}
        self._text += self._line([row.get(name, "") for name in self._columns])
        write_bytes(self.filename, self._text.encode())

    def state_dict(self) -> dict[str, Any]:
        """Give the lines so far."""
        return {"columns": self._columns, "text": self._text}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._columns, self._text = list(state["columns"]), state["text"]

    def _line(self, values: list[Any]) -> str:
        line = io.StringIO()
        csv.writer(line, delimiter=self.separator, lineterminator="\n").writerow(values)
        return line.getvalue()
