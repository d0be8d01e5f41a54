"""``tidegate predict``: forecast newer rows with a model from its file."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate._core.files import output_folder
from tidegate.cli.ahead import FutureFile, Levels, asked_levels, read_ahead, served_series
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Quiet

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate predict`` takes."""

    model: Annotated[Path, Argument(help="A model file that tidegate forecast wrote.")]
    csv: Annotated[Path, Argument(help="The latest rows of each series, under the column names of the training.")]
    out: Annotated[Path | None, Option("--out", help="CSV file to write. [default: standard output]")] = None
    future: FutureFile = None
    levels: Levels = None
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    skip_short: Annotated[bool, Option("--skip-short", help="Leave out series that are too short.")] = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Forecast newer rows with a saved model.

    The forecast begins after the last row of each series. Series that the model never saw are served, too.
    """
    from tidegate.cli.job import write_frame
    from tidegate.data import read_csv
    from tidegate.forecast import Forecaster

    console = Console(quiet=options.quiet)
    model = Forecaster.load(options.model)
    levels = asked_levels(options.levels, model)
    if options.out is not None:
        output_folder(options.out.parent)
    table = read_csv(options.csv, model.columns_, sort=options.sort)
    for note in table.notes:
        console.remark(note)
    served = served_series(table, model, skip_short=options.skip_short)
    future = read_ahead(options.future, table, model, served=served)
    frame = model.predict(served, future=future, levels=levels)
    if options.out is None:
        frame.to_csv(sys.stdout, index=False, lineterminator="\n", float_format="%.10g")
        return
    write_frame(frame, options.out)
    console.remark(f"{len(frame)} rows written to {options.out}")
