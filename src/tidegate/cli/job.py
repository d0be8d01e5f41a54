"""The main job: backtest, final fit, forecast, report, and the four files they end in."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate import __version__
from tidegate._core.files import atomic_path, write_text
from tidegate.cli.console import Console, strict_json
from tidegate.cli.outputs import placed_together

if TYPE_CHECKING:
    from tidegate.data import SeriesTable
    from tidegate.forecast import Backtest, Forecaster

__all__ = ["FILES", "Job", "show_scores", "write_frame"]

FILES = {"forecast": "forecast.csv", "model": "model.safetensors", "report": "report.html", "scores": "scores.json"}
_WINDOWS = 3  # of a backtest, where the series are long enough


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One run of ``tidegate forecast``.

    Parameters
    ----------
    table
        The data.
    model
        Not fitted yet.
    folder
        Where the files go.
    windows
        Held-out windows to score the model on; ``None`` takes three, or fewer of short series.
    skip_short
        Leave out series that are too short, instead of refusing the table.
    """

    table: SeriesTable
    model: Forecaster
    folder: Path
    windows: int | None = None
    skip_short: bool = False

    def run(self, console: Console) -> dict[str, Any]:
        """Do it.

        Returns
        -------
        dict
            What `scores.json` holds (see `_summary`) and, under ``files``, the paths of all four files.
        """
        with placed_together(self.folder, list(FILES.values())) as place:
            summary = self._write(place, console)
        return summary | {"files": {name: str(self.folder / file) for name, file in FILES.items()}}

    def _write(self, place: Path, console: Console) -> dict[str, Any]:
        model, table = self.model, self.table
        windows = self.windows or self._roomy_windows()
        console.remark(
            f"backtest: {windows} window{'s' if windows > 1 else ''} of {model.horizon}, held out of training"
        )
        progress = console.progress()
        backtest = model.backtest(table, windows=windows, skip_short=self.skip_short, callbacks=progress)
        console.remark("training on all rows")
        model.fit(table, skip_short=self.skip_short, callbacks=progress)
        for note in model.notes_:
            console.remark(note)
        frame = model.predict(table, skip_short=self.skip_short)
        summary = _summary(model, table, backtest)
        write_frame(frame, place / FILES["forecast"])
        model.save(place / FILES["model"])
        self._report(frame, backtest, place / FILES["report"])
        write_text(place / FILES["scores"], strict_json(summary) + "\n")
        return summary

    def _roomy_windows(self) -> int:
        """Leave the shortest series enough to train on; the middling one, when short ones may be left out."""
        lengths = self.table.lengths
        rows = float(np.median(lengths) if self.skip_short else lengths.min())
        return int(min(max((rows - self.model.horizon - 2) // self.model.horizon, 1), _WINDOWS))

    def _report(self, frame: Any, backtest: Backtest, path: Path) -> None:
        from tidegate.data import future_times
        from tidegate.report import ForecastReport

        model, horizon = self.model, self.model.horizon
        table = self.table
        if table.has_id:  # those without a forecast were left out as too short
            served = set(frame[table.columns.id].tolist())
            table = table.select([identity in served for identity in table.ids.tolist()])
        hats = frame[[f"{name}_hat" for name in table.columns.targets]].to_numpy()
        ForecastReport(
            table=table,
            times=future_times(table, horizon),
            forecast=hats.reshape(len(table), horizon, -1),
            backtest=backtest,
            losses={name: model.history_[name] for name in model.history_},
            loss=f"{model.loss} of scaled values",
            settings=_settings(model),
            notes=model.notes_,
        ).write(path)


def show_scores(scores: Mapping[str, Mapping[str, float]], console: Console) -> None:
    """Print scores as a table, and what they amount to."""
    from tidegate.report.markup import number
    from tidegate.report.words import METRICS, model_name, verdict

    def short(model: str) -> str:
        return model_name(model).partition(" (")[0]  # what stands in brackets would not fit a terminal

    metrics = [name for name in METRICS if name in next(iter(scores.values()))]
    rows = [["", *metrics]]
    rows += [[short(model), *(number(values.get(name)) for name in metrics)] for model, values in scores.items()]
    console.table(rows)
    console.result(verdict(scores))


def write_frame(frame: Any, path: Path) -> None:
    """Write a pandas frame as CSV, whole or not at all. Raises `OutputError`."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.10g")


def _summary(model: Forecaster, table: SeriesTable, backtest: Backtest) -> dict[str, Any]:
    """Say what came out, in types that JSON knows.

    ==============================  ===================================================================================
    ``tidegate``                    the version
    ``series``, ``rows``            of the data
    ``targets``, ``frequency``      what was forecast, and how far apart the rows are
    ``horizon``, ``context``        in steps
    ``season``                      in steps; 1 is none
    ``windows``                     held-out windows of the backtest
    ``scores``                      for each model MAE, RMSE, MAPE (%), sMAPE (%), R2, MASE; ``null`` where undefined
    ``epochs``, ``steps``           of the final training
    ``notes``                       what was noticed in the data
    ==============================  ===================================================================================
    """
    return {
        "tidegate": __version__,
        "series": len(table),
        "rows": len(table.times),
        "targets": list(table.columns.targets),
        "frequency": table.columns.frequency,
        "horizon": model.horizon,
        "context": model.context_,
        "season": model.season_,
        "windows": len(backtest.cutoffs),
        "scores": backtest.scores,
        "epochs": model.history_.epochs,
        "steps": model.history_.steps,
        "notes": list(model.notes_),
    }


def _settings(model: Forecaster) -> dict[str, dict[str, object]]:
    import torch

    params = model.get_params(deep=False)
    groups: dict[str, dict[str, object]] = {
        "Forecast": {
            "horizon": model.horizon,
            "context": model.context_,
            "season": model.season_,
            "strategy": model.strategy,
            "loss": model.loss,
            "seed": model.seed,
            "device": str(model.device),
        }
    }
    for name in ("network", "training", "scaling"):
        spec = params[name]
        groups[name.capitalize()] = {
            field.name.replace("_", " "): getattr(spec, field.name) for field in dataclasses.fields(spec)
        }
    groups["Training"] |= {"epochs run": model.history_.epochs, "steps run": model.history_.steps}
    groups["Versions"] = {
        "tidegate": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    return groups
