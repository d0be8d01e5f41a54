"""What is known of the steps after a table: found by id and time stamp, complete, or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.data import (
    Future,
    SeriesTable,
    future_known,
    read_csv,
    read_frame,
    read_future,
    read_future_csv,
)
from tidegate.errors import ColumnError, DataError, SpecError, TidegateError, TimeStampError
from tidegate.specs import Columns

NAN = math.nan
Backend = Callable[[pd.DataFrame], Any]
NAMED = Columns(targets=("y", "z"), known=("price", "holiday"), past=("wind",), static=("region",), weight="w")


def _shop(start: str = "2026-01-01", rows: int = 5) -> pd.DataFrame:
    days = pd.date_range(start, periods=rows)
    first = pd.DataFrame({"unique_id": "b", "ds": days, "y": np.arange(rows) + 1.0, "z": 0.5, "wind": 3.0})
    first = first.assign(price=first.y * 10, holiday=0.0, region="north", w=1.0)
    return pd.concat([first, first.assign(unique_id="a", price=-first.price)], ignore_index=True)


def _next(horizon: int = 3) -> pd.DataFrame:
    return _shop("2026-01-06", horizon)[["unique_id", "ds", "price", "holiday"]]


@pytest.fixture
def table() -> SeriesTable:
    return read_frame(_shop(), NAMED)


def test_rows_find_their_step(table: SeriesTable, backend: Backend) -> None:
    rows = pd.concat([_next(4), _shop()[["unique_id", "ds", "price", "holiday"]]])  # too late, and not after the end
    rows = rows.sample(frac=1, random_state=0, ignore_index=True)
    future = read_future(backend(rows), table, 3)
    assert future.known.tolist() == [[[10, 0], [20, 0], [30, 0]], [[-10, 0], [-20, 0], [-30, 0]]]
    assert future.targets.shape == (2, 3, 2)
    assert np.isnan(future.targets).all()


def test_true_values_that_are_known_already_come_along(table: SeriesTable, backend: Backend) -> None:
    rows = _next().assign(z=[1.0, NAN, NAN, 4.0, 5.0, NAN])
    future = read_future(backend(rows), table, 3)
    assert np.isnan(future.targets[..., 0]).all()  # of y, of which there is no column
    np.testing.assert_array_equal(future.targets[..., 1], [[1, np.nan, np.nan], [4, 5, np.nan]])


def test_a_file_is_read_as_the_frame_is(tmp_path: Path) -> None:
    _shop().to_csv(tmp_path / "table.csv", index=False)
    _next().assign(y=[1, 2, NAN] * 2).to_csv(tmp_path / "future.csv", index=False)
    table = read_csv(tmp_path / "table.csv", NAMED)
    future = read_future_csv(tmp_path / "future.csv", table, 3)
    assert future.known[1].tolist() == [[-10, 0], [-20, 0], [-30, 0]]
    np.testing.assert_array_equal(future.targets[0, :, 0], [1, 2, np.nan])


@pytest.mark.parametrize("ids", [[7, 9], ["07", "9"]])
def test_ids_in_a_file_are_compared_as_text(tmp_path: Path, ids: list[Any]) -> None:
    rows = pd.DataFrame(
        {"unique_id": np.repeat(np.array(ids, object), 3), "ds": [0, 1, 2] * 2, "y": 1.0, "k": range(6)}
    )
    table = read_frame(rows, Columns(targets=("y",), known=("k",)))
    path = tmp_path / "future.csv"
    path.write_text(f"unique_id,ds,k\n{ids[1]},3,5\n{ids[0]},3,4\n", "utf-8")
    assert read_future_csv(path, table, 1).known.tolist() == [[[4]], [[5]]]
    path.write_text("unique_id,ds,k\nx,3,5\n", "utf-8")
    message = (
        f"column 'unique_id', line 2: the future holds series 'x', which is not in the table; its first is '{ids[0]}'"
    )
    with pytest.raises(DataError, match=message):
        read_future_csv(path, table, 1)


def test_a_single_series_without_id_and_a_future_of_targets_alone() -> None:
    table = read_frame(pd.DataFrame({"ds": range(3), "u": 1.0, "v": 2.0}))
    future = read_future(pd.DataFrame({"ds": [4, 3], "v": [8.0, 7.0]}), table, 3)
    assert future.known.shape == (1, 3, 0)
    np.testing.assert_array_equal(future.targets[0], [[np.nan, 7], [np.nan, 8], [np.nan, np.nan]])


def test_time_zones_are_compared_as_moments() -> None:
    hours = pd.date_range("2026-03-29 00:00", periods=4, freq="h", tz="Europe/Berlin")  # clocks change at two
    table = read_frame(pd.DataFrame({"ds": hours[:2], "y": 1.0, "k": 0.0}), Columns(known=("k",), frequency="h"))
    rows = pd.DataFrame({"ds": hours[2:].tz_convert("UTC"), "k": [5.0, 6.0]})
    assert read_future(rows, table, 2).known.tolist() == [[[5], [6]]]
    message = "the table holds time stamps with a time zone, but the future time stamps without a time zone; write both"
    with pytest.raises(TimeStampError, match=f"^column 'ds': {message}"):
        read_future(rows.assign(ds=hours[2:].tz_localize(None)), table, 2)


def test_series_left_out_of_the_table_may_be_in_the_future(table: SeriesTable) -> None:
    kept = table.select([1])
    assert read_future(_next(), kept, 3, left_out=["b"]).known[0, :, 0].tolist() == [-10, -20, -30]
    with pytest.raises(DataError, match="the future holds series 'b', which is not in the table; its first is 'a'"):
        read_future(_next(), kept, 3)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (
            _next().drop(index=1),
            DataError,
            "the known covariate 'price' is needed for the 3 steps after the end of each series, but is missing for "
            "series 'b' at 2026-01-07; give future= with that row",
        ),
        (
            _next(1),
            DataError,
            "the known covariate 'price' is needed for the 3 steps after the end of each series, but is missing for "
            "series 'b' at 2026-01-07; give future= with that row, and with 3 more that lack a value",
        ),
        (
            _next().assign(holiday=[0, 0, 0, 1, NAN, 1]),
            DataError,
            "the known covariate 'holiday' is needed for the 3 steps after the end of each series, but is missing for "
            "series 'a' at 2026-01-07; give future= with that row",
        ),
        (_next().drop(columns="price"), ColumnError, "the known column 'price' is not in the table, which has"),
        (_next().drop(columns="ds"), ColumnError, "the time column 'ds' is not in the table"),
        (_next().drop(columns="unique_id"), ColumnError, "the id column 'unique_id' is not in the table"),
        (_next().set_index("ds"), ColumnError, "the time column 'ds' is the table's index; call .reset_index() first"),
        (
            _next().assign(unique_id=["b", "b", "c", "a", "a", "a"]),
            DataError,
            "column 'unique_id', row 2: the future holds series 'c', which is not in the table; its first is 'b'; "
            "correct the id, or leave those rows out",
        ),
        (
            pd.concat([_next(), _next()[4:5]], ignore_index=True),
            TimeStampError,
            "column 'ds': series 'a' has the time stamp 2026-01-07 twice (row 4 and row 6); keep one of the two",
        ),
        (
            _next().assign(ds=_next().ds.where(_next().index != 4, pd.Timestamp("2026-01-07 06:00"))),
            TimeStampError,
            "column 'ds', row 4: 2026-01-07 06:00:00 is off the grid of series 'a'; the frequency 'D' expects "
            "2026-01-07; correct the time stamp",
        ),
        (
            _next().assign(ds=range(6)),
            TimeStampError,
            "column 'ds': the table holds time stamps without a time zone, but the future whole numbers; write both",
        ),
        (_next().assign(price=np.inf), DataError, "column 'price', row 0: expected a finite number, got inf"),
        (_next().assign(price="low"), DataError, "column 'price', row 0: expected a number, got 'low'"),
        (_next().assign(y=[1, 2, 3, 4, 5, 1e20]), DataError, "column 'y', row 5: 1e+20 is larger than 1e+15"),
        (_next()[:0], DataError, "the table has no rows, only the columns 'unique_id', 'ds', 'price', 'holiday'"),
        ("next.csv", ColumnError, "expected a pandas or polars DataFrame, got str"),
    ],
)  # fmt: skip
def test_futures_that_do_not_fit_are_refused(
    table: SeriesTable, rows: Any, error: type[TidegateError], message: str
) -> None:
    end = "$" if message.endswith(("row", "value")) else ""
    with pytest.raises(error, match=f"^{re.escape(message)}{end}"):
        read_future(rows, table, 3)


def test_a_future_of_nothing_is_refused() -> None:
    table = read_frame(_shop(), Columns(targets=("y",)))
    message = (
        r"the table has no known covariates, and the future no target \('y'\), so there is nothing to read in its "
        r"columns 'unique_id', 'ds', 'price', 'holiday'"
    )
    with pytest.raises(ColumnError, match=f"^{message}$"):
        read_future(_next(), table, 3)
    with pytest.raises(SpecError, match=r"^horizon must be a whole number of at least 1; got 0$"):
        read_future(_next().assign(y=1.0), table, 0)


# ------------------------------------------------------------------------------------------ what windows are given


def test_covariates_and_features_come_in_the_order_of_the_tables() -> None:
    columns = Columns(targets=("y",), known=("price",), calendar=("weekday",))
    table = read_frame(_shop(), columns)
    known = future_known(table, 2, future=read_future(_next(), table, 2))
    assert known is not None
    assert known[..., 0].tolist() == [[10, 20], [-10, -20]]
    weekday = 2 * np.pi * np.array([1, 2]) / 7  # a Tuesday and a Wednesday
    np.testing.assert_allclose(known[1, :, 1:], np.stack([np.sin(weekday), np.cos(weekday)], axis=1), atol=1e-6)


def test_features_alone_need_no_future() -> None:
    table = read_frame(_shop(), Columns(targets=("y",), fourier=1))
    known = future_known(table, 2, seasons=[7])
    assert known is not None
    assert known.shape == (2, 2, 2)
    assert known.dtype == np.float32
    assert future_known(read_frame(_shop(), Columns(targets=("y",))), 2) is None
    nothing = Future(known=np.empty((2, 2, 0)), targets=np.full((2, 2, 1), np.nan))
    assert future_known(table, 2, seasons=[7], future=nothing).shape == (2, 2, 2)  # type: ignore[union-attr]


def test_without_a_future_known_covariates_are_asked_for(table: SeriesTable) -> None:
    message = (
        "the known covariates 'price', 'holiday' must be given for the 3 steps after the end of each series, for "
        "series 'b' from 2026-01-06 on; give future= with those rows"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        future_known(table, 3)
    single = read_frame(pd.DataFrame({"ds": range(3), "y": 1.0, "k": 1.0}), Columns(known=("k",)))
    message = (
        "the known covariate 'k' must be given for the 1 step after the end of each series, for the series from 3 on; "
        "give future= with those rows"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        future_known(single, 1)
