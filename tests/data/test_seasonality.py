from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidegate.data import datasets, detect_season, read_csv, read_frame, seasons
from tidegate.specs import Columns

FREQUENCIES = ("h", "D", "MS", None)


def _seasons(values: np.ndarray, frequency: str | None = None) -> tuple[int, ...]:
    rows = len(values)
    stamps = np.arange(rows) if frequency is None else pd.date_range("2001-01-01", periods=rows, freq=frequency)
    return seasons(read_frame(pd.DataFrame({"ds": stamps, "y": values})))


def test_the_classics() -> None:
    table = read_frame(datasets.airline_passengers())
    assert detect_season(table) == 12
    assert seasons(table.truncate(48)) == (12,)
    assert seasons(read_frame(datasets.hourly_load(days=60, series=2))) == (24, 168)
    assert seasons(read_frame(datasets.sine_wave())) == (63,)


def test_time_that_counts_steps_has_its_season_in_the_data() -> None:
    values = datasets.airline_passengers().y.to_numpy()
    assert _seasons(values) == (12,)
    assert _seasons(np.tile([1.0, 5.0], 40)) == (2,)


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_noise_and_random_walks_have_none(frequency: str | None) -> None:
    found = 0
    for seed in range(12):
        noise = np.random.default_rng(seed).standard_normal(300)
        found += bool(_seasons(noise, frequency)) + bool(_seasons(noise.cumsum(), frequency))
    assert found <= 1  # of 24


@pytest.mark.parametrize("frequency", ["h", None])
def test_a_smooth_season_under_noise_is_found(frequency: str | None) -> None:
    wave = np.sin(np.arange(1500) * 2 * np.pi / 24)
    for seed in range(4):
        assert _seasons(wave + 0.3 * np.random.default_rng(seed).standard_normal(1500), frequency) == (24,)


def test_trends_and_slow_waves_are_no_season() -> None:
    steps = np.arange(1500)
    for values in (steps * 1.0, np.sin(steps / 300), np.exp(steps / 200), np.ones(1500)):
        assert _seasons(values, "h") == ()
        assert _seasons(values) == ()


def test_faults_and_gaps_do_not_hide_a_season() -> None:
    random = np.random.default_rng(0)
    values = np.tile([3.0, 3, 4, 4, 5, 9, 8], 30) + 0.2 * random.standard_normal(210)
    values[random.integers(0, 210, 20)] = np.nan
    values[100] = 1e6
    assert _seasons(values, "D") == (7,)


def test_short_series_have_none() -> None:
    assert _seasons(np.array([1.0, 2.0]), "D") == ()
    assert _seasons(np.tile([1.0, 2, 3, 4, 5, 6, 7], 2)[:10], "D") == ()


def test_the_majority_decides() -> None:
    random = np.random.default_rng(0)
    weekly = [np.tile(random.standard_normal(7), 20) + 0.1 * random.standard_normal(140) for _ in range(8)]
    other = [random.standard_normal(140).cumsum() for _ in range(4)]
    frames = [
        pd.DataFrame({"unique_id": index, "ds": pd.date_range("2026-01-01", periods=140), "y": values})
        for index, values in enumerate(weekly + other)
    ]
    assert seasons(read_frame(pd.concat(frames))) == (7,)
    assert seasons(read_frame(pd.concat(frames[6:]))) == ()


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "expected"),
    [("m4_hourly_train", (24, 168)), ("tourism_monthly_train", (12,)), ("etth1", (24,)), ("m4_weekly_train", (52,))],
)
def test_public_data(file: str, expected: tuple[int, ...], public_data: pytest.FixtureRequest) -> None:
    columns = Columns(time="date") if file == "etth1" else Columns()
    assert seasons(read_csv(f"{public_data}/forecasting/{file}.csv.gz", columns)) == expected
