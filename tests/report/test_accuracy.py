from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from tidegate.report import ForecastReport
from tidegate.report.accuracy import coverages, histogram, series_mase, step_errors, unit_errors


def test_errors_keep_their_units_for_one_series_and_are_scaled_for_more(
    make_report: Callable[..., ForecastReport],
) -> None:
    one, two = make_report().backtest, make_report(series=2).backtest
    raw = one.forecasts["naive"] - one.actual
    np.testing.assert_array_equal(unit_errors(one, "naive"), raw)
    assert two.scale is not None
    two.scale[0, 1], two.scale[1, 1] = 2.0, 0.0  # the second series does not change before the second window
    scaled = unit_errors(two, "naive")
    np.testing.assert_allclose(scaled[0, 1], (two.forecasts["naive"] - two.actual)[0, 1] / 2)
    np.testing.assert_allclose(scaled[:, 0], (two.forecasts["naive"] - two.actual)[:, 0] / 10)
    assert np.isnan(scaled[1, 1]).all()
    assert np.isnan(unit_errors(dataclasses.replace(two, scale=None), "naive")).all()


def test_mase_of_each_series_averages_windows_and_steps(make_report: Callable[..., ForecastReport]) -> None:
    backtest = make_report(series=2, windows=3).backtest
    assert backtest.scale is not None
    backtest.actual[0, 0] = np.nan  # a window that the series has no room for
    backtest.scale[:, 1] = 5.0
    found = series_mase(backtest)["tidegate"]
    error = np.abs(backtest.forecasts["tidegate"] - backtest.actual)
    assert found[0, 0] == pytest.approx(error[1:, 0].mean() / 10)
    assert found[1, 0] == pytest.approx(error[:, 1].mean() / 5)


def test_coverage_is_counted_at_every_level_that_has_two_ends(make_report: Callable[..., ForecastReport]) -> None:
    backtest = make_report(series=40, windows=3, levels=(80.0, 99.0)).backtest
    found = coverages(backtest, "tidegate")
    assert list(found) == [10, 30, 50, 70, 80, 90, 99]
    low, high = backtest.bounds(80.0)
    inside = (low <= backtest.actual) & (backtest.actual <= high)
    assert found[80] == pytest.approx(100 * inside.mean())
    for level, share in found.items():  # the forecasts are normal, and say so
        assert share == pytest.approx(level, abs=6)


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
