from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.build import RecurrentStack, build_stack
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.nn.norm import BatchNorm
from tidegate.specs import Recurrent

BATCH, TIME, INPUT = 3, 7, 4
LENGTHS = torch.tensor([7, 4, 1])
TORCH = {"lstm": nn.LSTM, "gru": nn.GRU}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 3},
    {"hidden_size": (5, 3)},
    {"hidden_size": (5, 3, 6), "bidirectional": True},
    {"num_layers": 2, "norm": "layer"},
    {"num_layers": 2, "norm": "batch", "bidirectional": True},
    {"num_layers": 2, "layer_norm": True, "activation": "softsign", "init": "keras"},
    {"num_layers": 2, "dropout": 0.5, "input_dropout": 0.2, "recurrent_dropout": 0.3, "init": "orthogonal"},
]
SPECS = [Recurrent(cell=cell, **{"hidden_size": 5} | more) for cell, more in itertools.product(TORCH, OPTIONS)]
SPECS.append(Recurrent(cell="lstm", hidden_size=5, num_layers=2, peephole=True))


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def build(spec: Recurrent) -> RecurrentStack:
    return build_stack(spec, INPUT).double()


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_equal_layers_are_one_module_with_the_numbers_of_torch(cell: str, bidirectional: bool) -> None:
    stack = build(Recurrent(cell=cell, hidden_size=5, num_layers=2, bidirectional=bidirectional))
    assert len(stack.layers) == 1
    theirs = TORCH[cell](INPUT, 5, 2, batch_first=True, bidirectional=bidirectional).double()
    theirs.load_state_dict(stack.layers[0].state_dict())
    x = draw(BATCH, TIME, INPUT)
    output, (state,) = stack(x)
    expected, expected_state = theirs(x)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state, expected_state)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("norm", [None, "layer", "batch"])
def test_unequal_layers_are_chained_with_norms_between(cell: str, norm: str | None) -> None:
    stack = build(Recurrent(cell=cell, hidden_size=(5, 3), norm=norm, bidirectional=True))
    x = draw(BATCH, TIME, INPUT)
    below = TORCH[cell](INPUT, 5, batch_first=True, bidirectional=True).double()
    above = TORCH[cell](10, 3, batch_first=True, bidirectional=True).double()
    below.load_state_dict(stack.layers[0].state_dict())
    above.load_state_dict(stack.layers[1].state_dict())
    middle = below(x)[0]
    if norm == "layer":
        middle = nn.functional.layer_norm(middle, (10,))
    if norm == "batch":
        middle = nn.BatchNorm1d(10).double()(middle.mT).mT
    torch.testing.assert_close(stack(x)[0], above(middle)[0])


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_output_size_is_the_one_of_the_spec(spec: Recurrent) -> None:
    stack = build(spec)
    output, _ = stack(draw(BATCH, TIME, INPUT))
    assert output.shape == (BATCH, TIME, spec.output_size)
    assert (stack.input_size, stack.output_size) == (INPUT, spec.output_size)
    assert (stack.bidirectional, stack.streams) == (spec.bidirectional, not spec.bidirectional)


def test_what_a_stack_of_other_layers_says_of_itself() -> None:
    low, high = LSTM(4, 3, batch_first=True, bidirectional=True, merge_mode="sum"), GRU(3, 5, batch_first=True)
    stack = RecurrentStack([low, high])
    assert (stack.output_size, stack.bidirectional, stack.streams) == (5, False, False)
    stack = RecurrentStack([low])
    assert (stack.output_size, stack.bidirectional, stack.streams) == (3, True, False)
    stack = RecurrentStack([LSTM(4, 3, batch_first=True, proj_size=2, go_backwards=True)])
    assert (stack.output_size, stack.bidirectional, stack.streams) == (2, False, False)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if not spec.bidirectional], ids=str)
def test_step_by_step_is_one_pass(spec: Recurrent) -> None:
    stack = build(spec).eval()
    x = draw(BATCH, TIME, INPUT)
    output, final = stack(x)
    state, steps = None, []
    for t in range(TIME):
        step, state = stack(x[:, t : t + 1], state)
        steps.append(step)
    torch.testing.assert_close(torch.cat(steps, dim=1), output)
    torch.testing.assert_close(state, final)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if not spec.dropout], ids=str)
