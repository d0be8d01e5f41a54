"""Dilated layers against the recurrence, one step at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.errors import ShapeError, SpecError
from tidegate.nn import GRU, LSTM, Dilated
from tidegate.nn.dilated import SkipState

BATCH, INPUT, UNITS = 4, 3, 5
LAYERS: dict[str, Callable[[], LSTM | GRU]] = {
    "LSTM": lambda: LSTM(INPUT, UNITS),
    "GRU": lambda: GRU(INPUT, UNITS),
    "deep LSTM": lambda: LSTM(INPUT, UNITS, 2, peephole=True, layer_norm=True),
    "projected LSTM": lambda: LSTM(INPUT, UNITS, proj_size=2),
    "deep GRU": lambda: GRU(INPUT, UNITS, 2, reset_after=False),
}

over_layers = pytest.mark.parametrize("name", LAYERS)
projections_warn_once = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def dilated(name: str, dilation: int) -> Dilated:
    return Dilated(LAYERS[name](), dilation).double()


def tensors(state: SkipState) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def one_by_one(module: Dilated, x: Tensor, state: SkipState | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run [time, feature] of one sequence step by step: the state of step t − dilation is looked up for step t.

    Returns the output [time, unit], and the last ``dilation`` states, [layers, dilation, unit] each.
    """
    zeros = module.layer(x.new_zeros(1, INPUT), None)[1]
    history = [tuple(torch.zeros_like(part) for part in tensors(zeros)) for _ in range(module.dilation)]
    if state is not None:
        history = [tuple(part[:, 0, slot] for part in tensors(state)) for slot in range(module.dilation)]
    outputs = []
    for step in x:
        before = history[-module.dilation]
        output, after = module.layer(step[None], before if isinstance(module.layer, LSTM) else before[0])
        history.append(tensors(after))
        outputs.append(output)
    last = zip(*history[-module.dilation :], strict=True)
    return torch.cat(outputs), tuple(torch.stack(parts, dim=1) for parts in last)


@projections_warn_once
@over_layers
@pytest.mark.parametrize(("steps", "dilation"), [(7, 1), (6, 2), (7, 3), (8, 3), (5, 5), (3, 5), (1, 4)])
def test_every_step_and_state_is_that_of_the_recurrence_step_by_step(name: str, steps: int, dilation: int) -> None:
    module, x = dilated(name, dilation), draw(BATCH, steps, INPUT)
    output, state = module(x)
    assert output.shape == (BATCH, steps, module.output_size)
    for row in range(BATCH):
        expected, last = one_by_one(module, x[row])
        torch.testing.assert_close(output[row], expected)
        torch.testing.assert_close(tuple(part[:, row] for part in tensors(state)), last)


