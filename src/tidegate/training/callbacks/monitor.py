"""Watching one of the logged values for the better."""

from __future__ import annotations

import math

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.training.state import TrainingState

__all__ = ["Monitor"]

_HIGHER_IS_BETTER = ("accuracy", "acc", "auc", "f1", "precision", "r2", "recall")


class Monitor:
    """Compares the values of one name over the epochs.

    Parameters
    ----------
    name
        Of the value, for example ``"val_loss"``.
    mode
        ``"min"`` (lower is better), ``"max"``, or ``"auto"``: ``"max"`` for names that end in accuracy, acc, auc, f1,
        precision, r2 or recall, else ``"min"``.
    min_delta
        How much better, absolutely, a value must be to count as better.
    """

    def __init__(self, name: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        checks.one_of("mode", mode, ("auto", "min", "max"))
        checks.at_least("min_delta", min_delta, 0)
        self.name = name
        self.min_delta = min_delta
        self.higher = mode == "max" or (mode == "auto" and name.removeprefix("val_").endswith(_HIGHER_IS_BETTER))

    def read(self, state: TrainingState) -> float:
        """Give the epoch's value. Raises `SpecError`, naming what was logged, if it was not."""
        if self.name not in state.logs:
            hint = "; give validation data" if self.name.startswith("val_") and state.validation is None else ""
            raise SpecError(f"monitor={self.name!r} is not logged; there is {', '.join(sorted(state.logs))}{hint}")
        return state.logs[self.name]

    def better(self, value: float, than: float | None) -> bool:
        """Tell whether ``value`` beats ``than`` by more than ``min_delta``; NaN never does, anything beats ``None``."""
        if math.isnan(value) or than is None:
            return not math.isnan(value)
        return value > than + self.min_delta if self.higher else value < than - self.min_delta
