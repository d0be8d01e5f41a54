"""``tidegate evaluate``: score a model from its file on later rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tidegate import __version__
from tidegate.cli.ahead import Levels, asked_levels
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.scores import named_levels, plain_level, show_scores

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate evaluate`` takes."""

    model: Annotated[Path, Argument(help="A model file that tidegate forecast wrote.")]
    csv: Annotated[Path, Argument(help="Rows that the model was not trained on, under the names of the training.")]
    stride: Annotated[int, Option("--stride", help="Rows from one window to the next.")] = 1
    levels: Levels = None
    sort: Annotated[bool, Option("--sort", help="Sort rows by time instead of refusing unsorted ones.")] = False
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Score a saved model on later rows.

    Every complete window of context and truth in the file counts; simple baselines are scored beside the model.
    """
    from tidegate.data import read_csv
    from tidegate.forecast import Forecaster

    console = Console(quiet=options.quiet)
    model = Forecaster.load(options.model)
    levels = asked_levels(options.levels, model)
    table = read_csv(options.csv, model.columns_, sort=options.sort)
    for note in table.notes:
        console.remark(note)
    evaluation = model.evaluate(table, stride=options.stride, levels=levels)
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
