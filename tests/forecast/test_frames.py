"""Forecasts as data frames: points, intervals, means, and which of them a model has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tidegate import Columns, Direct, Forecaster, Recursive, Scaling, Training, Uncertainty
from tidegate.errors import SpecError
from tidegate.forecast.answers import Answers
from tidegate.forecast.frames import interval_names, probabilities_of
from tidegate.forecast.scores import levels_of

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

COUNTS = Scaling(method="mean", output="centre")
SPREADS: dict[str, dict[str, Any]] = {
    "quantiles": {"uncertainty": Uncertainty(head="quantiles")},
    "quantiles at other probabilities": {"uncertainty": Uncertainty(head="quantiles", quantiles=(0.3, 0.5, 0.6))},
    "gaussian": {"uncertainty": Uncertainty(head="gaussian"), "members": 2},
    "student_t": {"uncertainty": Uncertainty(head="student_t"), "scaling": Scaling(transform="log")},
    "negative_binomial": {"uncertainty": Uncertainty(head="negative_binomial"), "scaling": COUNTS},
    "calibrated points": {"uncertainty": Uncertainty(calibration=0.2)},
    "calibrated quantiles": {"uncertainty": Uncertainty(head="quantiles", calibration=12)},
    "paths": {"strategy": Recursive(samples=50), "uncertainty": Uncertainty(head="student_t")},
    "calibrated paths": {
        "strategy": Recursive(samples=50),
        "uncertainty": Uncertainty(head="gaussian", calibration=0.2),
    },
    "independent": {
        "strategy": Direct(channels="independent"),
        "uncertainty": Uncertainty(head="gaussian", calibration=0.2),
    },
}


def test_levels_are_sorted_and_each_is_there_once() -> None:
    assert levels_of((95, 80, 80.0)) == (80, 95)
    assert probabilities_of((50, 80, 95)) == [0.025, 0.1, 0.25, 0.75, 0.9, 0.975]
    assert interval_names("y", 80.0) == ("y_hat_lo_80", "y_hat_hi_80")
    assert interval_names("load", 97.5) == ("load_hat_lo_97.5", "load_hat_hi_97.5")


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([0.8, 100], "levels are in per cent, more than 0 and less than 100, such as 80; got 100"),
        ([0], "levels are in per cent, more than 0 and less than 100, such as 80; got 0"),
        (["80"], "a level must be a finite number; got '80'"),
        ([True], "a level must be a finite number; got True"),
        (80, "levels must be several numbers in per cent, such as [80, 95]; got 80"),
    ],
)
def test_levels_that_are_none(levels: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        levels_of(levels)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", list(SPREADS))
def test_intervals_nest_around_the_median(make_frame: MakeFrame, make_forecaster: MakeForecaster, name: str) -> None:
    frame, keys, targets = make_frame(rows=72), ["unique_id", "ds"], ["y"]
    if name == "independent":  # a column a variable
        frame = frame.pivot_table(index="ds", columns="unique_id", values="y").reset_index()
        keys, targets = ["ds"], ["s0", "s1", "s2"]
    model = make_forecaster(context=12, **SPREADS[name]).fit(frame)
    forecast = model.predict(frame, levels=[95, 20, 80])
    columns = [*keys]
    for target in targets:
        bounds = [f"{target}_hat_{side}_{level}" for level in (20, 80, 95) for side in ("lo", "hi")]
        columns += [f"{target}_hat", *bounds]
        ascending = [*bounds[-2::-2], *bounds[1::2]]  # from the lower end of 95 to the upper one
        found = forecast[ascending].to_numpy()
        assert np.isfinite(found).all()
        assert (np.diff(found, axis=1) >= 0).all()
        assert (found[:, 0] < found[:, -1]).all()
    assert list(forecast.columns) == columns
    points = [*keys, *(f"{target}_hat" for target in targets)]
    pd.testing.assert_frame_equal(model.predict(frame), forecast[points])
    pd.testing.assert_frame_equal(model.predict(frame, levels=[95, 20, 80]), forecast)  # drawn paths too


def test_an_interval_is_between_the_quantiles_that_its_level_says(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    model = make_forecaster(uncertainty=Uncertainty(head="gaussian")).fit(frame)
    forecast = model.predict(frame, levels=[80])
    spread = forecast["y_hat_hi_80"] - forecast["y_hat"]
    np.testing.assert_allclose(spread, forecast["y_hat"] - forecast["y_hat_lo_80"], rtol=1e-6)
    wider = model.predict(frame, levels=[95])
    ratio = (wider["y_hat_hi_95"] - wider["y_hat"]) / spread
    np.testing.assert_allclose(ratio, 1.959963984540054 / 1.2815515655446004, rtol=1e-6)


def test_polars_frames_have_the_same_intervals(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(uncertainty=Uncertainty(head="quantiles")).fit(frame)
    forecast = model.predict(pl.DataFrame(frame.to_dict(orient="list")), levels=[80])
    assert isinstance(forecast, pl.DataFrame)
    expected = model.predict(frame, levels=[80])
    assert forecast.columns == list(expected.columns)
    np.testing.assert_array_equal(forecast["y_hat_lo_80"], expected["y_hat_lo_80"])


def test_points_alone_have_neither_levels_nor_a_mean(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster().fit(frame)
    remedy = (
        "needs a predictive distribution, and this model gives points alone; fit it with "
        "uncertainty=Uncertainty(head='quantiles'), or keep rows apart to calibrate: Uncertainty(calibration=0.1)"
    )
    with pytest.raises(SpecError) as caught:
        model.predict(frame, levels=[95, 80])
    assert str(caught.value) == f"levels=[80.0, 95.0] {remedy}"
    with pytest.raises(SpecError) as caught:
        model.predict(frame, point="mean")
    assert str(caught.value) == f"point='mean' {remedy}"
    with pytest.raises(SpecError, match="point must be one of 'median', 'mean'; got 'mode'"):
        model.predict(frame, point="mode")


def test_the_mean_lies_above_the_median_of_a_skewed_distribution(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    model = make_forecaster(uncertainty=Uncertainty(head="gaussian"), scaling=Scaling(transform="log")).fit(frame)
    median, mean = model.predict(frame), model.predict(frame, point="mean", levels=[80])
    assert (mean["y_hat"] > median["y_hat"]).all()
    np.testing.assert_array_equal(mean["y_hat_hi_80"], model.predict(frame, levels=[80])["y_hat_hi_80"])


def test_a_mean_of_counts_is_no_whole_number(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    rng = np.random.default_rng(0)
    frame = make_frame(series=1).assign(y=lambda table: rng.poisson(0.4, len(table)).astype(float))
    frame.loc[3, "y"] = 2.0
    model = make_forecaster(**SPREADS["negative_binomial"], context=12).fit(frame)
    median, mean = model.predict(frame)["y_hat"], model.predict(frame, point="mean")["y_hat"]
    assert (median == median.round()).all()
    assert (mean != mean.round()).all()
    assert ((mean > 0) & (mean < 3)).all()


def test_paths_are_those_of_the_forecasters_seed(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, seeds = make_frame(), []
    seen = Answers.quantiles

    def spy(self: Answers, *arguments: Any) -> Any:
        seeds.append(self.seed)
        return seen(self, *arguments)

    monkeypatch.setattr(Answers, "quantiles", spy)
    training = Training(max_steps=2)
    options: dict[str, Any] = {"strategy": Recursive(samples=20), "uncertainty": Uncertainty(head="gaussian")}
    for seed in (0, 0, 1):
        make_forecaster(**options, seed=seed, training=training).fit(frame).predict(frame, levels=[80])
    assert seeds[0] == seeds[1] != seeds[2]


def test_targets_of_any_name_have_columns_of_their_own(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame().rename(columns={"y": "load"})
    columns = Columns(targets=("load",))
    model = make_forecaster(columns=columns, uncertainty=Uncertainty(head="gaussian")).fit(frame)
    forecast = model.predict(frame, levels=[50])
    assert list(forecast.columns) == ["unique_id", "ds", "load_hat", "load_hat_lo_50", "load_hat_hi_50"]
