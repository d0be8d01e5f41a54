"""A model file that declares more than it holds costs no memory: sizes are checked before a network is built."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tidegate import Forecaster, Recurrent, Scaling, Training
from tidegate.errors import ModelFileError
from tidegate.estimator import registered
from tidegate.estimator.modelfile import ModelFile, read_model
from tidegate.testing import example_frame

VAST = 10**9


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = tmp_path_factory.mktemp("model") / "m"
    network, training = Recurrent(hidden_size=4), Training(max_steps=2)
    Forecaster(horizon=3, context=12, season=6, network=network, training=training, device="cpu").fit(
        example_frame()
    ).save(path)
    return read_model(path)


def with_changes(file: ModelFile, *, network: Any = None, learned: Any = None, **params: Any) -> ModelFile:
    info = file.info
    described = {**info.learned, "settled": {**info.learned["settled"], **(learned or {})}}
    params = {**info.params, **params, "network": {**info.params["network"], **(network or {})}}
    return dataclasses.replace(file, info=dataclasses.replace(info, params=params, learned=described))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {"hidden_size": 10**6}}, r"expected '.*weight_ih_l0' of shape \[4000000, 3\], got \[16, 3\]"),
        ({"network": {"num_layers": VAST}}, "1000000000 layers are described, the file has 7 tensors"),
        ({"network": {"num_layers": 2}}, "has a tensor '.*weight_ih_l1', which is absent"),
        ({"horizon": VAST}, r"expected 'members.0.strategy.head.weight' of shape \[1000000000, 4\], got \[3, 4\]"),
        ({"learned": {"segment": VAST}}, r"expected '.*weight_ih_l0' of shape \[16, 3000000000\], got \[16, 3\]"),
        ({"learned": {"pace": 10**400}}, "too large to convert to float"),
    ],
)
def test_vast_declarations_are_refused_unbuilt(file: ModelFile, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        registered("forecaster").from_model_file(with_changes(file, **changes))


@pytest.mark.parametrize("scaling", [Scaling(transform="boxcox"), Scaling(method="robust", output="season")])
@pytest.mark.parametrize("network", [{"init": "keras"}, {"init": "orthogonal", "norm": "batch", "hidden_size": (4, 3)}])
def test_every_network_can_be_looked_at_unbuilt(scaling: Scaling, network: dict[str, Any], tmp_path: Path) -> None:
    spec = Recurrent(**{"hidden_size": 4, "layer_norm": True, **network})
    model = Forecaster(horizon=3, context=12, season=6, scaling=scaling, network=spec, device="cpu")
    model.set_params(training__max_steps=2).fit(example_frame()).save(tmp_path / "m")
    back = Forecaster.load(tmp_path / "m")
    assert all(not tensor.is_meta for tensor in (*back.network_.parameters(), *back.network_.buffers()))
    one, two = back.network_.state_dict(), model.network_.state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
