"""What every callback promises."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tidegate._core.seeds import seeded
from tidegate.data import Arrays, Batches
from tidegate.specs import Training
from tidegate.testing.verdicts import Check, hold, run_checks, same
from tidegate.training import Callback, Supervised, checkpoint, fit
from tidegate.training.state import TrainingState

__all__ = ["CALLBACK_CHECKS", "STEERING", "check_callback"]

STEERING = frozenset({"EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau"})
"""The callbacks that are meant to change how a training goes; all others watch, and must not."""

_EPOCHS, _STEPS_AN_EPOCH = 4, 3
_CUTS = (_STEPS_AN_EPOCH + 1, 2 * _STEPS_AN_EPOCH)  # in the middle of an epoch, and at the end of one

Make = Callable[[], Callback]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Trained:
    """What a training came to."""

    weights: dict[str, Tensor]
    history: dict[str, Any]


class _KilledError(Exception):
    """A training was killed, on purpose."""


class _Kill(Callback):
    """Saves a checkpoint after a step, and ends the training there by an exception."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_safe_point(self, state: TrainingState) -> None:
        if state.step == self.step:
            checkpoint.save(state, self.path)
            raise _KilledError


class _AtFirst(Callback):
    """Does something once, before the first step."""

    def __init__(self, action: Callable[[TrainingState], None]) -> None:
        self.action = action
        self._done = False

    def on_safe_point(self, state: TrainingState) -> None:
        if not self._done:
            self._done = True
            self.action(state)


class _Keep(Callback):
    """Keeps what another callback's ``state_dict`` gives at each epoch's end."""

    def __init__(self, watched: Callback) -> None:
        self.watched = watched
        self.kept: list[dict[str, Any]] = []

    def on_epoch_end(self, state: TrainingState) -> None:  # noqa: ARG002
        self.kept.append(copy.deepcopy(self.watched.state_dict()))


def check_hooks(make: Make, steers: bool) -> None:  # noqa: ARG001 - all checks are called alike
    """Check that every method ``on_…`` is a hook that the loop calls; a misspelt one never is."""
    hooks = sorted(name for name in dir(Callback) if name.startswith("on_"))
    unknown = sorted(name for name in dir(make()) if name.startswith("on_") and name not in hooks)
    hold(not unknown, f"{unknown} will never be called; the hooks are {', '.join(hooks)}")


def check_state_dict(make: Make, steers: bool) -> None:  # noqa: ARG001
    """Check that ``state_dict`` holds plain values and tensors only, and ``load_state_dict`` takes all of it back."""
    watched = make()
    keep = _Keep(watched)
    _train([watched, keep])
    for kept in ({}, *keep.kept):
        _hold_plain(kept, "state_dict()")
    wanted = keep.kept[-1]
    found: list[dict[str, Any]] = []
    other = make()

    def take_over(state: TrainingState) -> None:
        other.load_state_dict(copy.deepcopy(wanted))
        found.append(other.state_dict())
        state.stop("seen enough")

    _train([other, _AtFirst(take_over)])
    hold(same(found[0], wanted), f"load_state_dict does not take back what state_dict gave: {found[0]} for {wanted}")


def check_resumes(make: Make, steers: bool) -> None:  # noqa: ARG001
    """Check that a training that is killed and resumed ends like an undisturbed one, to the bit, with its callbacks."""
    undisturbed = make()
    whole = _train([undisturbed])
    for step in _CUTS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.safetensors"
            if not _dies(lambda: _train([make(), _Kill(step, path)])):  # noqa: B023 - called at once
                continue  # it had ended by itself
            again = make()
            resumed = _train([again, _AtFirst(lambda state: checkpoint.restore(state, path))])  # noqa: B023
        _hold_same(resumed, whole, f"killed after step {step} and resumed")
        hold(
            same(again.state_dict(), undisturbed.state_dict()),
            f"killed after step {step} and resumed, it ends with another state_dict",
        )


