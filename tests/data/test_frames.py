from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tidegate.data import SeriesTable, future_times, read_frame, to_frame
from tidegate.errors import ColumnError, DataError, ShapeError, SpecError, TimeStampError
from tidegate.specs import Columns

Backend = Callable[[pd.DataFrame], Any]


def _long(frequency: str = "D", rows: int = 6) -> pd.DataFrame:
    stamps = pd.date_range("2026-01-01", periods=rows, freq=frequency)
    first = pd.DataFrame({"unique_id": "b", "ds": stamps, "y": np.arange(rows) + 0.0})
    return pd.concat([first, first.assign(unique_id="a", y=first.y + 100)], ignore_index=True)


def test_interleaved_rows_become_one_flat_array(backend: Backend) -> None:
    frame = _long().sort_values("ds", kind="stable", ignore_index=True)
    table = read_frame(backend(frame))
    assert table.ids.tolist() == ["b", "a"]
    assert table.offsets.tolist() == [0, 6, 12]
    assert table.values[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105]
    assert table.columns == Columns(targets=("y",), frequency="D")
    assert table.notes == ()
    assert table.rows(1) == slice(6, 12)
    assert table.observed.all()


def test_missing_values_are_masked_and_counted(backend: Backend) -> None:
    frame = _long()
    frame.loc[[1, 2, 9], "y"] = np.nan
    table = read_frame(backend(frame))
    assert np.flatnonzero(~table.observed[:, 0]).tolist() == [1, 2, 9]
    assert table.notes == ("column 'y': 3 missing values masked in 2 series; the first in series 'b', row 1",)


def test_a_series_without_id_and_wide_tables(backend: Backend) -> None:
    frame = pd.DataFrame({"ds": range(4), "u": [1, 2, 3, 4], "note": list("wxyz"), "v": [0.5, 1.5, 2.5, 3.5]})
    table = read_frame(backend(frame))
    assert table.columns.targets == ("u", "v")
    assert table.columns.frequency == 1
    assert not table.has_id
    assert table.values.tolist() == [[1, 0.5], [2, 1.5], [3, 2.5], [4, 3.5]]
    named = read_frame(backend(frame), Columns(targets=("v",)))
    assert named.values[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]


def test_booleans_nullable_integers_and_decimals_are_numbers() -> None:
    stamps = list(range(3))
    assert read_frame(pd.DataFrame({"ds": stamps, "y": [True, False, True]})).values[:, 0].tolist() == [1, 0, 1]
    nullable = read_frame(pd.DataFrame({"ds": stamps, "y": pd.array([1, None, 3], dtype="Int64")}))
    assert nullable.observed[:, 0].tolist() == [True, False, True]
    mixed = read_frame(pd.DataFrame({"ds": stamps, "y": pd.Series([1, None, 2.5], dtype=object)}))
    assert mixed.values[[0, 2], 0].tolist() == [1, 2.5]
    boolean = read_frame(pl.DataFrame({"ds": stamps, "y": [True, None, False]}))
    assert boolean.observed[:, 0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("frequency", "resolved"),
    [("D", "D"), ("h", "h"), ("15min", "15min"), ("MS", "MS"), ("ME", "ME"), ("QS", "QS-JAN"), ("QE", "QE-DEC"),
     ("W-SUN", "W-SUN"), ("2W-WED", "2W-WED"), ("B", "B"), ("YE", "YE-DEC"), ("BME", "BME"), ("7s", "7s")],
)  # fmt: skip
def test_the_frequency_is_inferred_and_continued(frequency: str, resolved: str, backend: Backend) -> None:
    stamps = pd.date_range("2026-01-02", periods=12, freq=frequency)
    table = read_frame(backend(pd.DataFrame({"ds": stamps[:9], "y": range(9)})))
    assert table.columns.frequency == resolved
    assert future_times(table, 3).tolist() == [stamps[9:].to_numpy().astype("datetime64[us]").tolist()]


@pytest.mark.parametrize("frequency", ["D", "h", "ME", "W-MON"])
def test_time_zones_come_back_and_days_follow_their_clock(frequency: str, backend: Backend) -> None:
    stamps = pd.date_range("2026-03-20", periods=40, freq=frequency, tz="Europe/Berlin")  # clocks change on the 29th
    table = read_frame(backend(pd.DataFrame({"unique_id": 7, "ds": stamps[:5], "y": range(5)})))
    assert (table.timezone, table.columns.frequency) == ("Europe/Berlin", frequency)
    assert table.times.dtype == np.dtype("datetime64[us]")
    forecast = to_frame(table, future_times(table, 35), {"y_hat": np.ones((1, 35))})
    given = forecast["ds"].to_list()
    assert [moment.isoformat() for moment in given] == [moment.isoformat() for moment in stamps[5:]]
    assert str(given[0].tzinfo) == "Europe/Berlin"


