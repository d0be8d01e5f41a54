from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from tidegate.errors import FileFormatError, OutputError, SpecError
from tidegate.training import BackupAndRestore, Callback, train
from tidegate.training.state import TrainingState

X = np.random.default_rng(0).normal(size=(20, 2))


class Fail(Callback):
    """Raises after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_batch_end(self, state: TrainingState) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("power failure")


class Count(Callback):
    batches = 0

    def on_batch_end(self, state: TrainingState) -> None:
        self.batches += 1


def trained(*callbacks: Callback, epochs: int = 3) -> tuple[nn.Linear, Any]:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    return net, train(net, (X, X[:, :1]), epochs=epochs, batch_size=5, callbacks=callbacks)


@pytest.mark.parametrize(("save_freq", "batches_left"), [("epoch", 12 - 4), (1, 12 - 5), (2, 12 - 4), (3, 12 - 4)])
def test_it_goes_on_from_the_last_checkpoint(
    tmp_path: Path, save_freq: Literal["epoch"] | int, batches_left: int
) -> None:
    with pytest.raises(RuntimeError, match="power failure"):
        trained(BackupAndRestore(tmp_path, save_freq), Fail(6))
    count = Count()
    torch.manual_seed(123)
    net, history = trained(BackupAndRestore(tmp_path, save_freq), count)
    expected, undisturbed = trained()
    assert count.batches == batches_left
    assert torch.equal(net.weight, expected.weight)
    assert history.to_dict() == undisturbed.to_dict()


@pytest.mark.parametrize("delete", [True, False])
def test_a_training_that_ends_well_leaves_no_checkpoint_unless_told(tmp_path: Path, delete: bool) -> None:
    _, first = trained(BackupAndRestore(tmp_path / "new" / "folder", delete_checkpoint=delete))
    assert (tmp_path / "new" / "folder" / "checkpoint.safetensors").exists() != delete
    count = Count()
    _, again = trained(BackupAndRestore(tmp_path / "new" / "folder", delete_checkpoint=delete), count)
    assert count.batches == (12 if delete else 0)
    assert again.to_dict() == first.to_dict()


def test_the_checkpoint_of_another_training_is_refused_and_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        trained(BackupAndRestore(tmp_path), Fail(6))
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(FileFormatError, match="training was epochs=3, here it is epochs=4"):
        trained(BackupAndRestore(tmp_path), epochs=4)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_noticed_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    count = Count()
    with pytest.raises(OutputError, match="cannot write"):
        trained(BackupAndRestore(tmp_path / "file"), count)
    assert count.batches == 0


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="save_freq must be a whole number of at least 1; got 0"):
        BackupAndRestore(tmp_path, 0)
