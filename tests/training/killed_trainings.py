"""A program for `test_resume.py`: trains in forked children, kills them, resumes them, and tells how they ended.

It is a program of its own because it forks after torch is imported, which spares each child that import, and which is
safe only in a process with one thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tidegate.data import Batches, ContinuousBatches
from tidegate.data.batches import Arrays
from tidegate.nn import LSTM
from tidegate.specs import Optimizer, Training
from tidegate.training import BackupAndRestore, Callback, CSVLogger, EarlyStopping, ReduceLROnPlateau, fit, train
from tidegate.training.objective import Supervised
from tidegate.training.state import TrainingState

KILLS = 10


class KillAfter(Callback):
    """The power fails after so many batches, if it has not failed before."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_batch_end(self, state: TrainingState) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def on_arrays(callbacks: list[Callback]) -> tuple[nn.Module, dict[str, Any]]:
    """Dropout, shuffling, one cycle, plateaus, accumulation; the callbacks hold best weights and rates."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.3), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    X = np.random.default_rng(0).normal(size=(150, 3))
    history = train(
        net,
        (X, X.sum(1, keepdims=True)),
        epochs=8,
        batch_size=4,
        validation_split=0.2,
        metrics=["mae", "rmse"],
        callbacks=[
            EarlyStopping(patience=5, restore_best_weights=True),
            ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.05),
            *callbacks,
        ],
        training=Training(accumulate=3, schedule="one_cycle", learning_rate=0.02),
    )
    return net, history.to_dict()


def on_a_loader(callbacks: list[Callback]) -> tuple[nn.Module, dict[str, Any]]:
    """A DataLoader, which shuffles by torch's generator, beside dropout, which draws from it as well."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.3), nn.Tanh(), nn.Linear(16, 1))
    X = torch.randn(150, 3)
    loader = DataLoader(TensorDataset(X, X.prod(1, keepdim=True)), batch_size=7, shuffle=True)
    spec = Training(epochs=10, optimizer=Optimizer("rmsprop", momentum=0.5), schedule="cosine")
    history = train(net, loader, validation_data=(X, X.prod(1, keepdim=True)), callbacks=callbacks, training=spec)
    return net, history.to_dict()


def continuously(callbacks: list[Callback]) -> tuple[nn.Module, dict[str, Any]]:
    """Truncated backpropagation: a state carried across batches, epochs that end within a pass."""
    torch.manual_seed(3)
    net = nn.Sequential(
        LSTM(2, 8, batch_first=True, return_state=False, stateful=True, recurrent_dropout=0.1),
        nn.Dropout(0.2),
        nn.Linear(8, 1),
    )
    values = np.random.default_rng(3).normal(size=(600, 2)).astype(np.float32)
    target = values.cumsum(0)[:, :1] / 10
    history = fit(
        net,
        ContinuousBatches(values[:500], target[:500], batch_size=3, steps=5),
        Supervised("huber"),
        training=Training(max_steps=150, optimizer="adamw", patience=15),
        validation=Batches(Arrays(values[500:].reshape(10, 10, 2), target[500:].reshape(10, 10, 1)), 5),
        callbacks=callbacks,
    )
    return net, history.to_dict()


SCENARIOS: dict[str, tuple[Callable[[list[Callback]], tuple[nn.Module, dict[str, Any]]], int]] = {
    "arrays": (on_arrays, 8 * 30),
    "loader": (on_a_loader, 10 * 22),
    "continuous": (continuously, 150),
}


def child(name: str, folder: Path, save_freq: Any, kill_after: int | None) -> int:
    """Fork a child that trains; it writes how it ended to ``folder``."""
    pid = os.fork()
    if pid:
        return pid
    callbacks: list[Callback] = [
        BackupAndRestore(folder / "backup", save_freq=save_freq),
        CSVLogger(folder / "log.csv"),
    ]
    if kill_after is not None:
        callbacks.append(KillAfter(kill_after))
    status = 1
    try:
        module, history = SCENARIOS[name][0](callbacks)
        digest = hashlib.sha256()
        for value in module.state_dict().values():
            digest.update(value.numpy().tobytes())
        outcome = {"weights": digest.hexdigest(), "history": history, "log": (folder / "log.csv").read_text()}
        (folder / "outcome.json").write_text(json.dumps(outcome))
        status = 0
    finally:
        os._exit(status)
    return 0


def finish(name: str, folder: Path, save_freq: Any = 2) -> dict[str, Any]:
    """Train to the end in a child."""
    folder.mkdir(exist_ok=True)
    _, status = os.waitpid(child(name, folder, save_freq, None), 0)
    if status:
        raise SystemExit(f"{name}: the child ended with status {status}")
    outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
    return outcome


def kill_often(name: str, folder: Path, draw: random.Random, seconds: float) -> int:
    """Kill ten children at random batches, or at random moments that may come before; count those that were killed."""
    folder.mkdir(exist_ok=True)
    killed = 0
    most = SCENARIOS[name][1] // (KILLS + 1)
    for attempt in range(KILLS):
        pid = child(name, folder, draw.choice([1, 2, 3]), draw.randint(most // 2, most))
        if attempt % 2:
            time.sleep(draw.uniform(0, seconds / KILLS))
            os.kill(pid, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    return killed


def main() -> None:
    """Run one scenario and write what became of it to standard output."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    net = nn.Linear(1, 1)
    train(net, (torch.ones(2, 1), torch.ones(2, 1)))  # what torch imports on first use, once for all children
    begun = time.monotonic()
    undisturbed = finish(name, folder / "undisturbed", "epoch")
    seconds = time.monotonic() - begun
    killed = kill_often(name, folder / "killed", random.Random(name), seconds)
    left = (folder / "killed" / "backup" / "checkpoint.safetensors").exists()
    resumed = finish(name, folder / "killed")
    gone = not (folder / "killed" / "backup" / "checkpoint.safetensors").exists()
    report = {"undisturbed": undisturbed, "resumed": resumed, "killed": killed, "left": left, "gone": gone}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
