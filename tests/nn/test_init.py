"""How parameters start."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tidegate import nn
from tidegate.errors import SpecError
from tidegate.nn.init import initialise
from tidegate.nn.options import INITS
from tidegate.specs.recurrent import INITS as SPEC_INITS

UNITS, FEATURES = 64, 32


def layer(scheme: str, **options: Any) -> nn.LSTM:
    return nn.LSTM(FEATURES, UNITS, init=scheme, **options)


def test_schemes_are_those_of_the_specs() -> None:
    assert INITS == SPEC_INITS


@pytest.mark.parametrize("scheme", INITS)
def test_reproducible_from_the_seed(scheme: str) -> None:
    torch.manual_seed(4)
    one = layer(scheme).state_dict()
    torch.manual_seed(4)
    two = layer(scheme).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_torch_is_uniform_within_one_over_root_h() -> None:
    for parameter in layer("torch", peephole=True).parameters():
        assert parameter.abs().max() <= 1 / math.sqrt(UNITS)
        assert parameter.abs().max() > 0.9 / math.sqrt(UNITS)


def test_keras_is_glorot_and_orthogonal_over_all_gates() -> None:
    made = layer("keras")
    bound = math.sqrt(6 / (FEATURES + 4 * UNITS))
    assert 0.99 * bound < made.get_parameter("weight_ih_l0").abs().max() <= bound
    recurrent = made.get_parameter("weight_hh_l0")
    torch.testing.assert_close(recurrent.mT @ recurrent, torch.eye(UNITS), rtol=0, atol=1e-5)
    bias = made.get_parameter("bias_ih_l0").reshape(4, UNITS)
    assert torch.equal(bias, torch.tensor([0.0, 1.0, 0.0, 0.0]).unsqueeze(1).expand(4, UNITS))
    assert made.get_parameter("bias_hh_l0").abs().max() == 0
    assert layer("keras", unit_forget_bias=False).get_parameter("bias_ih_l0").abs().max() == 0


def test_xavier_and_he_go_gate_by_gate() -> None:
    bound = math.sqrt(6 / (FEATURES + UNITS))
    assert 0.99 * bound < layer("xavier").get_parameter("weight_ih_l0").abs().max() <= bound
    assert layer("he").get_parameter("weight_ih_l0").std().item() == pytest.approx(math.sqrt(2 / FEATURES), rel=0.05)
    assert layer("he").get_parameter("bias_ih_l0").abs().max() == 0


def test_orthogonal_goes_gate_by_gate() -> None:
    for block in layer("orthogonal").get_parameter("weight_hh_l0").chunk(4):
        torch.testing.assert_close(block @ block.mT, torch.eye(UNITS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", INITS)
def test_norms_start_as_the_identity(scheme: str) -> None:
    made = layer(scheme, layer_norm=True)
    for name in ("weight_norm_ih_l0", "weight_norm_hh_l0", "weight_norm_c_l0"):
        assert torch.equal(made.get_parameter(name), torch.ones_like(made.get_parameter(name)))
    assert made.get_parameter("bias_norm_c_l0").abs().max() == 0


def test_unit_forget_bias_puts_1_and_0() -> None:
    made = nn.LSTM(3, 4, 2, bidirectional=True, unit_forget_bias=True)
    for name, parameter in made.named_parameters():
        if name.startswith("bias"):
            expected = 1.0 if name.startswith("bias_ih") else 0.0
            assert torch.equal(parameter[4:8], torch.full((4,), expected))
            assert parameter[:4].abs().min() > 0


def test_parameters_of_the_options_have_their_names_and_shapes() -> None:
    made = nn.LSTM(3, 4, bidirectional=True, peephole=True, layer_norm=True, proj_size=2)
    shapes = {name: tuple(parameter.shape) for name, parameter in made.named_parameters() if name.endswith("_reverse")}
    assert shapes == {
        "weight_ih_l0_reverse": (16, 3),
        "weight_hh_l0_reverse": (16, 2),
        "bias_ih_l0_reverse": (16,),
        "bias_hh_l0_reverse": (16,),
        "weight_hr_l0_reverse": (2, 4),
        "weight_peephole_l0_reverse": (12,),
        "weight_norm_ih_l0_reverse": (16,),
        "weight_norm_hh_l0_reverse": (16,),
        "weight_norm_c_l0_reverse": (4,),
        "bias_norm_c_l0_reverse": (4,),
    }


@pytest.mark.parametrize("scheme", INITS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_starts_alike(scheme: str, dtype: torch.dtype) -> None:
    recurrent = nn.GRU(3, 4, init=scheme, dtype=dtype).get_parameter("weight_hh_l0")
    assert recurrent.dtype == dtype
    assert recurrent.abs().max() > 0
    if scheme == "orthogonal":
        block = recurrent[:4].float()
        torch.testing.assert_close(block @ block.mT, torch.eye(4), rtol=0, atol=0.02)


def test_torchs_own_layers_can_be_initialised() -> None:
    theirs = torch.nn.GRU(3, 4)
    initialise(theirs, "orthogonal")
    block = theirs.get_parameter("weight_hh_l0")[:4]
    torch.testing.assert_close(block @ block.mT, torch.eye(4), rtol=0, atol=1e-5)


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(
        SpecError, match="init must be one of 'torch', 'keras', 'xavier', 'he', 'orthogonal'; got 'lecun'"
    ):
        initialise(nn.GRU(3, 4), "lecun")
