from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim

from tidegate import nn as layers
from tidegate.errors import ShapeError, SpecError, UnsupportedError
from tidegate.nn import (
    DilatedStack,
    PartStack,
    RecurrentStack,
    SelfAttention,
    build_dilated,
    build_network,
    build_stack,
)
from tidegate.specs import Convolution, Dilated, Parallel, Recurrent
from tidegate.specs import SelfAttention as Attention
from tidegate.specs.parts import Network

BATCH, TIME, INPUT = 4, 7, 3
LENGTHS = torch.tensor([7, 4, 0, 2])
CONVOLUTION = Convolution(channels=6, layers=2, dilation=2, activation="tanh")
NETWORKS: dict[str, Network] = {
    "recurrent": Recurrent(hidden_size=8, num_layers=2),
    "both ends": Recurrent(hidden_size=4, bidirectional=True),
    "dilated": Dilated(hidden_size=8, dilations=(1, 3), cell="gru"),
    "a tuple of one": (Recurrent(hidden_size=8),),
    "two recurrent": (Dilated(hidden_size=8, dilations=(2,)), Recurrent(cell="gru", hidden_size=4)),
    "convolution": (CONVOLUTION, Recurrent(hidden_size=8)),
    "attention": (Recurrent(hidden_size=4, bidirectional=True), Attention(heads=4, layers=2, feed_forward=5)),
    "parallel": Parallel(
        branches=(
            Recurrent(hidden_size=4, bidirectional=True),
            (Convolution(channels=4, causal=False, norm="batch"), Attention(heads=2)),
        )
    ),
    "all": (CONVOLUTION, Dilated(hidden_size=8), Recurrent(hidden_size=6), Attention(heads=2, causal=False)),
}
over_networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def build(network: Network) -> Any:
    return build_network(network, INPUT).double().eval()


@pytest.mark.parametrize(
    ("name", "kind", "size", "bidirectional", "streams"),
    [
        ("recurrent", RecurrentStack, 8, False, True),
        ("both ends", RecurrentStack, 8, True, False),
        ("dilated", DilatedStack, 8, False, True),
        ("a tuple of one", RecurrentStack, 8, False, True),
        ("two recurrent", PartStack, 4, False, True),
        ("convolution", PartStack, 8, False, False),
        ("attention", PartStack, 8, True, False),
        ("parallel", PartStack, 12, False, False),
        ("all", PartStack, 6, False, False),
    ],
)
def test_what_a_network_says_of_itself(
    name: str, kind: type[Any], size: int, bidirectional: bool, streams: bool
) -> None:
    module: Any = build(NETWORKS[name])
    assert module.__class__ is kind
    said = (module.input_size, module.output_size, module.bidirectional, module.streams)
    assert said == (INPUT, size, bidirectional, streams)
    assert module(draw(BATCH, TIME, INPUT))[0].shape == (BATCH, TIME, size)


def test_a_part_alone_has_the_names_and_numbers_that_it_has_without_network() -> None:
    for network, stack in (
        (Recurrent(hidden_size=(5, 4)), build_stack(Recurrent(hidden_size=(5, 4)), INPUT)),
        (Dilated(hidden_size=4), build_dilated(Dilated(hidden_size=4), INPUT)),
    ):
        module = build_network((network,), INPUT)
        assert list(module.state_dict()) == list(stack.state_dict())


def test_the_data_flows_through_the_parts_in_their_order() -> None:
    module, x = build(NETWORKS["all"]), draw(BATCH, TIME, INPUT)
    assert [type(part) for part in module.parts] == [
        layers.Convolution,
        layers.Convolution,
        DilatedStack,
        RecurrentStack,
        SelfAttention,
    ]
    low, high, dilated, recurrent, attention = module.parts
    between, first = dilated(high(low(x)))
    last, second = recurrent(between)
    output, state = module(x)
    torch.testing.assert_close(output, attention(last))
    torch.testing.assert_close(state, (first, second))


def test_branches_read_the_same_and_stand_side_by_side() -> None:
    module, x = build(NETWORKS["parallel"]), draw(BATCH, TIME, INPUT)
    recurrent, convolutions = module.parts[0].branches
    expected = torch.cat([recurrent.parts[0](x)[0], convolutions.parts[1](convolutions.parts[0](x))], dim=-1)
    torch.testing.assert_close(module(x)[0], expected)


