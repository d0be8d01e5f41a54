"""Detectors that are trained a little more."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import tidegate as tg
from tidegate.errors import ShapeError, ShortSeriesError, TrainingError


def test_what_is_new_is_learned_and_scores_are_measured_as_before(autoencoder: Any, waves: np.ndarray) -> None:
    model, faster = copy.deepcopy(autoencoder), waves[::3]
    before = {name: array.copy() for name, array in model._learned()[1].items()}
    assert model.fine_tune(faster, max_steps=60, learning_rate=1e-2) is model
    assert model.score(faster) > autoencoder.score(faster)
    after = model._learned()[1]
    changed = {name for name, array in after.items() if not np.array_equal(array, before[name])}
    assert changed == {name for name in before if name.startswith("network.members.")}
    assert model.threshold_ == autoencoder.threshold_
    np.testing.assert_array_equal(model.decision_scores_, autoencoder.decision_scores_)


def test_the_linear_part_stays(fitted: Any, waves: np.ndarray) -> None:
    model = fitted(method=tg.Prediction(horizon=2, linear=True))
    before = model.network_.networks[0].linear.weight.clone()
    dense = model.network_.networks[0].dense.weight.clone()
    model.fine_tune(waves[:100], max_steps=3)
    torch.testing.assert_close(model.network_.networks[0].linear.weight, before, rtol=0, atol=0)
    assert not torch.equal(model.network_.networks[0].dense.weight, dense)


def test_a_series_has_the_units_that_it_had_in_training_whatever_its_place(fitted: Any, waves: np.ndarray) -> None:
    parts = {"low": waves[:, 0], "high": 1000 * waves[:, 0]}
    table = pd.concat([pd.DataFrame({"unique_id": name, "ds": range(300), "y": y}) for name, y in parts.items()])
    model = fitted(data=table)
    one, two = copy.deepcopy(model), copy.deepcopy(model)
    high = table[table["unique_id"] == "high"]
    one.fine_tune(pd.concat([high, table[table["unique_id"] == "low"]]), max_steps=1, learning_rate=1e-6)
    two.fine_tune(high, max_steps=1, learning_rate=1e-6)
    for tuned in (one, two):  # in the units of "low" the loss would be a thousand times as large
        assert tuned.history_["loss"][0] < 3 * model.history_["loss"][-1]


def test_held_out_rows_keep_a_detector_that_would_become_worse(autoencoder: Any, waves: np.ndarray) -> None:
    model = copy.deepcopy(autoencoder).fine_tune(waves, max_steps=20, learning_rate=1.0, validation=0.2)
    assert "val_loss" in model.history_.to_dict()["logs"]
    for name, array in autoencoder._learned()[1].items():
        np.testing.assert_array_equal(model._learned()[1][name], array)


def test_rows_that_cannot_be_used_are_refused_and_a_failure_does_no_harm(autoencoder: Any, waves: np.ndarray) -> None:
    before = copy.deepcopy(autoencoder._learned()[1])
    with pytest.raises(ShortSeriesError, match="has 5 rows"):
        autoencoder.fine_tune(waves[:5])
    with pytest.raises(ShapeError, match="expected 2 channels, y0, y1; the array has 1"):
        autoencoder.fine_tune(waves[:, :1])
    with pytest.raises(TrainingError):
        autoencoder.fine_tune(waves, max_steps=20, learning_rate=1e38)
    for name, array in before.items():
        np.testing.assert_array_equal(autoencoder._learned()[1][name], array)
