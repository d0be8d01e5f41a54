"""How many steps are made where nobody says so, and what may train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import nn

import tidegate as tg
from tidegate.classify import fitted
from tidegate.errors import ShapeError
from tidegate.training import History
from tidegate.training.members import train_members


@pytest.mark.parametrize(
    ("examples", "batch_size", "steps"), [(10, 16, 800), (480, 16, 1800), (100_000, 16, 2000), (320, 20, 960)]
)
def test_some_passes_within_bounds(monkeypatch: pytest.MonkeyPatch, examples: int, batch_size: int, steps: int) -> None:
    asked: list[tg.Training] = []

    def train(*_: Any, training: tg.Training, **__: Any) -> tuple[Any, History]:
        asked.append(training)
        return nn.ModuleList(), History()

    monkeypatch.setattr(fitted, "train_members", train)
    X, y = np.arange(float(examples))[:, None], np.arange(examples) % 2
    for training in (
        tg.Training(batch_size=batch_size, validation=0.0),
        tg.Training(epochs=3),
        tg.Training(max_steps=7),
    ):
        tg.SequenceClassifier(network=tg.Recurrent(hidden_size=1), training=training, device="cpu").fit(X, y)
    assert [each.max_steps for each in asked] == [steps, None, 7]
    assert asked[1].epochs == 3


def test_scales_are_measured_on_what_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    whole = train_members

    def train(make: Any, source: Any, *given: Any, **options: Any) -> Any:
        kept.append(source.sequences.flat)
        return whole(make, source, *given, **options)

    monkeypatch.setattr(fitted, "train_members", train)
    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2
    training = tg.Training(max_steps=2, validation=0.3)
    model = tg.SequenceClassifier(network=tg.Recurrent(hidden_size=2), training=training, device="cpu").fit(X, y)
    scaling: Any = model.fitted_.networks[0].scaling
    assert len(kept[0]) == 4 * 14
    np.testing.assert_allclose(scaling.loc.numpy(), kept[0].mean(axis=0))


def test_a_network_of_another_shape_is_refused_before_it_is_built(classifier: tg.SequenceClassifier) -> None:
    learned, arrays = classifier._learned()
    other = tg.SequenceClassifier(network=tg.Recurrent(hidden_size=7), device="cpu")
    with pytest.raises(ShapeError, match=r"^expected '0\.body\.network\."):
        other._restore(learned, arrays)
    many = tg.SequenceClassifier(network=tg.Recurrent(hidden_size=6, num_layers=10**6), device="cpu")
    with pytest.raises(ValueError, match=r"^1000000 layers are described, the file has \d+ tensors$"):
        many._restore(learned, arrays)
