from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import SeriesTable, Windows, read_frame
from tidegate.errors import ShortSeriesError, SpecError


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
    options = {"context": context, "horizon": horizon, "stride": stride, "least_context": least}
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


def test_what_cannot_be_cut_is_refused() -> None:
    table = _table([np.ones((3, 2)), np.ones((5, 2))])
    with pytest.raises(ShortSeriesError, match="of 4 context and 2 target rows; the longest, series 1, has 5 rows"):
        Windows.sliding(table, context=4, horizon=2, least_context=4)
    with pytest.raises(SpecError, match="horizon must be a whole number of at least 1; got 0"):
        Windows.sliding(table, context=4, horizon=0)
    with pytest.raises(SpecError, match="context must be a whole number of at least 1; got 0"):
        Windows.last(table, context=0)
