"""``tidegate forecast``: from a CSV to a forecast, a model, scores and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from tidegate.cli.columns import choose_columns, header_of
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.specs import Columns, checks

if TYPE_CHECKING:
    from tidegate.forecast import Forecaster

__all__ = ["Options", "build_model", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate forecast`` takes; what is ``None`` is left to the forecaster's defaults."""

    csv: Annotated[Path, Argument(help="The data: a CSV file, or .csv.gz, with a row for each series and time.")]
    horizon: Annotated[int, Option("--horizon", help="Steps to forecast.")]
    out: Annotated[Path, Option("--out", help="Folder for forecast.csv, model.safetensors, report.html, scores.json.")]
    time: Annotated[str | None, Option("--time", help="Column of time stamps. [default: ds, date, time, …]")] = None
    target: Annotated[
        list[str] | None,
        Option("--target", help="Column to forecast; repeat it or put commas between. [default: y, else all numeric]"),
    ] = None
    id: Annotated[str | None, Option("--id", help="Column that names the series. [default: unique_id]")] = None
    frequency: Annotated[
        str | None, Option("--frequency", help="Distance of rows: h, D, MS, …, or a number. [default: inferred]")
    ] = None
    context: Annotated[int | None, Option("--context", help="Past steps to read. [default: 2 to 3 seasons]")] = None
    season: Annotated[int | None, Option("--season", help="Steps of a season; 1 is none. [default: detected]")] = None
    strategy: Annotated[str | None, Option("--strategy", help="direct (default) or recursive.")] = None
    transform: Annotated[
        str | None, Option("--transform", help="identity (default), log, log1p or boxcox, before scaling.")
    ] = None
    origin: Annotated[
        str | None, Option("--origin", help="What outputs are measured from: centre, last or season (default).")
    ] = None
    loss: Annotated[str | None, Option("--loss", help="mae (default), mse or huber.")] = None
    cell: Annotated[str | None, Option("--cell", help="lstm (default) or gru.")] = None
    hidden_size: Annotated[int | None, Option("--hidden-size", help="Units of a layer.")] = None
    layers: Annotated[int | None, Option("--layers", help="Recurrent layers.")] = None
    epochs: Annotated[int | None, Option("--epochs", help="Passes over the data at most.")] = None
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    batch_size: Annotated[int | None, Option("--batch-size", help="Windows a step.")] = None
    learning_rate: Annotated[float | None, Option("--learning-rate", help="Of the optimiser; the peak.")] = None
    windows: Annotated[
        int | None, Option("--windows", help="Held-out windows to score on. [default: 3, fewer of short series]")
    ] = None
    seed: Annotated[int, Option("--seed", help="Same seed, same data, same machine: same result.")] = 0
    device: Annotated[str, Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    skip_short: Annotated[bool, Option("--skip-short", help="Leave out series that are too short.")] = False
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        checks.whole("--horizon", self.horizon)
        if self.windows is not None:
            checks.whole("--windows", self.windows)


def run(options: Options) -> None:
    """Forecast the series of a CSV file.

    A model is scored on held-out rows beside simple baselines, then fitted on all rows. The folder of --out then holds
    the forecast, the model, the scores, and a report to open in a browser.
    """
    console = Console(quiet=options.quiet)
    columns, remarks = choose_columns(
        header_of(options.csv),
        time=options.time,
        targets=options.target or (),
        id=options.id,
        frequency=options.frequency,
    )
    for remark in remarks:
        console.remark(remark)

    from tidegate.cli.job import Job, show_scores
    from tidegate.data import read_csv
    from tidegate.report.words import frequency_name

    model = build_model(options, columns)
    table = read_csv(options.csv, columns, sort=options.sort)
    targets = ", ".join(table.columns.targets)
    console.remark(
        f"{len(table)} series, {len(table.times)} rows of {targets}, {frequency_name(table.columns.frequency)}"
    )
    job = Job(table=table, model=model, folder=options.out, windows=options.windows, skip_short=options.skip_short)
    summary = job.run(console)
    if options.json:
        console.json(summary)
        return
    show_scores(summary["scores"], console)
    for name, path in summary["files"].items():
        console.result(f"{name:9}{path}")


def build_model(options: Options, columns: Columns) -> Forecaster:
    """Make the forecaster that the options describe; defaults stay the forecaster's own. Raises `SpecError`."""
    from tidegate.forecast import Forecaster

    plain = {
        name: getattr(options, name)
        for name in ("context", "season", "strategy", "loss")
        if getattr(options, name) is not None
    }
    model = Forecaster(horizon=options.horizon, columns=columns, seed=options.seed, device=options.device, **plain)
    nested = {
        "scaling__transform": options.transform,
        "scaling__output": options.origin,
        "network__cell": options.cell,
        "network__hidden_size": options.hidden_size,
        "network__num_layers": options.layers,
        "training__epochs": options.epochs,
        "training__max_steps": options.max_steps,
        "training__batch_size": options.batch_size,
        "training__learning_rate": options.learning_rate,
    }
    changes: dict[str, Any] = {name: value for name, value in nested.items() if value is not None}
    return model.set_params(**changes)