def test_padding_reaches_nothing(spec: Recurrent) -> None:
    """In training, where batch statistics could pick it up; the draws of dropout aside."""
    stack = build(spec)
    x = draw(BATCH, TIME, INPUT)
    padding = torch.arange(TIME) >= LENGTHS[:, None]
    output, state = stack(x, lengths=LENGTHS)
    other, other_state = stack(torch.where(padding[:, :, None], 1e3, x), lengths=LENGTHS)
    torch.testing.assert_close(other, output)
    torch.testing.assert_close(other_state, state)
    assert output[padding].abs().max().item() == 0
    if spec.norm != "batch":  # whose statistics a row shares with the others
        alone, _ = stack(x[1:2, :4])
        torch.testing.assert_close(output[1:2, :4], alone)


def test_options_reach_the_layers() -> None:
    stack = build_stack(
        Recurrent(
            hidden_size=5, num_layers=2, dropout=0.1, input_dropout=0.2, recurrent_dropout=0.3, activation="relu"
        ),
        INPUT,
    )
    layer = stack.layers[0]
    assert isinstance(layer, LSTM)
    assert (layer.dropout, layer.options.input_dropout, layer.options.recurrent_dropout) == (0.1, 0.2, 0.3)
    assert (layer.options.activation, layer.num_layers, stack.dropout.p) == ("relu", 2, 0.0)
    names = set(dict(build_stack(Recurrent(peephole=True, layer_norm=True), INPUT).named_parameters()))
    assert {"layers.0.weight_peephole_l0", "layers.0.weight_norm_hh_l0"} <= names


@pytest.mark.parametrize("norm", [None, "layer", "batch"])
def test_dropout_between_layers(norm: str | None) -> None:
    """With all but everything dropped, the upper layer sees zeros and its output is the same for every input."""
    stack = build(Recurrent(hidden_size=(64, 8), norm=norm, dropout=0.999999))
    with torch.no_grad():
        first, second = stack(draw(1, TIME, INPUT))[0], stack(draw(1, TIME, INPUT))[0]
        torch.testing.assert_close(first, second)
        stack.eval()
        first, second = stack(draw(1, TIME, INPUT))[0], stack(draw(1, TIME, INPUT))[0]
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("hidden_size", [5, (5, 5, 3)])
def test_init_orthogonal_reaches_every_layer(hidden_size: int | tuple[int, ...]) -> None:
    stack = build(Recurrent(cell="gru", hidden_size=hidden_size, init="orthogonal"))
    weights = [(name, value) for name, value in stack.named_parameters() if "weight_hh" in name]
    assert len(weights) == (1 if hidden_size == 5 else 3)
    for _, weight in weights:
        for block in weight.detach().chunk(3):
            torch.testing.assert_close(block @ block.T, torch.eye(len(block), dtype=torch.float64), atol=1e-5, rtol=0)


def test_init_keras_sets_the_forget_bias() -> None:
    stack = build(Recurrent(hidden_size=5, init="keras"))
    bias = stack.layers[0].bias_ih_l0
    assert isinstance(bias, Tensor)
    assert bias.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def test_the_same_seed_builds_the_same_stack() -> None:
    spec = Recurrent(hidden_size=(5, 3), norm="layer", init="he")
    torch.manual_seed(3)
    first = build_stack(spec, INPUT).state_dict()
    torch.manual_seed(3)
    second = build_stack(spec, INPUT).state_dict()
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_refusals() -> None:
    stack = build(Recurrent(hidden_size=(5, 3)))
    with pytest.raises(ShapeError, match=r"expected \[batch, time, 4\]; got \[3, 7, 2\]"):
        stack(draw(BATCH, TIME, 2))
    with pytest.raises(ShapeError, match="expected a state of 2 layers, as forward returns it; got 1"):
        stack(draw(BATCH, TIME, INPUT), (None,))
    with pytest.raises(SpecError, match="input_size must be a whole number of at least 1; got 0"):
        build_stack(Recurrent(), 0)
    with pytest.raises(SpecError, match="a stack needs at least one layer"):
        RecurrentStack([])
    with pytest.raises(SpecError, match="2 layers take 1 of them or none; got 2"):
        RecurrentStack([GRU(2, 3, batch_first=True), GRU(3, 3, batch_first=True)], norms=[BatchNorm(3), BatchNorm(3)])
    flat = LSTM(2, 3, return_sequences=False)
    with pytest.raises(SpecError, match="layer 1 of a stack needs batch_first=True and return_sequences=True"):
        RecurrentStack([GRU(2, 2, batch_first=True), flat])
