"""Fitted estimators of every structure, each half of whose units are twins that nobody listens to."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tidegate.compress.readers import structure_of
from tidegate.compress.units import Group
from tidegate.estimator import Estimator
from tidegate.estimator.modelfile import ModelFile, ModelInfo
from tidegate.specs.base import plain

Arrays = dict[str, np.ndarray]


def rebuilt(model: Any, arrays: Arrays) -> Any:
    """Give the model with other weights."""
    learned, _ = model._learned()
    params = {name: plain(value) for name, value in model.get_params(deep=False).items()}
    info = ModelInfo(
        kind=model.kind, params=params, learned=learned, tidegate="", format_version=1, shapes={}, digest="", size=0
    )
    return type(model).from_model_file(ModelFile(info=info, arrays=arrays))


def with_twins(model: Estimator) -> Any:
    """Make half of the units, at random, the twins of the others: they read the same, and nothing reads them.

    What they give is then the same, so that norms over units have the same mean and variance without them, and a model
    without them has to answer as the one with them. All weights are ±0.4, so that of the units only these are weaker.
    """
    rng = np.random.default_rng(0)
    groups, arrays = structure_of(model, 0.5).groups, dict(model._learned()[1])
    for name in sorted({use.tensor for group in groups for use in group.uses}):
        drawn = rng.choice([-0.4, 0.4], size=arrays[name].shape).astype(arrays[name].dtype)
        arrays[name] = np.abs(drawn) if name.endswith("running_var") else drawn
    choices = [rng.permutation(group.units).reshape(2, -1) for group in groups]
    for group, (twins, others) in zip(groups, choices, strict=True):
        _copy(group, twins, others, arrays)
    for group, (twins, _) in zip(groups, choices, strict=True):
        _silence(group, twins, arrays)
    return rebuilt(model, arrays)


def _copy(group: Group, twins: np.ndarray, others: np.ndarray, arrays: Arrays) -> None:
    for use in group.uses:
        if use.axis == 0 or use.tensor.endswith("marks"):  # a table of segments, with a column a unit
            array = np.moveaxis(arrays[use.tensor], use.axis, 0)  # a view
            array[use.places(twins, group.units)] = array[use.places(others, group.units)]


def _silence(group: Group, twins: np.ndarray, arrays: Arrays) -> None:
    for use in group.uses:
        product = use.tensor.endswith(("attention.score.query.weight",))  # twins would count twice in it
        if product or not (use.axis == 0 or use.tensor.endswith("marks")):
            np.moveaxis(arrays[use.tensor], use.axis, 0)[use.places(twins, group.units)] = 0


@dataclasses.dataclass(frozen=True)
class Problem:
    """What models are fitted on and asked about."""

    fit: tuple[Any, ...]
    ask: Any


@pytest.fixture(scope="session")
def problems() -> dict[str, Problem]:
    import pandas as pd

    rng = np.random.default_rng(1)
    rows = 40
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "unique_id": f"s{index}",
                    "ds": pd.date_range("2024-01-01", periods=rows, freq="D"),
                    "y": 10.0 * (index + 1) + rng.normal(size=rows),
                    "z": rng.normal(size=rows),
                    "kind": float(index),
                }
            )
            for index in range(2)
        ]
    )
    series = [rng.normal(size=(steps, 2)) for steps in (5, 7, 6, 9)]
    texts = ["win a prize now", "see you at home", "call now to win", "home by seven"]
    sentences = [["Ann", "sails", "to", "York"], ["the", "tide", "turns"], ["Bob", "and", "Ann"], ["in", "York"]]
    tags = [["B-x", "O", "O", "B-y"], ["O", "O", "O"], ["B-x", "O", "B-x"], ["O", "B-y"]]
    return {
        "forecaster": Problem((frame,), frame),
        "anomaly_detector": Problem((rng.normal(size=(60, 2)),), rng.normal(size=(40, 2))),
        "sequence_classifier": Problem((series, ["a", "b", "a", "b"]), series),
        "sequence_regressor": Problem((series, [1.0, 2.0, 3.0, 4.0]), series),
        "text_classifier": Problem((texts, ["spam", "ham", "spam", "ham"]), texts),
        "tagger": Problem((sentences, tags), sentences),
    }
