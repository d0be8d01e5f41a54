"""Values in, forecasts out: the same as `predict`, row by row; and with a state that is carried on."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import (
    Columns,
    Dilated,
    Direct,
    EncoderDecoder,
    Forecaster,
    Recurrent,
    Scaling,
    Segments,
    SelfAttention,
    Training,
    Uncertainty,
)
from tidegate.errors import DataError, NotFittedError, ShapeError, ShortSeriesError, StateError, UnsupportedError
from tidegate.forecast.context import Context
from tidegate.forecast.network import ForecastNetwork
from tidegate.forecast.strategies.base import CarriedStrategy
from tidegate.forecast.streaming import Stream

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

QUICK = Training(max_steps=5, batch_size=16, learning_rate=1e-2, validation=0.1)
KINDS: dict[str, dict[str, Any]] = {
    "direct": {},
    "direct in segments": {"strategy": Direct(segment=6)},
    "recursive behind a logarithm": {"strategy": "recursive", "scaling": Scaling(transform="log", output="season")},
    "encoder and decoder": {"strategy": "encoder_decoder", "uncertainty": Uncertainty(head="gaussian")},
    "segments": {"strategy": "segments", "uncertainty": Uncertainty(head="quantiles", calibration=0.2)},
    "smoothing": {"strategy": "smoothing"},
    "members": {"members": 3},
    "categories": {"columns": Columns(static=("kind", "size"))},
}


def cut(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Keep the first rows of each series."""
    return frame[frame.groupby("unique_id").cumcount() < rows]


def of(forecast: pd.DataFrame, name: str) -> np.ndarray:
    answer: np.ndarray = forecast.loc[forecast["unique_id"] == name, ["y_hat"]].to_numpy()
    return answer


# -- the same as predict -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_row_by_row_it_is_what_predict_gives(make_shop: MakeFrame, make_forecaster: MakeForecaster, kind: str) -> None:
    shop = make_shop(rows=66)
    shop.loc[[40, 47, 48, 110, 197], "y"] = np.nan
    options = {"training": QUICK, "context": 12, **KINDS[kind]}
    model = make_forecaster(**options).fit(cut(shop, 44))
    stream = model.stream(cut(shop, 44))
    assert stream.ids == ["s0", "s1", "s2"]
    for rows in range(44, 67):  # nearly two contexts
        if rows > 44:
            for name, value in zip(stream.ids, shop.groupby("unique_id")["y"].nth(rows - 1), strict=True):
                stream.update(value, name)
        if rows % 3 == 2:
            expected = model.predict(cut(shop, rows))
            for name in stream.ids:
                np.testing.assert_allclose(stream.forecast(name), of(expected, name), rtol=1e-6)


def test_series_go_on_each_at_its_own_pace(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, strategy="smoothing").fit(frame)
    begin = pd.concat([cut(frame, 40), frame[(frame["unique_id"] == "s1")].iloc[40:43]])
    begin = begin.sort_values(["unique_id", "ds"])
    stream = model.stream(begin)
    before = stream.forecast("s0")
    for value in frame.loc[frame["unique_id"] == "s2", "y"].iloc[40:47]:
        stream.update(value, "s2")
    np.testing.assert_array_equal(stream.forecast("s0"), before)
    np.testing.assert_allclose(stream.forecast("s1"), of(model.predict(begin), "s1"), rtol=1e-6)
    np.testing.assert_allclose(stream.forecast("s2"), of(model.predict(cut(frame, 47)), "s2"), rtol=1e-6)


