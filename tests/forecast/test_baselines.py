"""The baselines against slow oracles, and M4's own numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import SeriesTable, read_csv, read_frame
from tidegate.forecast.baselines import BASELINES, drift, naive, naive2, seasonal_naive
from tidegate.metrics import mase, seasonal_scale, smape
from tidegate.specs import Columns

Values = list[list[float | None]]


def table_of(series: Values) -> SeriesTable:
    rows = [(f"s{i}", step, value) for i, values in enumerate(series) for step, value in enumerate(values)]
    return read_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]).astype({"y": float}))


def at_the_end(table: SeriesTable) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(table)), table.offsets[1:]


def oracle_naive(history: list[float | None]) -> float:
    return next(value for value in reversed(history) if value is not None)


def oracle_seasonal(history: list[float | None], season: int, step: int) -> float:
    place = len(history) - season + step % season
    while place >= 0:
        value = history[place]
        if value is not None:
            return value
        place -= season
    return oracle_naive(history)


def oracle_drift(history: list[float | None], step: int) -> float:
    known = [(place, value) for place, value in enumerate(history) if value is not None]
    (first, start), (last, stop) = known[0], known[-1]
    slope = (stop - start) / max(last - first, 1)
    return stop + slope * (len(history) + step - last)


histories = st.lists(
    st.lists(st.none() | st.floats(-100, 100), min_size=2, max_size=15).filter(lambda v: any(x is not None for x in v)),
    min_size=1,
    max_size=4,
)


@given(histories, st.integers(1, 5), st.integers(1, 8))
def test_against_the_oracles(series: Values, season: int, horizon: int) -> None:
    table = table_of(series)
    where = at_the_end(table)
    found = {name: BASELINES[name](table, *where, horizon, season) for name in ("naive", "seasonal_naive", "drift")}
    for i, history in enumerate(series):
        for step in range(horizon):
            assert found["naive"][i, step, 0] == oracle_naive(history)
            assert found["seasonal_naive"][i, step, 0] == oracle_seasonal(history, season, step)
            assert found["drift"][i, step, 0] == pytest.approx(oracle_drift(history, step), abs=1e-9)


def test_only_what_lies_before_the_end_is_read() -> None:
    table = table_of([[float(v) for v in range(1, 31)]])
    other = table_of([[float(v) if v <= 20 else 1e6 for v in range(1, 31)]])
    where = np.array([0]), np.array([20])
    for baseline in (naive, seasonal_naive, drift, naive2):
        np.testing.assert_array_equal(baseline(table, *where, 5, 4), baseline(other, *where, 5, 4))


def test_naive2_follows_a_season_that_multiplies() -> None:
    factors = np.array([0.5, 1.0, 1.5, 1.0])
    table = table_of([list(np.tile(factors, 10) * 80)])
    np.testing.assert_allclose(naive2(table, *at_the_end(table), 6, 4)[0, :, 0], np.resize(factors, 6) * 80)


def test_naive2_without_a_season_or_with_values_of_zero_is_naive() -> None:
    noise: list[float | None] = list(np.random.default_rng(3).normal(100, 1, 40))
    zeros: list[float | None] = [0.0, 5.0, 9.0, 5.0] * 10
    table = table_of([noise, zeros, [3.0, 4.0, 5.0]])
    np.testing.assert_array_equal(
        naive2(table, *at_the_end(table), 3, 4), np.array([[noise[-1]] * 3, [5.0] * 3, [5.0] * 3])[..., None]
    )


@pytest.mark.data
@pytest.mark.parametrize(
    ("group", "horizon", "season", "expected"),
    [("hourly", 48, 24, (18.383, 2.395)), ("weekly", 13, 1, (9.161, 2.777))],
)
def test_naive2_has_the_published_scores(
    public_data: object, group: str, horizon: int, season: int, expected: tuple[float, float]
) -> None:
    folder = f"{public_data}/forecasting"
    train = read_csv(f"{folder}/m4_{group}_train.csv.gz", Columns())
    test = read_csv(f"{folder}/m4_{group}_test.csv.gz", Columns())
    assert list(train.ids) == list(test.ids)
    truth = test.values.reshape(len(test), horizon)
    forecast = naive2(train, *at_the_end(train), horizon, season)[..., 0]
    scale = np.array([seasonal_scale(train.values[train.rows(i), 0], season) for i in range(len(train))])
    found = float(smape(truth, forecast)), float(np.mean(mase(truth, forecast, scale, axis=1)))
    assert found == pytest.approx(expected, abs=5e-4)
