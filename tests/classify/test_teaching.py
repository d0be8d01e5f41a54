"""Students of series: what they learn from a teacher, and from which series."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tidegate import (
    Augmentation,
    BackupAndRestore,
    Callback,
    Recurrent,
    SequenceClassifier,
    SequenceRegressor,
    Training,
)
from tidegate.classify.network import SeriesNetwork
from tidegate.data.ragged import Ragged
from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.estimator.teaching import Teacher
from tidegate.training.state import TrainingState

Problem = tuple[list[np.ndarray], np.ndarray]
TRAINING = Training(max_steps=80, batch_size=8, learning_rate=0.05, validation=0.0)


def student(**options: Any) -> SequenceClassifier:
    given: dict[str, Any] = {"network": Recurrent(hidden_size=3), "training": TRAINING, "seed": 5, "device": "cpu"}
    return SequenceClassifier(**{**given, **options})


def saying(model: Any, *numbers: float) -> Any:
    """Give a copy that answers to every series with the same raw numbers."""
    told = copy.deepcopy(model)
    with torch.no_grad():
        for network in told.fitted_.networks:
            network.body.output.weight.zero_()
            network.body.output.bias.copy_(torch.tensor(numbers))
    return told


@pytest.mark.parametrize("augmentation", [None, Augmentation(jitter=0.1, crop=0.1)])
def test_a_teacher_that_says_the_same_of_all_is_believed(
    problem: Problem, classifier: SequenceClassifier, augmentation: Augmentation | None
) -> None:
    teacher = saying(classifier, 0.0, 1.0)
    teacher.temperature_ = 2.0
    taught = student(augmentation=augmentation).fit(*problem, teacher=Teacher(model=teacher, share=1.0))
    expected = 1 / (1 + np.exp([0.5, -0.5]))
    np.testing.assert_allclose(taught.predict_proba(problem[0]), np.tile(expected, (len(problem[1]), 1)), atol=0.03)


def test_without_a_share_the_teacher_changes_nothing(problem: Problem, classifier: SequenceClassifier) -> None:
    alone, taught = student(), student()
    alone.fit(*problem)
    taught.fit(*problem, teacher=Teacher(model=classifier, share=0.0))
    for one, two in zip(alone.fitted_.networks.parameters(), taught.fitted_.networks.parameters(), strict=True):
        assert torch.equal(one, two)


def test_what_weighs_nothing_is_not_learned_from_the_teacher_either(
    problem: Problem, classifier: SequenceClassifier
) -> None:
    X, y = problem
    weight = np.ones(len(y))
    weight[::3] = 0
    changed = [50 * x if index % 3 == 0 else x for index, x in enumerate(X)]
    teacher = Teacher(model=classifier, share=0.7)
    models = [student(scaling=None, training=Training(max_steps=5, batch_size=24, validation=0.0)) for _ in range(2)]
    for model, given in zip(models, (X, changed), strict=True):
        model.fit(given, y, sample_weight=weight, teacher=teacher)
    asked = [model.predict_proba(X) for model in models]
    np.testing.assert_allclose(asked[0], asked[1], atol=1e-6)


@pytest.mark.parametrize("augmentation", [None, Augmentation(jitter=0.1)])
def test_same_seed_same_bits(
    problem: Problem, classifier: SequenceClassifier, augmentation: Augmentation | None
) -> None:
    teacher = Teacher(model=classifier)
    found = [student(augmentation=augmentation).fit(*problem, teacher=teacher).predict_proba(problem[0]) for _ in "ab"]
    assert np.array_equal(found[0], found[1])


class _KilledError(Exception):
    pass


class _Kill(Callback):
    def on_batch_end(self, state: TrainingState) -> None:
        if state.step == 33:
            raise _KilledError


def test_resumed_it_ends_with_the_same_bits(problem: Problem, classifier: SequenceClassifier, tmp_path: Path) -> None:
    teacher, changes = Teacher(model=classifier), Augmentation(jitter=0.1)
    undisturbed = student(augmentation=changes).fit(*problem, teacher=teacher)
    backup = tmp_path / "backup"
    with pytest.raises(_KilledError):
        student(augmentation=changes).fit(
            *problem, teacher=teacher, callbacks=[BackupAndRestore(backup, save_freq=10), _Kill()]
        )
    resumed = student(augmentation=changes).fit(
        *problem, teacher=teacher, callbacks=[BackupAndRestore(backup, save_freq=10)]
    )
    assert np.array_equal(undisturbed.predict_proba(problem[0]), resumed.predict_proba(problem[0]))


@pytest.mark.parametrize("scaling", ["train", "series", None])
def test_the_teacher_sees_the_series_that_the_student_sees(
    problem: Problem, classifier: SequenceClassifier, scaling: str | None
) -> None:
    model = student(scaling=scaling, augmentation=Augmentation(jitter=0.5, scaling=0.0, probability=1.0))
    network = model.fit(*problem, teacher=Teacher(model=classifier)).fitted_.networks[0]
    assert isinstance(network, SeriesNetwork)
    values, lengths = Ragged.of(problem[0]).padded(np.arange(4))
    x, counts = torch.from_numpy(values), torch.from_numpy(lengths)
    network.train()
    torch.manual_seed(3)
    outputs, changed = network.taught(x, counts)
    torch.manual_seed(3)
    assert torch.equal(outputs, network(x, lengths=counts))
    _, scale = network.scaling.units(x, lengths=counts)
    moved = ((changed - x) / scale)[~x.isnan()]
    assert float(moved.std()) == pytest.approx(0.5, rel=0.2)
    network.eval()
    assert torch.allclose(network.taught(x, counts)[1], x, rtol=1e-5, atol=1e-4, equal_nan=True)


def test_numbers_are_pulled_to_the_teachers_in_its_units(
    problem: Problem, regressor: SequenceRegressor, rises: Callable[[list[np.ndarray]], np.ndarray]
) -> None:
    teacher = saying(regressor, 1.5)
    wanted = 1.5 * regressor.scale_ + regressor.loc_
    model = SequenceRegressor(network=Recurrent(hidden_size=3), training=TRAINING, device="cpu")
    model.fit(problem[0], 2 * rises(problem[0]) - 1008, teacher=Teacher(model=teacher, share=1.0))
    assert model.scale_ == pytest.approx(2 * regressor.scale_)
    np.testing.assert_allclose(model.predict(problem[0]), wanted, atol=0.1 * model.scale_)


def test_validation_goes_by_the_truth(problem: Problem, classifier: SequenceClassifier) -> None:
    training = Training(epochs=1, batch_size=8, validation=0.25, learning_rate=1e-9)
    losses = []
    for share in (0.0, 1.0):
        model = student(training=training).fit(*problem, teacher=Teacher(model=classifier, share=share))
        losses.append(model.history_["val_loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_other_classes_are_refused(problem: Problem, classifier: SequenceClassifier) -> None:
    message = (
        "the teacher tells 'ebb', 'flow' apart, the data have 'ebb', 'flood'; a student learns the teacher's classes, "
        "so give data with just these, or another teacher"
    )
    said = np.where(problem[1] == "flow", "flood", problem[1])
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        student().fit(problem[0], said, teacher=Teacher(model=classifier))


def test_other_channels_are_refused(problem: Problem, classifier: SequenceClassifier) -> None:
    message = "the teacher reads series of 2 channel(s), the student's have 1; give the same"
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        student().fit([x[:, :1] for x in problem[0]], problem[1], teacher=Teacher(model=classifier))


def test_a_temperature_is_refused_by_a_regressor(problem: Problem, regressor: SequenceRegressor) -> None:
    message = "temperature softens the probabilities of classes, and a number has none; leave it out, got temperature=2"
    with pytest.raises(SpecError, match=f"^{message}$"):
        SequenceRegressor().fit(problem[0], np.arange(len(problem[0])), teacher=Teacher(model=regressor, temperature=2))
