"""Scores against loops over windows, series and steps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from tidegate import metrics
from tidegate.data import SeriesTable, read_frame
from tidegate.errors import SpecError
from tidegate.forecast.scores import (
    CRPS_PROBABILITIES,
    bounds_of,
    check_levels,
    interval_scores,
    numbers,
    point_scores,
    quantile_scores,
    score_table,
    seasonal_scales,
    wanted_probabilities,
    written,
)
from tidegate.specs import Columns

SHAPE = (2, 3, 5, 2)  # window, series, step, target
RNG = np.random.default_rng(11)
ACTUAL = RNG.normal(10, 3, SHAPE)
ACTUAL[0, 1, 2:, 0] = np.nan
ACTUAL[1, 2] = np.nan  # a window without room
ACTUAL[0, 0, :, 1] = np.nan
FORECASTS = {name: RNG.normal(10, 3, SHAPE) for name in ("tidegate", "naive", "naive2")}
SCALE, SQUARED = RNG.uniform(1, 3, (2, 3, 2)), RNG.uniform(1, 3, (2, 3, 2))
SCALE[1, 1, 0] = np.nan  # a series too short for a season
SCALE[1, 0, 1] = SQUARED[1, 0, 1] = 0.0  # a series that never changed
LEVELS = (50.0, 90.0)
PROBABILITIES = wanted_probabilities(LEVELS)
QUANTILES = np.sort(RNG.normal(10, 4, (*SHAPE, len(PROBABILITIES))), axis=-1)


def known(values: np.ndarray) -> list[float]:
    return [value for value in values.tolist() if not math.isnan(value)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def table_of(*series: list[float]) -> SeriesTable:
    rows = [(f"s{i}", step, value) for i, values in enumerate(series) for step, value in enumerate(values)]
    return read_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]).astype({"y": float}))


@pytest.mark.parametrize("model", list(FORECASTS))
def test_mase_rmsse_and_msis_are_means_over_windows_and_series(model: str) -> None:
    mase, rmsse, msis = [], [], []
    low, high = QUANTILES[..., 2], QUANTILES[..., -3]
    for place in itertools.product(range(2), range(3), range(2)):
        window, series, target = place
        one = window, series, slice(None), target
        error = ACTUAL[one] - FORECASTS[model][one]
        if known(error) and SCALE[place] > 0:
            mase.append(mean(known(np.abs(error))) / SCALE[place])
            fine = 20 * (np.maximum(low[one] - ACTUAL[one], 0) + np.maximum(ACTUAL[one] - high[one], 0))
            missing = np.where(np.isnan(ACTUAL[one]), np.nan, 0.0)
            msis.append(mean(known(high[one] - low[one] + fine + missing)) / SCALE[place])
        if known(error) and SQUARED[place] > 0:
            rmsse.append(math.sqrt(mean(known(error**2)) / SQUARED[place]))
    assert (len(mase), len(rmsse)) == (7, 8)
    found = point_scores(ACTUAL, FORECASTS, SCALE, SQUARED)[model]
    assert found["MASE"] == pytest.approx(mean(mase))
    assert found["RMSSE"] == pytest.approx(mean(rmsse))
    assert interval_scores(ACTUAL, low, high, SCALE, level=90)["MSIS"] == pytest.approx(mean(msis))


def test_at_a_step_scaled_errors_are_pooled() -> None:
    found = point_scores(ACTUAL, FORECASTS, SCALE, SQUARED, keep=(2,))["naive"]
    for step in range(5):
        error = (ACTUAL - FORECASTS["naive"])[:, :, step]
        with np.errstate(divide="ignore"):
            sizes = np.where(SCALE > 0, np.abs(error) / SCALE, np.nan)
            squares = np.where(SQUARED > 0, error**2 / SQUARED, np.nan)
        assert found["MASE"][step] == pytest.approx(mean(known(sizes.ravel())))
        assert found["RMSSE"][step] == pytest.approx(math.sqrt(mean(known(squares.ravel()))))
        assert found["RMSE"][step] == pytest.approx(math.sqrt(mean(known((error**2).ravel()))))


@pytest.mark.parametrize("keep", [(), (0,), (1,), (3,), (0, 1), (1, 3), (0, 1, 3), (2,), (1, 2), (0, 1, 2, 3)])
def test_what_is_kept_apart_is_scored_as_if_it_were_alone(keep: tuple[int, ...]) -> None:
    points = point_scores(ACTUAL, FORECASTS, SCALE, SQUARED, keep=keep)
    spread = quantile_scores(ACTUAL, QUANTILES, PROBABILITIES, levels=LEVELS, keep=keep)
    low, high = QUANTILES[..., 1], QUANTILES[..., -2]
    spans = interval_scores(ACTUAL, low, high, SCALE, level=50, keep=keep)
    for place in itertools.product(*(range(SHAPE[axis]) for axis in keep)):
        index = [slice(None)] * 4
        for axis, one in zip(keep, place, strict=True):
            index[axis] = slice(one, one + 1)
        at, scale_at = tuple(index), (index[0], index[1], index[3])
        inner = (2,) if 2 in keep else ()  # at a step, MASE and RMSSE are other averages
        alone = point_scores(
            ACTUAL[at], {n: f[at] for n, f in FORECASTS.items()}, SCALE[scale_at], SQUARED[scale_at], keep=inner
        )
        for name, scores in points.items():
            for metric, values in scores.items():
                expected = np.ravel(alone[name][metric])[0]
                assert values[place] == pytest.approx(expected, nan_ok=True), (name, metric)
        other = quantile_scores(ACTUAL[at], QUANTILES[at], PROBABILITIES, levels=LEVELS)
        other |= interval_scores(ACTUAL[at], low[at], high[at], SCALE[scale_at], level=50, keep=inner)
        for metric, values in (spread | spans).items():
            assert values[place] == pytest.approx(np.ravel(other[metric])[0], nan_ok=True), metric


def test_owa_is_relative_to_naive2_and_left_out_without_it() -> None:
    found = point_scores(ACTUAL, FORECASTS, SCALE, SQUARED)
    base = found["naive2"]
    assert base["OWA"] == 1.0
    expected = metrics.owa(
        found["tidegate"]["sMAPE"], found["tidegate"]["MASE"], naive_smape=base["sMAPE"], naive_mase=base["MASE"]
    )
    assert found["tidegate"]["OWA"] == pytest.approx(expected)
    without = point_scores(ACTUAL, {"naive": FORECASTS["naive"]}, SCALE, SQUARED)
    assert list(without["naive"]) == ["MAE", "RMSE", "MAPE", "sMAPE", "R2", "MASE", "RMSSE"]
    perfect = point_scores(ACTUAL, {"naive2": ACTUAL, "naive": FORECASTS["naive"]}, SCALE, SQUARED)
    assert math.isnan(perfect["naive"]["OWA"])


def test_a_missing_forecast_is_not_forgiven() -> None:
    forecast = FORECASTS["naive"].copy()
    forecast[0, 1, 0, 0] = np.nan
    found = point_scores(ACTUAL, {"naive": forecast}, SCALE, SQUARED)["naive"]
    assert [name for name, value in found.items() if not math.isnan(value)] == []
    forecast = FORECASTS["naive"].copy()
    forecast[0, 1, 4, 0] = np.nan  # nothing was observed there
    again = point_scores(ACTUAL, {"naive": forecast}, SCALE, SQUARED)["naive"]
    whole = point_scores(ACTUAL, {"naive": FORECASTS["naive"]}, SCALE, SQUARED)["naive"]
    assert again == whole
    assert not math.isnan(again["MASE"])


def test_pinball_is_of_the_bounds_and_the_median_and_crps_of_the_grid() -> None:
    found = quantile_scores(ACTUAL, QUANTILES, PROBABILITIES, levels=LEVELS)
    by_probability = dict(zip(PROBABILITIES.tolist(), np.moveaxis(QUANTILES, -1, 0), strict=True))
    asked = [metrics.pinball(ACTUAL, by_probability[p], p) for p in (0.05, 0.25, 0.5, 0.75, 0.95)]
    grid = [metrics.pinball(ACTUAL, by_probability[p], p) for p in CRPS_PROBABILITIES]
    assert found["pinball"] == pytest.approx(np.mean(asked))
    assert found["CRPS"] == pytest.approx(2 * np.mean(grid))


def test_probabilities_meet_where_they_are_the_same() -> None:
    assert CRPS_PROBABILITIES == (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
    assert wanted_probabilities(()).tolist() == sorted([*CRPS_PROBABILITIES, 0.5])
    every = wanted_probabilities(tuple(float(level) for level in range(10, 100, 10)))
    assert np.diff(every).min() > 0.04  # nothing twice, at the last digit
    assert [bounds_of(level) for level in (95, 80, 99.9)] == [(0.025, 0.975), (0.1, 0.9), (0.0005, 0.9995)]


def test_the_scales_are_those_of_each_history_alone() -> None:
    huge = (1e9 * RNG.normal(size=40)).tolist()
    small = (1e-6 * RNG.normal(size=30)).tolist()
    small[7] = small[20] = math.nan
    table = table_of(huge, small, [1.0, 2.0, 4.0], [5.0] * 12)
    ends = table.offsets[np.array([0, 1, 1, 2, 3])] + np.array([33, 30, 12, 3, 12])
    scale, squared = seasonal_scales(table, ends, 5)
    for row, (index, end) in enumerate(zip([0, 1, 1, 2, 3], ends, strict=True)):
        history = table.values[table.offsets[index] : end, 0]
        assert scale[row, 0] == pytest.approx(metrics.seasonal_scale(history, 5), rel=1e-12, nan_ok=True)
        assert squared[row, 0] == pytest.approx(metrics.squared_seasonal_scale(history, 5), rel=1e-12, nan_ok=True)
    assert np.isnan(scale[3, 0])
    assert scale[4, 0] == 0
    assert np.isnan(seasonal_scales(table, ends, 500)[0]).all()


def test_the_scales_of_several_targets() -> None:
    frame = pd.DataFrame({"ds": range(20), "a": RNG.normal(size=20), "b": RNG.normal(size=20)})
    table = read_frame(frame, Columns(targets=("a", "b")))
    scale, _ = seasonal_scales(table, np.array([11]), 3)
    assert scale[0].tolist() == pytest.approx([metrics.seasonal_scale(frame[name][:11], 3) for name in "ab"])


def test_levels_are_in_per_cent_and_need_quantiles() -> None:
    assert check_levels([95, 80, 80.0], has_quantiles=True) == (80.0, 95.0)
    assert check_levels((), has_quantiles=False) == ()
    with pytest.raises(SpecError, match="levels are in per cent, more than 0 and less than 100, such as 80; got 100"):
        check_levels([100], has_quantiles=True)
    with pytest.raises(SpecError, match=r"levels \[80\] need a model with quantiles, and this one gives points alone"):
        check_levels([80], has_quantiles=False)


def test_tables_of_scores() -> None:
    scores = numbers({"tidegate": {"MAE": np.float64(1.5), "CRPS": np.array(12345.6)}, "naive": {"MAE": 2.0}})
    assert score_table(scores) == "\n".join(
        [
            "          MAE       CRPS",
            "tidegate  1.5  1.235e+04",
            "   naive    2          –",
        ]
    )
    spans = {"tidegate": {80.0: {"coverage": 79.25, "width": 3.0}}}
    assert written(scores, spans).split("\n\n")[1] == "\n".join(
        [
            "                coverage  width",
            "tidegate, 80 %     79.25      3",
        ]
    )
    assert written(scores, {}) == score_table(scores)
