"""``tidegate predict``: what a model from its file says of new data."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate._core.files import output_folder, write_text
from tidegate.cli.ahead import FutureFile, Levels, asked_levels, read_ahead, served_series
from tidegate.cli.answering import FORECASTER, answering, require_no_options
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Quiet

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate predict`` takes."""

    model: Annotated[Path, Argument(help="A model file.")]
    csv: Annotated[Path, Argument(help="What to answer: newer rows, or examples, in the form of the training.")]
    out: Annotated[Path | None, Option("--out", help="File to write. [default: standard output]")] = None
    future: FutureFile = None
    levels: Levels = None
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    skip_short: Annotated[bool, Option("--skip-short", help="Leave out series that are too short.")] = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Answer new data with a saved model.

    A forecaster goes on after the last row of each series, also of one that it never saw; the other models say what
    they were trained to say of each row, example or sentence.
    """
    from tidegate.estimator import inspect_model

    console = Console(quiet=options.quiet)
    kind = inspect_model(options.model).kind
    if options.out is not None:
        output_folder(options.out.parent)
    if kind == FORECASTER:
        text, rows = _forecast(options, console)
    else:
        flags = {"--future": options.future, "--levels": options.levels}
        require_no_options(kind, flags | {"--sort": options.sort, "--skip-short": options.skip_short})
        text = answering(kind, options.model).predicted(options.model, options.csv, console)
        rows = ""
    if options.out is None:
        sys.stdout.write(text)
        return
    write_text(options.out, text)
    console.remark(f"{rows}written to {options.out}")


def _forecast(options: Options, console: Console) -> tuple[str, str]:
    """Forecast; give the text of a CSV file, and how many rows that has in words."""
    from tidegate.data import read_csv
    from tidegate.forecast import Forecaster

    model = Forecaster.load(options.model)
    levels = asked_levels(options.levels, model)
    table = read_csv(options.csv, model.columns_, sort=options.sort)
    for note in table.notes:
        console.remark(note)
    served = served_series(table, model, skip_short=options.skip_short)
    future = read_ahead(options.future, table, model, served=served)
    frame = model.predict(served, future=future, levels=levels)
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.10g"), f"{len(frame)} rows "
