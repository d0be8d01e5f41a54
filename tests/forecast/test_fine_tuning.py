"""Rows held out of a further training of a forecaster."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import Forecaster
from tidegate.data import Windows
from tidegate.errors import ShortSeriesError
from tidegate.forecast import fitting

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


@pytest.fixture(scope="module")
def trained(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> Forecaster:
    """A fitted one, not to be changed."""
    return make_forecaster().fit(make_frame())


def between(frame: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    parts = [part.iloc[first:last] for _, part in frame.groupby("unique_id")]
    return pd.concat(parts)


def rows(windows: Windows) -> list[int]:
    """Give the first and the last row, counted from the beginning of its series, that a target has."""
    first = windows.ends - windows.table.offsets[windows.series]
    return [int(first.min()), int(first.max()) + windows.horizon - 1]


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []
    real = fitting.train

    def train(*args: Any, **kwargs: Any) -> Any:
        asked.append(args[1:3])
        return real(*args, **kwargs)

    monkeypatch.setattr(fitting, "train", train)
    return asked


def test_no_target_lies_in_the_rows_that_are_held_out(
    trained: Forecaster, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = watched(monkeypatch)
    model = copy.deepcopy(trained).fine_tune(make_frame(), max_steps=2, validation=0.25)
    (train, held), *_ = asked
    assert rows(train)[1] == 44  # of 60 rows
    assert rows(held) == [45, 59]
    assert "val_loss" in model.history_


def test_after_update_both_lie_in_the_new_rows(
    trained: Forecaster, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, frame, asked = copy.deepcopy(trained), make_frame(), watched(monkeypatch)
    model.update(between(frame, 0, 40)).fine_tune(between(frame, 40, 60), max_steps=2, validation=0.1)
    (train, held), *_ = asked
    span = train.table.lengths[0]  # the rows that update kept, and the new ones
    assert rows(train)[0] == span - 20
    assert rows(held) == [rows(train)[1] + 1, span - 1]


def test_held_out_rows_keep_a_forecaster_that_would_become_worse(trained: Forecaster, make_frame: MakeFrame) -> None:
    model = copy.deepcopy(trained).fine_tune(make_frame(), max_steps=20, learning_rate=5.0, validation=0.2)
    before, after = trained._learned()[1], model._learned()[1]
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_rows_that_leave_nothing_to_train_on_are_refused(trained: Forecaster, make_frame: MakeFrame) -> None:
    with pytest.raises(
        ShortSeriesError, match="no series has a window with observed values of 4 context and 4 target rows within"
    ):
        copy.deepcopy(trained).fine_tune(between(make_frame(), 0, 12), max_steps=1, validation=0.9)
