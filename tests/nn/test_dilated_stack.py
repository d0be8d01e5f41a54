from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tidegate import specs
from tidegate.errors import ShapeError, SpecError
from tidegate.nn import GRU, Dilated, DilatedStack, build_dilated

BATCH, INPUT = 4, 3


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("residual", [True, False])
def test_a_stack_chains_its_layers(cell: str, residual: bool) -> None:
    spec = specs.Dilated(cell=cell, hidden_size=4, dilations=(1, 2, 5), residual=residual)
    stack, x = build_dilated(spec, INPUT).double(), draw(BATCH, 7, INPUT)
    one, two, three = stack.layers
    low = one(x)[0]
    middle = two(low)[0] + (low if residual else 0)
    high = three(middle)[0] + (middle if residual else 0)
    torch.testing.assert_close(stack(x)[0], high)
    assert [layer.dilation for layer in stack.layers] == [1, 2, 5]
    assert (stack.input_size, stack.output_size, stack.streams, stack.bidirectional) == (INPUT, 4, True, False)


def test_a_stack_steps_as_it_runs() -> None:
    stack, x = build_dilated(specs.Dilated(hidden_size=4), INPUT).double(), draw(BATCH, 7, INPUT)
    output, final = stack(x)
    state, outputs = None, []
    for step in torch.split(x, 1, dim=1):
        piece, state = stack(step, state)
        outputs.append(piece)
    torch.testing.assert_close(torch.cat(outputs, dim=1), output)
    torch.testing.assert_close(state, final)
    assert all(part.shape[1] == BATCH for layer in final for part in layer)


def test_dropout_lies_on_what_a_layer_reads_from_the_one_below() -> None:
    """With all but everything dropped the second layer sees nothing, and the sum past it is whole."""
    spec = specs.Dilated(hidden_size=4, dilations=(1, 2), dropout=0.999999)
    stack, x = build_dilated(spec, INPUT).double(), draw(BATCH, 7, INPUT)
    low = stack.layers[0](x)[0]
    of_nothing = stack.layers[1](torch.zeros_like(low))[0]
    torch.testing.assert_close(stack(x)[0], low + of_nothing)
    assert (stack.eval()(x)[0] - low - of_nothing).abs().max().item() > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DilatedStack([]), "a stack needs at least one layer"),
        (lambda: DilatedStack([], residual="yes"), "residual must be one of True, False; got 'yes'"),  # type: ignore[arg-type]
        (
            lambda: DilatedStack([Dilated(GRU(2, 3), 1), Dilated(GRU(4, 3), 2)]),
            "layer 1 of a stack reads 4 features, the one below gives 3",
        ),
        (
            lambda: DilatedStack([Dilated(GRU(2, 3), 1), Dilated(GRU(3, 5), 2)]),
            "layer 1 reads 3 features and gives 5: their sum needs as many; make the layers equally wide, "
            "or residual=False",
        ),
        (lambda: build_dilated(specs.Dilated(), 0), "input_size must be a whole number of at least 1; got 0"),
    ],
)
def test_what_cannot_be_built(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        make()


def test_a_state_of_another_stack_is_refused() -> None:
    stack, x = build_dilated(specs.Dilated(hidden_size=4), INPUT).double(), draw(BATCH, 6, INPUT)
    with pytest.raises(ShapeError, match=r"^expected a state of 3 layers, as forward returns it; got 2$"):
        stack(x, stack(x)[1][:2])
