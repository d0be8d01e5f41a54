"""What is settled before a training: seasons, contexts, segments, and rows that serve one purpose each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import (
    Columns,
    Direct,
    EncoderDecoder,
    Forecaster,
    Member,
    Recursive,
    Scaling,
    Segments,
    Smoothing,
    Uncertainty,
)
from tidegate.data import SeriesTable, Windows, read_frame
from tidegate.errors import DataError, ShortSeriesError, SpecError
from tidegate.forecast.plan import Plan, Request, check_options, fit_power, make_plan

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


def table_of(*lengths: int, season: int = 6, columns: Columns | None = None, **more: Any) -> SeriesTable:
    rng = np.random.default_rng(0)
    parts = []
    for index, length in enumerate(lengths):
        steps = np.arange(length)
        y = 5 + np.sin(2 * np.pi * steps / season) + 0.05 * rng.standard_normal(length)
        parts.append(pd.DataFrame({"unique_id": f"s{index}", "ds": steps, "y": y, **more}))
    return read_frame(pd.concat(parts, ignore_index=True), columns)


def plan_of(table: SeriesTable, **options: Any) -> Plan:
    asked: dict[str, Any] = {
        "horizon": 4,
        "context": None,
        "season": 6,
        "strategy": Direct(),
        "members": (Member(),),
        "validation": 0.1,
        "calibration": 0.0,
        "skip_short": False,
    }
    return make_plan(table, Request(**{**asked, **options}))


def target_rows(windows: Windows | None) -> set[tuple[int, int]]:
    """Give every target row of the windows, as series and row of the series."""
    assert windows is not None
    firsts = windows.ends - windows.table.offsets[windows.series]
    return {
        (int(series), int(first) + step)
        for series, first in zip(windows.series, firsts, strict=True)
        for step in range(windows.horizon)
    }


def context_rows(windows: Windows) -> set[tuple[int, int]]:
    firsts = windows.ends - windows.table.offsets[windows.series]
    return {
        (int(series), row)
        for series, first in zip(windows.series, firsts, strict=True)
        for row in range(max(int(first) - windows.context, 0), int(first))
    }


# -- rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibration", [0.2, 17])
def test_targets_of_training_early_stopping_and_calibration_lie_apart(calibration: float | int) -> None:
    plan = plan_of(table_of(100, 83), calibration=calibration)
    train, stop, kept = target_rows(plan.train), target_rows(plan.validation), target_rows(plan.calibration)
    assert not train & stop
    assert not (train | stop) & kept
    held = [17, 17] if calibration == 17 else [20, 17]  # shares of a series are rounded up
    for series, length in enumerate((100, 83)):
        own = sorted(row for at, row in kept if at == series)
        assert own == list(range(length - held[series], length))
        stopping = -(-length // 10)
        assert sorted(row for at, row in stop if at == series) == list(range(own[0] - stopping, own[0]))
        assert max(row for at, row in train if at == series) == own[0] - stopping - 1
        assert plan.rows.lengths[series] == own[0] - stopping


def test_nothing_of_the_training_reads_the_rows_that_are_kept_apart() -> None:
    plan = plan_of(table_of(100, 83), calibration=0.2)
    held = target_rows(plan.validation) | target_rows(plan.calibration)
    assert not context_rows(plan.train) & held
    assert plan.validation is not None
    assert not context_rows(plan.validation) & target_rows(plan.calibration)


def test_short_series_give_up_calibration_then_early_stopping() -> None:
    plan = plan_of(table_of(100, 15, 9), calibration=0.2)
    assert {series for series, _ in target_rows(plan.calibration)} == {0}
    assert {series for series, _ in target_rows(plan.validation)} == {0, 1}
    assert {series for series, _ in target_rows(plan.train)} == {0, 1, 2}
    assert plan.notes == (
        "2 of 3 series are too short for every part: 1 with no calibration rows of their own, 1 with neither "
        "calibration nor validation rows; the first is series 's1'",
    )
    nothing = plan_of(table_of(9, 10), calibration=0.2)
    assert (nothing.validation, nothing.calibration) == (None, None)
    assert "2 with neither calibration nor validation rows" in nothing.notes[0]


def test_short_series_are_refused_or_left_out() -> None:
    table = table_of(60, 7)
    with pytest.raises(ShortSeriesError, match="series 's1' has 7 rows, at least 8 are needed"):
        plan_of(table)
    plan = plan_of(table, skip_short=True)
    assert plan.table.ids.tolist() == ["s0"]
    assert "1 series is left out, shorter than 8 rows" in plan.notes[0]


def test_calibration_rows_must_hold_a_horizon() -> None:
    with pytest.raises(SpecError) as caught:
        plan_of(table_of(60), calibration=3)
    assert str(caught.value) == ("calibration=3 rows hold no horizon of 4; keep at least that many apart, or a share")
    kept = plan_of(table_of(60), calibration=4)
    assert target_rows(kept.calibration) == {(0, row) for row in range(56, 60)}
    share = plan_of(table_of(60), calibration=0.01)  # of a share it is made
    assert target_rows(share.calibration) == target_rows(kept.calibration)


def test_missing_ends_leave_nothing_to_stop_by_or_to_calibrate_on() -> None:
    table = table_of(60, 60)
    table.values[52:60] = table.values[112:120] = np.nan
    plan = plan_of(table, validation=0.1)  # 54 … 59
    assert plan.validation is None
    assert plan.notes == (
        "no value that counts is observed in the rows kept apart for early stopping: the training goes to its end",
    )
    with pytest.raises(DataError) as caught:
        plan_of(table, validation=0.1, calibration=6)
    assert str(caught.value) == (
        "no value that counts is observed in the rows kept apart for calibration; keep more rows apart with "
        "Uncertainty(calibration=…), or set it to 0"
    )
    table.values[59] = 5.0  # one series is enough
    assert target_rows(plan_of(table, validation=0.1).validation) == {(0, row) for row in range(56, 60)}


def test_held_out_windows_are_thinned_evenly() -> None:
    plan = plan_of(table_of(9000), validation=0.4, calibration=0.0)
    assert plan.validation is not None
    assert len(plan.validation) == 2000
    steps = np.diff(plan.validation.ends)
    assert steps.min() == 1
    assert steps.max() == 2
    assert plan.validation.ends[0] == 5400
    assert plan.validation.ends[-1] == 8996
    assert len(plan.train) > 5000  # what is trained on is not


# -- seasons, contexts, segments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "season", "horizon", "context"),
    [
        (100, 6, 4, 18),  # three seasons
        (400, 6, 4, 78),  # thirteen: there are five times as many rows
        (900, 6, 4, 84),  # fourteen at most
        (400, 60, 4, 180),
        (400, 61, 4, 122),
        (400, 1, 4, 24),
        (400, 1, 7, 35),
    ],
)
def test_a_context_follows_from_the_season(rows: int, season: int, horizon: int, context: int) -> None:
    plan = plan_of(table_of(rows, season=max(season, 2)), season=season, horizon=horizon)
    assert plan.contexts == (context,)
    assert plan.context == context


def test_a_context_is_no_longer_than_the_longest_series() -> None:
    assert plan_of(table_of(15, 10), season=6).context == 11
    assert plan_of(table_of(15, 10), season=6, context=40).context == 40  # unless it is asked for: then it is padded


def test_members_have_the_context_that_they_ask_for() -> None:
    plan = plan_of(table_of(200), members=(Member(context=10), Member(), Member(context=30)), context=20)
    assert plan.contexts == (10, 20, 30)
    assert (plan.context, plan.train.context) == (30, 30)
    free = plan_of(table_of(100), members=(Member(context=10), Member()))
    assert free.contexts == (10, 18)


@pytest.mark.parametrize(
    ("strategy", "context", "segment"),
    [
        (Direct(), 30, 6),  # five seasons
        (Direct(), 29, 1),
        (Direct(), 43, 1),  # seven, but the season does not go into it
        (Direct(segment=3), 42, 3),
        (Smoothing(), 42, 6),
        (Smoothing(segment=2), 42, 2),
        (Segments(), 42, 6),
        (Segments(), 18, 6),
        (Segments(length=7), 42, 7),
        (Recursive(), 42, 1),
        (EncoderDecoder(), 42, 1),
    ],
)
def test_segments_are_short_seasons(strategy: Any, context: int, segment: int) -> None:
    plan = plan_of(table_of(100), strategy=strategy, context=context)
    assert (plan.segment, plan.context) == (segment, context)


def test_a_context_that_was_not_asked_for_is_brought_to_whole_segments() -> None:
    assert plan_of(table_of(100), strategy=Segments(length=5)).context == 20  # 18 in whole segments
    with pytest.raises(SpecError, match="a segment of 5 steps does not go into a context of 18; change either"):
        plan_of(table_of(100), strategy=Segments(length=5), context=18)
    without = plan_of(table_of(100), strategy=Segments(), season=1, horizon=12)
    assert (without.segment, without.context) == (2, 60)


def test_a_highway_must_lie_within_every_context() -> None:
    with pytest.raises(SpecError, match="a highway of 13 steps is longer than the context of 12; shorten it"):
        plan_of(table_of(100), strategy=Direct(highway=13), members=(Member(context=24), Member(context=12)))


def test_no_season_is_chosen_by_the_rows_that_calibrate() -> None:
    rng = np.random.default_rng(1)
    steps = np.arange(168 * 6)
    daily, weekly = np.sin(2 * np.pi * steps / 24), np.repeat(np.tile([3.0, 1, 1, 1, 1, 5, 9], 6), 24) / 4
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=len(steps), freq="h")})
    frame["y"] = 10 + daily + weekly + 0.05 * rng.standard_normal(len(steps))
    other = frame.assign(y=frame["y"].where(steps < 168 * 5, 10 + daily))  # without the week, at the end
    plans = [plan_of(read_frame(part), season=None, horizon=24, calibration=168) for part in (frame, other)]
    assert [(plan.season, plan.seasons) for plan in plans] == [(168, (24, 168))] * 2
    assert plan_of(read_frame(other), season=None, horizon=24).season == 24  # where those rows are trained on


def test_features_of_time_stamps_go_by_the_seasons_that_were_found() -> None:
    columns = Columns(fourier=1)
    assert plan_of(table_of(100, columns=columns), season=6).table.features == ("fourier.1/6.sin", "fourier.1/6.cos")
    found = plan_of(table_of(100, columns=columns), season=None)
    assert found.season == 6
    assert found.table.features[:2] == ("fourier.1/6.sin", "fourier.1/6.cos")
    with pytest.raises(DataError, match="fourier=1 needs a season, and there is none"):
        plan_of(table_of(100, columns=columns), season=1)


def test_vocabularies_are_those_of_the_series_that_are_trained_on() -> None:
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": range(rows), "y": 1.0 + np.arange(rows) % 3, "kind": kind})
            for name, rows, kind in (("a", 50, "x"), ("b", 50, "w"), ("short", 4, "z"))
        ]
    )
    plan = plan_of(read_frame(frame, Columns(static=("kind",))), skip_short=True)
    assert plan.vocabularies == (("w", "x"),)
    assert plan.train.codes is not None
    assert plan.train.codes.tolist() == [[2], [1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((0, None, None), "horizon must be a whole number of at least 1; got 0"),
        ((4, 0, None), "context must be a whole number of at least 1; got 0"),
        ((4, None, 0), "season must be a whole number of at least 1; got 0"),
        ((4, 5, 6), "season (6) must fit into the context (5); lengthen the context"),
        ((4, 12, 6, (Member(context=5),)), "season (6) must fit into the context (5); lengthen the context"),
        ((4, None, None, 0), "members must be a whole number of at least 1; got 0"),
    ],
)
def test_options_that_cannot_be_planned_with(options: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_options(*options)
    assert str(caught.value) == message


# -- Box and Cox ---------------------------------------------------------------------------------------------


def test_the_power_is_that_of_the_training_rows() -> None:
    frame = pd.DataFrame({"ds": range(120), "y": np.exp(np.sin(np.arange(120)) + 0.02 * np.arange(120))})
    scaling = Scaling(transform="boxcox")
    plan = plan_of(read_frame(frame), calibration=0.2)
    wild = frame.assign(y=frame["y"].where(frame.index < plan.rows.lengths[0], frame["y"] ** 3))
    other = plan_of(read_frame(wild), calibration=0.2)
    power = fit_power(plan.rows, scaling, 6)
    assert power == fit_power(other.rows, scaling, 6)
    assert power != fit_power(other.table, scaling, 6)
    assert power is not None
    assert abs(power) < 0.5  # near a logarithm


def test_a_power_is_given_or_not_needed() -> None:
    table = table_of(60)
    assert fit_power(table, Scaling(transform="boxcox", power=0.3), 6) == 0.3
    assert fit_power(table, Scaling(transform="log"), 6) is None
    assert fit_power(table_of(8), Scaling(transform="boxcox"), 6) == 1.0  # too short to tell


def test_units_of_series_need_values_as_they_are(make_forecaster: MakeForecaster) -> None:
    message = "units='series' measures errors in the units of the data, and transform='log' makes others of them"
    with pytest.raises(SpecError, match=message):
        make_forecaster(scaling=Scaling(transform="log"), uncertainty=Uncertainty(units="series"))
