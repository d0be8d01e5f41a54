"""What is registered or exported is found, and what cannot be built is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from tidegate import nn as layers
from tidegate import training
from tidegate.estimator import kinds, registry
from tidegate.forecast import Forecaster
from tidegate.testing import all_callbacks, all_estimators, all_layers
from tidegate.testing.examples import CALLBACKS, ESTIMATORS, LAYERS
from tidegate.training import Callback


class Doubled(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Padded(Doubled):
    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        return 2 * x


class Quiet(Callback):
    """Needs no arguments."""


class Needy(Callback):
    def __init__(self, path: str) -> None:
        self.path = path


class Unlisted(Forecaster):
    kind = "unlisted"


def export(monkeypatch: pytest.MonkeyPatch, room: Any, thing: type) -> None:
    monkeypatch.setattr(room, thing.__name__, thing, raising=False)
    monkeypatch.setattr(room, "__all__", [*room.__all__, thing.__name__])


def test_every_kind_layer_and_callback_is_found() -> None:
    assert {name.partition("-")[0] for name in all_estimators()} == set(kinds())
    found = {name.partition("-")[0] for name in all_layers()}
    assert found == {
        "Attention",
        "BatchNorm",
        "CRF",
        "Convolution",
        "Dilated",
        "DilatedStack",
        "GRU",
        "LSTM",
        "LayerNorm",
        "Parallel",
        "PartStack",
        "PooledNetwork",
        "Pooling",
        "RecurrentStack",
        "SelfAttention",
    }
    assert {cls.__name__ for cls, _ in all_callbacks().values()} == {
        "BackupAndRestore",
        "CSVLogger",
        "EarlyStopping",
        "LearningRateScheduler",
        "ModelCheckpoint",
        "Progress",
        "ReduceLROnPlateau",
        "TensorBoard",
        "TerminateOnNaN",
    }


def test_no_example_is_of_something_that_is_gone() -> None:
    assert set(ESTIMATORS) <= set(kinds())
    assert {cls.__name__ for cls in LAYERS} <= set(layers.__all__)
    assert {cls.__name__ for cls in CALLBACKS} <= set(training.__all__)


def test_an_exported_layer_is_checked_without_more(monkeypatch: pytest.MonkeyPatch) -> None:
    export(monkeypatch, layers, Doubled)
    export(monkeypatch, layers, Padded)
    found = all_layers()
    assert (found["Doubled"].lengths, found["Padded"].lengths) == (False, True)
    layer = found["Doubled"].make()
    assert isinstance(layer, Doubled)
    assert layer.size == found["Doubled"].size == 3


def test_an_exported_callback_is_checked_without_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    export(monkeypatch, training, Quiet)
    cls, make = all_callbacks()["Quiet"]
    assert cls is Quiet
    assert isinstance(make(tmp_path), Quiet)


def test_what_needs_arguments_must_have_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    export(monkeypatch, training, Needy)
    with pytest.raises(AssertionError, match="Needy cannot be checked: it needs path; add an example of it to CALLB"):
        all_callbacks()


def test_a_registered_estimator_must_be_buildable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_KINDS", {**registry._KINDS, "unlisted": Unlisted})
    with pytest.raises(AssertionError, match=r"Unlisted cannot be checked: it needs horizon; add .* to ESTIMATORS"):
        all_estimators()