def test_frames_go_back_as_they_came(backend: Backend) -> None:
    native = backend(_long().astype({"unique_id": "category"}) if backend.__name__ == "_as_pandas" else _long())
    if isinstance(native, pl.DataFrame):
        native = native.with_columns(pl.col("unique_id").cast(pl.Categorical), pl.col("ds").cast(pl.Date))
    table = read_frame(native)
    forecast = to_frame(table, future_times(table, 2), {"y_hat": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert type(forecast) is type(native)
    assert list(forecast.columns) == ["unique_id", "ds", "y_hat"]
    assert forecast["unique_id"].dtype == native["unique_id"].dtype
    assert forecast["ds"].dtype == native["ds"].dtype
    assert forecast["unique_id"].to_list() == ["b", "b", "a", "a"]
    assert [str(stamp)[:10] for stamp in forecast["ds"].to_list()] == ["2026-01-07", "2026-01-08"] * 2
    assert forecast["y_hat"].to_list() == [1, 2, 3, 4]
    some = to_frame(table, np.asarray(future_times(table, 1)[[1]]), {"z": np.zeros((1, 1))}, series=np.array([1]))
    assert some["unique_id"].to_list() == ["a"]
    with pytest.raises(ShapeError, match=r"z must have shape \(2, 1\)"):
        to_frame(table, future_times(table, 1), {"z": np.zeros(2)})


def test_integer_ids_and_text_dates(backend: Backend) -> None:
    frame = pd.DataFrame({"store": [9, 9, 7, 7], "day": ["2026-01-01", "2026-01-02"] * 2, "units": [1, 2, 3, 4]})
    table = read_frame(backend(frame), Columns(id="store", time="day", targets=("units",)))
    assert table.ids.tolist() == [9, 7]
    forecast = to_frame(table, future_times(table, 1), {"units_hat": np.zeros((2, 1))})
    assert forecast["store"].to_list() == [9, 7]
    assert [str(stamp)[:10] for stamp in forecast["day"].to_list()] == ["2026-01-03"] * 2


def test_gaps_become_missing_rows(backend: Backend) -> None:
    frame = _long(rows=8).drop(index=[2, 3, 6, 12]).reset_index(drop=True)
    table = read_frame(backend(frame))
    assert table.lengths.tolist() == [8, 8]
    assert np.flatnonzero(~table.observed[:, 0]).tolist() == [2, 3, 6, 12]
    assert (np.diff(table.times.reshape(2, 8), axis=1) == np.timedelta64(1, "D")).all()
    assert table.notes == (
        "column 'ds': 3 gaps filled with 4 missing rows in 2 series; the first in series 'b' after 2026-01-02 (row 1)",
    )


def test_a_gap_of_an_hour_in_local_time_mentions_daylight_saving() -> None:
    local = pd.date_range("2026-03-28", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    table = read_frame(pd.DataFrame({"ds": local, "y": range(60)}))
    assert table.notes[0].endswith(
        "the first in the series after 2026-03-29 01:00:00 (row 25); each is one hour, as where clocks go forward "
        "(daylight saving): time stamps with their UTC offset would have none"
    )
    aware = pd.date_range("2026-03-28", periods=60, freq="h", tz="Europe/Berlin")
    assert read_frame(pd.DataFrame({"ds": aware, "y": range(60)})).notes == ()


def test_sparse_rows_lie_on_a_finer_grid() -> None:
    days = pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-05", "2026-01-06", "2026-01-09", "2026-01-11"])
    table = read_frame(pd.DataFrame({"ds": days, "y": range(6)}))
    assert table.columns.frequency == "D"
    assert table.lengths.tolist() == [11]


def test_a_given_frequency_turns_a_coarser_series_into_gaps() -> None:
    frame = pd.concat([_long("D", 5).query("unique_id == 'b'"), _long("2D", 5).query("unique_id == 'a'")])
    with pytest.raises(
        TimeStampError, match="one table has one frequency, but series 'b' has 'D' and series 'a' has '2D'"
    ):
        read_frame(frame)
    assert read_frame(frame, Columns(frequency="D")).lengths.tolist() == [5, 9]


def _broken(column: str, row: int, value: Any) -> pd.DataFrame:
    frame = _long().astype({column: object})
    frame.loc[row, column] = value
    return frame if isinstance(value, str) or column != "y" else frame.astype({"y": float})


@pytest.mark.parametrize(
    ("frame", "columns", "error", "message"),
    [
        (_broken("y", 4, np.inf), Columns(), DataError, "column 'y', row 4: expected a finite number, got inf"),
        (_broken("y", 4, -np.inf), Columns(), DataError, "column 'y', row 4: expected a finite number, got -inf"),
        (
            _broken("y", 3, 1e30),
            Columns(),
            DataError,
            r"column 'y', row 3: 1e\+30 is larger than 1e\+15 in magnitude; rescale",
        ),
        (_long().assign(y=np.nan), Columns(), DataError, "series 'b' has no value at all in 'y'"),
        (_long().iloc[:0], Columns(), DataError, "the table has no rows, only the columns 'unique_id', 'ds', 'y'"),
        (_broken("unique_id", 2, None), Columns(), DataError, "column 'unique_id', row 2: the id is missing"),
        (
            _long().rename(columns={"ds": "Ds"}),
            Columns(),
            ColumnError,
            "the time column 'ds' is not in the table, which has 'unique_id', 'Ds', 'y'; is 'Ds' meant?",
        ),
        (_long(), Columns(id="store"), ColumnError, "the id column 'store' is not in the table"),
        (
            _long(),
            Columns(targets=("yy",)),
            ColumnError,
            "the target column 'yy' is not in the table, .*; is 'y' meant?",
        ),
        (
            _long()[["unique_id", "ds"]],
            Columns(),
            ColumnError,
            "neither a column 'y' nor a numeric one; it has 'unique_id', 'ds'",
        ),
        (
            _long().drop(columns="unique_id"),
            Columns(),
            TimeStampError,
            r"must ascend within a series, but in the series 2026-01-01 follows 2026-01-06 \(row 5\); sort",
        ),
        (
            _long().iloc[[0, 1, 1, 2]],
            Columns(),
            TimeStampError,
            r"series 'b' has the time stamp 2026-01-02 twice \(row 1 and row 2\); keep one",
        ),
        (
            _long().iloc[[0, 2, 1, 3]],
            Columns(),
            TimeStampError,
            r"row 2: time stamps must ascend within a series, but in series 'b' 2026-01-02 follows "
            r"2026-01-03 \(row 1\); sort the table, or pass sort=True",
        ),
        (_long().iloc[[0, 6]], Columns(), TimeStampError, "cannot be inferred from one row a series"),
        (_long(), Columns(frequency=1), TimeStampError, "the time column holds time stamps, but the frequency is 1"),
        (_long(), Columns(frequency="fortnight"), SpecError, "'fortnight' is not a pandas offset alias"),
        (
            _long().assign(ds=_long().ds.astype(str).where(lambda s: s.index != 3, "soon")),
            Columns(),
            TimeStampError,
            "column 'ds', row 3: cannot read 'soon' as a date",
        ),
        (
            _long().assign(ds=_long().ds.where(lambda s: s.index != 3)),
            Columns(),
            TimeStampError,
            "column 'ds', row 3: the time stamp is missing",
        ),
        (
            _long().assign(ds=[0.5, *range(1, 12)]),
            Columns(),
            TimeStampError,
            "row 0: expected a time stamp or a whole number, got 0.5",
        ),
    ],
)
def test_bad_tables_are_refused(
    frame: pd.DataFrame, columns: Columns, error: type[Exception], message: str, backend: Backend
) -> None:
    with pytest.raises(error, match=message):
        read_frame(backend(frame.reset_index(drop=True)), columns)


def test_text_among_numbers_is_refused() -> None:
    message = "column 'y', row 5: expected a number, got 'many'; convert the column"
    with pytest.raises(DataError, match=message):
        read_frame(_broken("y", 5, "many"))
    with pytest.raises(DataError, match=r"column 'y', row 0: expected a number, got '1'"):
        read_frame(pl.DataFrame({"ds": [1, 2], "y": ["1", "2"]}))
    with pytest.raises(DataError, match=r"column 'y' holds Datetime.*, not numbers"):
        read_frame(_long().assign(y=_long().ds), Columns(targets=("y",)))


def test_stamps_off_the_grid_are_refused(backend: Backend) -> None:
    frame = _long("h", 12)
    frame["ds"] = frame.ds.where(frame.index != 7, pd.Timestamp("2026-01-01 07:20"))
    message = (
        "column 'ds', row 7: 2026-01-01 07:20:00 in series 'b' is off the grid; after 2026-01-01 06:00:00 the "
        "frequency 'h' expects 2026-01-01 07:00:00"
    )
    with pytest.raises(TimeStampError, match=message):
        read_frame(backend(frame))


def test_doubled_hours_mention_daylight_saving() -> None:
    local = pd.date_range("2026-10-24", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(TimeStampError, match=r"2026-10-25 02:00:00 twice.*daylight saving.*UTC offset"):
        read_frame(pd.DataFrame({"ds": local, "y": range(60)}))


def test_mixed_offsets_are_refused() -> None:
    stamps = ["2026-01-01T00:00:00+01:00", "2026-01-01T01:00:00+01:00", "2026-01-01T02:00:00+02:00"]
    message = r"mixed UTC offsets: '2026-01-01T00:00:00\+01:00' \(row 0\) and '2026-01-01T02:00:00\+02:00' \(row 2\)"
    with pytest.raises(TimeStampError, match=message):
        read_frame(pd.DataFrame({"ds": stamps, "y": [1, 2, 3]}))
    with pytest.raises(TimeStampError, match="mixed UTC offsets"):
        read_frame(pd.DataFrame({"ds": ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00"], "y": [1, 2]}))
    days = ["2026-01-04", "2026-01-05", "2026-01-06T00:00:00+01:00"]  # the -05 of a day is no offset
    with pytest.raises(TimeStampError, match=r"'2026-01-04' \(row 0\) and '2026-01-06T00:00:00\+01:00' \(row 2\)"):
        read_frame(pd.DataFrame({"ds": days, "y": [1, 2, 3]}))
    table = read_frame(pd.DataFrame({"ds": ["2026-01-01T00:00:00+01:00", "2026-01-01T01:00:00+01:00"], "y": [1, 2]}))
    assert table.timezone == "UTC+01:00"
    assert table.times[0] == np.datetime64("2025-12-31T23:00:00")


def test_endless_gaps_are_refused() -> None:
    frame = pd.DataFrame({"ds": [*range(10), 10**12], "y": range(11)})
    with pytest.raises(DataError, match=r"would turn 11 rows into 1,000,000,000,001; the longest gap .* from 9 to"):
        read_frame(frame)


def test_doubled_columns_and_foreign_objects_are_refused() -> None:
    frame = _long()
    frame.columns = pd.Index(["unique_id", "ds", "ds"])
    with pytest.raises(ColumnError, match="the table has 2 columns named 'ds'"):
        read_frame(frame)
    with pytest.raises(ColumnError, match="expected a pandas or polars DataFrame, got list"):
        read_frame([1, 2, 3])
    with pytest.raises(ColumnError, match=r"the time column 'ds' is the table's index; call .reset_index\(\) first"):
        read_frame(_long().set_index("ds"))
    with pytest.raises(TimeStampError, match=r"or name the id column .* \(there is no column 'unique_id'\)"):
        read_frame(_long().drop(columns="unique_id"))
    with pytest.raises(ColumnError, match=r"got LazyFrame; call .collect\(\) first"):
        read_frame(pl.DataFrame({"ds": [1], "y": [1]}).lazy())


def test_sorting_is_offered(backend: Backend) -> None:
    frame = _long().sample(frac=1, random_state=3).reset_index(drop=True)
    table = read_frame(backend(frame), sort=True)
    whole = read_frame(backend(_long()))
    order = [table.ids.tolist().index(name) for name in whole.ids]
    assert table.select(order).values.tolist() == whole.values.tolist()
    with pytest.raises(TimeStampError, match="twice"):
        read_frame(backend(pd.concat([frame, frame.iloc[[0]]])), sort=True)


@pytest.fixture
def table() -> SeriesTable:
    return read_frame(_long())


def test_tables_are_cut_without_copies(table: SeriesTable) -> None:
    last = table.select([1])
    assert last.ids.tolist() == ["a"]
    assert last.values[:, 0].tolist() == [100, 101, 102, 103, 104, 105]
    assert np.shares_memory(last.values, table.values)
    assert table.select([1, 0]).values[:, 0].tolist() == [*range(100, 106), *range(6)]
    assert table.select(np.array([False, True])).ids.tolist() == ["a"]
    assert table.head(1).ids.tolist() == ["b"]


def test_tables_are_cut_in_time(table: SeriesTable) -> None:
    assert table.truncate([2, 3]).values[:, 0].tolist() == [0, 1, 100, 101, 102]
    assert table.tail(2).values[:, 0].tolist() == [4, 5, 104, 105]
    assert table.before("2026-01-03").values[:, 0].tolist() == [0, 1, 100, 101]
    with pytest.raises(SpecError, match="series 'a' has 6 rows; it cannot be cut after 7 of them"):
        table.truncate([6, 7])
    with pytest.raises(DataError, match="no row lies before 2026-01-01; the table begins at 2026-01-01"):
        table.before("2026-01-01")
    with pytest.raises(IndexError, match="series 2 of 2"):
        table.rows(2)


def test_future_needs_a_horizon(table: SeriesTable) -> None:
    for horizon in (0, -1, 1.5):
        with pytest.raises(SpecError, match="horizon must be a whole number of at least 1"):
            future_times(table, horizon)  # type: ignore[arg-type]
