"""``tidegate detect``: from a CSV to anomalies, a model, scores and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate.cli.columns import ColumnFlags, Names, choose_columns, header_of
from tidegate.cli.console import Console
from tidegate.cli.detector_flags import DetectorFlags, build_detector
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.errors import ColumnError, SpecError
from tidegate.specs import checks

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate detect`` takes."""

    csv: Annotated[Path, Argument(help="The data: a CSV file, or .csv.gz, with a row for each series and time.")]
    out: Annotated[
        Path, Option("--out", help="Folder for scores.csv, events.csv, model.safetensors, report.html, scores.json.")
    ]
    time: Annotated[str | None, Option("--time", help="Column of time stamps. [default: ds, date, time, …]")] = None
    target: Annotated[
        Names, Option("--target", help="Column to watch; repeat it or put commas between. [default: y, else all]")
    ] = None
    id: Annotated[str | None, Option("--id", help="Column that names the series. [default: unique_id]")] = None
    frequency: Annotated[
        str | None, Option("--frequency", help="Distance of rows: h, D, MS, …, or a number. [default: inferred]")
    ] = None
    labels: Annotated[
        str | None, Option("--labels", help="Column of 0 and 1 to score by; nothing is learnt from it.")
    ] = None
    train_rows: Annotated[
        int | None, Option("--train-rows", help="Train on the first rows of each series alone. [default: on all]")
    ] = None
    causal: Annotated[bool, Option("--causal", help="Score each row without a look at those after it.")] = False
    gap: Annotated[int, Option("--gap", help="Join events that lie no more than so many rows apart.")] = 0
    detector: DetectorFlags = dataclasses.field(default_factory=DetectorFlags)
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    skip_short: Annotated[bool, Option("--skip-short", help="Leave out series that are too short.")] = False
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        checks.whole("--gap", self.gap, least=0)
        if self.train_rows is not None:
            checks.whole("--train-rows", self.train_rows)
        if self.labels is not None and self.skip_short:
            raise SpecError("--labels scores all rows, and --skip-short leaves some out; leave one of them out")


def run(options: Options) -> None:
    """Find anomalies in the series of a CSV file.

    A network learns what the rows look like, and each is scored by how wrong it is about it. The folder of --out then
    holds the scores of all rows, the events, the model, and a report to open in a browser.
    """
    console = Console(quiet=options.quiet)
    asked = ColumnFlags(
        time=options.time,
        target=options.target,
        id=options.id,
        frequency=options.frequency,
        past=None if options.labels is None else [options.labels],  # read beside the variables, never as one of them
    )
    header = header_of(options.csv)
    if options.labels is not None and header and options.labels not in header:
        raise ColumnError(f"--labels is {options.labels!r}, which is no column; the columns are {', '.join(header)}")
    columns, remarks = choose_columns(header, asked)
    for remark in remarks:
        console.remark(remark)

    from tidegate.cli.detect_file import without_labels
    from tidegate.cli.detect_job import DetectJob
    from tidegate.cli.scores import show_plain_scores
    from tidegate.data import read_csv
    from tidegate.report.words import frequency_name

    model = build_detector(options.detector, columns=dataclasses.replace(columns, past=()))
    table, labels = without_labels(read_csv(options.csv, columns, sort=options.sort))
    targets = ", ".join(table.columns.targets)
    console.remark(
        f"{len(table)} series, {len(table.times)} rows of {targets}, {frequency_name(table.columns.frequency)}"
    )
    job = DetectJob(
        table=table,
        model=model,
        folder=options.out,
        labels=labels,
        train_rows=options.train_rows,
        causal=options.causal,
        gap=options.gap,
        skip_short=options.skip_short,
    )
    summary = job.run(console)
    if options.json:
        console.json(summary)
        return
    if summary["scores"]:
        show_plain_scores(summary["scores"], console)
    console.result(f"{summary['events']} events, {summary['anomalies']} of {summary['rows']} rows")
    for name, path in summary["files"].items():
        console.result(f"{name:9}{path}")
