"""Covariates: how they are scaled, what of them is read, and what a model does where they are missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import Columns, Forecaster, Training, Uncertainty
from tidegate.data import Batch, read_frame, read_future
from tidegate.errors import ColumnError, DataError, SpecError, TimeStampError
from tidegate.forecast.covariates import CovariateInputs, CovariateShapes

Make = Callable[..., Any]
MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

KNOWN = Columns(known=("price", "holiday"))


def fitted_inputs(frame: pd.DataFrame, columns: Columns) -> CovariateInputs:
    table = read_frame(frame, columns)
    inputs = CovariateInputs(CovariateShapes.of(table, table.vocabularies()))
    inputs.fit(table)
    return inputs


def batch_of(**parts: Any) -> Batch[Tensor]:
    tensors = {name: torch.tensor(part, dtype=torch.float64) for name, part in parts.items()}
    return Batch(values=torch.zeros(1, 1, 1), **tensors)


# -- scaling, masks, embeddings ------------------------------------------------------------------------------


def test_numbers_are_standardised_by_the_training_rows() -> None:
    frame = pd.DataFrame({"ds": range(4), "y": 1.0, "price": [2.0, 4.0, 4.0, 6.0], "size": 3.0})
    inputs = fitted_inputs(frame, Columns(known=("price",), static=("size",)))
    spread = np.std([2, 4, 4, 6])
    ready = inputs(batch_of(known=[[[2.0], [4.0], [9.0]]], static=[[3.0]]))
    assert ready.known is not None
    assert ready.static is not None
    assert ready.known[0, :, 0].tolist() == pytest.approx([-2 / spread, 0, 5 / spread])
    assert ready.static.tolist() == [[0.0]]  # one series, so no spread: a 1 stands in
    larger = inputs(batch_of(known=[[[2.0]]], static=[[4.0]])).static
    assert larger is not None
    assert larger.tolist() == [[1.0]]


def test_large_numbers_keep_their_differences() -> None:
    seconds = 1_767_225_600.0 + np.arange(4)
    inputs = fitted_inputs(pd.DataFrame({"ds": range(4), "y": 1.0, "when": seconds}), Columns(known=("when",)))
    ready = inputs(batch_of(known=[[[float(second)] for second in seconds]]))
    assert ready.known is not None
    assert np.diff(ready.known[0, :, 0]).tolist() == pytest.approx([1 / np.std(np.arange(4))] * 3)


def test_a_column_that_only_rounding_moves_is_left_in_its_unit() -> None:
    inputs = fitted_inputs(pd.DataFrame({"ds": range(7), "y": 1.0, "share": 0.1}), Columns(known=("share",)))
    ready = inputs(batch_of(known=[[[0.1], [0.2]]]))
    assert ready.known is not None
    assert ready.known[0, :, 0].tolist() == pytest.approx([0, 0.1], abs=1e-7)


def test_a_missing_value_is_the_mean_and_has_a_mask_where_training_had_some() -> None:
    frame = pd.DataFrame({"ds": range(4), "y": 1.0, "a": [1.0, np.nan, 3.0, 5.0], "b": [1.0, 2.0, 3.0, 4.0]})
    inputs = fitted_inputs(frame, Columns(past=("a", "b")))
    assert inputs.shapes.past == (True, False)
    assert inputs.shapes.widths == (3, 0, 0)
    ready = inputs(batch_of(past=[[[np.nan, 4.0], [3.0, np.nan]]]))
    assert ready.past is not None
    last = 1.5 / float(np.std([1, 2, 3, 4]))
    np.testing.assert_allclose(ready.past[0], [[0.0, last, 0.0], [0.0, 0.0, 1.0]], rtol=1e-6)


def test_a_column_without_any_value_reads_as_zeros() -> None:
    shapes = CovariateShapes(past=(True,))
    inputs = CovariateInputs(shapes)
    frame = pd.DataFrame({"ds": range(3), "y": 1.0, "a": np.nan})
    inputs.fit(read_frame(frame, Columns(past=("a",))))
    ready = inputs(batch_of(past=[[[np.nan], [2.0]]]))
    assert ready.past is not None
    assert ready.past[0].tolist() == [[0, 0], [2, 1]]


def test_categories_are_embedded_and_unknown_ones_are_zeros() -> None:
    torch.manual_seed(0)
    inputs = CovariateInputs(CovariateShapes(static=(True,), categories=(3, 60)))
    assert inputs.shapes.widths == (0, 0, 2 + 3 + 16)
    assert [layer.weight.shape for layer in inputs.embeddings] == [(4, 3), (61, 16)]
    ready = inputs(
        Batch(
            values=torch.zeros(2, 1, 1), static=torch.tensor([[1.0], [2.0]]), categories=torch.tensor([[0, 7], [3, 0]])
        )
    )
    assert ready.static is not None
    first, second = ready.static.detach()
    assert first[2:5].tolist() == [0, 0, 0]
    assert second[5:].tolist() == [0] * 16
    rows = [part for name, part in inputs.named_parameters() if "embeddings" in name]
    assert torch.equal(first[5:], rows[1][7])
    assert torch.equal(second[2:5], rows[0][3])
    (gradient,) = torch.autograd.grad(ready.static.sum(), rows[0])
    assert gradient.any(dim=1).tolist() == [False, False, False, True]  # row 0 is not trained


# -- what is read --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shop(make_shop: MakeFrame) -> pd.DataFrame:
    return make_shop()


@pytest.fixture(scope="session")
def shop_model(shop: pd.DataFrame, make_forecaster: MakeForecaster, covariates: Columns) -> Forecaster:
    """Fitted on every kind of covariate; tests leave it as it is."""
    training = Training(max_steps=60, batch_size=32, learning_rate=1e-2, validation=0.2)
    return make_forecaster(columns=covariates, context=12, training=training).fit(shop)


def changed(before: pd.DataFrame, after: pd.DataFrame) -> list[bool]:
    """Tell for each step of the horizon whether any series' forecast is another."""
    one, two = (frame["y_hat"].to_numpy().reshape(-1, 4) for frame in (before, after))
    moved: list[bool] = (~np.isclose(one, two, rtol=1e-9)).any(axis=0).tolist()
    return moved


