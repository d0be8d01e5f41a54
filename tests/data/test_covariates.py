"""Covariates and weights: read from frames and files, checked, and kept beside the rows that they belong to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.data import SeriesTable, csvfile, read_csv, read_frame
from tidegate.errors import ColumnError, DataError, ShapeError
from tidegate.specs import Columns

Backend = Callable[[pd.DataFrame], Any]
NAMED = Columns(
    targets=("y",),
    static=("region", "unique_id", "size", "open"),
    past=("wind",),
    known=("price", "holiday"),
    weight="w",
)


def _shop(rows: int = 4) -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=rows)
    first = pd.DataFrame({"unique_id": "b", "ds": days, "y": np.arange(rows) + 0.0})
    first = first.assign(
        wind=first.y + 10, price=first.y + 20, holiday=first.y == 1, w=first.y + 1, region="north", size=2, open=True
    )
    second = first.assign(
        unique_id="a", y=first.y + 100, wind=first.wind + 100, price=first.price + 100, w=0.5, region="east", size=3.5,
        open=False,
    )  # fmt: skip
    return pd.concat([first, second], ignore_index=True)


def _csv(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "shop.csv"
    frame.to_csv(path, index=False)
    return path


def _assert_same(one: SeriesTable, two: SeriesTable) -> None:
    for name in ("ids", "offsets", "times", "categories"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist()
    for name in ("values", "past", "known", "static", "weights"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.categorical, one.columns) == (two.categorical, two.columns)


# ----------------------------------------------------------------------------------------------------- reading


def test_interleaved_rows_bring_their_covariates_along(backend: Backend) -> None:
    frame = _shop().sort_values("ds", kind="stable", ignore_index=True)
    table = read_frame(backend(frame), NAMED)
    assert table.past[:, 0].tolist() == [10, 11, 12, 13, 110, 111, 112, 113]
    assert table.known.tolist() == [[20, 0], [21, 1], [22, 0], [23, 0], [120, 0], [121, 1], [122, 0], [123, 0]]
    assert table.weights is not None
    assert table.weights.tolist() == [1, 2, 3, 4, 0.5, 0.5, 0.5, 0.5]
    assert table.numeric == ("size",)
    assert table.static.tolist() == [[2], [3.5]]
    assert table.categorical == ("region", "unique_id", "open")
    assert table.categories.tolist() == [["north", "b", "True"], ["east", "a", "False"]]
    assert table.notes == ()
    assert table.values[:, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103]


def test_sorting_takes_them_along(backend: Backend) -> None:
    frame = _shop(6)
    shuffled = frame.sample(frac=1, random_state=3, ignore_index=True)
    table = read_frame(backend(shuffled), NAMED, sort=True)
    assert sorted(table.ids) == ["a", "b"]
    _assert_same(table.select([table.ids.tolist().index(name) for name in "ba"]), read_frame(backend(frame), NAMED))


@pytest.mark.parametrize("chunk", [1, 3, 65_536])
def test_a_file_reads_as_the_frame_does(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvfile, "_CHUNK", chunk)
    frame = _shop()
    frame.loc[2, ["wind", "price"]] = np.nan
    table = read_csv(_csv(tmp_path, frame), NAMED)
    _assert_same(table, read_frame(frame, NAMED))
    assert table.notes == (
        "column 'wind': 1 missing value masked in 1 series; the first in series 'b', line 4",
        "column 'price': 1 missing value masked in 1 series; the first in series 'b', line 4",
    )


def test_a_table_without_covariates_has_none_of_them() -> None:
    table = read_frame(_shop()[["unique_id", "ds", "y"]])
    assert (table.past.shape, table.known.shape) == ((8, 0), (8, 0))
    assert (table.static.shape, table.categories.shape, table.weights) == ((2, 0), (2, 0), None)
    assert (table.vocabularies(), table.category_codes(()).shape) == ((), (2, 0))
    assert table.truncate(2).known.shape == (4, 0)


def test_covariates_are_no_targets_of_a_wide_table(backend: Backend, tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": range(4), "u": 1.0, "v": 2.0, "y": 3.0, "w": 1.0})
    columns = Columns(known=("y",), weight="w")
    assert read_frame(backend(frame), columns).columns.targets == ("u", "v")
    assert read_csv(_csv(tmp_path, frame), columns).columns.targets == ("u", "v")
    with pytest.raises(
        ColumnError, match=r"neither a column 'y' nor a numeric one that is named as nothing else; it has"
    ):
        read_frame(backend(frame), Columns(known=("u", "v", "y", "w")))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(static=("Region",)), "the static column 'Region' is not in the table, .*; is 'region' meant?"),
        (Columns(past=("gust",)), "the past column 'gust' is not in the table, .*; name the past column"),
        (Columns(known=("prices",)), "the known column 'prices' is not in the table, .*; is 'price' meant?"),
        (Columns(weight="weight"), "the weight column 'weight' is not in the table"),
    ],
)
def test_absent_columns_are_named(columns: Columns, message: str, backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=message):
        read_frame(backend(_shop()), columns)
    with pytest.raises(ColumnError, match=message):
        read_csv(_csv(tmp_path, _shop()), columns)


def test_the_id_is_no_static_covariate_where_there_is_none() -> None:
    frame = pd.DataFrame({"ds": range(4), "y": 1.0})
    with pytest.raises(ColumnError, match="the static column 'unique_id' is not in the table, which has 'ds', 'y'"):
        read_frame(frame, Columns(static=("unique_id",)))


# --------------------------------------------------------------------------------------------------- static kinds


def _one_static(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": [1, 1, 2, 2], "ds": [0, 1] * 2, "y": 1.0, "s": values})


@pytest.mark.parametrize(
    ("values", "categorical", "expected"),
    [
        ([1, 1, 2, 2], False, [1.0, 2.0]),
        (pd.array([1, None, 2, 2], dtype="Int64"), False, [1.0, 2.0]),
        (pd.Series([1, None, None, 2.5], dtype=object), False, [1.0, 2.5]),
        ([True, True, False, False], True, ["True", "False"]),
        (pd.array([True, None, None, None], dtype="boolean"), True, ["True", ""]),
        (["x", None, None, "z"], True, ["x", "z"]),
        (["", "", "z", "z"], True, ["", "z"]),
        (pd.Series(["x", "x", 7, 7], dtype=object), True, ["x", "7"]),
        (pd.Categorical([7, 7, 9, 9]), True, ["7", "9"]),
        (pd.Categorical(["u", "u", None, None], categories=["v", "u"]), True, ["u", ""]),
    ],
)
def test_the_dtype_decides_what_is_a_category(values: Any, categorical: bool, expected: list[Any]) -> None:
    table = read_frame(_one_static(values), Columns(static=("s",)))
    assert table.categorical == (("s",) if categorical else ())
    assert (table.categories if categorical else table.static)[:, 0].tolist() == expected
    assert table.columns.targets == ("y",)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["x", None, "z", "z"], pl.String, ["x", "z"]),
        (["x", "x", None, None], pl.Categorical, ["x", ""]),
        (["x", "x", "z", "z"], pl.Enum(["z", "x"]), ["x", "z"]),
        ([True, None, False, False], pl.Boolean, ["True", "False"]),
        ([3, 3, None, 4], pl.Int8, [3.0, 4.0]),
    ],
)
def test_the_dtypes_of_polars(values: list[Any], dtype: Any, expected: list[Any]) -> None:
    frame = pl.DataFrame({"unique_id": [1, 1, 2, 2], "ds": [0, 1] * 2, "y": 1.0, "s": pl.Series(values, dtype=dtype)})
    table = read_frame(frame, Columns(static=("s",)))
    numeric = dtype == pl.Int8
    assert table.categorical == (() if numeric else ("s",))
    assert (table.static if numeric else table.categories)[:, 0].tolist() == expected


def test_a_static_column_of_nothing_is_missing_everywhere() -> None:
    nothing = pl.DataFrame({"unique_id": [1, 1, 2, 2], "ds": [0, 1] * 2, "y": 1.0, "s": [None] * 4})
    table = read_frame(nothing, Columns(static=("s",)))
    assert np.isnan(table.static[:, 0]).all()
    assert table.notes == ("column 's': missing in 2 series; the first is series 1",)


def test_missing_categories_are_counted(backend: Backend) -> None:
    table = read_frame(backend(_one_static(["x", "x", None, None])), Columns(static=("s",)))
    assert table.notes == ("column 's': missing in 1 series; the first is series 2",)


@pytest.mark.parametrize(
    ("texts", "categorical", "expected"),
    [("1,1.0,2,2", False, [1.0, 2.0]), ("1,NA,x,", True, ["1", "x"]), ("n/a,,007,007", False, [np.nan, 7.0])],
)
def test_in_a_file_what_is_no_number_is_a_category(
    tmp_path: Path, texts: str, categorical: bool, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "_CHUNK", 2)  # the first chunk alone does not decide
    rows = [f"{1 + row // 2},{row % 2},1,{text}\n" for row, text in enumerate(texts.split(","))]
    path = tmp_path / "table.csv"
    path.write_text("unique_id,ds,y,s\n" + "".join(rows), "utf-8")
    table = read_csv(path, Columns(static=("s",)))
    assert table.categorical == (("s",) if categorical else ())
    np.testing.assert_array_equal((table.categories if categorical else table.static)[:, 0], np.array(expected))


# ----------------------------------------------------------------------------------------------------- refusals


def _with(column: str, row: int, value: Any) -> pd.DataFrame:
    frame = _shop().astype({column: object})
    frame.loc[row, column] = value
    return frame if isinstance(value, str) else frame.astype({column: _shop()[column].dtype}, errors="ignore")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            _with("region", 6, "west"),
            "column 'region': a static covariate has one value a series, but series 'a' has 'east' ({4}) and 'west' "
            "({6}); correct it, or leave the column out",
        ),
        (
            _with("size", 3, 7.0),
            "column 'size': a static covariate has one value a series, but series 'b' has 2 ({0}) and 7 ({3}); "
            "correct it, or name the column in past or known instead",
        ),
        (
            _with("size", 5, np.inf),
            "column 'size', {5}: expected a finite number, got inf; leave the cell empty if the",
        ),
        (_with("wind", 5, -np.inf), "column 'wind', {5}: expected a finite number, got -inf; leave the cell empty"),
        (_with("price", 4, 1e16), "column 'price', {4}: 1e+16 is larger than 1e+15 in magnitude; rescale the column"),
        (_with("wind", 2, "calm"), "column 'wind', {2}: expected a number, got 'calm'"),
        (_with("price", 7, "much"), "column 'price', {7}: expected a number, got 'much'"),
        (_with("w", 3, "much"), "column 'w', {3}: expected a number, got 'much'"),
        (
            _with("w", 3, -0.5),
            "column 'w', {3}: expected a weight of at least 0, got -0.5; give every row one, 0 for rows that must not "
            "count",
        ),
        (_with("w", 6, np.nan), "column 'w', {6}: expected a weight of at least 0, it is missing; give every row one"),
        (_with("w", 6, np.inf), "column 'w', {6}: expected a finite number, got inf"),
        (_shop().assign(w=0), "column 'w': every weight is 0, so nothing would count; give some row a weight above 0"),
    ],
)
def test_bad_covariates_are_refused(frame: pd.DataFrame, message: str, tmp_path: Path) -> None:
    rows, lines = ([f"{word} {row + first}" for row in range(8)] for word, first in (("row", 0), ("line", 2)))
    with pytest.raises(DataError, match=f"^{re.escape(message.format(*rows))}"):
        read_frame(frame, NAMED)
    with pytest.raises(DataError, match=f"^{re.escape(message.format(*lines))}"):
        read_csv(_csv(tmp_path, frame), NAMED)


def test_a_change_is_found_among_interleaved_rows(backend: Backend) -> None:
    frame = _shop().sort_values("ds", kind="stable", ignore_index=True)
    frame.loc[5, "region"] = "west"  # of series 'a', whose first row is row 1
    with pytest.raises(DataError, match=r"series 'a' has 'east' \(row 1\) and 'west' \(row 5\)"):
        read_frame(backend(frame), NAMED)


def test_covariates_of_another_dtype_are_refused(backend: Backend) -> None:
    frame = _shop().assign(wind=_shop().ds)
    with pytest.raises(
        DataError, match=r"column 'wind' holds Datetime.*, not numbers; convert it, or name another past"
    ):
        read_frame(backend(frame), NAMED)
    frame = _shop().assign(region=_shop().ds)
    with pytest.raises(
        DataError, match=r"column 'region' holds Datetime.*, neither numbers nor categories; convert it"
    ):
        read_frame(backend(frame), NAMED)


def test_calendar_features_need_time_stamps_that_tell_something() -> None:
    counted = pd.DataFrame({"ds": range(9), "y": 1.0})
    message = re.escape(
        "calendar=('hour',) needs time stamps, but column 'ds' counts whole numbers; leave calendar out, and describe "
        "seasons with fourier="
    )
    with pytest.raises(DataError, match=f"^{message}$"):
        read_frame(counted, Columns(calendar=("hour",)))
    with pytest.raises(
        DataError, match=r"^calendar names 'hour', which says nothing at the frequency 'D'; leave it out$"
    ):
        read_frame(_shop(), dataclasses.replace(NAMED, calendar=("weekday", "hour")))


# ---------------------------------------------------------------------------------------------- tables, cut and mended


def test_gaps_are_rows_without_covariates_of_weight_one(backend: Backend) -> None:
    frame = _shop(5).drop(index=[2, 6, 7]).reset_index(drop=True)
    table = read_frame(backend(frame), NAMED)
    assert table.lengths.tolist() == [5, 5]
    assert np.flatnonzero(np.isnan(table.past[:, 0])).tolist() == [2, 6, 7]
    assert np.flatnonzero(np.isnan(table.known).all(axis=1)).tolist() == [2, 6, 7]
    assert table.known[[1, 3, 5, 8], 0].tolist() == [21, 23, 120, 123]
    assert table.weights is not None
    assert table.weights.tolist() == [1, 2, 1, 4, 5, 0.5, 1, 1, 0.5, 0.5]
    assert table.notes == (
        "column 'ds': 2 gaps filled with 3 missing rows in 2 series; the first in series 'b' after 2026-01-02 (row 1)",
    )


@settings(max_examples=30)
@given(data=st.data())
def test_every_cut_keeps_covariates_beside_their_rows(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(2, 6), min_size=1, max_size=5))
    series = np.repeat(np.arange(len(lengths)), lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    y = np.arange(len(steps)) + 0.0
    frame = pd.DataFrame({"unique_id": series, "ds": steps, "y": y, "p": y + 0.25, "k": -y, "w": y + 1})
    frame = frame.assign(s=series * 10.0, c=[f"c{number}" for number in series])
    table = read_frame(frame, Columns(targets=("y",), past=("p",), known=("k",), weight="w", static=("s", "c")))
    cuts: list[Callable[[], SeriesTable]] = [
        lambda: table.select(np.arange(len(table))[::-1]),
        lambda: table.head(1),
        lambda: table.tail(2),
        lambda: table.truncate(table.lengths - 1),
        lambda: table.before(2),
        lambda: table.select(np.array([len(table) - 1])).truncate(1),
    ]
    cut = cuts[data.draw(st.integers(0, len(cuts) - 1))]()
    assert cut.offsets[-1] == len(cut.times) == len(cut.values)
    assert cut.past.tolist() == (cut.values + 0.25).tolist()
    assert cut.known.tolist() == (-cut.values).tolist()
    assert cut.weights is not None
    assert cut.weights.tolist() == (cut.values[:, 0] + 1).tolist()
    assert cut.static[:, 0].tolist() == [name * 10.0 for name in cut.ids.tolist()]
    assert cut.categories[:, 0].tolist() == [f"c{name}" for name in cut.ids.tolist()]


def test_vocabularies_are_sorted_and_number_what_they_hold() -> None:
    frame = pd.DataFrame({"unique_id": [1, 1, 2, 2, 3, 3, 4, 4], "ds": [0, 1] * 4, "y": 1.0})
    frame = frame.assign(s=["z"] * 2 + ["x"] * 2 + [""] * 2 + ["y"] * 2)
    table = read_frame(frame, Columns(static=("s", "unique_id")))
    assert table.vocabularies() == (("x", "y", "z"), ("1", "2", "3", "4"))
    codes = table.category_codes(table.select([0, 1, 2]).vocabularies())
    assert codes.tolist() == [[2, 1], [1, 2], [0, 3], [0, 0]]  # 0: missing, and never seen
    assert codes.dtype == np.int64
    with pytest.raises(ShapeError, match=r"^2 categories need as many vocabularies; got 1$"):
        table.category_codes((("x",),))


@pytest.mark.parametrize(("name", "shape"), [("known", (7, 1)), ("static", (3, 1)), ("weights", (9,))])
def test_arrays_of_another_length_are_refused(name: str, shape: tuple[int, ...]) -> None:
    table = read_frame(_shop(), NAMED)
    changed: dict[str, Any] = {name: np.zeros(shape)}
    what = "2 series" if name == "static" else "8 rows"
    with pytest.raises(ShapeError, match=rf"^{name} must have {what}, as the table has; got shape "):
        dataclasses.replace(table, **changed)


def test_the_steps_that_series_begin_with() -> None:
    table = read_frame(_shop(), NAMED)
    day = (pd.Timestamp("2026-01-01") - pd.Timestamp("1970-01-01")).days
    assert table.first_steps is not None
    assert table.first_steps.tolist() == [day, day]
    assert table.select([0]).truncate(1).first_steps.tolist() == [day]  # type: ignore[union-attr]
    bare = dataclasses.replace(table, columns=dataclasses.replace(NAMED, frequency=None))
    assert bare.first_steps is None
