"""Each check of callbacks refuses a callback that breaks its promise, and passes one that keeps all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tidegate.testing import CALLBACK_CHECKS, check_callback
from tidegate.testing import callbacks as promises
from tidegate.testing.callbacks import STEERING
from tidegate.training import BackupAndRestore, Callback, EarlyStopping
from tidegate.training.state import TrainingState

Refuses = Callable[..., None]


class Lowest(Callback):
    """Keeps the lowest loss and the weights it came with: small, and keeps every promise."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.loss = float("inf")
        self.bias = torch.zeros(1)

    def on_train_begin(self, state: TrainingState) -> None:
        self.begin()

    def on_epoch_end(self, state: TrainingState) -> None:
        if state.logs["loss"] < self.loss:
            self.loss = state.logs["loss"]
            self.bias = state.module.state_dict()["3.bias"].clone()

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "bias": self.bias}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.loss, self.bias = state["loss"], state["bias"]


@pytest.mark.parametrize("check", CALLBACK_CHECKS, ids=lambda check: check.__name__)
def test_one_that_keeps_all_promises_passes(check: Callable[..., None]) -> None:
    generator = torch.get_rng_state()
    check(Lowest, False)
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_message_names_callback_check_and_finding() -> None:
    with pytest.raises(AssertionError, match=r"Misspelt does not pass check_hooks: \['on_epoch_ends'\] will never"):
        check_callback(Misspelt)


def test_steering_names_callbacks_that_there_are() -> None:
    from tidegate import training

    assert set(training.__all__) >= STEERING


class Misspelt(Lowest):
    def on_epoch_ends(self, state: TrainingState) -> None: ...


def test_hooks(refuses: Refuses) -> None:
    refuses(promises.check_hooks, Misspelt, False, words="the hooks are on_batch_end, on_epoch_begin, on_epoch_end")


class HoldsModule(Lowest):
    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "module": nn.Linear(1, 1)}


class NumbersKeys(Lowest):
    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "by_epoch": {0: 1.0}}


class HidesInList(Lowest):
    def state_dict(self) -> dict[str, Any]:
        return {"losses": [(self.loss, {1, 2})]}


class LoadsHalf(Lowest):
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.loss = state["loss"]


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (HoldsModule, r"state_dict\(\)\['module'\] is a Linear"),
        (NumbersKeys, r"state_dict\(\)\['by_epoch'\] has the key 0"),
        (HidesInList, r"state_dict\(\)\['losses'\]\[0\]\[1\] is a set"),
        (LoadsHalf, "does not take back what state_dict gave"),
    ],
)
def test_state_dict(callback: Callable[[], Callback], words: str, refuses: Refuses) -> None:
    refuses(promises.check_state_dict, callback, False, words=words)


class SlowsDown(Callback):
    """Steers by a count that it forgets when a training is killed."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_train_begin(self, state: TrainingState) -> None:
        self.epochs = 0

    def on_epoch_end(self, state: TrainingState) -> None:
        self.epochs += 1
        state.learning_rate /= 1 + self.epochs


class KeepsFirst(Callback):
    """Keeps the first loss, and does not take it back."""

    def __init__(self) -> None:
        self.first: float | None = None

    def on_epoch_end(self, state: TrainingState) -> None:
        if self.first is None:
            self.first = state.logs["loss"]

    def state_dict(self) -> dict[str, Any]:
        return {"first": self.first}


def test_resumes(refuses: Refuses) -> None:
    words = r"killed after step 4 and resumed, the training goes otherwise"
    refuses(promises.check_resumes, SlowsDown, True, words=words)
    refuses(promises.check_resumes, KeepsFirst, False, words="killed after step 4 and resumed, it ends with another")


class Accumulates(SlowsDown):
    def on_train_begin(self, state: TrainingState) -> None: ...


def test_reusable(refuses: Refuses) -> None:
    refuses(promises.check_reusable, Accumulates, True, words="used a second time, the training goes otherwise")
    promises.check_reusable(SlowsDown, True)


class Draws(Callback):
    def on_batch_end(self, state: TrainingState) -> None:
        torch.rand(1)


class Evaluates(Callback):
    def on_epoch_begin(self, state: TrainingState) -> None:
        state.module.eval()


class Nudges(Callback):
    def on_train_end(self, state: TrainingState) -> None:
        with torch.no_grad():
            next(state.module.parameters()).add_(1e-6)


class Logs(Callback):
    def on_epoch_end(self, state: TrainingState) -> None:
        state.logs["more"] = 1.0


@pytest.mark.parametrize("callback", [Draws, Evaluates, Nudges, Logs, SlowsDown])
def test_watches_only(callback: Callable[[], Callback], refuses: Refuses) -> None:
    refuses(promises.check_watches_only, callback, False, words="with the callback, the training")
    promises.check_watches_only(callback, True)


class CountsOnEnd(Callback):
    def on_train_end(self, state: TrainingState) -> None:
        if state.epoch < 4:
            raise ValueError("not all epochs were seen")


class KeepsFailure(SlowsDown):
    def on_train_begin(self, state: TrainingState) -> None: ...

    def on_train_end(self, state: TrainingState) -> None:
        if not state.failed:
            self.epochs = 0


def test_failed_training(refuses: Refuses) -> None:
    refuses(promises.check_failed_training, CountsOnEnd, False, words="what arrived is ValueError: not all epochs")
    refuses(promises.check_failed_training, KeepsFailure, True, words="used after a training that failed")


def test_one_that_stops_before_the_cut_has_nothing_to_resume() -> None:
    promises.check_resumes(lambda: EarlyStopping(baseline=-1.0), True)


def test_a_backup_left_by_a_failure_is_no_fault(tmp_path: Path) -> None:
    check_callback(lambda: BackupAndRestore(tmp_path, save_freq=1))
    assert list(tmp_path.iterdir()) == []
