import math

import numpy as np
import pytest
import torch

from tidegate.errors import ShapeError
from tidegate.estimator.restoring import layers_of, restored_history, restored_module
from tidegate.specs import Convolution, Dilated, Recurrent

CPU = torch.device("cpu")


def test_a_module_comes_back_and_leaves_the_generator_alone() -> None:
    arrays = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    before = torch.random.get_rng_state()
    module = restored_module(lambda: torch.nn.Linear(3, 2), arrays, layers=1, device=CPU)
    assert module.weight.tolist() == [[1.0] * 3] * 2
    assert not module.training
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_does_not_fit_takes_no_memory() -> None:
    arrays = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    with pytest.raises(ShapeError, match=r"expected 'weight' of shape \[2, 1000000000000\], got \[2, 3\]"):
        restored_module(lambda: torch.nn.Linear(10**12, 2), arrays, layers=1, device=CPU)
    with pytest.raises(ShapeError, match="the network described has a tensor 'bias', which is absent"):
        restored_module(lambda: torch.nn.Linear(3, 2), {"weight": arrays["weight"]}, layers=1, device=CPU)
    with pytest.raises(ValueError, match="100 layers are described, the file has 2 tensors"):
        restored_module(lambda: pytest.fail("built"), arrays, layers=100, device=CPU)


def test_layers_are_counted() -> None:
    parts = (Convolution(layers=3), Recurrent(num_layers=2), Dilated(dilations=(1, 2)))
    assert layers_of(parts) == 6
    assert layers_of(Recurrent()) == 1


def test_a_curve_comes_back() -> None:
    found = restored_history({"epochs": 2, "steps": 8, "logs": {"loss": [1.0, None]}, "stopped": None})
    assert found["loss"][0] == 1.0
    assert math.isnan(found["loss"][1])
