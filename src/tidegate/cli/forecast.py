"""``tidegate forecast``: from a CSV to a forecast, a model, scores and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate.cli.ahead import FutureFile, Levels, asked_levels
from tidegate.cli.columns import ColumnFlags, choose_columns, header_of
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.model import ModelFlags, build_model
from tidegate.cli.scores import show_scores
from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate forecast`` takes."""

    csv: Annotated[Path, Argument(help="The data: a CSV file, or .csv.gz, with a row for each series and time.")]
    horizon: Annotated[int, Option("--horizon", help="Steps to forecast.")]
    out: Annotated[Path, Option("--out", help="Folder for forecast.csv, model.safetensors, report.html, scores.json.")]
    columns: ColumnFlags = dataclasses.field(default_factory=ColumnFlags)
    future: FutureFile = None
    levels: Levels = None
    model: ModelFlags = dataclasses.field(default_factory=ModelFlags)
    windows: Annotated[
        int | None, Option("--windows", help="Held-out windows to score on. [default: 3, fewer of short series]")
    ] = None
    baselines: Annotated[
        str | None,
        Option(
            "--baselines",
            help="Names with commas between; auto_ets, auto_arima and theta need the extra statsforecast. "
            "[default: naive,seasonal_naive,drift,naive2]",
        ),
    ] = None
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
    columns, remarks = choose_columns(header_of(options.csv), options.columns)
    for remark in remarks:
        console.remark(remark)

    from tidegate.cli.job import Job
    from tidegate.data import read_csv
    from tidegate.report.words import frequency_name

    model = build_model(options.model, horizon=options.horizon, columns=columns)
    levels = asked_levels(options.levels, model)
    baselines = _baselines(options.baselines)
    table = read_csv(options.csv, columns, sort=options.sort)
    targets = ", ".join(table.columns.targets)
    console.remark(
        f"{len(table)} series, {len(table.times)} rows of {targets}, {frequency_name(table.columns.frequency)}"
    )
    job = Job(
        table=table,
        model=model,
        folder=options.out,
        windows=options.windows,
        levels=levels,
        baselines=baselines,
        future=options.future,
        skip_short=options.skip_short,
    )
    summary = job.run(console)
    if options.json:
        console.json(summary)
        return
    show_scores(summary["scores"], summary["intervals"], console)
    for name, path in summary["files"].items():
        console.result(f"{name:9}{path}")


def _baselines(text: str | None) -> tuple[str, ...]:
    """Read names of baselines and find them, before time is spent on a model. Raises `SpecError`."""
    from tidegate.forecast.baselines import BASELINES
    from tidegate.forecast.statistical import find_baselines

    if text is None:
        return tuple(BASELINES)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise SpecError("--baselines needs one name at least: a score means little without a baseline beside it")
    return tuple(find_baselines(names))
