from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data.calendar import calendar_of, written
from tidegate.errors import SpecError, TimeStampError, UnsupportedError

STAMPS = np.zeros(1, "datetime64[us]")
ALIASES = (
    "30s",
    "15min",
    "h",
    "6h",
    "D",
    "3D",
    "W-TUE",
    "B",
    "MS",
    "ME",
    "BMS",
    "BME",
    "QS",
    "QE-NOV",
    "2QS",
    "YS",
    "YE",
    "5YE",
)


@given(
    alias=st.sampled_from(ALIASES),
    start=st.datetimes(pd.Timestamp("1931-01-01").to_pydatetime(), pd.Timestamp("2090-01-01").to_pydatetime()),
    rows=st.integers(2, 60),
)
def test_steps_count_as_pandas_does(alias: str, start: pd.Timestamp, rows: int) -> None:
    stamps = pd.date_range(pd.Timestamp(start).floor("s"), periods=rows, freq=alias).to_numpy().astype("datetime64[us]")
    calendar = calendar_of(alias, stamps, None)
    number, rest = calendar.split(stamps)
    assert (np.diff(number) == 1).all()
    assert (rest == rest[0]).all()
    assert (calendar.join(number, rest) == stamps).all()


@given(times=st.lists(st.integers(-(10**16), 10**16), min_size=1, max_size=20), alias=st.sampled_from(ALIASES))
def test_splitting_can_be_undone_for_any_stamp(times: list[int], alias: str) -> None:
    stamps = np.array(times).view("datetime64[us]")
    calendar = calendar_of(alias, stamps, None)
    weekend = alias == "B" and not np.is_busday(stamps.astype("datetime64[D]")).all()
    if not weekend:
        assert (calendar.join(*calendar.split(stamps)) == stamps).all()


def test_stamps_off_the_grid_have_another_rest() -> None:
    for alias, other in (("h", "2026-01-05T00:30"), ("B", "2026-01-10"), ("MS", "2026-02-02"), ("ME", "2026-02-27")):
        start = "2026-01-31" if alias == "ME" else "2026-01-01"
        stamps = np.array([start, other], "datetime64[us]")
        rest = calendar_of(alias, stamps, None).split(stamps)[1]
        assert rest[0] != rest[1]


def test_frequencies_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(SpecError, match="'often' is not a pandas offset alias such as 'h'"):
        calendar_of("often", STAMPS, None)
    with pytest.raises(SpecError, match="positive offset"):
        calendar_of("-1D", STAMPS, None)
    with pytest.raises(UnsupportedError, match="'bh' is not supported; take"):
        calendar_of("bh", STAMPS, None)
    with pytest.raises(TimeStampError, match="holds whole numbers, but the frequency is 'h'; give a whole number"):
        calendar_of("h", np.zeros(1, np.int64), None)


def test_times_are_written_for_people() -> None:
    assert written(np.int64(7), None) == "7"
    assert written(np.datetime64("2026-01-02", "us"), None) == "2026-01-02"
    assert written(np.datetime64("2026-01-02T13", "us"), "Europe/Berlin") == "2026-01-02 14:00:00+01:00"
