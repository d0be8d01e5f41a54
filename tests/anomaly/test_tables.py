from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidegate as tg
from tidegate.anomaly.tables import read_data
from tidegate.errors import (
    ColumnError,
    DataError,
    ShapeError,
    ShortSeriesError,
    SpecError,
    TidegateError,
    TimeStampError,
)

HOURS = pd.date_range("2026-01-01", periods=40, freq="h")


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"ds": HOURS, **(columns or {"y": np.arange(40.0)})})


def test_arrays_are_tables_of_numbered_steps() -> None:
    table = read_data([[1, 2.5], [3, np.nan]], tg.Columns())
    assert table.columns.targets == ("y0", "y1")
    assert table.columns.frequency == 1
    assert table.times.tolist() == [0, 1]
    np.testing.assert_array_equal(table.values, [[1, 2.5], [3, np.nan]])
    assert read_data(np.arange(3), tg.Columns()).columns.targets == ("y",)
    assert read_data(np.ones((3, 2)), tg.Columns(targets=("a", "b"))).columns.targets == ("a", "b")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ShapeError, "expected an array [time] or [time, channel] with at least one row; got [0]"),
        (np.zeros((5, 0)), ShapeError, "expected an array [time] or [time, channel] with at least one row; got [5, 0]"),
        (
            np.zeros((5, 2, 2)),
            ShapeError,
            "expected an array [time] or [time, channel] with at least one row; got [5, 2, 2]",
        ),
        (["a", "b"], ShapeError, "expected an array of numbers; got dtype <U1"),
        (
            [1.0, np.inf],
            DataError,
            "expected finite values up to 1e+15, NaN where missing; row 1, channel 0 holds inf",
        ),
        (
            [[1.0, 2.0], [np.nan, -1e16]],
            DataError,
            "expected finite values up to 1e+15, NaN where missing; row 1, channel 1 holds -1e+16",
        ),
        (
            [[1.0, np.nan], [2.0, np.nan]],
            DataError,
            "the variable 'y1' has no value in any row; leave it out, or give rows that have some",
        ),
        (
            frame(a=np.arange(40.0), b=np.full(40, np.nan)),
            DataError,
            "the variable 'b' has no value in any row; leave it out, or give rows that have some",
        ),
        (
            np.arange(5.0),
            ShortSeriesError,
            "the series has 5 rows, at least 12 are needed (a window); give ",
        ),
        (frame(y=np.append(np.arange(39.0), np.inf)), DataError, "inf"),
        (frame(y=["x"] * 40), DataError, "'y'"),
        (frame().iloc[::-1], TimeStampError, "time stamps must ascend within a series"),
        (frame().iloc[:0], DataError, "no rows"),
        ([[1.0], [1.0, 2.0]], ShapeError, "expected an array [time] or [time, channel]; the rows differ in length"),
        (None, TidegateError, ""),
    ],
)
@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_data_that_cannot_be(data: Any, error: type[Exception], message: str) -> None:
    detector = tg.AnomalyDetector(context=12)
    with pytest.raises(error) as caught:
        detector.fit(data)
    assert message in str(caught.value)
    assert not detector._is_fitted()


def test_other_data_than_trained_on(autoencoder: Any, fitted: Any, waves: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="expected 2 channels, y0, y1; the array has 3"):
        autoencoder.predict(np.ones((40, 3)))
    hourly = fitted(data=frame())
    with pytest.raises(DataError, match="the model was trained on the variables y; the table has y0, y1"):
        hourly.predict(read_data(waves, tg.Columns()))
    daily = frame().assign(ds=pd.date_range("2026-01-01", periods=40, freq="D"))
    with pytest.raises(TimeStampError, match="trained on values every step of 'h'; this table has one every 24 steps"):
        hourly.predict(daily)
    with pytest.raises(TimeStampError, match="the model was trained on steps of 'h', the table has steps of 'D'; res"):
        hourly.predict(read_data(daily, tg.Columns()))
    with pytest.raises(ColumnError, match="'y'"):
        hourly.predict(frame(z=np.arange(40.0)))
    assert hourly.predict(np.arange(40.0)).shape == (40,)  # rows without stamps have no steps to differ in


def test_a_transform_has_its_domain(fitted: Any) -> None:
    with pytest.raises(DataError) as caught:
        fitted(data=frame(y=np.arange(40.0) - 1), scaling=tg.Scaling(transform="log"))
    assert str(caught.value) == (
        "transform 'log' needs values above 0; column 'y' of the series has -1 at 2026-01-01; use "
        "transform='identity' or, for counts, 'log1p'"
    )


def test_short_series_may_be_left_out(fitted: Any) -> None:
    long, short = frame().assign(unique_id="long"), frame().iloc[:8].assign(unique_id="short")
    both = pd.concat([long, short])
    with pytest.raises(ShortSeriesError) as caught:
        fitted(data=both)
    assert str(caught.value) == (
        "series 'short' has 8 rows, at least 12 are needed (a window); give more rows, or train with a shorter "
        "context, or leave short series out (skip_short)"
    )
    detector = tg.AnomalyDetector(context=12, training=tg.Training(max_steps=2)).fit(both, skip_short=True)
    assert detector.notes_ == ("1 series is left out, shorter than 12 rows (a window); the first is series 'short'",)
    assert set(detector.predict(both, skip_short=True)["unique_id"]) == {"long"}


@pytest.mark.parametrize("field", ["static", "past", "known", "calendar", "weight", "fourier"])
def test_covariates_are_not_read(field: str) -> None:
    value: Any = {"weight": "w", "fourier": 1, "calendar": ("hour",)}.get(field, ("c",))
    with pytest.raises(SpecError) as caught:
        tg.AnomalyDetector(columns=tg.Columns(**{field: value}))
    assert str(caught.value) == f"a detector reads the variables alone; leave columns.{field} out"
