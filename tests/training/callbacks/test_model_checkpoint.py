from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tidegate.errors import SpecError
from tidegate.training import ModelCheckpoint, train
from tidegate.training.state import TrainingState

Run = Callable[..., TrainingState]


def test_a_file_an_epoch_with_its_name_filled_in(run_logs: Run, tmp_path: Path) -> None:
    path = tmp_path / "net-{epoch:02d}-{val_loss:.2f}.safetensors"
    state = run_logs([ModelCheckpoint(path)], [{"val_loss": 0.5}, {"val_loss": 0.25}])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net-01-0.50.safetensors", "net-02-0.25.safetensors"]
    weights = load_file(tmp_path / "net-02-0.25.safetensors")
    assert torch.equal(weights["weight"], state.module.state_dict()["weight"])


@pytest.mark.parametrize(("mode", "best"), [("auto", [1, 2, 4]), ("max", [1, 3])])
def test_the_best_only(run_logs: Run, tmp_path: Path, mode: str, best: list[int]) -> None:
    saving = ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True, mode=mode)
    run_logs([saving], [{"val_loss": value} for value in (3.0, 2.0, 4.0, 1.0)])
    assert sorted(int(file.name) for file in tmp_path.iterdir()) == best


def test_after_so_many_steps(tmp_path: Path) -> None:
    X = np.ones((10, 1))
    train(
        nn.Linear(1, 1), (X, X), batch_size=2, epochs=2, callbacks=[ModelCheckpoint(tmp_path / "{step}", save_freq=4)]
    )
    assert sorted(int(file.name) for file in tmp_path.iterdir()) == [4, 8]


def test_tied_weights_can_be_saved_and_loaded(run_logs: Run, tmp_path: Path, make_state: Run) -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    tied = nn.Sequential(first, second)
    state: Any = make_state()
    state.module, state.logs = tied, {"val_loss": 1.0}
    ModelCheckpoint(tmp_path / "w").on_epoch_end(state)
    fresh = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    fresh.load_state_dict(load_file(tmp_path / "w"))
    assert torch.equal(fresh.state_dict()["1.weight"], first.weight)


def test_it_goes_on_from_what_it_kept(run_logs: Run, tmp_path: Path) -> None:
    first, second = (ModelCheckpoint(tmp_path / "w", save_best_only=True) for _ in range(2))
    run_logs([first], [{"val_loss": 2.0}])
    second.load_state_dict(first.state_dict())
    assert second.best == 2.0


def test_refusals(run_logs: Run, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="save_best_only compares epochs; it needs save_freq='epoch'"):
        ModelCheckpoint("w", save_best_only=True, save_freq=3)
    with pytest.raises(SpecError, match="cannot be filled in: there is loss, epoch, step"):
        run_logs([ModelCheckpoint(tmp_path / "{val_loss}")], [{"loss": 1.0}])
    with pytest.raises(SpecError, match="monitor='val_loss' is not logged"):
        run_logs([ModelCheckpoint(tmp_path / "w", save_best_only=True)], [{"loss": 1.0}])
