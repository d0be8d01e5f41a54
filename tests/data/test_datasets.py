from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tidegate.data import datasets, read_frame
from tidegate.errors import SpecError


def test_airline_passengers_are_the_published_numbers() -> None:
    frame = datasets.airline_passengers()
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert (len(frame), frame.y.sum(), round(frame.y.mean(), 4)) == (144, 40363, 280.2986)
    yearly = frame.groupby(frame.ds.dt.year).y.sum().tolist()
    assert yearly == [1520, 1676, 2042, 2364, 2700, 2867, 3408, 3939, 4421, 4572, 5140, 5714]
    assert (frame.y.min(), frame.y.max()) == (104, 622)
    assert read_frame(frame).columns.frequency == "MS"


@pytest.mark.parametrize(
    "make", [datasets.hourly_load, datasets.sensor_faults, lambda seed: datasets.sine_wave(noise=1, seed=seed)]
)
def test_generators_follow_their_seed(make: Callable[..., pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(make(seed=3), make(seed=3))
    assert not make(seed=3).y.equals(make(seed=4).y)


def test_load_has_the_seasons_weather_and_holidays_it_promises() -> None:
    frame = datasets.hourly_load(days=365, series=2)
    assert frame.unique_id.unique().tolist() == ["region-0", "region-1"]
    table = read_frame(frame)
    assert (table.columns.targets, table.columns.frequency, table.notes) == (("y",), "h", ())
    assert (frame.y > 0).all()
    one = frame[frame.unique_id == "region-0"]
    by_hour = one.groupby(one.ds.dt.hour).y.mean()
    assert by_hour.idxmax() in (18, 19, 20)
    assert by_hour.idxmin() in range(6)
    by_day = one.groupby(one.ds.dt.day_of_week).y.mean()
    assert by_day.idxmin() == 6
    cold, mild = one[one.temperature < 2], one[one.temperature.between(15, 19)]
    assert cold.y.mean() > 1.05 * mild.y.mean()
    weekday = one[one.ds.dt.day_of_week < 5]
    assert weekday[weekday.holiday == 1].y.mean() < 0.97 * weekday[weekday.ds.dt.strftime("%m") == "12"].y.mean()
    assert one.holiday.sum() == 5 * 24
    assert one.temperature[one.ds.dt.month == 1].mean() < one.temperature[one.ds.dt.month == 7].mean() - 10


def test_a_sine_is_a_sine() -> None:
    frame = datasets.sine_wave(points=500, period=50, amplitude=3)
    assert np.allclose(frame.y, 3 * np.sin(2 * np.pi * np.arange(500) / 50))
    assert frame.ds.tolist() == list(range(500))


def test_faults_are_labelled_and_differ_from_the_healthy_signal() -> None:
    frame, healthy = datasets.sensor_faults(), datasets.sensor_faults(faults=0)
    assert frame.label[: 5000 // 3].sum() == 0
    assert (frame.label == (frame.fault != "")).all()
    assert healthy.label.sum() == 0
    assert np.array_equal(frame.y[frame.label == 0], healthy.y[frame.label == 0])
    runs = frame.fault[(frame.fault != "") & (frame.fault != frame.fault.shift())]
    assert runs.tolist() == ["spike", "drift", "stuck", "noise"] * 2
    assert frame.y[frame.fault == "spike"].sub(healthy.y[frame.fault == "spike"]).abs().min() >= 3
    stuck = frame[frame.fault == "stuck"]
    assert stuck.groupby((stuck.ds.diff() > pd.Timedelta(minutes=1)).cumsum()).y.nunique().tolist() == [1, 1]
    assert frame.y[frame.fault == "noise"].diff().std() > 2 * healthy.y.diff().std()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: datasets.hourly_load(days=0), "days must be a whole number of at least 1; got 0"),
        (lambda: datasets.hourly_load(start="soon"), "start must be an ISO 8601 date"),
        (lambda: datasets.sine_wave(period=0), "period must be more than 0; got 0"),
        (
            lambda: datasets.sensor_faults(points=300, faults=3),
            "3 faults need 240 rows after the healthy third; 300 points leave 200",
        ),
    ],
)
def test_options_out_of_range_are_refused(make: Callable[[], pd.DataFrame], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_importing_the_room_imports_no_heavy_library() -> None:
    code = "import sys, tidegate.data; print({'torch', 'pandas', 'polars', 'narwhals'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