def check_reusable(make: Make, steers: bool) -> None:  # noqa: ARG001
    """Check that it begins anew when used again: a second training goes as with a new callback."""
    first = _train([make()])
    used = make()
    _train([used])
    _hold_same(_train([used]), first, "used a second time")


def check_watches_only(make: Make, steers: bool) -> None:
    """Check that it changes neither weights nor losses nor generators, unless it is meant to steer."""
    if steers:
        return
    _hold_same(_train([make()]), _train([]), "with the callback")


def check_failed_training(make: Make, steers: bool) -> None:  # noqa: ARG001
    """Check that it lets the exception of a failed training through, and serves the next one as if new."""
    first = _train([make()])
    used = make()
    with tempfile.TemporaryDirectory() as folder:
        _dies(lambda: _train([used, _Kill(_CUTS[0], Path(folder) / "checkpoint.safetensors")]))
    _forget_backup(used)
    _hold_same(_train([used]), first, "used after a training that failed")


CALLBACK_CHECKS: tuple[Check, ...] = (
    check_hooks,
    check_state_dict,
    check_resumes,
    check_reusable,
    check_watches_only,
    check_failed_training,
)


def check_callback(make: Make, *, steers: bool = False) -> None:
    """Try every promise of a callback.

    Parameters
    ----------
    make
        Builds the callback, always with the same arguments. The training that it is tried in has four epochs of three
        steps and logs ``loss`` and ``val_loss``.
    steers
        Whether it is meant to change how a training goes; otherwise it must not.

    Raises
    ------
    AssertionError
        At the first promise that is not kept; the message says which, and what came.

    Examples
    --------
    >>> from tidegate.training import TerminateOnNaN
    >>> check_callback(TerminateOnNaN)
    """
    run_checks(CALLBACK_CHECKS, type(make()).__name__, make, steers)


def _train(callbacks: Sequence[Callback]) -> _Trained:
    """Train a small network with dropout, so that a number drawn out of turn shows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4 * _STEPS_AN_EPOCH, 2)).astype(np.float32)
    y = X.sum(axis=1, keepdims=True)
    with seeded(0):
        module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 1))
        history = fit(
            module,
            Batches(Arrays(X, y), 4, shuffle=True, seed=1),
            Supervised("mse"),
            training=Training(epochs=_EPOCHS, learning_rate=0.05, patience=None),
            validation=Batches(Arrays(X, y), 4),
            callbacks=callbacks,
        )
    return _Trained(weights=dict(module.state_dict()), history=history.to_dict())


def _dies(training: Callable[[], object]) -> bool:
    """Tell whether the training was killed; refuse any other exception that came instead."""
    try:
        training()
    except _KilledError:
        return True
    except Exception as error:
        raise AssertionError(
            f"the training was killed, and what arrived is {type(error).__name__}: {error}; "
            "on_train_end must not raise when state.failed"
        ) from error
    return False


def _forget_backup(callback: Callback) -> None:
    """Delete the checkpoint of a failed training, from which the next one would rightly go on."""
    path = getattr(callback, "path", None)
    if isinstance(path, Path):
        path.unlink(missing_ok=True)


def _hold_same(one: _Trained, two: _Trained, when: str) -> None:
    hold(same(one.history, two.history), f"{when}, the training goes otherwise: {one.history} instead of {two.history}")
    differing = [name for name, value in two.weights.items() if not same(one.weights.get(name), value)]
    hold(not differing, f"{when}, the training ends with other bits in {differing}")


def _hold_plain(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            hold(isinstance(name, str), f"{where} has the key {name!r}; keys must be strings")
            _hold_plain(item, f"{where}[{name!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _hold_plain(item, f"{where}[{index}]")
    else:
        plain = value is None or isinstance(value, bool | int | float | str | torch.Tensor)
        hold(plain, f"{where} is a {type(value).__name__}; a checkpoint holds plain values and tensors only")
