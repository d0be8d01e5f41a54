from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.errors import MissingExtraError
from tidegate.training import TensorBoard
from tidegate.training.state import TrainingState


def test_what_is_logged_becomes_scalars(run_logs: Callable[..., TrainingState], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_logs([TensorBoard(tmp_path)], [{"loss": 0.5, "val_loss": 2.0}, {"loss": 0.25, "val_loss": 1.0}])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(0, 0.5), (1, 0.25)]
    assert [event.value for event in events.Scalars("val_loss")] == [2.0, 1.0]


def test_without_tensorboard_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        MissingExtraError, match=r"the TensorBoard callback needs 'tensorboard'.*tidegate\[tensorboard\]"
    ):
        TensorBoard()
