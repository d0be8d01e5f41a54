"""What an estimator promises that can be trained further."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from tidegate.estimator import Estimator
from tidegate.testing.answers import fresh, learned
from tidegate.testing.generators import generators
from tidegate.testing.trials import Trial
from tidegate.testing.verdicts import hold
from tidegate.training.callbacks.base import Callback
from tidegate.training.state import TrainingState

__all__ = ["check_fine_tune"]


def check_fine_tune(estimator: Estimator, trial: Trial) -> None:
    """Check that ``fine_tune``, if there is one, learns, the same after loading, and does no harm where it fails."""
    if not hasattr(estimator, "fine_tune"):
        return
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    before, generated = learned(model), generators()
    one = copy.deepcopy(model)
    hold(one.fine_tune(*trial.given("fine_tune"), max_steps=2) is one, "fine_tune must return self")
    hold(generators() == generated, "fine_tune moved a global generator; draw from one of your own")
    hold(learned(one) != before, "fine_tune learned nothing")
    hold(learned(model) == before, "tuning a deep copy changed the original: they share what was learned")
    two = _through_file(model).fine_tune(*trial.given("fine_tune"), max_steps=2)
    differing = [name for name, bits in learned(two).items() if bits != learned(one).get(name)]
    hold(not differing, f"a model from a file is tuned to other bits than the one that was saved: {differing}")
    try:
        model.fine_tune(*trial.given("fine_tune"), max_steps=2, callbacks=[_Breaking()])
    except _BrokenError:
        hold(learned(model) == before, "a fine_tune that fails must leave the model as it was")
    else:
        raise AssertionError("fine_tune does not call its callbacks")


def _through_file(model: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return type(model).load(path, device=model.device)


class _BrokenError(Exception):
    """What stops a training."""


class _Breaking(Callback):
    """Stops a training in its midst, when weights have changed."""

    def on_epoch_end(self, state: TrainingState) -> None:  # noqa: ARG002
        raise _BrokenError
