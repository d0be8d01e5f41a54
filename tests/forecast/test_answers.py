"""Forecasts as arrays: from the rows before a window's end and nothing else, in chunks, reproducible."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import Columns, Forecaster, Recursive, Scaling, Training, Uncertainty
from tidegate.data import Batch, SeriesTable, read_frame, with_time_features
from tidegate.errors import DataError, SpecError
from tidegate.forecast import answers as module
from tidegate.forecast.answers import Answers, series_codes
from tidegate.forecast.network import ForecastNetwork

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]
MakeNetwork = Callable[..., ForecastNetwork]
MakeBatch = Callable[..., Batch[Tensor]]

QUICK = Training(max_steps=5, batch_size=16, learning_rate=1e-2)
OPTIONS: dict[str, dict[str, Any]] = {
    "direct": {"uncertainty": Uncertainty(head="quantiles", calibration=0.2), "members": 2},
    "recursive": {"strategy": Recursive(samples=20), "uncertainty": Uncertainty(head="gaussian")},
    "encoder_decoder": {"strategy": "encoder_decoder", "uncertainty": Uncertainty(head="student_t")},
    "segments": {"strategy": "segments", "uncertainty": Uncertainty(calibration=0.2)},
    "smoothing": {"strategy": "smoothing", "uncertainty": Uncertainty(head="gaussian")},
}
P = np.array([0.1, 0.5, 0.9])


@pytest.fixture(scope="session")
def models(make_shop: MakeFrame, make_forecaster: MakeForecaster, covariates: Columns) -> dict[str, Forecaster]:
    """One of each strategy, with all covariates that it takes; tests leave them as they are."""
    shop, fitted = make_shop(), {}
    for name, options in OPTIONS.items():
        columns = dataclasses.replace(covariates, past=()) if name == "recursive" else covariates
        fitted[name] = make_forecaster(columns=columns, context=12, training=QUICK, **options).fit(shop)
    return fitted


def answers_of(model: Forecaster, frame: pd.DataFrame | SeriesTable, seed: int = 0, **more: Any) -> Answers:
    table = read_frame(frame, model.columns_) if isinstance(frame, pd.DataFrame) else frame
    return Answers(
        network=model.network_,
        settled=model.settled_,
        table=with_time_features(table, model.settled_.waves),
        horizon=model.horizon,
        seed=seed,
        **more,
    )


def ask(answers: Answers, rows: list[int]) -> list[np.ndarray]:
    """Forecast every series from its first ``rows`` rows."""
    series = np.repeat(np.arange(len(answers.table)), len(rows))
    ends = (answers.table.offsets[:-1, None] + rows).ravel()
    return [answers.point(series, ends), answers.quantiles(series, ends, P), answers.mean(series, ends)]


# -- leaks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(OPTIONS))
def test_no_row_from_the_end_of_a_window_on_reaches_its_forecast(
    models: dict[str, Forecaster], make_shop: MakeFrame, name: str
) -> None:
    shop = make_shop()
    before = ask(answers_of(models[name], shop), [30, 40])
    rows = shop.groupby("unique_id").cumcount()
    other = shop.assign(y=shop["y"].where(rows < 40, 1e6), visits=shop["visits"].where(rows < 40, -1e6))
    for one, two in zip(before, ask(answers_of(models[name], other), [30, 40]), strict=True):
        np.testing.assert_array_equal(one, two)
    other = shop.assign(y=shop["y"].where(rows != 39, 1e6))  # the last row that is read
    after = ask(answers_of(models[name], other), [30, 40])
    assert np.array_equal(before[0][::2], after[0][::2])
    assert not np.isclose(before[0][1::2], after[0][1::2], rtol=1e-3).any()


@pytest.mark.parametrize("name", list(OPTIONS))
def test_no_covariate_beyond_the_horizon_reaches_a_forecast(
    models: dict[str, Forecaster], make_shop: MakeFrame, name: str
) -> None:
    shop = make_shop()
    before = ask(answers_of(models[name], shop), [40])
    rows = shop.groupby("unique_id").cumcount()
    beyond = shop.assign(price=shop["price"].where(rows < 44, 1e6), holiday=shop["holiday"] | (rows >= 44))
    for one, two in zip(before, ask(answers_of(models[name], beyond), [40]), strict=True):
        np.testing.assert_array_equal(one, two)
    within = shop.assign(price=shop["price"].where(rows != 43, 1e3))  # the last step's own
    assert not np.isclose(before[0][:, 3], ask(answers_of(models[name], within), [40])[0][:, 3], rtol=1e-6).any()


@pytest.mark.parametrize("name", list(OPTIONS))
def test_no_series_reaches_another_ones_forecast(
    models: dict[str, Forecaster], make_shop: MakeFrame, name: str
) -> None:
    shop = make_shop()
    before = ask(answers_of(models[name], shop), [40])
    after = ask(answers_of(models[name], shop.assign(y=shop["y"].where(shop["unique_id"] != "s2", 7.0))), [40])
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[:2], two[:2])
        assert not np.isclose(one[2], two[2]).any()


# -- windows and chunks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["direct", "encoder_decoder", "segments", "smoothing"])
def test_chunks_do_not_matter(
    models: dict[str, Forecaster], make_shop: MakeFrame, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    answers, rows = answers_of(models[name], make_shop()), [20, 30, 40, 50, 56]
    whole = ask(answers, rows)
    monkeypatch.setattr(module, "_CHUNK", 4)
    for one, two in zip(whole, ask(answers, rows), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_windows_at_the_end_take_known_covariates_from_the_future(
    models: dict[str, Forecaster], make_shop: MakeFrame, make_future: MakeFrame
) -> None:
    model, shop = models["direct"], make_shop()
    rows = shop.groupby("unique_id").cumcount()
    table = read_frame(shop[rows < 56], model.columns_)
    with pytest.raises(DataError, match="must be given for the 4 steps after the end of each series"):
        ask(answers_of(model, table), [56])
    ahead = shop[rows >= 56].drop(columns="y")
    forecast = model.predict(shop[rows < 56], future=ahead)["y_hat"].to_numpy().reshape(3, 4, 1)
    np.testing.assert_allclose(forecast, ask(answers_of(model, shop), [56])[0], rtol=1e-9)
    assert not np.allclose(
        model.predict(shop[rows < 56], future=make_future(shop[rows < 56]))["y_hat"], forecast.ravel()
    )


def test_series_bear_the_numbers_of_the_training() -> None:
    table = read_frame(pd.DataFrame({"unique_id": ["b", "x", "a"], "ds": 0, "y": 1.0}), Columns(frequency=1))
    codes = series_codes(("a", "b"), table)
    assert codes is not None
    assert codes.tolist() == [1, -1, 0]
    assert series_codes((), table) is None


# -- paths ---------------------------------------------------------------------------------------------------


def test_paths_follow_from_the_seed_alone(models: dict[str, Forecaster], make_shop: MakeFrame) -> None:
    model, shop = models["recursive"], make_shop()
    one = ask(answers_of(model, shop, seed=3), [40])
    torch.manual_seed(11)
    again = ask(answers_of(model, shop, seed=3), [40])
    other = ask(answers_of(model, shop, seed=4), [40])
    for first, second in zip(one, again, strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(one[0], other[0])  # the point is not drawn
    assert not np.isclose(one[1], other[1], rtol=1e-9).any()


def test_many_paths_are_drawn_in_smaller_chunks(
    models: dict[str, Forecaster], make_shop: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = answers_of(models["recursive"], make_shop())
    assert (answers.quantile_chunk, answers_of(models["direct"], make_shop()).quantile_chunk) == (16_384 // 20, 2_048)
    whole = ask(answers, [40])[1]
    monkeypatch.setattr(module, "_PATHS", 20)
    assert answers.quantile_chunk == 1
    np.testing.assert_allclose(ask(answers, [40])[1], whole, rtol=0.2)  # others, of the same distribution


# -- the mean ------------------------------------------------------------------------------------------------


def test_the_mean_behind_a_logarithm_is_that_of_a_log_normal(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    frame["y"] = np.exp(np.random.default_rng(0).normal(0, 0.5, len(frame)))
    model = make_forecaster(
        scaling=Scaling(transform="log", output="centre"),
        uncertainty=Uncertainty(head="gaussian"),
        training=Training(max_steps=100, batch_size=64, learning_rate=1e-2),
        season=1,
        context=20,
    ).fit(frame)
    answers = answers_of(model, frame)
    series, ends = np.arange(3), answers.table.offsets[1:]
    mean, median = answers.mean(series, ends), answers.point(series, ends)
    logs = np.log(answers.quantiles(series, ends, np.array([0.1, 0.9])))
    spread = np.diff(logs, axis=-1)[..., 0] / (2 * 1.2815515655446004)
    assert (np.abs(spread - 0.5) < 0.2).all()
    np.testing.assert_allclose(mean, median * np.exp(spread**2 / 2), rtol=5e-3)


def test_the_mean_of_a_symmetric_distribution_is_its_median(
    models: dict[str, Forecaster], make_shop: MakeFrame
) -> None:
    point, _, mean = ask(answers_of(models["encoder_decoder"], make_shop()), [40])
    np.testing.assert_allclose(mean, point, rtol=1e-6)
    nothing = answers_of(models["direct"], make_shop()).mean(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert nothing.shape == (0, 4, 1)


# -- true values that have come in already -------------------------------------------------------------------


@pytest.mark.parametrize("output", ["centre", "last", "season"])
def test_with_every_true_value_each_step_is_forecast_from_the_truth(
    make_network: MakeNetwork, make_batch: MakeBatch, output: str
) -> None:
    network = make_network(strategy=Recursive(), scaling=Scaling(output=output), targets=2)
    batch = make_batch(targets=2, missing=0)
    given = network(dataclasses.replace(batch, given=batch.target))
    raw, _, _, scale = network.compare(batch)  # teacher forcing
    torch.testing.assert_close(given, scale.decode(raw[..., 0]), rtol=1e-5, atol=1e-5)


def test_a_true_value_moves_only_later_steps_and_a_missing_one_nothing(
    make_network: MakeNetwork, make_batch: MakeBatch
) -> None:
    network, batch = make_network(strategy=Recursive()), make_batch()
    before = network(batch)
    given = torch.full((3, 4, 1), torch.nan, dtype=torch.float64)
    assert torch.equal(network(dataclasses.replace(batch, given=given)), before)
    given[:, 1] = 90.0
    after = network(dataclasses.replace(batch, given=given))
    assert torch.equal(after[:, :2], before[:, :2])
    assert (after[:, 2:] - before[:, 2:]).abs().min() > 1e-3


def test_a_recursive_model_goes_on_from_true_values(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, make_future: MakeFrame
) -> None:
    frame = make_frame()
    model = make_forecaster(strategy="recursive", scaling=Scaling(output="last")).fit(frame)
    plain = model.predict(frame)
    future = make_future(frame).assign(y=[9.0, *[np.nan] * 3, *[np.nan] * 8])
    ahead = model.predict(frame, future=future)
    moved = ~np.isclose(ahead["y_hat"], plain["y_hat"], rtol=1e-9)
    assert moved.tolist() == [False, True, True, True, *[False] * 8]
    assert (ahead["y_hat"][1:4] > plain["y_hat"][1:4] + 1).all()  # 9 lies far above the series
    answers = answers_of(model, frame, given=np.full((3, 4, 1), 9.0))
    inside = ask(answers, [40])[0]  # a window that ends earlier knows nothing of the future
    np.testing.assert_array_equal(inside, ask(answers_of(model, frame), [40])[0])


def test_true_values_are_refused_where_nothing_goes_on_from_them(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, make_future: MakeFrame
) -> None:
    frame = make_frame()
    future = make_future(frame).assign(y=5.0)
    with pytest.raises(SpecError) as caught:
        make_forecaster().fit(frame).predict(frame, future=future)
    assert str(caught.value) == (
        "future holds values of the target, and only a recursive model goes on from true values within its horizon; "
        "use strategy='recursive', or append those rows to the data"
    )
    log = make_forecaster(strategy="recursive", scaling=Scaling(transform="log", output="last")).fit(frame)
    with pytest.raises(DataError) as refused:
        log.predict(frame, future=future.assign(y=[1.0] * 5 + [0.0] + [1.0] * 6))
    assert str(refused.value) == (
        "transform 'log' needs values above 0; the future holds 0 in column 'y' of series 's1', 2 steps after its "
        "last row"
    )
