"""The main job: backtest, final fit, forecast, report, and the four files they end in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate import __version__
from tidegate._core.files import atomic_path, write_text
from tidegate.cli.ahead import has_intervals, read_ahead, served_series
from tidegate.cli.console import Console, strict_json
from tidegate.cli.outputs import placed_together
from tidegate.cli.scores import named_levels, plain_level
from tidegate.cli.settings import loss_name, settings

if TYPE_CHECKING:
    from tidegate.data import SeriesTable
    from tidegate.forecast import Backtest, Forecaster
    from tidegate.training import Callback

__all__ = ["FILES", "Job", "write_frame"]

FILES = {"forecast": "forecast.csv", "model": "model.safetensors", "report": "report.html", "scores": "scores.json"}
_WINDOWS = 3  # of a backtest, where the series are long enough
_WITHOUT_INTERVALS = "these forecasts are points; --head quantiles or --calibration 0.1 gives intervals as well"


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
    levels
        Of the intervals, in per cent; the model must have them.
    baselines
        What the model is scored beside; ``None`` takes those that need no extra.
    future
        CSV file of what is known of the steps to forecast.
    skip_short
        Leave out series that are too short, instead of refusing the table.
    """

    table: SeriesTable
    model: Forecaster
    folder: Path
    windows: int | None = None
    levels: tuple[float, ...] = ()
    baselines: tuple[str, ...] | None = None
    future: Path | None = None
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
        if not self.skip_short:  # a file that cannot be used is refused before the training
            read_ahead(self.future, table, model, served=table)
        windows = self.windows or self._roomy_windows()
        console.remark(
            f"backtest: {windows} window{'s' if windows > 1 else ''} of {model.horizon}, held out of training"
        )
        progress = console.progress()
        backtest = self._backtest(windows, progress)
        console.remark("training on all rows")
        model.fit(table, skip_short=self.skip_short, callbacks=progress)
        for note in model.notes_:
            console.remark(note)
        served = served_series(table, model, skip_short=self.skip_short)
        future = read_ahead(self.future, table, model, served=served)
        frame = model.predict(served, future=future, levels=self.levels)
        summary = _summary(model, table, backtest)
        write_frame(frame, place / FILES["forecast"])
        model.save(place / FILES["model"])
        self._report(served, frame, backtest, place / FILES["report"])
        write_text(place / FILES["scores"], strict_json(summary) + "\n")
        if not has_intervals(model):
            console.remark(_WITHOUT_INTERVALS)
        return summary

    def _backtest(self, windows: int, callbacks: list[Callback]) -> Backtest:
        from tidegate.forecast.baselines import BASELINES

        return self.model.backtest(
            self.table,
            windows=windows,
            levels=self.levels,
            baselines=tuple(BASELINES) if self.baselines is None else self.baselines,
            skip_short=self.skip_short,
            callbacks=callbacks,
        )

    def _roomy_windows(self) -> int:
        """Leave the shortest series enough to train on; the middling one, when short ones may be left out."""
        lengths = self.table.lengths
        rows = float(np.median(lengths) if self.skip_short else lengths.min())
        return int(min(max((rows - self.model.horizon - 2) // self.model.horizon, 1), _WINDOWS))

    def _report(self, table: SeriesTable, frame: Any, backtest: Backtest, path: Path) -> None:
        from tidegate.data import future_times
        from tidegate.forecast.frames import interval_names
        from tidegate.report import ForecastReport

        model, horizon = self.model, self.model.horizon
        targets = table.columns.targets

        def arranged(names: Sequence[str]) -> np.ndarray:
            columns: np.ndarray = frame[list(names)].to_numpy()
            return columns.reshape(len(table), horizon, -1)

        ends = {
            level: zip(*(interval_names(target, level) for target in targets), strict=True) for level in self.levels
        }
        ForecastReport(
            table=table,
            times=future_times(table, horizon),
            forecast=arranged([f"{name}_hat" for name in targets]),
            bands={level: (arranged(low), arranged(high)) for level, (low, high) in ends.items()},
            backtest=backtest,
            losses={name: model.history_[name] for name in model.history_},
            loss=loss_name(model.uncertainty),
            settings=settings(model),
            notes=model.notes_,
        ).write(path)


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
    ``levels``                      of the intervals, in per cent
    ``scores``                      for each model MAE, RMSE, MAPE (%), sMAPE (%), R2, MASE, RMSSE, OWA (beside Naive2),
                                    pinball and CRPS (of a model with intervals); ``null`` where undefined
    ``intervals``                   for each model and level coverage (%), width, MSIS; empty for points
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
        "levels": [plain_level(level) for level in backtest.levels],
        "scores": backtest.scores,
        "intervals": named_levels(backtest.intervals),
        "epochs": model.history_.epochs,
        "steps": model.history_.steps,
        "notes": list(model.notes_),
    }
