"""The description of how often a window is drawn for training."""

from __future__ import annotations

import dataclasses

from tidegate.specs import checks

__all__ = ["BALANCES", "Sampling"]

BALANCES = ("windows", "series", "root")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
    """How often a window is drawn beside the others.

    Parameters
    ----------
    half_life
        Steps after which a window is drawn half as often as one at the end of its series; ``None``: all alike.
    balance
        ``"windows"``: each window counts the same, long series more than short ones. ``"series"``: each series counts
        the same. ``"root"``: between the two, by the square root of what a series holds.
    """

    half_life: float | None = None
    balance: str = "windows"

    def __post_init__(self) -> None:
        if self.half_life is not None:
            checks.at_least("half_life", self.half_life, 0, exclusive=True)
        checks.one_of("balance", self.balance, BALANCES)

    @property
    def uniform(self) -> bool:
        """Whether every window is drawn equally often."""
        return self.half_life is None and self.balance == "windows"
