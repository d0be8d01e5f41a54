"""The description of a forecast's uncertainty."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["HEADS", "LOSSES", "UNITS", "Uncertainty"]

LOSSES = ("mae", "mse", "huber")
UNITS = ("window", "series")
HEADS = ("point", "quantiles", "gaussian", "student_t", "negative_binomial")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """What a forecast says beside its point, and what that is held against.

    Parameters
    ----------
    head
        What the network gives for each step: ``"point"`` (one number), ``"quantiles"`` (several, trained by their
        pinball losses), or a distribution, trained by its likelihood: ``"gaussian"``, ``"student_t"``, or
        ``"negative_binomial"`` for counts, which are scaled but never shifted.
    loss
        What a point is trained by, on scaled values: ``"mae"``, ``"mse"`` or ``"huber"``. The other heads have a loss
        of their own.
    unscaled
        How much an error in the (transformed) units of the data counts beside the same error in the scaled units of
        its window: a window of scale s counts 1 + ``unscaled`` · s. 0 counts scaled errors alone, as MASE does; on
        logarithms, where s is relative, more than 0 also counts relative errors, as sMAPE does.
    units
        What the loss measures errors in: ``"window"``, the scale of each window, or ``"series"``, the mean change from
        season to season in the training rows of the series, which is what MASE divides by. The latter does not count a
        calm window of a lively series more; it needs ``transform="identity"``.
    quantiles
        Probabilities that a head of quantiles learns: increasing, strictly between 0 and 1, 0.5 and others on both
        sides of it among them. Other probabilities are interpolated.
    calibration
        Share (a float) or rows (a whole number) of each series' end that neither the training nor its early stopping
        sees: errors there set the width of the forecasts of each step (split conformal prediction; Lei et al., 2018).
        0 for none.
    refit
        Train once more after calibration, on all rows, and keep the widths that calibration found. They are then
        those of another network, trained on less: no longer exact, and rather too wide than too narrow.
    """

    head: str = "point"
    loss: str = "mae"
    unscaled: float = 0.0
    units: str = "window"
    quantiles: tuple[float, ...] = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
    calibration: float | int = 0.0
    refit: bool = False

    def __post_init__(self) -> None:
        checks.one_of("head", self.head, HEADS)
        checks.one_of("loss", self.loss, LOSSES)
        checks.at_least("unscaled", self.unscaled, 0)
        checks.one_of("units", self.units, UNITS)
        if self.units == "series" and self.unscaled:
            raise SpecError(f"units='series' measures all errors alike; unscaled={self.unscaled:g} belongs to 'window'")
        object.__setattr__(self, "quantiles", _probabilities(self.quantiles))
        if hasattr(self.calibration, "__index__"):  # rows; a bool, which has it too, is refused
            checks.whole("calibration", self.calibration, least=0)
        else:
            checks.probability("calibration", self.calibration)
        checks.flag("refit", self.refit)
        if self.head != "quantiles" and self.quantiles != Uncertainty.quantiles:
            raise SpecError(f"quantiles belong to head='quantiles', which learns them; head is {self.head!r}")
        if self.refit and not self.calibration:
            raise SpecError(
                "refit=True trains once more on the rows that calibration kept apart; calibration is 0. "
                "Give calibration a share or a number of rows, or leave refit"
            )


def _probabilities(given: tuple[float, ...] | list[float]) -> tuple[float, ...]:
    if not isinstance(given, tuple | list):
        raise SpecError(f"quantiles must be a tuple of probabilities; got {given!r}")
    for value in given:
        checks.number("quantiles", value)
    found = tuple(float(value) for value in given)
    increasing = all(low < high for low, high in zip((0.0, *found), (*found, 1.0), strict=True))
    if not (increasing and 0.5 in found[1:-1]):
        raise SpecError(
            "quantiles must increase strictly between 0 and 1, with 0.5 and others on both sides of it among them; "
            f"got {found}"
        )
    return found
