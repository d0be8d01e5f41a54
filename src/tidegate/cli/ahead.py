"""What commands ask about the steps to forecast: levels of intervals, and the file of what is known ahead."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from typer import Option

from tidegate.errors import SpecError

if TYPE_CHECKING:
    from tidegate.data import Future, SeriesTable
    from tidegate.forecast import Forecaster

__all__ = ["DEFAULT_LEVELS", "FutureFile", "Levels", "asked_levels", "has_intervals", "read_ahead", "served_series"]

DEFAULT_LEVELS = (80.0, 95.0)

Levels: TypeAlias = Annotated[
    str | None,
    Option("--levels", help="Intervals in per cent, with commas between. [default: 80,95 if the model has any]"),
]
FutureFile: TypeAlias = Annotated[
    Path | None, Option("--future", help="CSV file with the known columns for the steps to forecast.")
]


def has_intervals(model: Forecaster) -> bool:
    """Say whether a forecaster has, or will have once it is fitted, more than points."""
    return model.uncertainty.head != "point" or bool(model.uncertainty.calibration)


def asked_levels(text: str | None, model: Forecaster) -> tuple[float, ...]:
    """Read levels in per cent; where none are given, 80 and 95 of a model that has intervals.

    Raises
    ------
    SpecError
        If one is no number between 0 and 100, or the model has no intervals.
    """
    from tidegate.forecast.scores import levels_of

    if text is None:
        return DEFAULT_LEVELS if has_intervals(model) else ()
    try:
        levels = levels_of([float(part) for part in text.split(",") if part.strip()])
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"--levels are numbers with commas between, such as 80,95; got {text!r}") from error
    if levels and not has_intervals(model):
        raise SpecError(
            f"--levels {text} asks for intervals, and this model gives points alone; train it with --head quantiles, "
            "or keep rows apart with --calibration 0.1"
        )
    return levels


def read_ahead(path: Path | None, table: SeriesTable, model: Forecaster, *, served: SeriesTable) -> Future | None:
    """Read what is known of the steps that follow the series.

    Parameters
    ----------
    path
        The file; ``None`` for none, which only a model without known columns does without.
    table
        All series.
    model
        The forecaster. A recursive one goes on from true values of the target, for others they are left out.
    served
        Those of the table that will be forecast.

    Raises
    ------
    SpecError
        If the model has no use for such a file.
    DataError, MissingFileError
        If there is no file and must be one, or it lacks a column or a row.
    """
    import numpy as np

    from tidegate.data import future_known, read_future_csv
    from tidegate.specs.strategies import Recursive, resolve_strategy

    columns = served.columns
    if path is None:
        if columns.known:
            future_known(served, model.horizon)  # says what is absent
        return None
    recursive = isinstance(resolve_strategy(model.strategy), Recursive)
    if not columns.known and not recursive:
        raise SpecError(
            f"--future {str(path)!r} tells what is known of the steps to forecast, and the model reads no such "
            "columns; name them with --known when it is trained"
        )
    left_out = set(table.ids.tolist()).difference(served.ids.tolist())
    future = read_future_csv(path, served, model.horizon, left_out=left_out)
    return future if recursive else dataclasses.replace(future, targets=np.full_like(future.targets, np.nan))


def served_series(table: SeriesTable, model: Forecaster, *, skip_short: bool) -> SeriesTable:
    """Keep the series that a fitted model can forecast.

    Raises
    ------
    ShortSeriesError
        If one is too short and ``skip_short`` is off, or no series is left.
    """
    from tidegate.estimator.tables import long_enough

    return long_enough(table, model.least_, "to read", skip_short=skip_short, remedy="give more rows")[0]
