from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import SeriesTable, calendar_features, fourier_features, read_frame, with_time_features
from tidegate.data.features import future_features, time_features
from tidegate.errors import DataError, SpecError
from tidegate.specs import Columns
from tidegate.specs.columns import CALENDAR


def _place(name: str, moment: dt.datetime) -> float:
    """Say where in a cycle a moment lies, in Python's own words."""
    year, week, _ = moment.isocalendar()
    if name == "minute":
        return (moment.minute + moment.second / 60) / 60
    if name == "hour":
        return (moment.hour + moment.minute / 60 + moment.second / 3600) / 24
    if name == "weekday":
        return moment.weekday() / 7
    if name == "monthday":
        return (moment.day - 1) / calendar.monthrange(moment.year, moment.month)[1]
    if name == "yearday":
        return (moment.timetuple().tm_yday - 1) / (366 if calendar.isleap(moment.year) else 365)
    if name == "week":
        return (week - 1) / dt.date(year, 12, 28).isocalendar().week
    return (moment.month - 1) / 12


@given(
    moment=st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2060, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    )
)
def test_places_in_the_calendar_are_those_of_pythons_own(moment: dt.datetime) -> None:
    features = calendar_features(np.array([moment], "datetime64[us]"), CALENDAR)
    expected = [part(2 * math.pi * _place(name, moment)) for name in CALENDAR for part in (math.sin, math.cos)]
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[0], expected, atol=1e-6)


def test_midnight_and_new_year_are_no_jump() -> None:
    minutes = np.arange("2025-12-31T12:00", "2026-01-01T12:00", dtype="datetime64[m]").astype("datetime64[us]")
    hour = calendar_features(minutes, ["hour"])
    assert np.abs(np.diff(hour, axis=0)).max() < 0.005
    days = np.arange("2025-12-01", "2026-02-01", dtype="datetime64[D]").astype("datetime64[us]")
    assert np.abs(np.diff(calendar_features(days, ["yearday"]), axis=0)).max() < 0.02
    assert np.abs(np.diff(calendar_features(days, ["monthday"]), axis=0)).max() < 0.21  # 2π / 31


def test_the_clock_is_that_of_the_time_zone() -> None:
    utc = np.array(["2026-01-01T23:00", "2026-07-01T22:00"], "datetime64[us]")  # midnight in Berlin
    assert calendar_features(utc, ["hour"], "Europe/Berlin").tolist() == [[0, 1], [0, 1]]
    weekday = calendar_features(utc, ["weekday"], "Europe/Berlin")  # a Friday and a Thursday
    np.testing.assert_allclose(weekday[:, 0], np.sin(2 * np.pi * np.array([4, 3]) / 7), atol=1e-6)


def test_an_unknown_feature_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^calendar must be one of 'minute', .*; got 'year'$"):
        calendar_features(np.zeros(1, "datetime64[us]"), ["year"])


# ------------------------------------------------------------------------------------------------------- Fourier


@given(seasons=st.lists(st.integers(1, 30), min_size=1, max_size=3, unique=True), pairs=st.integers(1, 20))
def test_waves_are_those_of_the_formula(seasons: list[int], pairs: int) -> None:
    steps = np.concatenate([np.arange(-40, 40), [10**15]])
    expected, seen = [], set()
    for season in seasons:
        for pair in range(1, pairs + 1):
            if 2 * pair > season or pair / season in seen:
                continue
            seen.add(pair / season)
            angle = [2 * math.pi * ((pair * int(step)) % season) / season for step in steps]
            waves = [[math.sin(each) for each in angle], [math.cos(each) for each in angle]]
            expected += waves[1:] if 2 * pair == season else waves
    features = fourier_features(steps, seasons, pairs)
    assert features.shape == (len(steps), len(expected))
    np.testing.assert_allclose(features, np.reshape(expected, (-1, len(steps))).T, atol=1e-6)


def test_no_wave_is_constant_and_none_comes_twice() -> None:
    features = fourier_features(np.arange(24 * 7), [24, 168, 2], pairs=12)
    assert (features.std(axis=0) > 0.5).all()
    centred = features - features.mean(axis=0)
    correlation = np.abs(centred.T @ centred) / len(features) * 2
    assert np.linalg.matrix_rank(correlation) == features.shape[1]


