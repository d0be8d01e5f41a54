"""The check of ``fine_tune`` refuses one that breaks a promise, and passes one that keeps all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest

from tidegate.testing import TableTrial, Trial, example_frame
from tidegate.testing.tuning import check_fine_tune

from .test_estimators import Level

Refuses = Callable[..., None]


class Tuned(Level):
    """Moves a little for each step."""

    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        shift = self.shift_ + max_steps * frame["y"].std() * 1e-6
        for callback in callbacks:
            callback.on_epoch_end(None)
        self.shift_ = shift
        return self


class Silent(Tuned):
    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        return super().fine_tune(frame, max_steps=max_steps)


class Hasty(Tuned):
    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        super().fine_tune(frame, max_steps=max_steps)
        return super().fine_tune(frame, max_steps=max_steps, callbacks=callbacks)


class Idle(Tuned):
    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        return super().fine_tune(frame, max_steps=0 * max_steps, callbacks=callbacks)


class Alone(Tuned):
    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> None:
        super().fine_tune(frame, max_steps=max_steps, callbacks=callbacks)


class Drawing(Tuned):
    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        np.random.rand()  # noqa: NPY002
        return super().fine_tune(frame, max_steps=max_steps, callbacks=callbacks)


class Forgets(Tuned):
    """Knows something that its file does not hold."""

    step = 1

    def fit(self, frame: pd.DataFrame) -> Self:
        self.step = 2
        return super().fit(frame)

    def fine_tune(self, frame: pd.DataFrame, *, max_steps: int, callbacks: Sequence[Any] = ()) -> Any:
        return super().fine_tune(frame, max_steps=self.step * max_steps, callbacks=callbacks)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return TableTrial(example_frame())


def test_one_that_keeps_all_promises_passes(trial: Trial) -> None:
    check_fine_tune(Tuned(), trial)


def test_one_that_cannot_be_tuned_passes(trial: Trial) -> None:
    check_fine_tune(Level(), trial)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Alone(), "fine_tune must return self"),
        (Drawing(), "fine_tune moved a global generator"),
        (Idle(), "fine_tune learned nothing"),
        (Forgets(), r"a model from a file is tuned to other bits than the one that was saved: \['shift'\]"),
        (Hasty(), "a fine_tune that fails must leave the model as it was"),
        (Silent(), "fine_tune does not call its callbacks"),
    ],
)
def test_what_it_refuses(model: Tuned, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(check_fine_tune, model, trial, words=words)
