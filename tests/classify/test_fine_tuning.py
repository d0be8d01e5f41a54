"""Models of whole series that are trained a little more."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tidegate import SequenceClassifier, SequenceRegressor
from tidegate.errors import DataError, ShapeError, TrainingError
from tidegate.training import Callback
from tidegate.training.state import TrainingState

Problem = tuple[list[np.ndarray], np.ndarray]


def test_what_is_new_is_learned_and_nothing_is_settled_anew(
    classifier: SequenceClassifier, problem: Problem, tmp_path: Path
) -> None:
    X, y = problem
    turned = np.where(y == "ebb", "flow", "ebb").astype(object)
    classifier.save(tmp_path / "model.safetensors")
    model = SequenceClassifier.load(tmp_path / "model.safetensors")
    before = model.fitted_.arrays()
    assert model.score(X, turned) < 0.2
    model.fine_tune(X, turned, max_steps=120, learning_rate=0.02)
    assert model.score(X, turned) > 0.8
    changed = {name for name, array in model.fitted_.arrays().items() if not np.array_equal(array, before[name])}
    assert changed == {name for name in before if ".scaling." not in name}
    assert (model.temperature_, model.classes_.tolist()) == (classifier.temperature_, ["ebb", "flow"])
    assert len(model.history_["accuracy"]) == 20


def test_one_of_the_classes_is_enough_and_balanced_weights_are_those_of_the_new_ones(problem: Problem) -> None:
    X, y = problem
    model = SequenceClassifier(class_weight="balanced", **_small()).fit(X, y)
    ebbs = [series for series, label in zip(X, y, strict=True) if label == "ebb"]
    before = model.predict_proba(X)[:, 0].mean()
    model.fine_tune(ebbs, ["ebb"] * len(ebbs), max_steps=20, learning_rate=0.02)
    assert model.predict_proba(X)[:, 0].mean() > before


class TurnsRound(Callback):
    """Makes a model say the contrary, from the first step on."""

    def on_batch_end(self, state: TrainingState) -> None:
        if state.step == 1:
            with torch.no_grad():
                for parameter in state.module.body.output.parameters():  # type: ignore[union-attr]
                    parameter.neg_()


def test_held_out_series_keep_a_model_that_would_become_worse(classifier: SequenceClassifier, problem: Problem) -> None:
    model = copy.deepcopy(classifier)
    model.fine_tune(*problem, max_steps=20, learning_rate=1e-6, validation=0.25, callbacks=[TurnsRound()])
    assert len(model.history_["val_loss"]) == 10  # patience is at its end
    for name, array in classifier.fitted_.arrays().items():
        np.testing.assert_array_equal(model.fitted_.arrays()[name], array)


def test_numbers_keep_their_units(regressor: SequenceRegressor, problem: Problem, rises: Any) -> None:
    X, y = problem[0], rises(problem[0])
    model = copy.deepcopy(regressor).fine_tune(X, 2 * y - 1000, max_steps=80, learning_rate=0.02)
    assert (model.loc_, model.scale_) == (regressor.loc_, regressor.scale_)
    assert model.score(X, 2 * y - 1000) > regressor.score(X, 2 * y - 1000)


@pytest.mark.parametrize(
    ("series", "label", "kind", "message"),
    [
        (np.zeros((2, 5, 2)), ["ebb", "surge"], DataError, "label 'surge' of row 1 was not seen in training"),
        (np.zeros((2, 5, 3)), ["ebb", "flow"], ShapeError, "this model was trained on series of 2 channel"),
        (np.zeros((2, 5, 2)), None, DataError, "expected a label or a number for each series; got none: give y"),
    ],
)
def test_series_that_cannot_be_used_are_refused(
    classifier: SequenceClassifier, series: Any, label: Any, kind: type[Exception], message: str
) -> None:
    before = pickle.dumps(classifier.fitted_.arrays())
    with pytest.raises(kind, match=message):
        classifier.fine_tune(series, label)
    assert pickle.dumps(classifier.fitted_.arrays()) == before


def test_a_training_that_fails_leaves_the_model_as_it_was(classifier: SequenceClassifier, problem: Problem) -> None:
    before = pickle.dumps(classifier.fitted_.arrays())
    with pytest.raises(TrainingError, match="the loss is"):
        classifier.fine_tune(*problem, max_steps=20, learning_rate=1e38)
    assert pickle.dumps(classifier.fitted_.arrays()) == before


def _small() -> dict[str, Any]:
    from .conftest import SMALL

    return SMALL
