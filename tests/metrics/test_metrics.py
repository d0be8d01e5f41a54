from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as theirs

from tidegate import metrics
from tidegate.errors import ShapeError, SpecError

FLOATS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
PAIRS = hnp.arrays(float, st.tuples(st.just(2), st.integers(2, 20)), elements=FLOATS)


@given(pair=PAIRS)
def test_agreement_with_scikit_learn(pair: np.ndarray) -> None:
    y, f = pair
    assert metrics.mae(y, f) == pytest.approx(theirs.mean_absolute_error(y, f))
    assert metrics.mse(y, f) == pytest.approx(theirs.mean_squared_error(y, f))
    assert metrics.rmse(y, f) == pytest.approx(theirs.root_mean_squared_error(y, f))
    if (y != 0).all():
        assert metrics.mape(y, f) == pytest.approx(100 * theirs.mean_absolute_percentage_error(y, f))
    if np.ptp(y) > 1:
        assert metrics.r2(y, f) == pytest.approx(theirs.r2_score(y, f))


def test_smape_and_mase_by_hand() -> None:
    y, f = np.array([100.0, 200.0, 0.0]), np.array([110.0, 150.0, 0.0])
    assert metrics.smape(y, f) == pytest.approx((200 * 10 / 210 + 200 * 50 / 350 + 0) / 3)
    history = np.array([[1.0, 3.0, 2.0, 6.0], [5.0, 5.0, 5.0, 5.0]])
    assert metrics.seasonal_scale(history, 2).tolist() == [2.0, 0.0]
    scaled = metrics.mase(np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([[5.0, 7.0], [5.0, 6.0]]), [2.0, 0.0])
    assert scaled[0] == 1.0
    assert math.isnan(scaled[1])  # no scale, no score
    assert metrics.mase([4.0], [5.0], 2.0) == 0.5


def test_the_seasonal_scale_needs_a_season_and_skips_missing_rows() -> None:
    assert math.isnan(metrics.seasonal_scale([1.0, 2.0], 2))
    assert metrics.seasonal_scale([1.0, np.nan, 4.0, 6.0]) == 2.0
    assert metrics.seasonal_scale([[1.0, 9.0], [4.0, 9.0]], axis=0).tolist() == [3.0, 0.0]
    with pytest.raises(SpecError, match="season must be a whole number of at least 1; got 0"):
        metrics.seasonal_scale([1.0, 2.0], 0)


def test_rmsse_is_the_definition() -> None:
    random = np.random.default_rng(1)
    history, y, f = random.normal(size=(3, 12)), random.normal(size=(3, 4)), random.normal(size=(3, 4))
    history[2] = 5.0
    y[0, 1] = history[1, 4] = np.nan
    scale = metrics.squared_seasonal_scale(history, 3)
    found = metrics.rmsse(y, f, scale)
    for i in range(2):
        steps = [(history[i, t] - history[i, t - 3]) ** 2 for t in range(3, 12)]
        errors = [(y[i, t] - f[i, t]) ** 2 for t in range(4)]
        known = [[value for value in part if not math.isnan(value)] for part in (errors, steps)]
        assert found[i] == pytest.approx(math.sqrt(np.mean(known[0]) / np.mean(known[1])))
    assert scale[2] == 0
    assert math.isnan(found[2])


def test_the_squared_scale_goes_along_the_axis_that_is_asked_for() -> None:
    assert metrics.squared_seasonal_scale([[1.0, 9.0], [4.0, 9.0]], axis=0).tolist() == [9.0, 0.0]
    assert math.isnan(metrics.squared_seasonal_scale([1.0, 2.0], 2))
    with pytest.raises(SpecError, match="season must be a whole number of at least 1; got True"):
        metrics.squared_seasonal_scale([1.0, 2.0], True)
    with pytest.raises(ShapeError, match=r"squared_scale must be a number or have the shape \(1,\)"):
        metrics.rmsse([[1.0, 2.0]], [[1.0, 2.0]], [1.0, 2.0])


@pytest.mark.parametrize("metric", [metrics.mae, metrics.mse, metrics.rmse, metrics.mape, metrics.smape, metrics.r2])
def test_missing_truth_is_left_out_and_a_missing_forecast_is_not_forgiven(metric: Callable[..., Any]) -> None:
    y, f = np.array([1.0, 2.0, 4.0, np.nan]), np.array([1.5, 2.5, 3.0, 99.0])
    assert metric(y, f) == pytest.approx(metric(y[:3], f[:3]))
    assert math.isnan(metric([np.nan, np.nan], [1.0, 2.0]))
    assert math.isnan(metric([1.0, 2.0], [np.nan, 2.0]))


@pytest.mark.parametrize("metric", [metrics.mae, metrics.mse, metrics.rmse, metrics.mape, metrics.smape, metrics.r2])
def test_axes_are_averaged_alone(metric: Callable[..., Any]) -> None:
    random = np.random.default_rng(0)
    y, f = random.standard_normal((3, 4, 5)), random.standard_normal((3, 4, 5))
    y[1, 2, 3] = np.nan
    whole = metric(y, f, axis=(1, 2))
    assert whole.shape == (3,)
    assert whole.tolist() == pytest.approx([metric(y[i], f[i]) for i in range(3)])
    assert metric(y, f, axis=-1)[0, 1] == pytest.approx(metric(y[0, 1], f[0, 1]))


def test_mape_leaves_zeros_out() -> None:
    assert metrics.mape([0.0, 10.0], [5.0, 11.0]) == pytest.approx(10.0)
    assert math.isnan(metrics.mape([0.0], [5.0]))


def test_r2_of_a_constant() -> None:
    assert metrics.r2([2.0, 2.0], [2.0, 2.0]) == 1.0
    assert metrics.r2([2.0, 2.0], [2.0, 3.0]) == -math.inf


def test_owa_is_a_mean_of_two_ratios() -> None:
    assert metrics.owa(10.0, 0.9, naive_smape=20.0, naive_mase=1.0) == pytest.approx(0.7)
    with pytest.raises(SpecError, match="naive_mase must be more than 0"):
        metrics.owa(1.0, 1.0, naive_smape=1.0, naive_mase=0.0)


def test_shapes_must_fit() -> None:
    with pytest.raises(ShapeError, match=r"actual \(3,\) and forecast \(2,\) must broadcast"):
        metrics.mae([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"scale must be a number or have the shape \(1,\)"):
        metrics.mase([[1.0, 2.0]], [[1.0, 2.0]], [1.0, 2.0])
