"""The learning rate over the optimiser steps of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.training import SCHEDULES

__all__ = ["LearningRate", "cosine", "linear", "one_cycle"]

_WARM_UP = 0.3  # share of the steps up to the peak
_START, _FINAL = 1 / 25, 1 / 250_000  # of the peak


def cosine(step: int, total: int) -> float:
    """Give (1 + cos(π·step/total)) / 2: from 1 to 0 along half a cosine (Loshchilov & Hutter, 2017, no restarts)."""
    return (1 + math.cos(math.pi * min(step / total, 1))) / 2


def linear(step: int, total: int) -> float:
    """Give 1 − step/total: from 1 to 0 along a straight line."""
    return max(1 - step / total, 0.0)


def one_cycle(step: int, total: int) -> float:
    """Give the share of the peak in Smith & Topin's (2018) one cycle: up for 30 % of the steps, then down.

    With the numbers of torch's ``OneCycleLR``: from 1/25 of the peak up along half a cosine, then down to 1/250,000
    at the last step; momentum is left alone.
    """
    if total == 1:
        return 1.0
    top, last = _WARM_UP * total - 1, total - 1
    if step <= top:
        return _between(_START, 1.0, step / top if top else 1.0)
    return _between(1.0, _FINAL, min((step - top) / (last - top), 1.0))


_FACTORS: dict[str, Callable[[int, int], float]] = {"cosine": cosine, "linear": linear, "one_cycle": one_cycle}


class LearningRate:
    """The learning rate of every parameter group: its own base times the schedule's factor.

    Parameters
    ----------
    optimizer
        Whose rates are set; those that it has now are the base.
    schedule
        A name of `tidegate.specs.training.SCHEDULES`, or ``None`` for a constant rate.
    total
        Optimiser steps of the whole training; only a schedule needs it.

    Raises
    ------
    SpecError
        If there is a schedule, but no ``total``.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: str | None, total: int | None) -> None:
        checks.one_of("schedule", schedule, SCHEDULES)
        if schedule is not None and total is None:
            raise SpecError(
                f"schedule={schedule!r} needs to know how many steps there will be, and these batches have no length; "
                "give max_steps"
            )
        self.schedule = schedule
        self._optimizer = optimizer
        self._factor = None if schedule is None else _FACTORS[schedule]
        self._total = total or 0
        self._base = [float(group["lr"]) for group in self._groups]
        self.apply(0)

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return self._optimizer.param_groups  # asked for anew: load_state_dict puts another list there

    @property
    def value(self) -> float:
        """The present learning rate, that of the first parameter group."""
        return float(self._groups[0]["lr"])

    def apply(self, step: int) -> None:
        """Set the rates for optimiser step ``step``, counted from 0."""
        if self._factor is None:
            return
        factor = self._factor(step, self._total)
        for group, base in zip(self._groups, self._base, strict=True):
            _set(group, base * factor)

    def set(self, rate: float) -> None:
        """Make ``rate`` the present learning rate.

        Other parameter groups, and the rest of a schedule, are changed in proportion.
        """
        present = self.value
        for index, group in enumerate(self._groups):
            share = rate / present if present else 1.0
            self._base[index] = self._base[index] * share if present else rate
            _set(group, float(group["lr"]) * share if index and present else rate)

    def state_dict(self) -> dict[str, Any]:
        """Give the base rates and the present ones."""
        return {"base": list(self._base), "present": [float(group["lr"]) for group in self._groups]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._base = list(state["base"])
        for group, rate in zip(self._groups, state["present"], strict=True):
            _set(group, rate)


def _set(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)  # an optimiser made capturable keeps its rate on the device
    else:
        group["lr"] = rate


def _between(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) / 2 * (1 + math.cos(math.pi * share))
