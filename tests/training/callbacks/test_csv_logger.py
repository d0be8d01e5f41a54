from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.errors import OutputError
from tidegate.training import CSVLogger
from tidegate.training.state import TrainingState

Run = Callable[..., TrainingState]
ROWS = [{"loss": 0.5, "mae": 1.0}, {"loss": 1 / 3, "mae": 2.0}]


def test_a_line_an_epoch(run_logs: Run, tmp_path: Path) -> None:
    run_logs([CSVLogger(tmp_path / "log.csv")], ROWS)
    assert (tmp_path / "log.csv").read_text() == f"epoch,loss,mae\n0,0.5,1.0\n1,{1 / 3!r},2.0\n"


def test_another_separator(run_logs: Run, tmp_path: Path) -> None:
    run_logs([CSVLogger(tmp_path / "log.csv", separator=";")], ROWS[:1])
    assert (tmp_path / "log.csv").read_text() == "epoch;loss;mae\n0;0.5;1.0\n"


@pytest.mark.parametrize("append", [True, False])
def test_append_keeps_what_is_there(run_logs: Run, tmp_path: Path, append: bool) -> None:
    run_logs([CSVLogger(tmp_path / "log.csv")], ROWS[:1])
    run_logs([CSVLogger(tmp_path / "log.csv", append=append)], [{"mae": 4.0, "loss": 3.0}])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == (["epoch,loss,mae", "0,0.5,1.0", "0,3.0,4.0"] if append else ["epoch,mae,loss", "0,4.0,3.0"])


def test_lines_after_the_checkpoint_are_written_once(run_logs: Run, tmp_path: Path) -> None:
    first, second = CSVLogger(tmp_path / "log.csv"), CSVLogger(tmp_path / "log.csv")
    run_logs([first], ROWS[:1])
    kept = first.state_dict()
    state = run_logs([first], ROWS)
    second.load_state_dict(kept)
    state.epoch, state.logs = 1, dict(ROWS[1])
    second.on_epoch_end(state)
    assert (tmp_path / "log.csv").read_text() == f"epoch,loss,mae\n0,0.5,1.0\n1,{1 / 3!r},2.0\n"


def test_a_place_that_cannot_be_written(run_logs: Run, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        run_logs([CSVLogger(tmp_path / "nowhere" / "log.csv")], ROWS)
