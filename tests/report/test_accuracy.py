from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tidegate.report import ForecastReport
from tidegate.report.accuracy import histogram, seasonal_scale, series_mase, step_errors, unit_errors


def test_seasonal_scale_is_the_mean_seasonal_change_of_each_series(make_report: Callable[..., ForecastReport]) -> None:
    table = make_report(series=3, rows=40, targets=("a", "b")).table
    values = table.values.copy()
    values[5, 0] = np.nan
    values[40:80, 1] = 7.0  # never changes
    table = type(table)(**{**vars(table), "values": values})
    scale = seasonal_scale(table, 12)
    for series in range(3):
        for target in range(2):
            column = values[series * 40 : (series + 1) * 40, target]
            slow = np.nanmean(np.abs(column[12:] - column[:-12]))
            assert scale[series, target] == pytest.approx(slow) or (series, target) == (1, 1)
    assert np.isnan(scale[1, 1])


def test_errors_keep_their_units_for_one_series_and_are_scaled_for_more(
    make_report: Callable[..., ForecastReport],
) -> None:
    one, two = make_report().backtest, make_report(series=2).backtest
    raw = one.forecasts["naive"] - one.actual
    np.testing.assert_array_equal(unit_errors(one, np.array([[4.0]]), ["naive"])["naive"], raw)
    scaled = unit_errors(two, np.array([[4.0], [2.0]]), ["naive"])["naive"]
    np.testing.assert_allclose(scaled[:, 1], (two.forecasts["naive"] - two.actual)[:, 1] / 2)


def test_mase_of_each_series_averages_windows_and_steps(make_report: Callable[..., ForecastReport]) -> None:
    backtest = make_report(series=2, windows=3).backtest
    backtest.actual[0, 0] = np.nan  # a window that the series has no room for
    scale = np.array([[2.0], [5.0]])
    found = series_mase(backtest, scale, "tidegate")
    error = np.abs(backtest.forecasts["tidegate"] - backtest.actual)
    assert found[0, 0] == pytest.approx(error[1:, 0].mean() / 2)
    assert found[1, 0] == pytest.approx(error[:, 1].mean() / 5)


def test_step_errors_separate_size_and_bias() -> None:
    errors = np.array([1.0, -1.0, 3.0, 3.0]).reshape(2, 1, 2, 1, order="F")  # step 0: ±1, step 1: +3
    size, bias = step_errors(errors)
    assert size.tolist() == [1.0, 3.0]
    assert bias.tolist() == [0.0, 3.0]


def test_histogram_is_symmetric_and_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    errors = {"tidegate": rng.normal(size=5000), "naive": np.array([-100.0, 0.0, np.nan, 100.0])}
    found = histogram(errors)
    np.testing.assert_allclose(found.centres, -found.centres[::-1], atol=1e-12)
    assert found.centres.size % 2 == 1
    assert found.shares["tidegate"].sum() == pytest.approx(100)
    middle = found.centres.size // 2
    assert found.shares["naive"][[0, middle, -1]].tolist() == pytest.approx([100 / 3] * 3)
    assert found.shares["tidegate"].argmax() == pytest.approx(middle, abs=3)


@pytest.mark.parametrize("values", [np.zeros(5), np.full(5, np.nan)])
def test_histogram_of_no_error_and_of_none_at_all(values: np.ndarray) -> None:
    found = histogram({"tidegate": values})
    assert found.shares["tidegate"].sum() == (100 if np.isfinite(values).all() else 0)
