"""The report about a regressor of whole series: how far off it was, and where."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate._core.files import write_text
from tidegate.report import charts, tables
from tidegate.report.closing import closing_sections
from tidegate.report.markup import number, text, whole
from tidegate.report.page import Section, chart, page
from tidegate.report.words import METRICS, OWN, best_models, model_name

__all__ = ["RegressionReport"]

_NOTHING = "Nothing that had to be mended or left out."
_SCORES = ("MAE", "RMSE", "R2")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RegressionReport:
    """A report about one fit of a regressor.

    Parameters
    ----------
    title
        Of the page.
    scores
        ``MAE``, ``RMSE`` and ``R2`` over held-out examples, by the name of the model: ``"tidegate"``, then the
        baselines; ``None`` where undefined.
    actual, predicted
        What was true of the held-out examples, and what the model said, ``[example]``.
    losses
        Of each epoch of the training.
    loss
        What these losses measure.
    settings
        Groups of settings to list.
    notes
        What was noticed in the data.
    """

    title: str
    scores: Mapping[str, Mapping[str, Any]]
    actual: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.float64]
    losses: Mapping[str, Sequence[float]]
    loss: str
    settings: Mapping[str, Mapping[str, object]]
    notes: Sequence[str] = ()

    def html(self) -> str:
        """Give the report as one self-contained HTML page; the same content gives the same bytes."""
        drawn = {
            "agreement": charts.agreement(self.actual, self.predicted),
            "residuals": charts.residuals(self.actual, self.predicted),
        }
        if any(self.losses.values()):
            drawn["training"] = charts.training_curve(self.losses, unit=f"loss ({self.loss})", of="examples")
        return page(self.title, self._lead(), self._sections(), drawn, first=0)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `html` to ``path``, whole or not at all. Raises `OutputError`."""
        write_text(path, self.html())

    def verdict(self) -> str:
        """Say in a sentence how the model compares with the best baseline."""
        shown = self._shown()
        own = shown[OWN]["RMSE"]
        said = f"Tidegate is off by {number(own)} (root mean square) over {whole(len(self.actual))} held-out examples"
        others = {model: values for model, values in shown.items() if model != OWN}
        best = best_models(others, "RMSE")
        if not best:
            return f"{said}."
        baseline = min(best, key=list(others).index)
        theirs = others[baseline]["RMSE"]
        sentence = f"{said}; the best baseline, {model_name(baseline)}, by {number(theirs)}."
        return sentence if own < theirs else f"{sentence} For these data that baseline is as good or better."

    def _lead(self) -> str:
        span = f"{number(float(self.actual.min()))} to {number(float(self.actual.max()))}"
        facts = {"Held-out examples": whole(len(self.actual)), "Their numbers": span}
        return f'<p class="lead">{text(self.verdict())}</p>{tables.facts(facts)}'

    def _sections(self) -> list[Section]:
        caption = (
            f"Over {whole(len(self.actual))} held-out examples, which no model saw before. The best of each column is "
            "bold and starred."
        )
        known = {name: METRICS[name] for name in _SCORES}
        table = tables.score_table(self._shown(), caption, known=known) + tables.terms(known)
        agreement = chart(
            "agreement",
            label="What the model said against what was true",
            caption="Dots on the solid line are right. A cloud that is flatter than the line shies away from extremes.",
        )
        residuals = chart(
            "residuals",
            label="How far off the model was, against what was true",
            caption="Prediction less truth: dots above zero were told too high. They should show no pattern.",
        )
        return [
            Section("scores", "Scores beside the baselines", table),
            Section("agreement", "Predicted against true", agreement),
            Section("residuals", "How far off", residuals),
            *closing_sections(self.losses, self.notes, self.settings, of="examples", nothing=_NOTHING),
        ]

    def _shown(self) -> dict[str, dict[str, float]]:
        return {
            model: {name: math.nan if values[name] is None else float(values[name]) for name in _SCORES}
            for model, values in self.scores.items()
        }
