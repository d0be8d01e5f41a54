"""``tidegate classify``: a class for texts or for whole series."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from tidegate.cli.classifier_flags import ClassifierFlags
from tidegate.cli.classify_series import SeriesFlags, SeriesJob
from tidegate.cli.classify_series_file import is_ts
from tidegate.cli.columns import header_of
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.text_flags import TextFlags
from tidegate.errors import ColumnError, SpecError
from tidegate.specs import Columns, checks

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate classify`` takes."""

    data: Annotated[Path, Argument(help="Examples: a CSV file, a row a text (--text); or whole series, .ts or CSV.")]
    out: Annotated[
        Path, Option("--out", help="Folder for predictions.csv, model.safetensors, report.html, scores.json.")
    ]
    label: Annotated[str | None, Option("--label", help="Column of a CSV file that says what an example is.")] = None
    test: Annotated[Path | None, Option("--test", help="File to score on. [default: some of the examples]")] = None
    holdout: Annotated[float, Option("--holdout", help="Share of the examples to score on, without --test.")] = 0.2
    texts: TextFlags = dataclasses.field(default_factory=TextFlags)
    series: SeriesFlags = dataclasses.field(default_factory=SeriesFlags)
    classifier: ClassifierFlags = dataclasses.field(default_factory=ClassifierFlags)
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        checks.at_least("--holdout", self.holdout, 0, exclusive=True)
        checks.probability("--holdout", self.holdout)


def run(options: Options) -> None:
    """Learn to tell what texts or whole series are.

    A model is scored on held-out examples beside simple baselines, then fitted on all. The folder of --out then holds
    what it says of the held-out ones, the model, the scores, and a report to open in a browser.
    """
    console = Console(quiet=options.quiet)
    summary = _job(options).run(console)
    if options.json:
        console.json(summary)
        return
    from tidegate.cli.scores import show_plain_scores

    show_plain_scores(summary["scores"], console)
    for name, path in summary["files"].items():
        console.result(f"{name:12}{path}")


def _job(options: Options) -> Any:
    """Tell texts from series."""
    if options.texts.text is None:
        _require_defaults(options.texts, TextFlags(), "texts, which --text COLUMN asks for")
        _require_series(options)
        return SeriesJob(
            path=options.data,
            out=options.out,
            label=options.label,
            test=options.test,
            holdout=options.holdout,
            flags=options.classifier,
            series=options.series,
        )
    from tidegate.cli.classify_text import TextJob

    _require_defaults(options.series, SeriesFlags(), "whole series; --text says that the rows are texts")
    if is_ts(options.data):
        raise SpecError(f"{str(options.data)!r} holds series, not texts; leave --text out")
    return TextJob(
        path=options.data,
        out=options.out,
        label=options.label,
        test=options.test,
        holdout=options.holdout,
        flags=options.classifier,
        texts=options.texts,
    )


def _require_defaults(flags: Any, defaults: Any, what: str) -> None:
    for field in dataclasses.fields(flags):
        if getattr(flags, field.name) != getattr(defaults, field.name):
            raise SpecError(f"--{field.name.replace('_', '-')} is an option for {what}")


def _require_series(options: Options) -> None:
    """Say what --text is for where a table is none of series."""
    if is_ts(options.data) or options.series.time is not None:
        return
    header, time = header_of(options.data), Columns().time
    if time not in header:
        raise ColumnError(
            f"{str(options.data)!r} has no column {time!r} of time stamps; give --text COLUMN if its rows are texts, "
            f"or --time COLUMN if they are steps of series; it has {', '.join(map(repr, header))}"
        )
