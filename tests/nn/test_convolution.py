from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.errors import ShapeError, SpecError
from tidegate.nn import Convolution
from tidegate.specs.recurrent import ACTIVATIONS

BATCH, TIME, INPUT, CHANNELS = 3, 7, 2, 4
LENGTHS = torch.tensor([7, 3, 0])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"kernel_size": 1},
    {"kernel_size": 2, "dilation": 3, "activation": "tanh"},
    {"kernel_size": 9, "activation": "sigmoid"},  # more than there are steps
]
CENTRED: list[dict[str, Any]] = [
    {"causal": False},
    {"causal": False, "kernel_size": 4, "dilation": 2},
    {"causal": False, "kernel_size": 9, "activation": "tanh"},
]
over_all = pytest.mark.parametrize("options", [*OPTIONS, *CENTRED, {"norm": "batch"}], ids=str)
over_options = pytest.mark.parametrize("options", OPTIONS, ids=str)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def convolution(**options: Any) -> Convolution:
    return Convolution(INPUT, CHANNELS, **options).double()


@over_options
def test_it_follows_the_equation(options: dict[str, Any]) -> None:
    module, x = convolution(**options), draw(BATCH, TIME, INPUT)
    weight, bias = module.convolution.weight.detach(), module.convolution.bias
    assert bias is not None
    kernel, dilation = options.get("kernel_size", 3), options.get("dilation", 1)
    expected = bias.detach().repeat(BATCH, TIME, 1)
    for t in range(TIME):
        for j in range(kernel):
            if (seen := t - (kernel - 1 - j) * dilation) >= 0:
                expected[:, t] += x[:, seen] @ weight[:, :, j].T
    activation = getattr(torch, options.get("activation", "relu"))
    torch.testing.assert_close(module(x).detach(), activation(expected))


@over_options
def test_it_sees_no_future(options: dict[str, Any]) -> None:
    module, x = convolution(**options), draw(BATCH, TIME, INPUT)
    changed = torch.cat([x[:, :4], draw(BATCH, TIME - 4, INPUT)], dim=1)
    torch.testing.assert_close(module(changed)[:, :4], module(x)[:, :4], rtol=0, atol=0)
    torch.testing.assert_close(module(x[:, :4]), module(x)[:, :4])


@pytest.mark.parametrize("options", CENTRED, ids=str)
def test_both_ways_it_follows_the_equation(options: dict[str, Any]) -> None:
    module, x = convolution(**options), draw(BATCH, TIME, INPUT)
    weight, bias = module.convolution.weight.detach(), module.convolution.bias
    assert bias is not None
    kernel, dilation = options.get("kernel_size", 3), options.get("dilation", 1)
    expected = bias.detach().repeat(BATCH, TIME, 1)
    for t in range(TIME):
        for j in range(kernel):
            if 0 <= (seen := t + (j - (kernel - 1) // 2) * dilation) < TIME:
                expected[:, t] += x[:, seen] @ weight[:, :, j].T
    activation = getattr(torch, options.get("activation", "relu"))
    torch.testing.assert_close(module(x).detach(), activation(expected))


def test_a_norm_stands_before_the_activation_and_does_not_count_padding() -> None:
    module, x = convolution(norm="batch"), draw(BATCH, TIME, INPUT)
    assert module.convolution.bias is None
    output = module(x, lengths=LENGTHS)
    plain = convolution(activation="linear")
    plain.load_state_dict({"convolution.weight": module.convolution.weight, "convolution.bias": torch.zeros(CHANNELS)})
    sums = torch.cat([plain(x)[row, :length] for row, length in enumerate(LENGTHS.tolist())]).detach()
    expected = ((sums - sums.mean(0)) / (sums.var(0, correction=0) + 1e-5).sqrt()).clip(min=0)
    torch.testing.assert_close(torch.cat([output[0], output[1, :3]]).detach(), expected)


def test_weights_have_the_names_that_they_had_before_there_were_norms() -> None:
    assert list(convolution().state_dict()) == ["convolution.weight", "convolution.bias"]


@over_all
def test_lengths(options: dict[str, Any]) -> None:
    module, x = convolution(**options).eval(), draw(BATCH, TIME, INPUT)
    output = module(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(output[row, :length], module(x[row : row + 1, :length])[0])
        assert output[row, length:].abs().sum().item() == 0


def test_gradients() -> None:
    module, x = convolution(activation="softsign", dilation=2), draw(BATCH, TIME, INPUT).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: module(x, lengths=LENGTHS), [x, *module.parameters()])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_of_the_specs_is_known(activation: str) -> None:
    x = draw(1, 5, INPUT)
    linear = convolution(activation="linear")
    module = convolution(activation=activation)
    module.load_state_dict(linear.state_dict())
    before = linear(x).detach()
    expected = {
        "tanh": before.tanh(),
        "sigmoid": before.sigmoid(),
        "hard_sigmoid": (before / 6 + 0.5).clip(0, 1),
        "relu": before.clip(min=0),
        "softsign": before / (1 + before.abs()),
        "linear": before,
    }
    torch.testing.assert_close(module(x).detach(), expected[activation])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "input_size must be a whole number of at least 1; got 0"),
        ((2, 4.5), "channels must be a whole number of at least 1; got 4.5"),
        ((2, 4, 0), "kernel_size must be a whole number of at least 1; got 0"),
    ],
)
def test_what_cannot_be_built(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Convolution(*arguments)


def test_what_cannot_be_built_by_name() -> None:
    with pytest.raises(SpecError, match=r"^dilation must be a whole number of at least 1; got 0$"):
        Convolution(2, 4, dilation=0)
    with pytest.raises(SpecError, match=r"^activation must be one of 'tanh', 'sigmoid', .*; got 'gelu'$"):
        Convolution(2, 4, activation="gelu")
    with pytest.raises(SpecError, match=r"^causal must be one of True, False; got 'no'$"):
        Convolution(2, 4, causal="no")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"^norm must be one of None, 'batch'; got 'layer'$"):
        Convolution(2, 4, norm="layer")


def test_what_cannot_be_run() -> None:
    module = convolution()
    with pytest.raises(ShapeError, match=r"^expected \[batch, time, 2\]; got \[3, 7, 4\]$"):
        module(draw(BATCH, TIME, 4))
    with pytest.raises(ShapeError, match=r"^expected \[batch, time, 2\]; got \[7, 2\]$"):
        module(draw(TIME, INPUT))
    with pytest.raises(ShapeError, match=r"^lengths must be whole numbers of shape \[3\], one a sequence; got "):
        module(draw(BATCH, TIME, INPUT), lengths=torch.tensor([7.0, 3.0, 0.0]))
