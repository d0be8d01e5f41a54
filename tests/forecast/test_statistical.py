"""The statistical baselines: the library's own numbers, the past alone, and naive where there is no fit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.data import SeriesTable, read_frame
from tidegate.errors import MissingExtraError, SpecError
from tidegate.forecast import statistical
from tidegate.forecast.baselines import BASELINES, naive
from tidegate.forecast.statistical import STATISTICAL, find_baselines
from tidegate.report.words import model_name
from tidegate.specs import Columns

CLASSES = {"auto_ets": "AutoETS", "auto_arima": "AutoARIMA", "theta": "Theta"}
NAMES = sorted(CLASSES)
SEASONS = {"auto_ets": 4, "auto_arima": 1, "theta": 4}  # a seasonal ARIMA takes a second


@pytest.fixture
def models() -> Any:
    pytest.importorskip("statsforecast")
    from statsforecast import models

    return models


def table_of(*series: Any) -> SeriesTable:
    rows = [(f"s{i}", step, value) for i, values in enumerate(series) for step, value in enumerate(values)]
    return read_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]).astype({"y": float}))


def wave(rows: int, seed: int = 0) -> np.ndarray:
    steps = np.arange(rows)
    noise = np.random.default_rng(seed).normal(size=rows)
    return np.asarray(50 + 0.3 * steps + 5 * np.sin(2 * np.pi * steps / 4) + noise)


def at_the_end(table: SeriesTable) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(table)), table.offsets[1:]


@pytest.mark.parametrize("name", NAMES)
def test_forecasts_are_the_librarys(models: Any, name: str) -> None:
    histories = wave(22), wave(19, seed=1)
    table = table_of(*histories)
    found = STATISTICAL[name](table, *at_the_end(table), 5, SEASONS[name])
    assert found.shape == (2, 5, 1)
    for forecast, history in zip(found[..., 0], histories, strict=True):
        expected = getattr(models, CLASSES[name])(season_length=SEASONS[name]).forecast(y=history, h=5)["mean"]
        np.testing.assert_array_equal(forecast, expected)
        assert np.abs(forecast - history[-1]).max() > 1  # no naive in disguise


@pytest.mark.parametrize("name", NAMES)
def test_only_what_lies_before_the_end_is_read(models: Any, name: str) -> None:
    history = wave(24)
    other = np.where(np.arange(24) < 18, history, -1e6)
    where = np.array([0, 0]), np.array([16, 18])
    one, two = (STATISTICAL[name](table_of(values), *where, 6, SEASONS[name]) for values in (history, other))
    np.testing.assert_array_equal(one, two)
    past = table_of(history[:16])
    np.testing.assert_array_equal(one[0], STATISTICAL[name](past, *at_the_end(past), 6, SEASONS[name])[0])


def test_missing_values_are_interpolated_for_the_model_alone(models: Any) -> None:
    values = wave(44)
    values[[0, 1, 10, 11, 20, 42, 43]] = np.nan  # before the first, between, after the last observed value
    table = table_of(values)
    kept = table.values.copy()
    found = STATISTICAL["theta"](table, *at_the_end(table), 3, 4)[0, :, 0]
    whole = values[2:42].copy()
    whole[8:10] = values[9] + (values[12] - values[9]) * np.array([1, 2]) / 3
    whole[18] = (values[19] + values[21]) / 2
    expected = models.Theta(season_length=4).forecast(y=whole, h=5)["mean"][2:]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_array_equal(table.values, kept)


def test_targets_are_forecast_one_by_one(models: Any) -> None:
    frame = pd.DataFrame({"ds": np.arange(30), "a": wave(30), "b": wave(30, seed=5) * 10})
    table = read_frame(frame, Columns(targets=("a", "b")))
    found = STATISTICAL["theta"](table, *at_the_end(table), 2, 4)
    for column, name in enumerate("ab"):
        alone = table_of(frame[name])
        np.testing.assert_array_equal(
            found[0, :, column], STATISTICAL["theta"](alone, *at_the_end(alone), 2, 4)[0, :, 0]
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_series_that_is_short_constant_or_not_observed_yet_gets_naive(models: Any, name: str) -> None:
    few, constant, late = [1.0, 4.0, 2.0, 3.0], [7.0] * 20, [np.nan] * 20
    table = table_of(few, constant, [*constant[:19], np.nan], [2.0, *late, 5.0], [*late, *wave(10)])
    where = np.array([0, 1, 2, 3, 4]), table.offsets[1:] - np.array([0, 0, 0, 0, 10])
    found = STATISTICAL[name](table, *where, 3, 4)
    np.testing.assert_array_equal(found, naive(table, *where, 3, 4))
    assert found[:, 0, 0].tolist() == [3.0, 7.0, 7.0, 5.0, pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Exception("no model able to be fitted"), id="it raises"),
        pytest.param(np.array([1.0, np.inf, 1.0]), id="it gives no number"),
    ],
)
def test_what_the_library_cannot_fit_gets_naive(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    class Model:
        def forecast(self, y: np.ndarray, h: int) -> dict[str, np.ndarray]:
            if isinstance(answer, Exception):
                raise answer
            return {"mean": answer[:h]}

    monkeypatch.setattr(statistical, "_model", lambda kind, season: Model())
    table = table_of(wave(20))
    np.testing.assert_array_equal(
        STATISTICAL["auto_ets"](table, *at_the_end(table), 3, 4), naive(table, *at_the_end(table), 3, 4)
    )


@settings(max_examples=8, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, -3.0, 1e9, 2.5]) | st.none(), min_size=1, max_size=10),
    season=st.integers(1, 5),
)
def test_nothing_raises_and_every_step_has_a_number(values: list[float | None], season: int) -> None:
    pytest.importorskip("statsforecast")
    table = table_of([1.0, *values])
    for name in NAMES:
        assert np.isfinite(STATISTICAL[name](table, *at_the_end(table), 3, season)).all()


def test_every_baseline_has_a_name_for_people() -> None:
    assert [name for name in (*BASELINES, *STATISTICAL) if model_name(name) == name] == []


def test_baselines_are_found_by_name() -> None:
    assert list(find_baselines(("naive2", "drift"))) == ["naive2", "drift"]
    with pytest.raises(SpecError, match=r"baselines must be one of 'naive', .*'auto_arima', 'theta'; got 'arima'"):
        find_baselines(("naive", "arima"))
    with pytest.raises(SpecError, match=r"baselines must be a tuple of names, such as \('naive',\); got 'naive'"):
        find_baselines("naive")


def test_without_the_library_the_extra_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(MissingExtraError) as caught:
        find_baselines(("naive", "auto_ets"))
    assert str(caught.value) == (
        "a statistical baseline needs 'statsforecast.models', which is not installed: "
        "pip install 'tidegate[statsforecast]'"
    )
