"""Tables beside the one that was trained on: their pace, the kinds of their covariates, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import Columns, Scaling
from tidegate.data import SeriesTable, read_frame
from tidegate.errors import DataError, TimeStampError
from tidegate.forecast.tables import (
    of_kinds,
    pace,
    require_given_domain,
    require_likeness,
    require_pace,
    weighted_as,
    without_weights,
)

STATIC = Columns(static=("kind", "size"), weight="w", frequency=1)


def table_of(rows: int = 3, columns: Columns = STATIC, **changes: Any) -> SeriesTable:
    """Two series, with a category, a number and weights."""
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], rows), "ds": np.tile(np.arange(rows), 2), "y": 1.0})
    return read_frame(frame.assign(**{"kind": "x", "size": 2.0, "w": 3.0, **changes}), columns)


# -- kinds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_column_without_any_value_takes_the_kind_that_it_had(missing: Any) -> None:
    table = table_of(kind=missing)
    assert missing is None or table.categorical == ()  # NaN alone is a column of numbers
    mended = of_kinds(table, ("kind",))
    assert mended.categorical == ("kind",)
    assert mended.categories.tolist() == [[""], [""]]
    assert mended.static.tolist() == [[2.0], [2.0]]
    empty = of_kinds(table_of(size=""), ("kind",))  # text without a letter where there were numbers
    assert empty.categorical == ("kind",)
    assert np.isnan(empty.static).all()


def test_values_keep_their_kind() -> None:
    for changes in ({}, {"kind": 1.0}, {"size": "big"}):
        table = table_of(**changes)
        mended = of_kinds(table, ("kind",))
        assert mended.categorical == table.categorical
        assert mended.categories.tolist() == table.categories.tolist()
        np.testing.assert_array_equal(mended.static, table.static)


def test_likeness_is_asked_of_every_column() -> None:
    columns = table_of().columns
    require_likeness(table_of(), columns, ("kind",))
    with pytest.raises(DataError) as caught:
        require_likeness(table_of(kind=1.0), columns, ("kind",))
    assert str(caught.value) == (
        "the model was trained on categories in the static covariate 'kind'; the table has numbers there (text, "
        "booleans and categorical dtypes are categories): convert the column"
    )
    with pytest.raises(DataError) as caught:
        require_likeness(table_of(columns=Columns(static=("kind",), frequency=1)), columns, ("kind",))
    assert str(caught.value) == (
        "the model was trained with static=('kind', 'size'), the table was read with static=('kind',); "
        "read it with the columns of the model"
    )
    with pytest.raises(DataError, match="the model was trained on the targets y; the table has size"):
        require_likeness(
            table_of(columns=Columns(targets=("size",), static=("kind",), frequency=1)), columns, ("kind",)
        )
    with pytest.raises(TimeStampError, match="the model was trained on steps of 1, the table has steps of 2; resample"):
        require_likeness(
            table_of(ds=np.tile([0, 2, 4], 2), columns=Columns(static=("kind", "size"), frequency=2)),
            columns,
            ("kind",),
        )


# -- weights -------------------------------------------------------------------------------------------------


def test_weights_are_left_out_or_made_up() -> None:
    table = table_of()
    bare = without_weights(table)
    assert (bare.weights, bare.columns.weight) == (None, None)
    assert without_weights(bare) is bare
    again = weighted_as(bare, table)
    assert again.columns == table.columns
    assert again.weights is not None
    assert again.weights.tolist() == [1.0] * 6
    assert weighted_as(bare, bare).weights is None


# -- pace and domain -----------------------------------------------------------------------------------------


def test_pace_is_the_usual_distance_of_values() -> None:
    table = table_of(rows=12)
    assert pace(table) == 1
    table.values[1:12:2] = table.values[13:24:2] = np.nan
    assert pace(table) == 2
    require_pace(table, 2.0)
    with pytest.raises(TimeStampError) as caught:
        require_pace(table, 1.0)
    assert str(caught.value) == (
        "the model was trained on values every step of 1; this table has one every 2 steps: resample it"
    )
    require_pace(table.tail(10), 1.0)  # eight distances tell little
    table.values[:] = np.nan
    assert pace(table) == 1


def test_true_values_lie_in_the_domain_of_the_transform() -> None:
    table, given = table_of(), np.full((2, 3, 1), np.nan)
    require_given_domain(given, table, Scaling(transform="log"))
    given[1, 0] = -1.0
    require_given_domain(given, table, Scaling())
    for transform, least in (("log", "0"), ("log1p", "-1"), ("boxcox", "0")):
        with pytest.raises(DataError) as caught:
            require_given_domain(given, table, Scaling(transform=transform))
        assert str(caught.value) == (
            f"transform {transform!r} needs values above {least}; the future holds -1 in column 'y' of series 'b', "
            "1 step after its last row"
        )
