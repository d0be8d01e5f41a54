"""``tidegate demo``: the main job on bundled data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Option

from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.scores import show_scores

__all__ = ["Options", "run"]

_HORIZON = 12
_LEVELS = (50.0, 80.0, 95.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate demo`` takes."""

    out: Annotated[Path, Option("--out", help="Folder for the results.")] = Path("run/demo")
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Run the main job on bundled data.

    The classic monthly airline passengers, 1949 to 1960, are forecast a year ahead, in less than a minute.
    """
    from tidegate.cli.job import Job
    from tidegate.data import datasets, read_frame
    from tidegate.forecast import Forecaster
    from tidegate.specs import Scaling, Uncertainty

    console = Console(quiet=options.quiet)
    console.remark("monthly airline passengers (Box & Jenkins, 1970), 1949 to 1960, a year ahead")
    table = read_frame(datasets.airline_passengers())
    # The seasonal swing of these data grows with their level, which a logarithm undoes.
    scaling = Scaling(transform="log", method="difference", output="season")
    # So few rows teach the three numbers of a distribution more easily than seven quantiles.
    model = Forecaster(horizon=_HORIZON, scaling=scaling, uncertainty=Uncertainty(head="student_t"))
    if options.max_steps is not None:
        model.set_params(training__max_steps=options.max_steps)
    summary = Job(table=table, model=model, folder=options.out, levels=_LEVELS).run(console)
    if options.json:
        console.json(summary)
        return
    show_scores(summary["scores"], summary["intervals"], console)
    console.result(f"Open the report in a browser: {summary['files']['report']}")
