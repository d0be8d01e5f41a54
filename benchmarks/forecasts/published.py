"""What others have published in the same setting, and what is wanted of ours, beside what was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from forecasts.rows import cell, heading, row

__all__ = ["AIMS", "Aim", "measured_scores", "print_published"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Aim:
    """One figure of one data set.

    Attributes
    ----------
    data, measure
        As in `forecasts.sets.SETS`.
    published
        The best figure of others that it is held against, and whose it is.
    least, most
        Where ours must lie.
    """

    data: str
    measure: str
    published: str
    least: float = float("-inf")
    most: float = float("inf")

    def met(self, value: float) -> bool:
        """Say whether a figure is good enough."""
        return self.least <= value <= self.most

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        if self.least == float("-inf"):
            return f"≤ {self.most:g}"
        return f"{self.least:g} to {self.most:g}"


def _covered(data: str) -> list[Aim]:
    return [
        Aim(data=data, measure=f"coverage {level} %", published="", least=level - 3, most=level + 3)
        for level in (80, 95)
    ]


_DLINEAR = {96: 0.399, 192: 0.416, 336: 0.443, 720: 0.490}

AIMS: list[Aim] = [
    Aim(data="m4-hourly", measure="OWA", published="0.440 (ES-RNN), 0.628 (seasonal naive)", most=0.440),
    Aim(data="m4-hourly", measure="MSIS 95 %", published="7.928 (ES-RNN)", most=7.93),
    *_covered("m4-hourly"),
    Aim(data="m4-weekly", measure="OWA", published="0.851 (ES-RNN), 1.000 (seasonal naive)", most=0.851),
    *_covered("m4-weekly"),
    Aim(data="tourism", measure="MASE", published="1.409 (DeepAR), 1.526 (ETS)", most=1.409),
    *_covered("tourism"),
    Aim(data="etth1", measure="mean MSE", published="0.408 (SegRNN), 0.423 (DLinear)", most=0.408),
    *(
        Aim(data="etth1", measure=f"MAE {horizon}", published=f"{value:.3f} (DLinear)", most=value)
        for horizon, value in _DLINEAR.items()
    ),
    Aim(data="exchange", measure="MSE 96 / last value's", published="1 (the last value: 0.081)", most=1.01),
]


def measured_scores(file: Path) -> dict[tuple[str, str], float]:
    """Read what ``--save`` has written of test parts: ``(data, measure)`` to the latest median."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["part"] == "test":
            found.update({(record["set"], name): value for name, value in record["scores"].items()})
    return found


def print_published(files: Sequence[Path]) -> None:
    """Print every aim, and what was measured, if it was."""
    measured: dict[tuple[str, str], float] = {}
    for file in files:
        measured |= measured_scores(file)
    print(heading(["data", "measure", "published", "wanted", "measured", "reached"]))
    for aim in AIMS:
        value = measured.get((aim.data, aim.measure))
        reached = "" if value is None else "yes" if aim.met(value) else "**no**"
        print(row([aim.data, aim.measure, aim.published, aim.wanted, cell(value), reached]))