def test_a_short_beginning_is_padded_and_fills_up(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(series=1)
    model = make_forecaster(training=QUICK).fit(frame)
    assert (model.least_, model.context_) == (4, 18)
    stream = model.stream(cut(frame, 5))
    for rows in range(5, 30):
        np.testing.assert_allclose(stream.forecast(), of(model.predict(cut(frame, rows)), "s0"), rtol=1e-6)
        stream.update(frame["y"].iloc[rows])


def test_several_targets_come_as_rows(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    wide = make_frame().pivot_table(index="ds", columns="unique_id", values="y").reset_index()
    for strategy in (Direct(), Direct(channels="independent"), EncoderDecoder(channels="independent"), Segments()):
        model = make_forecaster(strategy=strategy, training=QUICK).fit(wide)
        stream = model.stream(wide.head(40))
        for row in wide[["s0", "s1", "s2"]].to_numpy()[40:50]:
            stream.update(row)
        expected = model.predict(wide.head(50))[["s0_hat", "s1_hat", "s2_hat"]]
        np.testing.assert_allclose(stream.forecast(), expected, rtol=1e-6)


def test_a_series_never_seen_is_served(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, strategy="smoothing").fit(frame)
    stranger = frame[frame["unique_id"] == "s1"].assign(unique_id="new")
    stream = model.stream(stranger)
    np.testing.assert_allclose(stream.forecast(), of(model.predict(stranger), "new"), rtol=1e-6)


def test_a_stream_keeps_the_model_that_it_began_with(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    stream = model.stream(frame)
    before, answers = model.predict(frame), stream.forecast("s1")
    stream.update(0.0, "s1")
    pd.testing.assert_frame_equal(model.predict(frame), before)
    fresh = model.stream(frame)
    model.fine_tune(frame, max_steps=3, learning_rate=0.1)
    np.testing.assert_array_equal(fresh.forecast("s1"), answers)
    assert not np.allclose(model.stream(frame).forecast("s1"), answers, rtol=1e-4)


def test_memory_does_not_grow(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(series=1)
    model = make_forecaster(training=QUICK).fit(frame)
    for carry in (False, True):
        stream = model.stream(frame, carry=carry)
        values = np.random.default_rng(0).uniform(4, 6, 500)

        def push(part: np.ndarray, stream: Stream = stream) -> int:
            for value in part:
                stream.update(value)
            stream.forecast()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            first, later = push(values[:100]), push(values[100:])
        finally:
            tracemalloc.stop()
        assert later - first < 4_000  # 400 rows as float64 are 3200 bytes and their objects many times that


# -- where a stream begins -----------------------------------------------------------------------------------


def test_it_begins_with_the_rows_of_update(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    with pytest.raises(StateError) as caught:
        model.stream()
    assert str(caught.value) == ("stream without rows needs those of update(…), and there are none yet; give the rows")
    model.update(frame)
    np.testing.assert_array_equal(model.stream().forecast("s2"), model.stream(frame).forecast("s2"))
    with pytest.raises(ShortSeriesError, match="series 's0' has 3 rows, at least 4 are needed"):
        model.stream(cut(frame, 3))
    with pytest.raises(NotFittedError, match=r"call fit\(…\) before stream\(…\)"):
        make_forecaster().stream(frame)


def test_covariates_that_change_with_time_are_refused(make_shop: MakeFrame, make_forecaster: MakeForecaster) -> None:
    shop = make_shop()
    for columns in (Columns(past=("visits",)), Columns(known=("price",)), Columns(calendar=("weekday",))):
        model = make_forecaster(columns=columns, training=QUICK).fit(shop)
        with pytest.raises(UnsupportedError) as caught:
            model.stream(shop)
        assert str(caught.value) == (
            "a stream holds targets alone, and this model reads covariates that change with time; "
            "use model.update(rows) and model.predict(future=…)"
        )


# -- refused values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.inf, DataError, "expected finite values up to 1e+15, NaN where missing; got inf"),
        (-2e15, DataError, "expected finite values up to 1e+15, NaN where missing; got -2000000000000000.0"),
        ("high", DataError, "expected a number, NaN where missing; got 'high'"),
        ([1.0, 2.0], ShapeError, "expected 1 target value(s); got shape [2]"),
        ([[1.0]], ShapeError, "expected 1 target value(s); got shape [1, 1]"),
        (0.0, DataError, "the transform of the model needs values above 0; got 0.0"),
    ],
)
def test_refused_values_leave_the_stream_as_it_was(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, value: Any, error: type[Exception], message: str
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, scaling=Scaling(transform="log")).fit(frame)
    stream = model.stream(frame)
    before = stream.forecast("s1")
    with pytest.raises(error) as caught:
        stream.update(value, "s1")
    assert str(caught.value) == message
    np.testing.assert_array_equal(stream.forecast("s1"), before)


def test_ids_are_named(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(series=7)
    stream = make_forecaster(training=QUICK).fit(frame).stream(frame)
    for ask in (lambda: stream.forecast("x"), lambda: stream.update(1.0, "x")):
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value) == "the stream has no series 'x'; it holds 's0', 's1', 's2', 's3', 's4' …"
    with pytest.raises(DataError, match="the stream has no series None; it holds 's0', 's1'"):
        stream.forecast()  # one of seven must be named


def test_a_wide_table_needs_every_target(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    wide = make_frame(series=2).pivot_table(index="ds", columns="unique_id", values="y").reset_index()
    stream = make_forecaster(training=QUICK).fit(wide).stream(wide)
    with pytest.raises(ShapeError, match=r"expected 2 target value\(s\); got shape \[\]"):
        stream.update(1.0)
    stream.update([1.0, np.nan])
    assert np.isfinite(stream.forecast()).all()


# -- a state that is carried on ------------------------------------------------------------------------------

CARRIED: dict[str, dict[str, Any]] = {
    "direct": {},
    "direct without a season": {"season": 1, "context": 20},
    "direct with a highway": {"strategy": Direct(highway=6, experts=2)},
    "recursive": {"strategy": "recursive"},
    "dilated behind a logarithm": {"network": Dilated(hidden_size=5), "scaling": Scaling(transform="log")},
    "gaussian with categories": {
        "uncertainty": Uncertainty(head="gaussian"),
        "columns": Columns(static=("kind", "size")),
    },
}


def by_hand(network: ForecastNetwork, start: Context, scale: Any, rows: np.ndarray) -> Tensor:
    """Read all rows at once, from zeros, in the scale of the first window; forecast from the last window."""
    assert isinstance(network.strategy, CarriedStrategy)
    values = torch.tensor(rows)[None]
    encoded = scale.encode(values.nan_to_num(1.0), ~values.isnan())
    everything = dataclasses.replace(start, values=encoded, observed=~values.isnan(), scale=scale.scale)
    output, state = network.strategy.read(everything)
    window = slice(-network.design.context, None)
    end = dataclasses.replace(everything, values=everything.values[:, window], observed=everything.observed[:, window])
    raw = network.strategy.made(output, state, end)
    decoded: Tensor = scale.decode(network.meaning.centre(raw, scale.scale))[0]
    return decoded


@pytest.mark.parametrize("kind", list(CARRIED))
def test_a_carried_state_is_that_of_all_rows_read_at_once(
    make_shop: MakeFrame, make_forecaster: MakeForecaster, kind: str
) -> None:
    shop = make_shop(rows=60)
    shop.loc[[45, 50], "y"] = np.nan
    model = make_forecaster(**{"training": QUICK, **CARRIED[kind]}).fit(cut(shop, 40))
    stream, (network,) = model.stream(cut(shop, 40), carry=True), model.network_.networks
    context = model.context_
    for number, name in enumerate(("s0", "s1")):
        rows = shop.loc[shop["unique_id"] == name, ["y"]].to_numpy()[40 - context :]
        batch = model.stream(cut(shop, 40))._batch(slice(number, number + 1))  # the window that the stream began with
        start, scale = network.prepared(batch)
        for step in range(20):
            if step:
                stream.update(rows[context + step - 1], name)
            if step % 4 == 0:
                with torch.inference_mode():
                    expected = by_hand(network, start, scale, rows[: context + step])
                np.testing.assert_allclose(stream.forecast(name), expected, rtol=1e-5)


def test_a_carried_stream_begins_like_any_other_and_leaves_it(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    carried, plain = model.stream(cut(frame, 40), carry=True), model.stream(cut(frame, 40))
    np.testing.assert_allclose(carried.forecast("s0"), plain.forecast("s0"), rtol=1e-6)
    for value in frame["y"].iloc[40:50]:
        carried.update(value, "s0")
        plain.update(value, "s0")
    assert not np.allclose(carried.forecast("s0"), plain.forecast("s0"), rtol=1e-6)  # the scale is another
    np.testing.assert_allclose(carried.forecast("s0"), plain.forecast("s0"), rtol=0.2)
    np.testing.assert_allclose(carried.forecast("s1"), plain.forecast("s1"), rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"members": 2},
        {"strategy": Direct(segment=6)},
        {"strategy": "encoder_decoder"},
        {"strategy": "segments"},
        {"strategy": "smoothing"},
        {"network": Recurrent(hidden_size=4, bidirectional=True)},
        {"network": (Recurrent(hidden_size=4), SelfAttention(heads=2))},
    ],
    ids=str,
)
def test_what_no_state_serves_is_refused(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, options: dict[str, Any]
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, **options).fit(frame)
    with pytest.raises(UnsupportedError) as caught:
        model.stream(frame, carry=True)
    assert str(caught.value) == (
        "carry=True needs one network whose state goes on from step to step: strategy 'direct' with a segment of 1 or "
        "'recursive', recurrent parts alone, one direction, no ensemble, targets together"
    )
    assert np.isfinite(model.stream(frame).forecast("s0")).all()


def test_independent_targets_carry_no_state(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    wide = make_frame(series=2).pivot_table(index="ds", columns="unique_id", values="y").reset_index()
    model = make_forecaster(training=QUICK, strategy=Direct(channels="independent")).fit(wide)
    with pytest.raises(UnsupportedError, match="targets together"):
        model.stream(wide, carry=True)