def test_every_covariate_is_read(shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame) -> None:
    future = make_future(shop)
    before = shop_model.predict(shop, future=future)
    last = shop.groupby("unique_id").tail(1).index
    for column, value in (("visits", 500.0), ("price", 20.0), ("holiday", True)):
        other = shop.copy()
        other.loc[last, column] = value
        assert all(changed(before, shop_model.predict(other, future=future))), column
    for other in (shop.assign(kind="odd"), shop.assign(size=9.0)):
        assert all(changed(before, shop_model.predict(other, future=future)))
    moved = shop.assign(ds=shop["ds"] + pd.Timedelta("3D"))  # another weekday, another phase of the season
    assert all(changed(before, shop_model.predict(moved, future=make_future(moved))))


def test_a_known_covariate_moves_its_own_step(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame
) -> None:
    future = make_future(shop)
    before = shop_model.predict(shop, future=future)
    days = future.groupby("unique_id").cumcount()
    for step in range(4):
        other = future.assign(price=future["price"].where(days != step, 11.0))
        after = shop_model.predict(shop, future=other)
        assert changed(before, after) == [day == step for day in range(4)]  # a direct strategy has a row for each step


def test_rows_beyond_the_horizon_and_before_it_are_passed_over(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame
) -> None:
    before = shop_model.predict(shop, future=make_future(shop))
    longer = make_future(shop, horizon=9)
    days = longer.groupby("unique_id").cumcount()
    wild = longer.assign(price=longer["price"].where(days < 4, 1e6))
    past = shop[["unique_id", "ds", "holiday"]].assign(price=-7.0)
    after = shop_model.predict(shop, future=pd.concat([past, wild]).sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(after, before)


def test_the_price_is_learned(make_shop: MakeFrame, make_forecaster: MakeForecaster, make_future: MakeFrame) -> None:
    shop = make_shop(rows=120)
    training = Training(max_steps=200, batch_size=64, learning_rate=1e-2)
    model = make_forecaster(columns=KNOWN, context=12, training=training).fit(shop)
    cheap, dear = (model.predict(shop, future=make_future(shop, price=price))["y_hat"] for price in (8.0, 10.0))
    np.testing.assert_allclose(dear / cheap, 10 / 8, atol=0.17)  # 1 without the price


# -- leaks ---------------------------------------------------------------------------------------------------


def learned_statistics(model: Forecaster) -> dict[str, Any]:
    state = model.network_.state_dict()
    found = {name: tensor for name, tensor in state.items() if name.endswith(("_mean", "_spread", "factors"))}
    return {**found, "power": model.settled_.powers, "vocabularies": model.settled_.vocabularies}


def test_statistics_come_from_the_training_rows_alone(
    shop: pd.DataFrame, make_forecaster: MakeForecaster, covariates: Columns
) -> None:
    training = Training(max_steps=3, batch_size=16, validation=0.1)
    model = make_forecaster(
        columns=covariates, context=12, training=training, uncertainty=Uncertainty(calibration=0.2)
    ).fit(shop)
    rows = shop.groupby("unique_id").cumcount()
    kept = shop[rows < 42]  # of 60: 12 for calibration, 6 for early stopping
    found = learned_statistics(model)
    assert found["members.0.covariates.past_mean"].sum(0).tolist() == pytest.approx([kept["visits"].mean()], rel=1e-6)
    known = [kept["price"].mean(), kept["holiday"].astype(float).mean()]
    assert found["members.0.covariates.known_mean"].sum(0)[:2].tolist() == pytest.approx(known, rel=1e-6)
    assert found["members.0.covariates.past_spread"].tolist() == pytest.approx([kept["visits"].std(ddof=0)], rel=1e-6)
    wild = shop.assign(
        price=shop["price"].where(rows < 42, 1e6), visits=shop["visits"].where(rows < 42, np.nan), y=shop["y"]
    )
    again = make_forecaster(
        columns=covariates, context=12, training=training, uncertainty=Uncertainty(calibration=0.2)
    ).fit(wild)
    other = learned_statistics(again)
    for name in found:
        if name.endswith(("_mean", "_spread")):
            assert torch.equal(found[name], other[name]), name
    # Early stopping is not reached after three steps, so that the weights too are those of the training rows.
    mine, theirs = model.network_.state_dict(), again.network_.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine if "calibration" not in name)


