"""Backtests: nothing leaks, folds are apart, and the numbers are those of the definitions."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import torch

from tidegate import Forecaster
from tidegate.data import SeriesTable, Windows, read_frame
from tidegate.errors import ShortSeriesError, SpecError
from tidegate.forecast import evaluation
from tidegate.forecast.backtest import (
    Backtest,
    Forecast,
    QuantileForecast,
    backtest_folds,
    evaluate_windows,
    make_folds,
)
from tidegate.forecast.baselines import naive
from tidegate.forecast.scores import interval_scores, quantile_scores, seasonal_scales, wanted_probabilities
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import Scaling
from tidegate.specs.scaling import METHODS, ORIGINS

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


def changed_from(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    """Change every value of every series from its row ``row`` on, beyond recognition."""
    late = frame.groupby("unique_id").cumcount() >= row
    return frame.assign(y=frame["y"].where(~late, -1e6 - 7 * frame["y"]))


# -- leaks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("output", ORIGINS)
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
        roots = [
            np.sqrt((error[window, i] ** 2).mean() / ((values[6:stop] - values[: stop - 6]) ** 2).mean())
            for window, stop in enumerate((52, 56))
            for i, values in enumerate(series)
        ]
        naive2 = result.scores["naive2"]
        expected = {
            "MAE": np.abs(error).mean(),
            "RMSE": np.sqrt((error**2).mean()),
            "MAPE": ratio,
            "sMAPE": (200 * np.abs(error) / (np.abs(result.actual) + np.abs(result.forecasts[name]))).mean(),
            "R2": 1 - (error**2).sum() / total,
            "MASE": np.mean(ratios),
            "RMSSE": np.mean(roots),
            "OWA": (scores["sMAPE"] / naive2["sMAPE"] + scores["MASE"] / naive2["MASE"]) / 2,
        }
        assert scores == pytest.approx(expected, rel=1e-9), name
    assert "seasonal_naive" in str(result)


def made_up(table: SeriesTable) -> tuple[Forecast, QuantileForecast]:
    """Give a model that knows the last value before a window, and believes in steps of a third of the series' size."""

    def point(series: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return np.nan_to_num(naive(table, series, ends, 4, 6))

    def quantiles(series: np.ndarray, ends: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        assert (np.diff(probabilities) > 0).all()
        spread = (10.0**series / 3)[:, None, None] * np.sqrt(np.arange(1, 5))[:, None]  # [n, step, target]
        z = np.array([NormalDist().inv_cdf(p) for p in probabilities])
        return np.asarray(point(series, ends)[..., None] + spread[..., None] * z)

    return point, quantiles


@pytest.fixture
def probabilistic(table: SeriesTable) -> Backtest:
    """Two windows of four steps; the second series has no room for the first."""
    folds = make_folds(table, windows=2, horizon=4, least=6)
    folds.ends[0, 1] = -1
    point, quantiles = made_up(table)
    return backtest_folds(
        table,
        folds,
        [point, point],
        season=6,
        baselines=("naive", "naive2"),
        quantiles=[quantiles, quantiles],
        levels=(80, 50),
    )


def test_quantiles_are_kept_and_scored(table: SeriesTable, probabilistic: Backtest) -> None:
    result = probabilistic
    assert result.levels == (50.0, 80.0)
    assert result.quantiles["tidegate"].shape == (2, 3, 4, 1, len(result.probabilities))
    low, high = result.bounds(80)
    reach = NormalDist().inv_cdf(0.9)
    steps = np.sqrt(np.arange(1, 5))
    np.testing.assert_allclose(high[1, 2, :, 0] - result.forecasts["tidegate"][1, 2, :, 0], 100 / 3 * reach * steps)
    inside = [
        bool(low[place] <= result.actual[place] <= high[place])
        for place in np.ndindex(result.actual.shape)
        if not np.isnan(result.actual[place])
    ]
    assert len(inside) == 20  # five windows of four steps
    found = result.intervals["tidegate"][80.0]
    assert found["coverage"] == pytest.approx(100 * sum(inside) / 20)
    assert 0 < found["coverage"] < 100
    assert found["width"] == pytest.approx(2 / 3 * reach * steps.mean() * (2 * 1 + 10 + 2 * 100) / 5)
    assert result.scores["tidegate"].keys() - result.scores["naive"].keys() == {"pinball", "CRPS"}
    assert result.scores["tidegate"]["MAE"] == result.scores["naive"]["MAE"]
    median = result.quantiles["tidegate"][..., result.probabilities == 0.5][..., 0]
    np.testing.assert_allclose(median, result.forecasts["tidegate"])
    assert "tidegate, 80 %" in str(result)


def test_scores_by_step_and_by_series(probabilistic: Backtest) -> None:
    result = probabilistic
    error = np.abs(result.actual - result.forecasts["naive2"])
    by_step, by_series = result.scores_by("step"), result.scores_by("series")
    np.testing.assert_allclose(by_step["naive2"]["MAE"], np.nanmean(error, axis=(0, 1, 3)))
    np.testing.assert_allclose(by_series["naive2"]["MAE"], np.nanmean(error, axis=(0, 2, 3)))
    assert result.scale is not None
    scaled = error / result.scale[:, :, None]
    np.testing.assert_allclose(by_step["naive2"]["MASE"], np.nanmean(scaled, axis=(0, 1, 3)))
    assert by_series["naive2"]["MASE"][1] == pytest.approx(scaled[1, 1].mean())
    assert result.scores_by("series", "window")["naive2"]["MAE"].shape == (2, 3)  # in the order of the data
    assert np.isnan(result.scores_by("window", "series")["tidegate"]["CRPS"]).tolist() == [
        [False, True, False],
        [False] * 3,
    ]
    assert result.scores_by()["tidegate"] == pytest.approx(result.scores["tidegate"])
    spans = result.intervals_by("step")["tidegate"][80.0]
    assert (np.diff(spans["width"]) > 0).all()
    assert spans["coverage"].mean() == pytest.approx(result.intervals["tidegate"][80.0]["coverage"])
    with pytest.raises(SpecError, match="an axis must be one of 'window', 'series', 'step', 'target'; got 'month'"):
        result.scores_by("month")


def test_calibration_is_the_share_of_the_truth_below_each_quantile(probabilistic: Backtest) -> None:
    result = probabilistic
    quantiles, seen = result.quantiles["tidegate"], ~np.isnan(result.actual)
    shares = [float((result.actual[seen] <= quantiles[..., q][seen]).mean()) for q in range(len(result.probabilities))]
    assert result.calibration()["tidegate"].tolist() == pytest.approx(shares)
    assert 0 < np.median(shares) < 1
    assert shares == sorted(shares)
    assert result.calibration("step")["tidegate"].mean(axis=0).tolist() == pytest.approx(shares)
    assert np.isnan(result.calibration("window", "series")["tidegate"][0, 1]).all()


def test_a_backtest_of_points_has_no_intervals(table: SeriesTable) -> None:
    folds = make_folds(table, windows=2, horizon=4, least=6)
    point, quantiles = made_up(table)
    result = backtest_folds(table, folds, [point, point], season=6, baselines=("drift",))
    assert (result.quantiles, result.intervals, result.calibration(), result.levels) == ({}, {}, {}, ())
    assert list(result.scores["drift"]) == ["MAE", "RMSE", "MAPE", "sMAPE", "R2", "MASE", "RMSSE"]
    with pytest.raises(SpecError, match=r"levels \[80\] need a model with quantiles"):
        backtest_folds(table, folds, [point, point], season=6, baselines=(), levels=[80])
    whole = backtest_folds(
        table, folds, [point, point], season=6, baselines=(), quantiles=[quantiles, quantiles], levels=[95]
    )
    for level, model, expected in (
        (80, "tidegate", "level must be one of 95.0; got 80"),
        (95, "naive", "model must be"),
    ):
        with pytest.raises(SpecError, match=expected):
            whole.bounds(level, model)


@pytest.mark.parametrize("chunk", [1, 2**23])
def test_an_evaluation_in_chunks_is_one_on_the_whole(
    table: SeriesTable, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    table.values[3::7] = np.nan
    table.values[table.offsets[1] : table.offsets[1] + 30] = np.nan  # no scale for the first windows of that series
    point, quantiles = made_up(table)
    windows = Windows.sliding(table, context=10, horizon=4, stride=3, least_context=10)
    calls = []

    def counted(series: np.ndarray, ends: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        calls.append(len(series))
        return quantiles(series, ends, probabilities)

    monkeypatch.setattr(evaluation, "_CHUNK", chunk)
    result = evaluate_windows(table, windows, point, season=6, baselines=("naive",), quantiles=counted, levels=(80, 95))
    assert len(calls) == (len(windows) if chunk == 1 else 1)
    actual = table.values[windows.ends[:, None] + np.arange(4)]
    p = wanted_probabilities((80.0, 95.0))
    found = quantiles(windows.series, windows.ends, p)
    scale, _ = seasonal_scales(table, windows.ends, 6)
    assert np.isnan(scale).any()
    expected = quantile_scores(actual, found, p, levels=(80.0, 95.0))
    assert {name: result.scores["tidegate"][name] for name in expected} == pytest.approx(expected)
    for level, (low, high) in {80.0: (0.1, 0.9), 95.0: (0.025, 0.975)}.items():
        bounds = found[..., p == low][..., 0], found[..., p == high][..., 0]
        assert result.intervals["tidegate"][level] == pytest.approx(
            interval_scores(actual, *bounds, scale, level=level)
        )
    assert "tidegate, 95 %" in str(result)


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
