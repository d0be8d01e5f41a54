"""Whole series in every form in which they may be given, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate.data import LabelledSeries, Ragged, labelled_csv, labelled_frame, series_of
from tidegate.errors import ColumnError, DataError, ShapeError, TidegateError
from tidegate.specs import Columns

STEPS = np.arange(12.0)


@pytest.mark.parametrize(
    ("given", "lengths", "channels"),
    [
        (STEPS.reshape(2, 3, 2), [3, 3], 2),
        (STEPS.reshape(4, 3), [3, 3, 3, 3], 1),
        (STEPS.reshape(2, 6).astype(np.int8), [6, 6], 1),
        ([STEPS[:10].reshape(5, 2), STEPS[10:].reshape(1, 2)], [5, 1], 2),
        ([STEPS[:5].tolist(), STEPS[5:]], [5, 7], 1),
        (np.array([STEPS[:5], STEPS[5:]], dtype=object), [5, 7], 1),
        (Ragged.of([STEPS[:5], STEPS[5:]]), [5, 7], 1),
    ],
)
def test_forms(given: Any, lengths: list[int], channels: int) -> None:
    series = series_of(given)
    assert (series.lengths.tolist(), series.flat.shape[1]) == (lengths, channels)
    assert str(series.flat.dtype) == "float64"
    assert series.flat.ravel().tolist() == STEPS.tolist()


def test_missing_values_may_be_given() -> None:
    series = series_of([[1.0, np.nan], [np.nan, 2.0]])
    assert np.isnan(series.flat[:, 0]).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (DataError, [], "expected one series at least; got none"),
        (DataError, np.empty((0, 4)), "expected one series at least; got none"),
        (DataError, [[1.0], []], "series 1 has length 0: there is nothing to read in it; leave it out"),
        (DataError, np.empty((3, 0, 2)), "series 0 has length 0: there is nothing to read in it; leave it out"),
        (
            DataError,
            [[[1.0, 2.0]], [[3.0, 4.0], [5.0, np.inf]]],
            "series 1, step 1, channel 1 is infinite (inf); correct it, or make it NaN if it is missing",
        ),
        (DataError, [[1.0, -2e16]], "series 0, step 1, channel 0 is -2e+16, beyond ±1e+15; correct it, or make it NaN"),
        (DataError, [[1.0], [np.nan, np.nan]], "series 1 has no value at all, all are missing; leave it out"),
        (
            ShapeError,
            STEPS,
            "expected an array [example, time, channel], [example, time] of one channel, or a list of ",
        ),
        (ShapeError, np.array([["a", "b"]]), "expected series of numbers; got dtype <U1"),
        (ShapeError, [["a", "b"]], "expected series of numbers; got dtype <U1"),
        (ShapeError, [[[1.0], [2.0, 3.0]]], "series 0 is no array [time, channel]: its steps are of unequal lengths"),
        (ShapeError, [1.0, 2.0], "expected series 0 as [time, channel] or [time]; got shape []"),
        (ShapeError, 3, "expected an array or a list of arrays, one a series; got a int"),
        (
            ShapeError,
            [np.ones((2, 3)), np.ones((2, 1))],
            "sequences must be alike in all but their lengths; sequence 0 has shape [2, 3], sequence 1 has [2, 1]",
        ),
        (ShapeError, np.ones((2, 3, 0)), "expected series [time, channel] of one channel at least; got [time, [0]]"),
        (ShapeError, pd.DataFrame({"y": [1.0]}), "expected series, got a table; read it with tidegate.data.labelled_"),
    ],
)
def test_what_is_refused(kind: type[TidegateError], given: Any, message: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        series_of(given)


def test_other_channels_than_in_training() -> None:
    with pytest.raises(ShapeError, match=r"^this model was trained on series of 2 channel\(s\); got 1$"):
        series_of([[1.0]], channels=2)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": ["a", "b", "a", "b", "a"],
            "ds": [0, 0, 1, 1, 3],
            "x": [1.0, 2.0, 3.0, np.nan, 5.0],
            "z": [0.0, 0.0, 1.0, 1.0, 2.0],
            "label": ["ebb", "flow", "ebb", "flow", "ebb"],
        }
    )


def test_a_long_table() -> None:
    data = labelled_frame(table(), "label")
    assert data.labels is not None
    assert (data.labels.tolist(), data.ids.tolist(), data.channels) == (["ebb", "flow"], ["a", "b"], ("x", "z"))
    np.testing.assert_array_equal(data.sequences[0], [[1, 0], [3, 1], [np.nan, np.nan], [5, 2]])
    np.testing.assert_array_equal(data.sequences[1], [[2, 0], [np.nan, 1]])
    assert data.columns is not None
    assert data.columns.static == ("label",)
    assert labelled_frame(table(), None).labels is None


@pytest.mark.parametrize(("labels", "numbers"), [([1, 2], False), ([1.5, 2.0], True)])
def test_labels_that_are_not_whole_are_numbers(labels: list[float], numbers: bool) -> None:
    frame = table().assign(label=[labels[0] if name == "a" else labels[1] for name in table()["unique_id"]])
    data = labelled_frame(frame, "label")
    assert data.labels is not None
    assert (data.labels.tolist(), data.numbers) == (labels, numbers)


def test_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "tides.csv"
    table().rename(columns={"unique_id": "gauge"}).to_csv(path, index=False)
    data = labelled_csv(path, "label", Columns(id="gauge", targets=("z",)))
    assert data.labels is not None
    assert (data.labels.tolist(), data.channels) == (["ebb", "flow"], ("z",))


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (
            ColumnError,
            {"unique_id": "gauge"},
            "expected a column that names the series; there is no column 'unique_id'",
        ),
        (ColumnError, {"label": "what"}, "the static column 'label' is not in the table, which has 'unique_id', "),
    ],
)
def test_columns_that_are_not_there(kind: type[TidegateError], change: dict[str, str], message: str) -> None:
    frame = table().rename(columns=change)
    if "unique_id" in change:
        frame = frame.iloc[[0, 2]]
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        labelled_frame(frame, "label")


def test_labels_that_are_missing_or_change() -> None:
    frame = table()
    with pytest.raises(DataError, match=r"^column 'label': the label of series 'b' is missing$"):
        labelled_frame(frame.assign(label=frame["label"].replace("flow", None)), "label")
    with pytest.raises(DataError, match="column 'label'"):
        labelled_frame(frame.assign(label=["ebb", "flow", "flow", "flow", "ebb"]), "label")


def test_parts_that_do_not_fit() -> None:
    sequences = Ragged.of([np.ones((2, 1)), np.ones((1, 1))])
    good: dict[str, Any] = {"sequences": sequences, "labels": None, "channels": ("y",), "ids": np.arange(2)}
    for change, message in (
        ({"labels": np.array(["a"])}, "expected one label a series: 2; got 1"),
        ({"ids": np.arange(3)}, "expected one id a series: 2; got 3"),
        ({"channels": ("x", "y")}, "expected steps of 2 channels; got shape [3, 1]"),
    ):
        with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
            LabelledSeries(**{**good, **change})
