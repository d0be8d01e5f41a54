"""Backtests: nothing leaks, folds are apart, and the numbers are those of the definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from tidegate import Forecaster
from tidegate.data import SeriesTable, Windows, read_frame
from tidegate.errors import ShortSeriesError, SpecError
from tidegate.forecast.backtest import make_folds
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import Scaling
from tidegate.specs.scaling import LOCATIONS, METHODS

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


def changed_from(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    """Change every value of every series from its row ``row`` on, beyond recognition."""
    late = frame.groupby("unique_id").cumcount() >= row
    return frame.assign(y=frame["y"].where(~late, -1e6 - 7 * frame["y"]))


# -- leaks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("output", LOCATIONS)
def test_what_comes_after_a_windows_end_changes_nothing_in_it(frame: pd.DataFrame, method: str, output: str) -> None:
    scaling = WindowScaling(Scaling(method=method, output=output), season=6)
    tables = read_frame(frame), read_frame(changed_from(frame, 30))
    ends = tables[0].offsets[:-1] + 30
    found = []
    for table in tables:
        windows = Windows(table=table, context=20, horizon=4, series=np.arange(3), ends=ends)
        batch = windows.batch(np.arange(3))
        assert batch.observed is not None
        values, observed = torch.from_numpy(batch.values), torch.from_numpy(batch.observed)
        scale = scaling(values, observed)
        scaled = scale.encode(values, observed)
        found.append([values, observed, scale.loc, scale.scale, scaled, scaling.origin(scaled, observed, 4)])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize("refit", [False, True])
def test_the_test_period_changes_no_fitted_bit_and_no_earlier_forecast(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, refit: bool
) -> None:
    fitted: list[list[dict[str, torch.Tensor]]] = []

    class Recording(Forecaster):
        def fit(self, *args: object, **options: object) -> Recording:
            super().fit(*args, **options)  # type: ignore[arg-type]
            fitted[-1].append({name: tensor.clone() for name, tensor in self.network_.state_dict().items()})
            return self

    results = []
    for data in (frame, changed_from(frame, 52)):  # the first of two windows of 4 ends at row 56
        fitted.append([])
        model = Recording(**make_forecaster().get_params(deep=False))
        results.append(model.backtest(data, windows=2, refit=refit))
    one, two = fitted
    assert all(torch.equal(one[0][name], two[0][name]) for name in one[0])
    assert len(one) == (2 if refit else 1)
    if refit:
        assert not all(torch.equal(one[1][name], two[1][name]) for name in one[1])
    for name in results[0].forecasts:
        np.testing.assert_array_equal(results[0].forecasts[name][0], results[1].forecasts[name][0])
        assert not np.array_equal(results[0].forecasts[name][1], results[1].forecasts[name][1])


def test_validation_targets_are_never_trained_on(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    # 60 rows, 20 % held out: what comes from row 48 on may stop the training, but trains nothing.
    model = make_forecaster().set_params(training__patience=None)
    one, two = model.fit(frame).network_.state_dict(), model.fit(changed_from(frame, 48)).network_.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_folds_never_share_a_target(table: SeriesTable) -> None:
    folds = make_folds(table, windows=5, horizon=4, least=6)
    rows = folds.ends[:, :, None] + np.arange(4)
    assert np.unique(rows).size == rows.size
    assert rows.max(axis=(0, 2)).tolist() == (table.offsets[1:] - 1).tolist()


def test_a_backtest_leaves_the_model_as_it_was(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster()
    model.backtest(frame, windows=1)
    assert not hasattr(model, "network_")
    before = model.fit(frame).predict(frame)
    model.backtest(frame, windows=1)
    pd.testing.assert_frame_equal(model.predict(frame), before)


# -- numbers ------------------------------------------------------------------------------------------


def test_a_backtest_is_what_fit_and_predict_would_have_said(
    frame: pd.DataFrame, make_forecaster: MakeForecaster
) -> None:
    result = make_forecaster().backtest(frame, windows=2, refit=True)
    for window, stop in enumerate((52, 56)):
        past = frame[frame.groupby("unique_id").cumcount() < stop]
        forecast = make_forecaster().fit(past).predict(past)["y_hat"].to_numpy().reshape(3, 4)
        np.testing.assert_array_equal(result.forecasts["tidegate"][window, :, :, 0], forecast)
        actual = [part["y"].to_numpy()[stop : stop + 4] for _, part in frame.groupby("unique_id")]
        np.testing.assert_array_equal(result.actual[window, :, :, 0], np.stack(actual))
    assert result.cutoffs[0, 0] == np.datetime64("2024-02-21")
    assert result.times[1, 2, -1] == np.datetime64("2024-02-29")


def test_scores_are_those_of_the_definitions(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    result = make_forecaster().backtest(frame, windows=2)
    assert list(result.scores) == ["tidegate", "naive", "seasonal_naive", "drift", "naive2"]
    series = [part["y"].to_numpy() for _, part in frame.groupby("unique_id")]
    for name, scores in result.scores.items():
        error = result.actual - result.forecasts[name]
        ratio = np.abs(error / result.actual).mean() * 100
        total = ((result.actual - result.actual.mean()) ** 2).sum()
        ratios = [
            np.abs(error[window, i]).mean() / np.abs(values[6:stop] - values[: stop - 6]).mean()
            for window, stop in enumerate((52, 56))
            for i, values in enumerate(series)
        ]
        expected = {
            "MAE": np.abs(error).mean(),
            "RMSE": np.sqrt((error**2).mean()),
            "MAPE": ratio,
            "sMAPE": (200 * np.abs(error) / (np.abs(result.actual) + np.abs(result.forecasts[name]))).mean(),
            "R2": 1 - (error**2).sum() / total,
            "MASE": np.mean(ratios),
        }
        assert scores == pytest.approx(expected, rel=1e-9), name
    assert "seasonal_naive" in str(result)


def test_series_without_room_for_a_window_have_none(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    frame = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-20")]  # 19 rows: 3 · 4 + 4 + 2 and one more
    with pytest.raises(ShortSeriesError, match="series 's1'"):
        make_forecaster().backtest(frame, windows=3)
    result = make_forecaster().backtest(frame, windows=3, skip_short=True)
    assert np.isnan(result.actual[:, 1]).all(axis=(1, 2)).tolist() == [False, False, False]
    few = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-13")]
    assert make_forecaster().backtest(few, windows=3, skip_short=True).ids.tolist() == ["s0", "s2"]


def test_too_few_rows_or_windows(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    with pytest.raises(SpecError, match="windows must be a whole number of at least 1; got 0"):
        make_forecaster().backtest(frame, windows=0)
    with pytest.raises(ShortSeriesError, match="a backtest of 14 × 4, and 6 to train on"):
        make_forecaster().backtest(frame, windows=14)


def test_evaluate_scores_every_complete_window(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(context=10).fit(frame)
    result = model.evaluate(frame)
    assert (result.windows, result.series, result.season) == (3 * (60 - 14 + 1), 3, 6)
    assert list(result.scores) == ["tidegate", "naive", "seasonal_naive", "drift"]
    # One of the windows, by hand: the forecast is that of the rows before it.
    one = model.evaluate(frame[frame["unique_id"] == "s0"].iloc[20:34])
    past = frame[frame["unique_id"] == "s0"].iloc[20:30]
    error = model.predict(past)["y_hat"].to_numpy() - frame["y"].to_numpy()[30:34]
    assert one.windows == 1
    assert one.scores["tidegate"]["MAE"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    assert model.score(frame) == -result.scores["tidegate"]["MASE"]
    assert model.evaluate(frame, stride=5).windows < result.windows / 4


def test_evaluate_needs_one_complete_window(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(context=10).fit(frame)
    with pytest.raises(ShortSeriesError, match="has 5 rows"):
        model.evaluate(frame.head(5))
