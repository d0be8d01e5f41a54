"""Which rows a fold's model may see, and which it is asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidegate.data import SeriesTable, read_frame
from tidegate.errors import ShortSeriesError, SpecError
from tidegate.forecast.folds import fit_folds, make_folds, training_rows, truth_and_baselines


@pytest.fixture
def table() -> SeriesTable:
    """Three series of 20, 9 and 5 rows whose values are 100 · series + row."""
    rows = [(f"s{i}", row, 100.0 * i + row) for i, length in enumerate((20, 9, 5)) for row in range(length)]
    return read_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]))


def values(table: SeriesTable) -> dict[str, list[float]]:
    return {str(name): table.values[table.rows(i), 0].tolist() for i, name in enumerate(table.ids)}


def test_windows_are_the_last_rows_and_series_have_those_that_they_have_room_for(table: SeriesTable) -> None:
    folds = make_folds(table, windows=3, horizon=2, least=4)
    assert folds.ends.tolist() == [[14, -1, -1], [16, 25, -1], [18, 27, -1]]


@pytest.mark.parametrize(("window", "train_rows"), [(0, None), (2, None), (0, 6), (2, 6), (1, 100)])
def test_training_rows_are_those_before_the_window(table: SeriesTable, window: int, train_rows: int | None) -> None:
    found = values(training_rows(table, windows=3, horizon=2, window=window, train_rows=train_rows))
    expected = {}
    for i, length in enumerate((20, 9, 5)):
        past = [100.0 * i + row for row in range(length - 2 * (3 - window))]
        if past:
            expected[f"s{i}"] = past if train_rows is None else past[-train_rows:]
    assert found == expected
    assert ("s2" in found) == (window > 0)


def test_training_rows_never_reach_a_target_of_their_fold(table: SeriesTable) -> None:
    folds = make_folds(table, windows=3, horizon=2, least=1)
    for window, ends in enumerate(folds.ends):
        past = training_rows(table, windows=3, horizon=2, window=window, train_rows=4)
        latest = {name: column[-1] for name, column in values(past).items()}
        first = {f"s{i}": float(table.values[end, 0]) for i, end in enumerate(ends) if end >= 0}
        assert latest == {name: value - 1 for name, value in first.items()}


def test_one_model_for_all_windows_or_one_for_each(table: SeriesTable) -> None:
    seen: list[list[float]] = []

    def fit(past: SeriesTable) -> int:
        seen.append(values(past)["s0"])
        return len(seen)

    assert fit_folds(table, fit, windows=3, horizon=2) == [1, 1, 1]
    assert fit_folds(table, fit, windows=3, horizon=2, refit=True, train_rows=5) == [2, 3, 4]
    assert [(column[0], column[-1]) for column in seen] == [(0.0, 13.0), (9.0, 13.0), (11.0, 15.0), (13.0, 17.0)]
    with pytest.raises(SpecError, match="train_rows must be a whole number of at least 1; got 0"):
        fit_folds(table, fit, windows=3, horizon=2, train_rows=0)


def test_too_many_windows(table: SeriesTable) -> None:
    with pytest.raises(ShortSeriesError) as caught:
        training_rows(table, windows=10, horizon=2, window=0)
    assert str(caught.value) == (
        "no row lies before the last 20, which are held out; the longest series has 20 rows: "
        "take fewer windows or a shorter horizon"
    )
    with pytest.raises(ShortSeriesError, match="needs 4 rows and a horizon of 17 rows to forecast"):
        make_folds(table, windows=1, horizon=17, least=4)


def test_the_truth_stands_beside_the_baselines(table: SeriesTable) -> None:
    actual, forecasts = truth_and_baselines(table, np.array([0, 1]), np.array([10, 25]), 3, 2, ("drift", "naive"))
    assert actual[..., 0].tolist() == [[10.0, 11.0, 12.0], [105.0, 106.0, 107.0]]
    assert list(forecasts) == ["drift", "naive"]
    assert forecasts["drift"][..., 0] == pytest.approx(actual[..., 0])
    assert forecasts["naive"][..., 0].tolist() == [[9.0] * 3, [104.0] * 3]
    with pytest.raises(SpecError, match=r"baselines must be one of .*; got 'last'"):
        truth_and_baselines(table, np.array([0]), np.array([10]), 3, 2, ("last",))
