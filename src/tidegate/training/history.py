"""What a training leaves behind: its curve, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["History"]


class History:
    """The logs of a training, one number an epoch.

    Attributes
    ----------
    steps : int
        Optimiser steps made.
    stopped : str or None
        Why a callback stopped the training; ``None`` if it went to its end.

    Examples
    --------
    >>> history = History()
    >>> history.append({"loss": 2.0, "val_loss": 3.0})
    >>> history.append({"loss": 1.0, "val_loss": 4.0})
    >>> history["loss"], history.epochs, history.best_epoch
    ([2.0, 1.0], 2, 0)
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {}
        self._epochs = 0
        self.steps = 0
        self.stopped: str | None = None

    def __getitem__(self, name: str) -> list[float]:
        """Give the values of ``name``, an epoch each. Raises `KeyError`, naming what there is."""
        if name not in self._columns:
            raise KeyError(f"{name!r} was not logged; there is {', '.join(self._columns) or 'nothing yet'}")
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self._columns.items())
        ending = f", stopped: {self.stopped}" if self.stopped else ""
        return f"History({self._epochs} epochs, {self.steps} steps; {last}{ending})"

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return self._epochs

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 0, with the lowest ``val_loss`` (``loss`` without validation); ``None`` if none."""
        values = self._columns.get("val_loss", self._columns.get("loss", []))
        finite = [(value, epoch) for epoch, value in enumerate(values) if not math.isnan(value)]
        return min(finite)[1] if finite else None

    def append(self, logs: Mapping[str, float]) -> None:
        """Add an epoch. What was not logged before, or is not now, is NaN there."""
        for name in logs:
            self._columns.setdefault(name, [math.nan] * self._epochs)
        for name, values in self._columns.items():
            values.append(logs.get(name, math.nan))
        self._epochs += 1

    def to_dict(self) -> dict[str, Any]:
        """Describe the history in types that JSON knows."""
        return {
            "logs": {name: list(values) for name, values in self._columns.items()},
            "epochs": self._epochs,
            "steps": self.steps,
            "stopped": self.stopped,
            "best_epoch": self.best_epoch,
        }

    def load_dict(self, values: Mapping[str, Any]) -> None:
        """Become the history that `to_dict` described."""
        self._columns = {name: list(column) for name, column in values["logs"].items()}
        self._epochs, self.steps, self.stopped = values["epochs"], values["steps"], values["stopped"]
