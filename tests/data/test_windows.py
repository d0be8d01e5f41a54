from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.data import SeriesTable, Windows, future_known, read_frame, with_time_features
from tidegate.errors import ShapeError, ShortSeriesError, SpecError
from tidegate.specs import Columns


def _table(values: list[np.ndarray]) -> SeriesTable:
    ids = np.repeat(np.arange(len(values)), [len(each) for each in values])
    steps = np.concatenate([np.arange(len(each)) for each in values])
    flat = np.concatenate(values)
    frame = pd.DataFrame({"unique_id": ids, "ds": steps, "u": flat[:, 0], "v": flat[:, 1]})
    return read_frame(frame)


@st.composite
def tables(draw: st.DrawFn) -> SeriesTable:
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    values = []
    for length in draw(st.lists(st.integers(2, 15), min_size=1, max_size=4)):
        series = random.standard_normal((length, 2))
        series[random.random((length, 2)) < draw(st.sampled_from([0.0, 0.3, 0.7]))] = np.nan
        series[random.integers(length), 0] = 1.0  # a series needs a value
        values.append(series)
    return _table(values)


def _oracle(
    table: SeriesTable, context: int, horizon: int, stride: int, start: int, stop: int, least: int
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Cut windows one by one, each series backwards from its last."""
    cut = []
    for series in range(len(table)):
        values = table.values[table.rows(series)]
        ends = []
        end = min(stop, len(values)) - horizon
        while end >= max(start, min(least, context)):
            ends.append(end)
            end -= stride
        for end in reversed(ends):
            window = np.full((context, 2), np.nan)
            seen = values[max(0, end - context) : end]
            window[context - len(seen) :] = seen
            target = values[end : end + horizon]
            if not np.isnan(window).all() and not np.isnan(target).all():
                cut.append((series, window, target))
    return cut


@given(
    table=tables(),
    context=st.integers(1, 6),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 4),
    start=st.integers(0, 6),
    stop=st.integers(3, 20),
    least=st.integers(1, 6),
)
def test_windows_are_those_of_a_loop(
    table: SeriesTable, context: int, horizon: int, stride: int, start: int, stop: int, least: int
) -> None:
    expected = _oracle(table, context, horizon, stride, start, stop, least)
    options: dict[str, Any] = {"context": context, "horizon": horizon, "stride": stride, "least_context": least}
    if not expected:
        with pytest.raises(ShortSeriesError, match=r"no series has a window .* within the bounds given"):
            Windows.sliding(table, start=start, stop=stop, **options)
        return
    windows = Windows.sliding(table, start=start, stop=np.full(len(table), stop), **options)
    batch = windows.batch(np.arange(len(windows)))
    assert batch.observed is not None
    assert batch.target is not None
    assert batch.target_observed is not None
    assert batch.series is not None
    assert batch.series.tolist() == [series for series, _, _ in expected]
    for index, (_, window, target) in enumerate(expected):
        assert np.array_equal(np.where(batch.observed[index], batch.values[index], np.nan), window, equal_nan=True)
        assert np.array_equal(
            np.where(batch.target_observed[index], batch.target[index], np.nan), target, equal_nan=True
        )
    assert np.isfinite(batch.values).all()
    assert (batch.values[~batch.observed] == 0).all()


@given(table=tables(), context=st.integers(1, 6), horizon=st.integers(1, 4), data=st.data())
def test_nothing_at_or_after_the_end_of_a_window_leaks_into_it(
    table: SeriesTable, context: int, horizon: int, data: st.DataObject
) -> None:
    try:
        windows = Windows.sliding(table, context=context, horizon=horizon)
    except ShortSeriesError:
        return
    index = data.draw(st.integers(0, len(windows) - 1))
    end, series = int(windows.ends[index]), int(windows.series[index])
    changed = table.values.copy()
    changed[end:] = 1e9
    changed[: table.offsets[series]] = -1e9  # nor do the series before it
    other = dataclasses.replace(windows, table=dataclasses.replace(table, values=changed))
    one, two = windows.batch(np.array([index])), other.batch(np.array([index]))
    assert np.array_equal(one.values, two.values)
    assert one.observed is not None
    assert two.observed is not None
    assert np.array_equal(one.observed, two.observed)
    assert two.target is not None
    assert np.unique(two.target).tolist() == [1e9]


def test_last_windows_end_with_their_series() -> None:
    table = _table([np.arange(6.0).reshape(3, 2), np.arange(20.0).reshape(10, 2)])
    windows = Windows.last(table, context=4)
    batch = windows.batch(np.array([1, 0]))
    assert batch.target is None
    assert batch.values[:, :, 0].tolist() == [[12, 14, 16, 18], [0, 0, 2, 4]]
    assert batch.observed is not None
    assert batch.observed[:, :, 0].tolist() == [[True] * 4, [False, True, True, True]]


def test_windows_are_kept_by_index_and_know_their_times() -> None:
    table = _table([np.arange(12.0).reshape(6, 2)])
    windows = Windows.sliding(table, context=2, horizon=2, least_context=2)
    assert windows.ends.tolist() == [2, 3, 4]
    assert windows.times(np.array([0, 2])).tolist() == [[2, 3], [4, 5]]
    kept = windows.subset([2, 0])
    assert kept.ends.tolist() == [4, 2]
    assert len(windows.subset(windows.ends > 2)) == 2


def test_strides_keep_the_newest_rows() -> None:
    table = _table([np.arange(20.0).reshape(10, 2)])
    assert Windows.sliding(table, context=3, horizon=2, stride=3).ends.tolist() == [2, 5, 8]


def test_a_window_whose_target_does_not_count_is_left_out() -> None:
    frame = pd.DataFrame({"ds": range(8), "y": [1.0, 2, 3, 4, 5, np.nan, 7, 8], "w": [0.0, 0, 0, 0, 1, 1, 0, 0]})
    windows = Windows.sliding(read_frame(frame, Columns(weight="w")), context=2, horizon=2)
    assert windows.ends.tolist() == [3, 4]  # of rows 5 … 7, the one that has a weight has no value
    with pytest.raises(ShortSeriesError, match="no series has a window"):
        Windows.sliding(read_frame(frame, Columns(weight="w")), context=2, horizon=2, start=5)


def test_what_cannot_be_cut_is_refused() -> None:
    table = _table([np.ones((3, 2)), np.ones((5, 2))])
    with pytest.raises(ShortSeriesError, match="of 4 context and 2 target rows; the longest, series 1, has 5 rows"):
        Windows.sliding(table, context=4, horizon=2, least_context=4)
    with pytest.raises(SpecError, match="horizon must be a whole number of at least 1; got 0"):
        Windows.sliding(table, context=4, horizon=0)
    with pytest.raises(SpecError, match="context must be a whole number of at least 1; got 0"):
        Windows.last(table, context=0)


# ----------------------------------------------------------------------------------------------------- covariates


@st.composite
def tables_with_covariates(draw: st.DrawFn) -> SeriesTable:
    """Give a table in which every covariate says which row it belongs to; here and there one is missing."""
    lengths = draw(st.lists(st.integers(2, 12), min_size=1, max_size=4))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    series = np.repeat(np.arange(len(lengths)), lengths)
    steps = np.concatenate([start + np.arange(length) for start, length in zip((5, 0, 9, 2), lengths, strict=False)])
    row = np.arange(len(steps)) + 0.0
    frame = pd.DataFrame(
        {"unique_id": series, "ds": steps, "y": row + 1, "p": row, "k": -row, "q": row / 2, "w": row + 1}
    )
    for name in ("p", "k"):
        frame.loc[random.random(len(row)) < 0.3, name] = np.nan
    frame = frame.assign(s=series * 1.5, c=[f"c{number}" for number in series])
    columns = Columns(
        targets=("y",), past=("p",), known=("k", "q"), weight="w", static=("s", "c"), frequency=1
    )  # fmt: skip
    return read_frame(frame, columns)


def _rows(array: np.ndarray, table: SeriesTable, series: int, start: int, stop: int) -> np.ndarray:
    """Take rows ``start … stop − 1`` of one series, counted from its first, one by one; NaN outside of it."""
    own = array[table.rows(series)]
    missing = np.full(own.shape[1:], np.nan)
    return np.array([own[row] if 0 <= row < len(own) else missing for row in range(start, stop)])


@settings(max_examples=30)
@given(table=tables_with_covariates(), context=st.integers(1, 5), horizon=st.integers(1, 3), reach=st.integers(0, 6))
def test_covariates_are_those_of_a_loop(table: SeriesTable, context: int, horizon: int, reach: int) -> None:
    codes = table.category_codes(table.vocabularies())
    try:
        windows = Windows.sliding(table, context=context, horizon=horizon, codes=codes)
    except ShortSeriesError:
        return
    windows = dataclasses.replace(windows, ahead=reach)
    batch = windows.batch(np.arange(len(windows)))
    assert batch.past is not None
    assert batch.known is not None
    assert batch.known.shape[1] == context + max(horizon, reach)
    assert table.weights is not None
    for index, (series, end) in enumerate(zip(windows.series, windows.ends, strict=True)):
        at = int(end - table.offsets[series])
        past = _rows(table.past, table, series, at - context, at)
        np.testing.assert_array_equal(batch.past[index], past)
        known = _rows(table.known, table, series, at - context, at + max(horizon, reach))
        np.testing.assert_array_equal(batch.known[index], known)
        assert batch.static is not None
        assert batch.static[index].tolist() == [series * 1.5]
        assert batch.categories is not None
        assert batch.categories[index].tolist() == [series + 1]
        assert batch.weight is not None
        assert batch.weight[index].tolist() == table.weights[end : end + horizon].tolist()
        assert batch.position is not None
        assert batch.position[index] == table.times[end]  # the time column counts steps of 1


@settings(max_examples=30)
@given(table=tables_with_covariates(), context=st.integers(1, 5), back=st.integers(0, 3), steps=st.integers(1, 4))
def test_known_covariates_go_on_after_the_end_of_the_table(
    table: SeriesTable, context: int, back: int, steps: int
) -> None:
    future = np.arange(len(table) * steps * 2).reshape(len(table), steps, 2) + 1000.0
    ends = np.maximum(table.offsets[1:] - back, table.offsets[:-1] + 1)
    windows = dataclasses.replace(Windows.last(table, context=context, ahead=4, future=future), ends=ends)
    batch = windows.batch(np.arange(len(table)))
    assert batch.known is not None
    assert batch.position is not None
    for series in range(len(table)):
        whole = np.concatenate([table.known[table.rows(series)], future[series]])
        at = int(ends[series] - table.offsets[series])
        expected = [whole[row] if 0 <= row < len(whole) else [np.nan] * 2 for row in range(at - context, at + 4)]
        np.testing.assert_array_equal(batch.known[series], expected)
        assert batch.position[series] == table.times[table.offsets[series]] + at
    assert batch.weight is None


@settings(max_examples=30)
@given(table=tables_with_covariates(), context=st.integers(1, 5), horizon=st.integers(1, 3), data=st.data())
def test_covariates_outside_a_window_do_not_leak_into_it(
    table: SeriesTable, context: int, horizon: int, data: st.DataObject
) -> None:
    try:
        windows = Windows.sliding(table, context=context, horizon=horizon)
    except ShortSeriesError:
        return
    index = data.draw(st.integers(0, len(windows) - 1))
    end, series = int(windows.ends[index]), int(windows.series[index])
    begin = max(end - context, int(table.offsets[series]))
    assert table.weights is not None
    past, known, weights, static = table.past.copy(), table.known.copy(), table.weights.copy(), table.static.copy()
    past[end:], past[:begin] = 1e9, -1e9
    known[end + horizon :], known[:begin] = 1e9, -1e9
    weights[end + horizon :], weights[:end] = 1e9, 1e9
    static[np.arange(len(table)) != series] = 1e9
    changed = dataclasses.replace(table, past=past, known=known, weights=weights, static=static)
    one, two = (each.batch(np.array([index])) for each in (windows, dataclasses.replace(windows, table=changed)))
    for name in ("past", "known", "weight", "static", "position"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_features_of_the_time_stamps_reach_windows_before_and_after_the_end() -> None:
    days = pd.date_range("2026-01-01", periods=10)
    table = read_frame(pd.DataFrame({"ds": days[:7], "y": 1.0}), Columns(calendar=("weekday",)))
    windows = Windows.last(with_time_features(table), context=9, ahead=3, future=future_known(table, 3))
    known = windows.batch(np.array([0])).known
    assert known is not None
    assert known.dtype == np.float32
    assert np.isnan(known[0, :2]).all()
    expected = np.sin(2 * np.pi * days.day_of_week.to_numpy() / 7)
    np.testing.assert_allclose(known[0, 2:, 0], expected, atol=1e-6)


def test_a_table_without_covariates_gives_none() -> None:
    table = _table([np.arange(12.0).reshape(6, 2)])
    batch = Windows.sliding(table, context=2, horizon=2).batch(np.array([0, 2]))
    assert (batch.past, batch.known, batch.static, batch.categories, batch.weight) == (None,) * 5
    assert batch.position is not None
    assert batch.position.tolist() == [1, 3]
    bare = dataclasses.replace(table, columns=dataclasses.replace(table.columns, frequency=None))
    assert Windows.last(bare, context=2).batch(np.array([0])).position is None


def test_positions_agree_between_tables() -> None:
    hours = pd.date_range("2026-03-28", periods=48, freq="h", tz="Europe/Berlin")  # one of the days has 23
    frame = pd.DataFrame({"ds": hours, "y": 1.0})
    whole, late = read_frame(frame), read_frame(frame.iloc[20:])
    one = Windows.last(whole.truncate(30), context=3).batch(np.array([0])).position
    two = Windows.sliding(late, context=3, horizon=1).batch(np.array([9])).position
    assert one is not None
    assert two is not None
    assert one.tolist() == two.tolist() == [(hours[30] - pd.Timestamp("1970-01-01", tz="UTC")) // pd.Timedelta("1h")]


def test_futures_and_codes_that_do_not_fit_are_refused() -> None:
    frame = pd.DataFrame({"unique_id": [1, 1, 2, 2], "ds": [0, 1] * 2, "y": 1.0, "k": 0.0, "c": ["u", "u", "v", "v"]})
    table = read_frame(frame, Columns(known=("k",), static=("c",)))
    with pytest.raises(ShapeError, match=r"^future must be \[2 series, step, 1 known\]; got \[2, 5, 2\]$"):
        Windows.last(table, context=2, ahead=5, future=np.zeros((2, 5, 2)))
    message = r"^codes must have the shape of the table's categories, \[2, 1\]; got \[2, 2\]$"
    with pytest.raises(ShapeError, match=message):
        Windows.last(table, context=2, codes=np.zeros((2, 2), np.int64))
    with pytest.raises(SpecError, match=r"^ahead must be a whole number of at least 0; got -1$"):
        Windows.last(table, context=2, ahead=-1)
