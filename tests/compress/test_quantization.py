"""Weights in fewer bits: answers nearly the same, files much smaller, and the same again from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tidegate as tg
from tidegate.compress import quantize
from tidegate.errors import NotFittedError, SpecError
from tidegate.estimator.modelfile import inspect_model
from tidegate.testing.examples import ESTIMATORS, TRIALS, example_trial

FRAME = tg.datasets.airline_passengers()


@pytest.fixture(scope="module")
def model() -> tg.Forecaster:
    network = tg.Recurrent(hidden_size=48)
    return tg.Forecaster(horizon=3, network=network, training=tg.Training(max_steps=30), device="cpu").fit(FRAME)


@pytest.mark.parametrize(
    ("weights", "share", "near"), [("int8", 0.5, 2e-2), ("bfloat16", 0.7, 1e-2), ("float16", 0.7, 1e-3)]
)
def test_the_answers_are_nearly_the_same(
    model: tg.Forecaster, tmp_path: Path, weights: str, share: float, near: float
) -> None:
    small = quantize(model, weights)
    model.save(tmp_path / "whole.safetensors")
    small.save(tmp_path / "small.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "whole")]
    assert sizes[0] < share * sizes[1]
    before, after = (each.predict(FRAME)["y_hat"].to_numpy() for each in (model, small))
    assert np.abs(after / before - 1).max() < near
    assert (after != before).any()


@pytest.mark.parametrize("weights", ["int8", "bfloat16", "float16"])
def test_a_file_gives_the_same_answers_and_the_same_file(model: tg.Forecaster, tmp_path: Path, weights: str) -> None:
    small = quantize(model, weights)
    small.save(tmp_path / "a.safetensors")
    again = tg.Forecaster.load(tmp_path / "a.safetensors")
    assert again.storage_ == weights
    assert again.predict(FRAME).equals(small.predict(FRAME))
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_model_that_was_given_stays_as_it_is(model: tg.Forecaster) -> None:
    before = {name: array.copy() for name, array in model._learned()[1].items()}
    quantize(model)
    assert model.storage_ == "float32"
    assert all(np.array_equal(before[name], array) for name, array in model._learned()[1].items())


def test_weights_that_were_trained_since_are_stored_whole(model: tg.Forecaster, tmp_path: Path) -> None:
    tuned = quantize(model).fine_tune(FRAME, max_steps=3)
    tuned.save(tmp_path / "tuned.safetensors")
    assert inspect_model(tmp_path / "tuned.safetensors").stored.weights == "float32"
    assert tg.Forecaster.load(tmp_path / "tuned.safetensors").predict(FRAME).equals(tuned.predict(FRAME))


@pytest.mark.parametrize("kind", sorted(ESTIMATORS))
def test_every_kind_of_estimator(kind: str, tmp_path: Path) -> None:
    make = next(iter(ESTIMATORS[kind].values()))
    trial = TRIALS.get(kind, example_trial)()
    fitted: Any = make()
    small = quantize(fitted.fit(*trial.given("fit")))
    small.save(tmp_path / "small.safetensors")
    again = type(small).load(tmp_path / "small.safetensors")
    assert again.storage_ == "int8"
    assert trial.ask(again).equals(trial.ask(small))


def test_what_is_refused(model: tg.Forecaster) -> None:
    with pytest.raises(SpecError, match="weights must be one of 'float32', 'bfloat16', 'float16', 'int8'; got 'int4'"):
        quantize(model, "int4")
    with pytest.raises(NotFittedError, match=r"this Forecaster is not fitted; call fit\(…\) before quantize\(…\)"):
        quantize(tg.Forecaster(horizon=3))