# -- missing -------------------------------------------------------------------------------------------------


def test_missing_values_of_every_kind_are_served(
    shop: pd.DataFrame, make_forecaster: MakeForecaster, make_future: MakeFrame, covariates: Columns
) -> None:
    rng = np.random.default_rng(3)
    holes = shop.copy().astype({"holiday": float})
    for column in ("y", "visits", "price", "holiday"):
        holes.loc[rng.random(len(holes)) < 0.15, column] = np.nan
    holes.loc[holes["unique_id"] == "s1", ["kind", "size"]] = np.nan
    model = make_forecaster(columns=covariates, context=12).fit(holes)
    assert model.settled_.covariates.past == (True,)
    assert model.settled_.covariates.known == (True, True, *[False] * 4)  # features of time stamps are never missing
    assert np.isfinite(model.history_["loss"]).all()
    end = holes.copy()
    end.loc[end.groupby("unique_id").tail(3).index, ["y", "visits", "price", "holiday"]] = np.nan
    for frame in (holes, end, shop):
        forecast = model.predict(frame, future=make_future(frame))
        levels = forecast.groupby("unique_id")["y_hat"].mean()
        np.testing.assert_allclose(levels / [1, 10, 100], 5.3, rtol=0.4)


def test_missing_values_that_training_did_not_see_are_served(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame
) -> None:
    holes = shop.copy().astype({"holiday": float})
    holes.loc[holes.groupby("unique_id").tail(4).index, ["y", "visits", "price", "holiday"]] = np.nan
    holes[["size"]] = np.nan
    assert np.isfinite(shop_model.predict(holes, future=make_future(shop))["y_hat"]).all()


@pytest.mark.parametrize("empty", [None, np.nan, ""])
def test_unseen_categories_and_series_are_served_alike(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame, empty: Any
) -> None:
    def ask(**changes: Any) -> np.ndarray:
        part = shop[shop["unique_id"] == "s1"].assign(**changes)
        answer: np.ndarray = shop_model.predict(part, future=make_future(part))["y_hat"].to_numpy()
        return answer

    known, unseen, missing = ask(), ask(kind="strange"), ask(kind=empty)
    np.testing.assert_array_equal(unseen, missing)  # both are the embedding 0
    assert not np.allclose(unseen, known, rtol=1e-6)
    np.testing.assert_array_equal(ask(unique_id="stranger"), known)