def test_options_reach_the_parts() -> None:
    low, high, _ = build(NETWORKS["convolution"]).parts
    for part, size in ((low, INPUT), (high, 6)):
        assert (part.input_size, part.output_size, part.convolution.kernel_size) == (size, 6, (3,))
        assert (part.convolution.dilation, part.activation.name) == ((2,), "TANH")
    spec = Attention(heads=2, layers=3, feed_forward=5, dropout=0.3, causal=False)
    _, *blocks = build((Recurrent(hidden_size=8), spec)).parts
    assert len(blocks) == 3
    for block in blocks:
        assert isinstance(block, SelfAttention)
        assert (block.heads, block.widen.out_features, block.dropout.p, block.causal) == (2, 5, 0.3, False)


@over_networks
def test_lengths_are_as_if_each_sequence_stood_alone(network: Network) -> None:
    module, x = build(network), draw(BATCH, TIME, INPUT)
    output, _ = module(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(output[row : row + 1, :length], module(x[row : row + 1, :length])[0])
        assert output[row, length:].abs().sum().item() == 0


@over_networks
def test_padding_of_nan_reaches_neither_a_step_nor_a_gradient(network: Network) -> None:
    module, x = build(network).train(), draw(BATCH, TIME, INPUT)
    for part in module.modules():
        if isinstance(part, SelfAttention):
            part.dropout.p = 0.0
    padding = (torch.arange(TIME) >= LENGTHS[:, None])[:, :, None]
    gradients = []
    for filled in (x, torch.where(padding, torch.nan, x)):
        output, _ = module(filled, lengths=LENGTHS)
        gradients.append((output.detach(), torch.autograd.grad(output.square().sum(), list(module.parameters()))))
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("name", ["recurrent", "dilated", "two recurrent"])
def test_what_streams_steps_as_it_runs(name: str) -> None:
    module, x = build(NETWORKS[name]), draw(BATCH, TIME, INPUT)
    output, final = module(x)
    state, outputs = None, []
    for step in torch.split(x, 1, dim=1):
        piece, state = module(step, state)
        outputs.append(piece)
    torch.testing.assert_close(torch.cat(outputs, dim=1), output)
    torch.testing.assert_close(state, final)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_network_is_exported_for_any_batch() -> None:
    parts = (Convolution(channels=4), Dilated(hidden_size=4, dilations=(3,)), Attention(heads=2, causal=False))
    module, x = build(parts), draw(BATCH, TIME, INPUT)
    batch = Dim("batch")
    shapes = {"x": {0: batch}, "lengths": {0: batch}}
    program = torch.export.export(module, (x,), kwargs={"lengths": LENGTHS}, dynamic_shapes=shapes)
    x, lengths = draw(6, TIME, INPUT), torch.tensor([1, 0, 7, 3, 5, 2])
    torch.testing.assert_close(program.module()(x, lengths=lengths), module(x, lengths=lengths))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build_network(Recurrent(), 0), "input_size must be a whole number of at least 1; got 0"),
        (
            lambda: build_network((Convolution(), Attention()), 3),
            "a network needs a recurrent part, a Recurrent or a Dilated; got Convolution, SelfAttention",
        ),
        (
            lambda: build_network((Recurrent(hidden_size=6), Attention(heads=4)), 3),
            "heads must divide the features that they share; got 4 heads for 6 features: "
            "take another number of heads, or of features in the part before",
        ),
        (
            lambda: PartStack([]),
            "a stack of parts needs one part at least; got none",
        ),
        (
            lambda: PartStack([layers.Convolution(3, 4), build_stack(Recurrent(), 5)]),
            "part 1 (RecurrentStack) reads 5 features, the one below (Convolution) gives 4",
        ),
    ],
)
def test_what_cannot_be_built(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        make()


def test_what_cannot_be_run() -> None:
    x = draw(BATCH, TIME, INPUT)
    module = build(NETWORKS["two recurrent"])
    with pytest.raises(ShapeError, match="expected a state of 2 recurrent parts, as forward returns it; got 1"):
        module(x, module(x)[1][:1])
    for name, message in (
        ("parallel", "part 0 (Parallel) reads earlier steps, which a state does not hold: "),
        ("convolution", "part 0 (Convolution) reads earlier steps, which a state does not hold: "),
        ("attention", "part 1 (SelfAttention) reads earlier steps, which a state does not hold: "),
    ):
        module = build(NETWORKS[name])
        with pytest.raises(UnsupportedError, match=f"^{re.escape(message)}hand in the whole sequence at once, or "):
            module(x, module(x)[1])
