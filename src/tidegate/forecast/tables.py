"""What a table must be for a forecaster: long enough, within the transform's domain, like the one trained on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tidegate.data import SeriesTable, read_frame
from tidegate.data.covariates import static_arrays
from tidegate.data.pace import pace, require_pace
from tidegate.errors import DataError, TimeStampError
from tidegate.forecast.baselines import FloatArray
from tidegate.nn.transforms import make_transform
from tidegate.specs import Columns, Scaling

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

__all__ = [
    "of_kinds",
    "pace",
    "read_table",
    "require_given_domain",
    "require_likeness",
    "require_pace",
    "weighted_as",
    "without_weights",
]


def read_table(data: IntoDataFrame | SeriesTable, columns: Columns) -> SeriesTable:
    """Read a data frame; a table that was read already is taken as it is."""
    return data if isinstance(data, SeriesTable) else read_frame(data, columns)


def without_weights(table: SeriesTable) -> SeriesTable:
    """Leave weights out, which only a loss asks for."""
    if table.columns.weight is None:
        return table
    return dataclasses.replace(table, columns=dataclasses.replace(table.columns, weight=None), weights=None)


def weighted_as(table: SeriesTable, other: SeriesTable) -> SeriesTable:
    """Give rows that are only read weights, where the other table has them, so that the two can be joined."""
    weights = None if other.weights is None else np.ones(len(table.times))
    return dataclasses.replace(table, columns=other.columns, weights=weights)


def of_kinds(table: SeriesTable, categorical: tuple[str, ...]) -> SeriesTable:
    """Give static covariates that are missing throughout, which look like either, the kind that they are to have."""
    found = dict(zip(table.numeric, table.static.T, strict=True))
    found |= dict(zip(table.categorical, table.categories.T, strict=True))
    for name, column in found.items():
        if name in categorical and name in table.numeric and np.isnan(column).all():
            found[name] = np.full(len(table), "", object)
        elif name not in categorical and name in table.categorical and (column == "").all():
            found[name] = np.full(len(table), np.nan)
    static, categories, kinds = static_arrays(table.columns.static, found, len(table))
    return dataclasses.replace(table, static=static, categories=categories, categorical=kinds)


def require_given_domain(given: FloatArray, table: SeriesTable, scaling: Scaling) -> None:
    """Refuse true values of the future, [series, horizon, target], as `require_domain`. Raises `DataError`."""
    least = make_transform(scaling.transform, scaling.power or 1.0).least
    series, step, column = np.nonzero(given <= least)
    if series.size:
        raise DataError(
            f"transform {scaling.transform!r} needs values above {least:g}; the future holds "
            f"{given[series[0], step[0], column[0]]:g} in column {table.columns.targets[column[0]]!r} of "
            f"{table.name(int(series[0]))}, {step[0] + 1} step{'s' if step[0] else ''} after its last row"
        )


def require_likeness(table: SeriesTable, columns: Columns, categorical: tuple[str, ...]) -> None:
    """Refuse a table with other columns than the one that was trained on.

    Parameters
    ----------
    table
        The new rows.
    columns
        Of the table that was trained on, with its targets and its frequency.
    categorical
        Its categorical covariates.

    Raises
    ------
    DataError
        If targets or covariates are others, or of another kind.
    TimeStampError
        If the frequency is another.
    """
    if table.columns.targets != columns.targets:
        raise DataError(
            f"the model was trained on the targets {', '.join(columns.targets)}; "
            f"the table has {', '.join(table.columns.targets)}"
        )
    for field in ("static", "past", "known", "calendar", "fourier"):  # a data frame is read by the model's own
        trained, given = getattr(columns, field), getattr(table.columns, field)
        if trained != given:
            raise DataError(
                f"the model was trained with {field}={trained!r}, the table was read with {field}={given!r}; "
                "read it with the columns of the model"
            )
    for name in columns.static:
        kinds = ["categories" if name in names else "numbers" for names in (categorical, table.categorical)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"the model was trained on {kinds[0]} in the static covariate {name!r}; the table has {kinds[1]} there "
                "(text, booleans and categorical dtypes are categories): convert the column"
            )
    if table.columns.frequency != columns.frequency:
        raise TimeStampError(
            f"the model was trained on steps of {columns.frequency!r}, the table has steps of "
            f"{table.columns.frequency!r}; resample it"
        )
