"""``tidegate evaluate``: score a model from its file on data that it was not trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate import __version__
from tidegate.cli.ahead import Levels, asked_levels
from tidegate.cli.answering import FORECASTER, answering, require_no_options
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.scores import named_levels, plain_level, show_plain_scores, show_scores

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate evaluate`` takes."""

    model: Annotated[Path, Argument(help="A model file.")]
    csv: Annotated[Path, Argument(help="Data that the model was not trained on, in the form of the training.")]
    stride: Annotated[
        int | None, Option("--stride", help="Rows from one window to the next, of a forecaster. [default: 1]")
    ] = None
    levels: Levels = None
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Score a saved model on data that it was not trained on.

    Of a forecaster every complete window of context and truth in the file counts. Simple baselines are scored beside
    a model.
    """
    from tidegate.estimator import inspect_model

    console = Console(quiet=options.quiet)
    kind = inspect_model(options.model).kind
    if kind == FORECASTER:
        _forecaster(options, console)
        return
    require_no_options(kind, {"--stride": options.stride, "--levels": options.levels, "--sort": options.sort})
    summary = answering(kind, options.model).evaluated(options.model, options.csv, console)
    if options.json:
        console.json(summary)
    else:
        show_plain_scores(summary["scores"], console)


def _forecaster(options: Options, console: Console) -> None:
    from tidegate.data import read_csv
    from tidegate.forecast import Forecaster

    model = Forecaster.load(options.model)
    levels = asked_levels(options.levels, model)
    table = read_csv(options.csv, model.columns_, sort=options.sort)
    for note in table.notes:
        console.remark(note)
    evaluation = model.evaluate(table, stride=1 if options.stride is None else options.stride, levels=levels)
    summary = {
        "tidegate": __version__,
        "windows": evaluation.windows,
        "series": evaluation.series,
        "horizon": model.horizon,
        "season": evaluation.season,
        "levels": [plain_level(level) for level in levels],
        "scores": evaluation.scores,
        "intervals": named_levels(evaluation.intervals),
        "notes": list(table.notes),
    }
    if options.json:
        console.json(summary)
        return
    console.remark(f"{evaluation.windows} windows of {model.horizon} steps, {evaluation.series} series")
    show_scores(evaluation.scores, named_levels(evaluation.intervals), console)