def test_pairs_are_named() -> None:
    table = _hourly(Columns(calendar=("hour", "weekday"), fourier=2))
    names = with_time_features(table, [4, 168]).features
    assert names == (
        "hour.sin", "hour.cos", "weekday.sin", "weekday.cos",
        "fourier.1/4.sin", "fourier.1/4.cos", "fourier.2/4.cos",
        "fourier.1/168.sin", "fourier.1/168.cos", "fourier.2/168.sin", "fourier.2/168.cos",
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- tables


def _hourly(columns: Columns, rows: int = 60, timezone: str | None = None) -> SeriesTable:
    hours = pd.date_range("2026-03-27 05:00", periods=rows, freq="h", tz=timezone)
    frame = pd.DataFrame({"unique_id": "a", "ds": hours, "y": np.arange(rows) + 1.0, "price": np.arange(rows) / 10})
    other = frame.assign(unique_id="b").iloc[7:40]
    return read_frame(pd.concat([frame, other]), dataclasses.replace(columns, targets=("y",)))


def test_features_are_appended_to_known_covariates() -> None:
    table = _hourly(Columns(known=("price",), calendar=("hour",), fourier=1))
    given = with_time_features(table, seasons=[24])
    assert given.known.shape == (93, 5)
    assert given.known.dtype == np.float64
    assert given.known[:, 0].tolist() == table.known[:, 0].tolist()
    again = with_time_features(given, seasons=[24])  # instead of what was appended, not beside it
    assert again.known.tolist() == given.known.tolist()
    assert again.features == given.features


def test_features_alone_take_half_the_memory() -> None:
    table = with_time_features(_hourly(Columns(calendar=("hour",))))
    assert table.known.shape == (93, 2)
    assert table.known.dtype == np.float32


def test_a_table_that_asks_for_none_is_given_back() -> None:
    table = _hourly(Columns())
    assert with_time_features(table, [24]) is table
    assert future_features(table, 3, [24]).shape == (2, 3, 0)


@pytest.mark.parametrize("timezone", [None, "Europe/Berlin"])
def test_a_table_a_part_of_it_and_its_future_agree(timezone: str | None) -> None:
    whole = _hourly(Columns(calendar=("hour", "weekday", "monthday"), fourier=3), timezone=timezone)
    full = with_time_features(whole, [24, 7])
    part = whole.truncate(whole.lengths - 9)
    assert (
        with_time_features(part.tail(5), [24, 7]).known.tolist()
        == full.truncate(full.lengths - 9).tail(5).known.tolist()
    )
    future = future_features(part, 9, [24, 7])
    assert future.tolist() == full.tail(9).known.reshape(2, 9, -1).tolist()


def test_rows_that_fill_gaps_have_features() -> None:
    hours = pd.date_range("2026-03-27", periods=30, freq="h").delete([3, 4])
    table = read_frame(pd.DataFrame({"ds": hours, "y": 1.0}), Columns(calendar=("hour",)))
    expected = np.sin(2 * np.pi * np.arange(30) / 24)
    np.testing.assert_allclose(with_time_features(table).known[:, 0], expected, atol=1e-6)


def test_counted_steps_have_seasons_too() -> None:
    table = read_frame(pd.DataFrame({"ds": range(100, 160, 5), "y": 1.0}), Columns(fourier=1))
    assert table.columns.frequency == 5
    expected = np.sin(2 * np.pi * np.arange(20, 32) / 6)
    np.testing.assert_allclose(with_time_features(table, [6]).known[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("seasons", [(), (1,)])
def test_fourier_features_need_a_season(seasons: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"^fourier=3 needs a season, and there is none; give season=, or fourier=0$"):
        with_time_features(_hourly(Columns(fourier=3)), seasons)


@pytest.mark.parametrize(
    ("frequency", "idle"),
    [
        ("15min", ()), ("h", ("minute",)), ("6h", ("minute",)), ("D", ("minute", "hour")), ("B", ("minute", "hour")),
        ("W-SUN", ("minute", "hour", "weekday")), ("MS", ("minute", "hour", "monthday")),
        ("QE", ("minute", "hour", "monthday")), ("YS", ("minute", "hour", "monthday", "yearday", "week", "month")),
    ],
)  # fmt: skip
def test_features_that_say_nothing_are_refused(frequency: str, idle: tuple[str, ...]) -> None:
    stamps = pd.date_range("2026-01-01", periods=6, freq=frequency)
    table = read_frame(pd.DataFrame({"ds": stamps, "y": 1.0}))
    for name in CALENDAR:
        asked = dataclasses.replace(table, columns=dataclasses.replace(table.columns, calendar=(name,)))
        if name not in idle:
            assert time_features(asked, asked.times)[0].shape == (6, 2)
            continue
        message = (
            f"calendar names '{name}', which says nothing at the frequency {table.columns.frequency!r}; leave it out"
        )
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            time_features(asked, asked.times)
