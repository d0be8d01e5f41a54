from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import SeriesTable, Windows, read_frame, split_bounds
from tidegate.errors import ShortSeriesError, SpecError


def _table(*lengths: int) -> SeriesTable:
    ids = np.repeat(np.arange(len(lengths)), lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    return read_frame(pd.DataFrame({"unique_id": ids, "ds": steps, "y": 1.0}))


@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=5),
    validation=st.one_of(st.integers(0, 12), st.floats(0, 0.5)),
    calibration=st.one_of(st.integers(0, 12), st.floats(0, 0.5)),
    test=st.integers(0, 10),
    least_train=st.integers(1, 8),
)
def test_parts_follow_each_other_and_share_no_target(
    lengths: list[int], validation: float, calibration: float, test: int, least_train: int
) -> None:
    table = _table(*lengths)
    options = {"validation": validation, "calibration": calibration, "test": test, "least_train": least_train}
    if min(lengths) < test + least_train:
        with pytest.raises(ShortSeriesError, match="to train on need"):
            split_bounds(table, **options)  # type: ignore[arg-type]
        return
    split = split_bounds(table, **options)  # type: ignore[arg-type]
    ends = np.stack([split.train, split.validation, split.calibration, split.test])
    assert (np.diff(ends, axis=0) >= 0).all()
    assert (split.train >= least_train).all()
    assert (split.test == table.lengths).all()
    assert (split.test - split.calibration == test).all()
    kept = np.setdiff1d(np.arange(len(table)), split.fallback)
    for asked, rows in ((validation, ends[1] - ends[0]), (calibration, ends[2] - ends[1])):
        if asked:
            assert (rows[kept] > 0).all()
    assert bool(split.notes) == bool(split.fallback.size)


def test_windows_of_two_parts_share_no_target_row() -> None:
    table = _table(30, 20)
    split = split_bounds(table, validation=6, test=4)
    train = Windows.sliding(table, context=5, horizon=3, stop=split.train)
    held = Windows.sliding(table, context=5, horizon=3, start=split.train, stop=split.validation)
    rows = [set((w.ends[:, None] + np.arange(3)).ravel().tolist()) for w in (train, held)]
    assert not rows[0] & rows[1]
    assert rows[1] == {*range(20, 26), *range(40, 46)}


def test_shares_are_of_the_rows_before_the_test_and_reach_the_horizon() -> None:
    split = split_bounds(_table(110, 30), validation=0.1, test=10, least=5)
    assert (split.validation - split.train).tolist() == [10, 5]


def test_short_series_fall_back_and_are_named() -> None:
    split = split_bounds(_table(40, 14, 11), validation=4, calibration=3, test=2, least_train=8)
    assert split.fallback.tolist() == [1, 2]
    assert split.train.tolist() == [31, 8, 9]
    assert split.validation.tolist() == [35, 12, 9]
    assert split.notes == (
        "2 of 3 series are too short for every part: 1 with no calibration rows of their own, 1 with neither "
        "calibration nor validation rows; the first is series 1",
    )
    with pytest.raises(ShortSeriesError, match="series 2 has 11 rows; 2 to test on and 10 to train on need 12"):
        split_bounds(_table(40, 14, 11), test=2, least_train=10)


def test_options_out_of_range_are_refused() -> None:
    for options, message in (
        ({"validation": 1.5}, "validation must be a probability"),
        ({"validation": True}, "validation must be a number of rows or a share of them; got True"),
        ({"calibration": -1}, "calibration must be a whole number of at least 0; got -1"),
        ({"test": -1}, "test must be a whole number of at least 0"),
    ):
        with pytest.raises(SpecError, match=message):
            split_bounds(_table(10), **options)
