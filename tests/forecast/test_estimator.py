"""`Forecaster`: what it settles, what it gives back, what it refuses, and that it repeats itself to the bit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone

from tidegate import Columns, Forecaster, Recurrent, Scaling, Training, Uncertainty
from tidegate.data import read_frame
from tidegate.errors import (
    DataError,
    ModelFileError,
    NotFittedError,
    ShortSeriesError,
    SpecError,
    TimeStampError,
)
from tidegate.estimator import inspect_model, load
from tidegate.forecast.plan import choose_season

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


def weights(model: Forecaster) -> dict[str, torch.Tensor]:
    return model.network_.state_dict()


def same_bits(one: Forecaster, two: Forecaster) -> bool:
    mine, other = weights(one), weights(two)
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)


# -- what comes back -----------------------------------------------------------------------------------------


def test_a_forecast_continues_each_series(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    forecast = make_forecaster().fit(frame).predict(frame)
    assert list(forecast.columns) == ["unique_id", "ds", "y_hat"]
    assert forecast["unique_id"].tolist() == ["s0"] * 4 + ["s1"] * 4 + ["s2"] * 4
    assert forecast["ds"].tolist() == list(pd.date_range("2024-03-01", periods=4)) * 3
    levels = forecast.groupby("unique_id")["y_hat"].mean()
    np.testing.assert_allclose(levels / [1, 10, 100], 5.5, rtol=0.2)  # in the units of each series


def test_it_learns_what_the_naive_forecast_cannot_know(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(series=4, rows=150)
    model = make_forecaster(scaling=Scaling(output="last"), training=Training(max_steps=400, learning_rate=1e-2))
    scores = model.backtest(frame, windows=2).scores
    assert scores["tidegate"]["MASE"] < 0.5 * scores["naive"]["MASE"]


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_strategy_and_cell_fits(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, strategy: str, cell: str
) -> None:
    training = Training(max_steps=60, batch_size=16, learning_rate=1e-2, validation=0.0)
    network = Recurrent(cell=cell, hidden_size=6)
    model = make_forecaster(strategy=strategy, network=network, training=training).fit(frame)
    history = model.history_["loss"]
    assert np.mean(history[-5:]) < np.mean(history[:5])
    assert np.isfinite(model.predict(frame)["y_hat"]).all()


@pytest.mark.parametrize("scaling", [Scaling(transform="log"), Scaling(transform="boxcox"), Scaling(method="robust")])
def test_scalings_answer_in_the_units_of_the_input(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, scaling: Scaling
) -> None:
    forecast = make_forecaster(scaling=scaling).fit(frame).predict(frame)
    levels = forecast.groupby("unique_id")["y_hat"].mean()
    np.testing.assert_allclose(levels / [1, 10, 100], 5.5, rtol=0.25)


def test_one_series_needs_no_id(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(series=1)[["ds", "y"]]
    assert list(make_forecaster().fit(frame).predict(frame).columns) == ["ds", "y_hat"]


def test_wide_tables_forecast_every_variable(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    wide = make_frame().pivot_table(index="ds", columns="unique_id", values="y").reset_index()
    forecast = make_forecaster().fit(wide).predict(wide)
    assert list(forecast.columns) == ["ds", "s0_hat", "s1_hat", "s2_hat"]
    np.testing.assert_allclose(forecast[["s0_hat", "s1_hat", "s2_hat"]].mean() / [1, 10, 100], 5.5, rtol=0.25)


def test_names_of_the_users_own(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    renamed = frame.rename(columns={"unique_id": "store", "ds": "date", "y": "units"})
    model = make_forecaster(columns=Columns(id="store", time="date", targets=("units",))).fit(renamed)
    assert list(model.predict(renamed).columns) == ["store", "date", "units_hat"]


def test_polars_in_polars_out(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    forecast = model.predict(pl.DataFrame(frame.to_dict(orient="list")))
    assert isinstance(forecast, pl.DataFrame)
    np.testing.assert_array_equal(forecast["y_hat"], model.predict(frame)["y_hat"])


def test_whole_numbers_as_time(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    counted = frame.assign(ds=frame.groupby("unique_id").cumcount() * 2 + 7)
    forecast = make_forecaster().fit(counted).predict(counted)
    assert forecast["ds"].tolist()[:4] == [127, 129, 131, 133]


def test_missing_values_are_masked(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    holes = frame.copy()
    holes.loc[[3, 4, 57, 59, 70], "y"] = np.nan
    model = make_forecaster().fit(holes)
    assert "5 missing values masked" in " ".join(model.notes_)
    forecast = model.predict(holes)
    assert np.isfinite(forecast["y_hat"]).all()
    levels = forecast.groupby("unique_id")["y_hat"].mean()
    np.testing.assert_allclose(levels / [1, 10, 100], 5.5, rtol=0.25)


def test_a_constant_series_stays_constant(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    constant = frame.assign(y=np.where(frame["unique_id"] == "s1", 42.0, frame["y"]))
    forecast = make_forecaster().fit(constant).predict(constant)
    np.testing.assert_allclose(forecast.loc[forecast["unique_id"] == "s1", "y_hat"], 42, rtol=0.02)


def test_a_series_never_seen_is_served_like_any_other(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    stranger = frame[frame["unique_id"] == "s1"].assign(unique_id="new")
    known = model.predict(frame)
    np.testing.assert_allclose(
        model.predict(stranger)["y_hat"], known.loc[known["unique_id"] == "s1", "y_hat"], rtol=1e-6
    )


def test_level_and_unit_do_not_matter(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    moved = frame.assign(y=frame["y"] * 1024 + 65536)
    np.testing.assert_allclose(model.predict(moved)["y_hat"], model.predict(frame)["y_hat"] * 1024 + 65536, rtol=1e-5)


def test_the_order_and_company_of_series_do_not_matter(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    together = model.predict(frame).set_index(["unique_id", "ds"])["y_hat"]
    for name, alone in frame.groupby("unique_id"):
        np.testing.assert_allclose(model.predict(alone)["y_hat"], together.loc[name], rtol=1e-6)


# -- what is settled -----------------------------------------------------------------------------------------


def test_season_and_context_are_found(make_frame: MakeFrame) -> None:
    frame = make_frame(rows=120, season=7)
    model = Forecaster(horizon=7, training=Training(max_steps=2), device="cpu").fit(frame)
    assert (model.season_, model.context_, model.segment_, model.frequency_) == (7, 21, 1, "D")


def test_a_long_season_is_read_in_segments_of_the_short_one() -> None:
    hours = np.arange(24 * 7 * 6)
    weekly = np.repeat(np.tile([3.0, 1, 1, 1, 1, 5, 9], 6), 24)
    load = 50 + weekly + 8 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(0).normal(0, 0.3, len(hours))
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=len(hours), freq="h"), "y": load})
    model = Forecaster(horizon=24, training=Training(max_steps=2), device="cpu").fit(frame)
    assert (model.season_, model.segment_, model.context_) == (168, 24, 336)
    one_by_one = Forecaster(horizon=24, strategy="recursive", context=170, training=Training(max_steps=2)).fit(frame)
    assert (one_by_one.segment_, one_by_one.context_) == (1, 170)


def test_a_season_is_chosen_where_the_end_of_the_table_is_missing() -> None:
    table = read_frame(pd.DataFrame({"ds": range(60), "y": np.tile([1.0, 2, 4, 3, 1, 9], 10)}))
    table.values[-4:] = np.nan
    assert choose_season(table, 4, (3, 6)) == 3  # nothing to judge by: the first
    table.values[-4:] = [[4.0], [3], [1], [9]]
    assert choose_season(table, 4, (3, 6)) == 6
    assert choose_season(table, 58, (3, 6)) == 1  # neither fits before a horizon as long


def test_a_short_table_trains_to_the_end_and_says_so(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(make_frame(rows=11))
    assert model.history_.steps == 20
    assert "val_loss" not in model.history_
    assert "no validation rows of their own" in " ".join(model.notes_)


# -- bits ------------------------------------------------------------------------------------------


def test_one_seed_one_result(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    network = Recurrent(hidden_size=8, num_layers=2, dropout=0.2, recurrent_dropout=0.2)
    first = make_forecaster(network=network).fit(frame)
    torch.manual_seed(999)  # whatever the caller did in between
    again = make_forecaster(network=network).fit(frame)
    other = make_forecaster(network=network, seed=1).fit(frame)
    assert same_bits(first, again)
    assert first.history_["val_loss"] == again.history_["val_loss"]
    assert not same_bits(first, other)


def test_fitting_leaves_the_callers_generator_alone(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_forecaster().fit(frame)
    assert torch.equal(torch.rand(3), expected)


def test_threads_get_the_same_forecast(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    expected = model.predict(frame)["y_hat"].to_numpy()
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(model.predict(frame)["y_hat"].to_numpy())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(result, expected) for result in results)


# -- parameters and files ------------------------------------------------------------------------------------


def test_parameters_as_scikit_learn_has_them(make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(uncertainty=Uncertainty(loss="huber"))
    twin = clone(model)
    assert twin is not model
    assert twin.get_params() == model.get_params()
    twin.set_params(network__hidden_size=32, training__learning_rate=0.5, horizon=9)
    assert isinstance(model.network, Recurrent)
    assert isinstance(twin.network, Recurrent)
    assert (twin.network.hidden_size, twin.training.learning_rate, twin.horizon) == (32, 0.5, 9)
    assert model.network.hidden_size == 8
    assert "Uncertainty(head='point', loss='huber'" in repr(model)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden": 3}, "Forecaster has no parameter 'hidden'; it has horizon, context"),
        ({"network__units": 3}, "network has no field 'units'; it has activation"),
        ({"horizon__x": 3}, "has no parameter 'horizon__x'"),
        ({"seed": 3, "horizon": 0}, "horizon must be a whole number of at least 1; got 0"),
    ],
)
def test_wrong_parameters_set_nothing(make_forecaster: MakeForecaster, params: dict[str, Any], message: str) -> None:
    model = make_forecaster(uncertainty=Uncertainty(loss="huber"))
    before = model.get_params()
    with pytest.raises(SpecError, match=message):
        model.set_params(**params)
    assert model.get_params() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": -1}, "horizon must be a whole number of at least 1; got -1"),
        ({"horizon": 2.5}, "horizon must be a whole number"),
        ({"network": "lstm"}, r"a network is a Recurrent, a Dilated, or a tuple of parts .*; got 'lstm'"),
        ({"training": {"epochs": 3}}, r"training must be a Training\(…\); got {'epochs': 3}"),
        ({"scaling": "log"}, r"scaling must be a Scaling\(…\); got 'log'"),
        ({"columns": ("a",)}, r"columns must be a Columns\(…\)"),
        ({"strategy": "magic"}, "strategy must be one of 'direct', 'recursive'"),
        ({"uncertainty": "mse"}, r"uncertainty must be a Uncertainty\(…\); got 'mse'"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"season": 30, "context": 20}, r"season \(30\) must fit into the context \(20\)"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_refusals(make_forecaster: MakeForecaster, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_forecaster(**options)


def test_a_file_brings_the_model_back_to_the_bit(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, tmp_path: Path
) -> None:
    options: list[dict[str, Any]] = [
        {"network": Recurrent(cell="gru", hidden_size=(8, 4), norm="batch")},
        {"strategy": "recursive", "scaling": Scaling(transform="boxcox", output="last")},
    ]
    for number, option in enumerate(options):
        model = make_forecaster(**option).fit(frame)
        path = tmp_path / f"{number}.safetensors"
        model.save(path)
        back = Forecaster.load(path)
        assert same_bits(model, back)
        pd.testing.assert_frame_equal(back.predict(frame), model.predict(frame))
        assert back.get_params() == model.get_params()
        assert back.history_.to_dict() == model.history_.to_dict()
        assert (back.notes_, back.columns_) == ((), model.columns_)
        assert isinstance(load(path), Forecaster)
        back.save(tmp_path / "again")
        assert inspect_model(tmp_path / "again").digest == inspect_model(path).digest


def test_a_file_holds_no_row_of_the_data(frame: pd.DataFrame, make_forecaster: MakeForecaster, tmp_path: Path) -> None:
    secret = frame.assign(unique_id=frame["unique_id"] + "-secret")
    secret.loc[3, "y"] = np.nan  # the note on it names the series
    make_forecaster().fit(secret).save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    assert b"secret" not in content
    assert frame["y"].to_numpy().tobytes()[:16] not in content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tagger"}, "holds a 'tagger', not a 'forecaster'"),
        ({"params": {"horizon": 4, "magic": 1}}, "does not describe a usable forecaster"),
        ({"learned": {}}, "does not describe a usable forecaster"),
        ({"settled": {"season": 10**400}}, "steps must be below 2³¹; got a number of 401 digits"),
        ({"settled": {"columns": {"targets": [1]}}}, "column names must be text; got 1"),
        ({"settled": {"columns": {"targets": ["a", "b"]}}}, "expected .* of shape"),
        ({"settled": {"pace": "often"}}, "does not describe a usable forecaster"),
        ({"settled": {"contexts": []}}, "0 contexts and 1 powers do not describe members"),
    ],
)
def test_descriptions_that_do_not_fit(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    from tidegate.estimator.modelfile import read_model, write_model

    make_forecaster().fit(frame).save(tmp_path / "m")
    content = read_model(tmp_path / "m")
    parts = {"kind": content.info.kind, "params": content.info.params, "learned": content.info.learned} | change
    if settled := parts.pop("settled", None):
        parts["learned"] = content.info.learned | {"settled": content.info.learned["settled"] | settled}
    write_model(tmp_path / "m", arrays=content.arrays, **parts)
    with pytest.raises(ModelFileError, match=message):
        Forecaster.load(tmp_path / "m")


def test_weights_that_are_not_numbers_are_refused(
    frame: pd.DataFrame, make_forecaster: MakeForecaster, tmp_path: Path
) -> None:
    model = make_forecaster().fit(frame)
    with torch.no_grad():
        next(model.network_.parameters()).fill_(torch.nan)
    model.save(tmp_path / "m")
    with pytest.raises(ModelFileError, match="holds NaN or infinite values"):
        Forecaster.load(tmp_path / "m")


# -- bad data ------------------------------------------------------------------------------------------


def test_before_fit(frame: pd.DataFrame, make_forecaster: MakeForecaster, tmp_path: Path) -> None:
    model = make_forecaster()
    for action in (model.predict, model.evaluate, model.score):
        with pytest.raises(NotFittedError, match="is not fitted; call fit"):
            action(frame)
    with pytest.raises(NotFittedError, match=r"before save\(…\)"):
        model.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_short_series_are_named_or_left_out(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    short = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-08")]
    with pytest.raises(
        ShortSeriesError, match=r"series 's1' has 7 rows, at least 8 are needed \(context 4 \+ horizon 4"
    ):
        make_forecaster().fit(short)
    model = make_forecaster().fit(short, skip_short=True)
    assert "1 series is left out" in " ".join(model.notes_)
    assert len(model.predict(short)) == 12  # seven rows are enough to forecast from
    few = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-04")]
    with pytest.raises(ShortSeriesError, match="series 's1' has 3 rows, at least 4 are needed"):
        model.predict(few)
    assert model.predict(few, skip_short=True)["unique_id"].unique().tolist() == ["s0", "s2"]


def test_tables_unlike_the_one_trained_on(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    weekly = frame.assign(
        ds=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.groupby("unique_id").cumcount() * 7, "D")
    )
    with pytest.raises(TimeStampError, match="trained on values every step of 'D'; this table has one every 7 steps"):
        model.predict(weekly)
    with pytest.raises(DataError, match="'y'"):
        model.predict(frame.rename(columns={"y": "z"}))


def test_values_outside_a_transforms_domain(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(scaling=Scaling(transform="log"))
    with pytest.raises(DataError, match="'log' needs values above 0; column 'y' of series 's1' has -3 at 2024-01-03"):
        model.fit(frame.assign(y=frame["y"].where(frame.index != 62, -3.0)))


def test_a_failed_fit_leaves_the_fitted_model_as_it_was(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster().fit(frame)
    before = model.predict(frame)
    with pytest.raises(DataError):
        model.fit(frame.head(3))
    pd.testing.assert_frame_equal(model.predict(frame), before)


def test_a_table_may_be_given_as_it_was_read(frame: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    assert same_bits(make_forecaster().fit(frame), make_forecaster().fit(read_frame(frame)))
