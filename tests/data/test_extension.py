"""Rows that came later, joined to a table: as if all had been read at once."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.data import SeriesTable, extended, new_starts, read_frame
from tidegate.errors import ColumnError, TimeStampError
from tidegate.specs import Columns

COLUMNS = Columns(targets=("y",), static=("kind", "size"), past=("wind",), known=("price",), weight="w", frequency="D")
ARRAYS = ("times", "values", "past", "known", "static", "weights", "offsets")


def shop(name: Any, start: int, rows: int, **changes: Any) -> pd.DataFrame:
    """Days of one series; every value says which day of which column it is."""
    days = np.arange(start, start + rows)
    frame = pd.DataFrame({"unique_id": name, "ds": pd.Timestamp("2026-01-01") + pd.to_timedelta(days, "D")})
    frame = frame.assign(y=days + 0.5, wind=days + 100.0, price=days + 200.0, w=days + 1.0, kind=f"k{name}", size=2.0)
    return frame.assign(**changes)


def read(*frames: pd.DataFrame, columns: Columns = COLUMNS) -> SeriesTable:
    return read_frame(pd.concat(frames, ignore_index=True), columns)


def assert_same(one: SeriesTable, two: SeriesTable) -> None:
    assert one.ids.tolist() == two.ids.tolist()
    assert one.categories.tolist() == two.categories.tolist()
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert one.columns == two.columns


def test_pieces_are_the_table_that_is_read_at_once() -> None:
    old = [shop("a", 0, 5), shop("b", 2, 3)]
    new = [shop("b", 5, 2), shop("a", 5, 4)]
    joined = extended(read(*old), read(*new))
    assert_same(joined, read(old[0], new[1], old[1], new[0]))
    assert joined.values[joined.rows(1), 0].tolist() == [2.5, 3.5, 4.5, 5.5, 6.5]


def test_steps_between_old_and_new_rows_are_missing_ones() -> None:
    joined = extended(read(shop("a", 0, 2)), read(shop("a", 5, 2)))
    assert_same(joined, read(shop("a", 0, 2), shop("a", 5, 2)))
    assert joined.values[:, 0].tolist() == pytest.approx([0.5, 1.5, *[np.nan] * 3, 5.5, 6.5], nan_ok=True)
    assert joined.known[:, 0].tolist() == pytest.approx([200, 201, *[np.nan] * 3, 205, 206], nan_ok=True)
    assert joined.weights is not None
    assert joined.weights.tolist() == [1, 2, 1, 1, 1, 6, 7]


def test_new_series_come_last_and_the_others_keep_their_place() -> None:
    joined = extended(read(shop("a", 0, 2), shop("b", 0, 2)), read(shop("c", 4, 1), shop("a", 2, 1)))
    assert joined.ids.tolist() == ["a", "b", "c"]
    assert joined.lengths.tolist() == [3, 2, 1]
    assert joined.categories[:, 0].tolist() == ["ka", "kb", "kc"]


def test_static_covariates_are_those_of_the_new_rows_where_they_have_them() -> None:
    old = read(shop("a", 0, 2), shop("b", 0, 2), shop("c", 0, 2))
    unknown = shop("b", 2, 1, kind=None, size=np.nan)
    joined = extended(old, read(shop("a", 2, 1, kind="other", size=9.0), unknown))
    assert joined.categories[:, 0].tolist() == ["other", "kb", "kc"]
    assert joined.static[:, 0].tolist() == [9, 2, 2]


def test_ids_may_be_numbers_and_differ_in_kind() -> None:
    numbers = extended(read(shop(7, 0, 2)), read(shop(7, 2, 1), shop(8, 2, 1)))
    assert numbers.ids.tolist() == [7, 8]
    assert numbers.ids.dtype.kind == "i"
    mixed = extended(read(shop(7, 0, 2)), read(shop("7", 2, 1)))
    assert mixed.ids.tolist() == [7, "7"]  # two series


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    starts=st.lists(st.integers(0, 5), min_size=1, max_size=3),
)
def test_any_pieces_make_the_same_table(cuts: list[int], starts: list[int]) -> None:
    total = sum(cuts)
    whole = [shop(f"s{index}", start, total) for index, start in enumerate(starts)]
    table, at = None, 0
    for cut in cuts:
        piece = read(*(frame.iloc[at : at + cut] for frame in whole))
        table, at = piece if table is None else extended(table, piece), at + cut
    assert table is not None
    assert_same(table, read(*whole))


def test_where_new_rows_begin_in_the_joined_table() -> None:
    old, new = read(shop("a", 0, 3), shop("b", 0, 2)), read(shop("c", 1, 2), shop("a", 6, 2))
    joined = extended(old, new)
    starts = new_starts(joined, new)
    assert starts.tolist() == [6, 2, 0]  # three missing rows before a's; b has none: its length
    for index, name in enumerate(joined.ids.tolist()):
        fresh = joined.values[joined.rows(index)][starts[index] :]
        given = new.values[new.rows(new.ids.tolist().index(name))] if name in new.ids.tolist() else np.empty((0, 1))
        np.testing.assert_array_equal(fresh, given)


@pytest.mark.parametrize("start", [0, 1, 2])
def test_rows_that_are_there_already_are_refused(start: int) -> None:
    with pytest.raises(TimeStampError) as caught:
        extended(read(shop("a", 0, 3), shop("b", 0, 1)), read(shop("b", 1, 1), shop("a", start, 5)))
    assert str(caught.value) == (
        "new rows must come after the old: series 'a' has rows up to 2026-01-03, and the new ones begin at "
        f"2026-01-0{start + 1}; give only what has come since"
    )


def test_rows_off_the_grid_are_refused() -> None:
    late = shop("a", 3, 2).assign(ds=lambda frame: frame["ds"] + pd.Timedelta("1h"))
    with pytest.raises(TimeStampError, match=r"column 'ds', new rows: 2026-01-04 01:00:00 in series 'a' is off"):
        extended(read(shop("a", 0, 3)), read(late))


@pytest.mark.parametrize(
    ("newer", "columns", "message"),
    [
        (shop("a", 3, 1), Columns(targets=("wind",), frequency="D"), "new rows must have the columns of the old"),
        (shop("a", 3, 1, size="big"), COLUMNS, "new rows must have the columns of the old"),
        (
            shop("a", 3, 1).drop(columns="unique_id"),
            COLUMNS,
            "the old rows have the id column 'unique_id', the new ones have none; give both alike",
        ),
        (
            shop("a", 3, 1).assign(ds=lambda frame: frame["ds"].dt.tz_localize("UTC")),
            COLUMNS,
            "column 'ds': the new time stamps are datetime64[us] in the zone UTC, the old ones datetime64[us] in None; "
            "write both alike",
        ),
    ],
)
def test_tables_that_cannot_be_joined(newer: pd.DataFrame, columns: Columns, message: str) -> None:
    with pytest.raises(ColumnError, match=re.escape(message)):
        extended(read(shop("a", 0, 3)), read(newer, columns=columns))