@projections_warn_once
@over_layers
@pytest.mark.parametrize("dilation", [1, 2, 3, 9])
def test_lengths_are_as_if_each_sequence_stood_alone(name: str, dilation: int) -> None:
    module, x, lengths = dilated(name, dilation), draw(BATCH, 7, INPUT), (7, 4, 1, 2)
    before = module(draw(BATCH, 4, INPUT))[1]
    output, state = module(x, before, lengths=torch.tensor(lengths))
    for row, length in enumerate(lengths):
        own = tuple(part[:, row : row + 1] for part in tensors(before))
        expected, last = one_by_one(module, x[row, :length], own)
        torch.testing.assert_close(output[row, :length], expected)
        assert output[row, length:].abs().sum().item() == 0
        torch.testing.assert_close(tuple(part[:, row] for part in tensors(state)), last)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_a_sequence_without_a_step_keeps_its_state(name: str) -> None:
    module = dilated(name, 3)
    before = module(draw(2, 5, INPUT))[1]
    output, after = module(draw(2, 4, INPUT), before, lengths=torch.tensor([0, 4]))
    assert output[0].abs().sum().item() == 0
    for one, two in zip(tensors(before), tensors(after), strict=True):
        torch.testing.assert_close(two[:, 0], one[:, 0], rtol=0, atol=0)
    _, same = module(draw(2, 0, INPUT), before)
    torch.testing.assert_close(same, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
@pytest.mark.parametrize("parts", [(1,) * 8, (3, 5), (2, 1, 4, 1), (0, 8)])
@pytest.mark.parametrize("dilation", [1, 3, 4])
def test_the_state_is_carried_on(name: str, parts: tuple[int, ...], dilation: int) -> None:
    module, x = dilated(name, dilation), draw(2, 8, INPUT)
    output, final = module(x)
    state, outputs = None, []
    for part in torch.split(x, list(parts), dim=1):
        piece, state = module(part, state)
        outputs.append(piece)
    torch.testing.assert_close(torch.cat(outputs, dim=1), output)
    torch.testing.assert_close(state, final)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_gradients_are_those_of_the_recurrence_step_by_step(name: str) -> None:
    module, x = dilated(name, 3), draw(1, 7, INPUT).requires_grad_()
    before = module(draw(1, 3, INPUT))[1]
    before = before.detach() if isinstance(before, Tensor) else tuple(part.detach() for part in before)
    weights = draw(7, UNITS)
    inputs = [x, *module.parameters()]
    ours, (whole, *_) = module(x, before)[0], tensors(module(x, before)[1])
    theirs, (last, *_) = one_by_one(module, x[0], before)
    one = torch.autograd.grad((ours[0] * weights).sum() + whole.square().sum(), inputs)
    two = torch.autograd.grad((theirs * weights).sum() + last.square().sum(), inputs)
    torch.testing.assert_close(one, two)


def test_dilation_one_is_the_layer_itself() -> None:
    module, x = dilated("LSTM", 1), draw(BATCH, 6, INPUT)
    output, (h, c) = module(x)
    expected, (h_n, c_n) = module.layer(x.transpose(0, 1))
    torch.testing.assert_close(output, expected.transpose(0, 1), rtol=0, atol=0)
    torch.testing.assert_close((h[:, :, 0], c[:, :, 0]), (h_n, c_n), rtol=0, atol=0)


def test_dropout_within_the_layer_draws_one_mask_a_chain() -> None:
    module, x = Dilated(GRU(INPUT, UNITS, input_dropout=0.5, recurrent_dropout=0.5), 2), torch.randn(BATCH, 8, INPUT)
    torch.manual_seed(1)
    output, _ = module(x)
    torch.manual_seed(1)
    chains, _ = module.layer(torch.cat([x[:, 0::2], x[:, 1::2]]).transpose(0, 1))  # [time / 2, chain · batch, unit]
    even, odd = chains.transpose(0, 1).chunk(2)
    torch.testing.assert_close(output[:, 0::2], even)
    torch.testing.assert_close(output[:, 1::2], odd)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dilated(LSTM(2, 3), 0), "dilation must be a whole number of at least 1; got 0"),
        (
            lambda: Dilated(LSTM(2, 3, batch_first=True, return_state=False), 2),
            "a layer that is to skip needs batch_first=False and return_state=True",
        ),
        (lambda: Dilated(GRU(2, 3, bidirectional=True), 2), "a layer that is to skip needs bidirectional=False"),
        (lambda: Dilated(GRU(2, 3, stateful=True), 2), "a layer that is to skip needs stateful=False"),
        (lambda: Dilated(GRU(2, 3, go_backwards=True), 2), "a layer that is to skip needs go_backwards=False"),
        (lambda: Dilated(GRU(2, 3, return_sequences=False), 2), "a layer that is to skip needs return_sequences=True"),
    ],
)
def test_what_cannot_be_built(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        make()


def test_what_cannot_be_run() -> None:
    lstm, gru = Dilated(LSTM(INPUT, UNITS), 2), Dilated(GRU(INPUT, UNITS), 2)
    x = torch.randn(BATCH, 6, INPUT)

    def refused(module: torch.nn.Module, message: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(ShapeError, match=f"^{re.escape(message)}"):
            module(*arguments, **options)

    refused(gru, "expected [batch, time, 3]; got [6, 3]", x[0])
    refused(gru, "expected [batch, time, 3]; got list", [1.0])
    refused(gru, "expected 3 features in the input's last dimension (input_size); got 2", x[..., :2])
    refused(gru, "expected an input of the parameters' dtype, torch.float32; got torch.float64", x.double())
    refused(
        gru,
        "expected lengths from 0 to 6, the steps of the input; got 7 in row 1",
        x,
        lengths=torch.tensor([1, 7, 1, 1]),
    )
    wanted = "expected a state as forward returns it, h [1, 4, 2, 5] and c [1, 4, 2, 5]; "
    refused(lstm, wanted + "got [1, 4, 2, 5]", x, torch.zeros(1, BATCH, 2, UNITS))
    refused(lstm, wanted + "got [1, 4, 5], [1, 4, 5]", x, lstm.layer(x.transpose(0, 1))[1])
    refused(gru, "expected a state as forward returns it, h [1, 4, 2, 5]; got [1, 2, 2, 5]", x, gru(x[:2])[1])