def test_the_id_as_a_category_tells_series_apart(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(columns=Columns(static=("unique_id",))).fit(frame)
    assert model.settled_.vocabularies == (("s0", "s1", "s2"),)
    one = frame[frame["unique_id"] == "s0"]
    as_others = [model.predict(one.assign(unique_id=name))["y_hat"].to_numpy() for name in ("s0", "s1", "new", "newer")]
    assert not np.allclose(as_others[0], as_others[1], rtol=1e-6)
    np.testing.assert_array_equal(as_others[2], as_others[3])


# -- refusals ------------------------------------------------------------------------------------------------


def test_known_covariates_are_needed_for_the_future(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame
) -> None:
    with pytest.raises(DataError) as caught:
        shop_model.predict(shop)
    assert str(caught.value) == (
        "the known covariates 'price', 'holiday' must be given for the 4 steps after the end of each series, for "
        "series 's0' from 2024-03-01 on; give future= with those rows"
    )
    future = make_future(shop)
    with pytest.raises(
        DataError, match=r"'price' is needed .* missing for series 's1' at 2024-03-03; give future= with"
    ):
        shop_model.predict(shop, future=future.drop(index=6))
    with pytest.raises(ColumnError, match="the known column 'holiday' is not in the table"):
        shop_model.predict(shop, future=future.drop(columns="holiday"))
    with pytest.raises(DataError, match="the future holds series 'x', which is not in the table"):
        shop_model.predict(shop, future=future.assign(unique_id=future["unique_id"].replace("s2", "x")))
    with pytest.raises(TimeStampError, match="has the time stamp 2024-03-01 twice"):
        shop_model.predict(shop, future=pd.concat([future, future.head(1)]))


def test_rows_of_series_that_are_left_out_are_passed_over(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame
) -> None:
    rows = shop.groupby("unique_id").cumcount()
    few = shop[(shop["unique_id"] != "s1") | (rows < shop_model.least_ - 1)]
    future = make_future(few)
    assert set(future["unique_id"]) == {"s0", "s1", "s2"}
    forecast = shop_model.predict(few, future=future, skip_short=True)
    whole = shop_model.predict(shop, future=make_future(shop))
    pd.testing.assert_frame_equal(
        forecast, whole[whole["unique_id"] != "s1"].reset_index(drop=True), check_exact=False, rtol=1e-6
    )
    with pytest.raises(DataError, match="the future holds series 'x'"):  # others are still refused
        shop_model.predict(few, future=future.replace({"s1": "x"}), skip_short=True)


def test_a_static_covariate_keeps_its_kind(shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame) -> None:
    with pytest.raises(DataError) as caught:
        shop_model.predict(shop.assign(size="large"), future=make_future(shop))
    assert str(caught.value) == (
        "the model was trained on numbers in the static covariate 'size'; the table has categories there (text, "
        "booleans and categorical dtypes are categories): convert the column"
    )
    with pytest.raises(DataError, match="was trained on categories in the static covariate 'kind'; the table has num"):
        shop_model.predict(shop.assign(kind=3), future=make_future(shop))


def test_a_table_that_was_read_otherwise_is_refused(
    shop: pd.DataFrame, shop_model: Forecaster, covariates: Columns
) -> None:
    changes: list[dict[str, Any]] = [
        {"static": ("kind",)},
        {"past": ()},
        {"known": ("price",)},
        {"calendar": ()},
        {"fourier": 2},
    ]
    for change in changes:
        table = read_frame(shop, dataclasses.replace(covariates, **change))
        with pytest.raises(DataError, match=f"the model was trained with {next(iter(change))}=.*, the table was read"):
            shop_model.predict(table)


def test_a_table_that_was_read_alike_is_served(
    shop: pd.DataFrame, shop_model: Forecaster, make_future: MakeFrame, covariates: Columns
) -> None:
    future = make_future(shop)
    table = read_frame(shop, covariates)
    expected = shop_model.predict(shop, future=future)
    pd.testing.assert_frame_equal(shop_model.predict(table, future=future), expected)
    pd.testing.assert_frame_equal(shop_model.predict(table, future=read_future(future, table, 4)), expected)


def test_a_recursive_strategy_refuses_past_covariates(shop: pd.DataFrame, make_forecaster: MakeForecaster) -> None:
    with pytest.raises(SpecError, match="would need the future of past covariates too"):
        make_forecaster(strategy="recursive", columns=Columns(past=("visits",))).fit(shop)
