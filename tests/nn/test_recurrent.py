"""The layers beside torch's own, and what they add."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tidegate import nn
from tidegate.errors import StateError, UnsupportedError
from tidegate.kernels.dispatch import REFERENCE, TORCH, forced

LENGTHS = torch.tensor([6, 2, 4])
KINDS = ("LSTM", "GRU")
ONE_DNN = "ignore:LSTM with projections is not supported with oneDNN:UserWarning"  # torch's own layers say it too


def make(kind: str, *arguments: Any, **options: Any) -> Any:
    return getattr(nn, kind)(*arguments, **options)


def tensors_of(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def data_of(output: Tensor | PackedSequence) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output


def parity_cases() -> list[tuple[str, dict[str, Any], bool]]:
    cases = []
    for kind, layers, two, first, proj, bias, packed in itertools.product(
        KINDS, (1, 2), (False, True), (False, True), (0, 2), (True, False), (False, True)
    ):
        if kind == "LSTM" or not proj:
            options: dict[str, Any] = {"num_layers": layers, "bidirectional": two, "batch_first": first, "bias": bias}
            cases.append((kind, options | ({"proj_size": proj} if proj else {}), packed))
    return cases


def run(
    layer: Any, x: Tensor, options: dict[str, Any], packed: bool
) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
    """Give data, states and the gradients of input, initial states and parameters of one call."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    sizes = [options.get("proj_size") or 5, 5] if isinstance(layer, nn.LSTM | torch.nn.LSTM) else [5]
    generator = torch.Generator().manual_seed(5)
    start = [torch.randn(rows, 3, size, generator=generator).requires_grad_() for size in sizes]
    x = x.detach().requires_grad_()
    values: Any = x if options["batch_first"] else x.transpose(0, 1)
    if packed:
        values = pack_padded_sequence(values, LENGTHS, options["batch_first"], enforce_sorted=False)
    output, state = layer(values, tuple(start) if len(start) == 2 else start[0])
    states = tensors_of(state)
    total = torch.sin(data_of(output)).sum() + torch.stack([torch.cos(s).sum() for s in states]).sum()
    return data_of(output), states, list(torch.autograd.grad(total, [x, *start, *layer.parameters()]))


@pytest.mark.filterwarnings(ONE_DNN)
@pytest.mark.parametrize(("kind", "options", "packed"), parity_cases())
def test_torch_and_tidegate_agree(kind: str, options: dict[str, Any], packed: bool) -> None:
    torch.manual_seed(1)
    theirs = getattr(torch.nn, kind)(4, 5, **options)
    torch.manual_seed(1)
    ours = make(kind, 4, 5, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)  # one seed draws the same weights
    back = getattr(torch.nn, kind)(4, 5, **options)
    back.load_state_dict(ours.state_dict())

    x = torch.randn(3, 6, 4)
    output, states, gradients = run(theirs, x, options, packed)
    for layer, implementation, tolerance in (
        (ours, TORCH, 0.0),
        (ours, None, 2e-6),
        (ours, REFERENCE, 2e-6),
        (back, None, 0.0),
    ):
        with nullcontext() if implementation is None else forced(implementation):
            output_here, states_here, gradients_here = run(layer, x, options, packed)
        torch.testing.assert_close(output_here, output, rtol=0, atol=tolerance)
        for here, there in zip(states_here, states, strict=True):
            torch.testing.assert_close(here, there, rtol=0, atol=tolerance)
        for here, there in zip(gradients_here, gradients, strict=True):
            torch.testing.assert_close(here, there, rtol=tolerance * 10, atol=tolerance * 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_without_a_batch(kind: str, batch_first: bool) -> None:
    theirs = getattr(torch.nn, kind)(4, 5, 2, batch_first=batch_first, bidirectional=True)
    x = torch.randn(6, 4)
    start = torch.randn(4, 5)
    hx = (start, start.clone()) if kind == "LSTM" else start
    expected, expected_state = theirs(x, hx)
    layer = make(kind, 4, 5, 2, batch_first=batch_first, bidirectional=True)
    layer.load_state_dict(theirs.state_dict())
    for implementation in (TORCH, REFERENCE, None):
        with nullcontext() if implementation is None else forced(implementation):
            output, state = layer(x, hx)
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-6)
        for here, there in zip(tensors_of(state), tensors_of(expected_state), strict=True):
            torch.testing.assert_close(here, there, rtol=0, atol=1e-6)
    last = make(kind, 4, 5, 2, batch_first=batch_first, bidirectional=True, return_sequences=False, return_state=False)
    last.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(last(x), torch.cat((theirs(x)[0][-1, :5], theirs(x)[0][0, 5:])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_are_what_packing_is(kind: str, two: bool, batch_first: bool) -> None:
    layer = make(kind, 4, 5, 2, bidirectional=two, batch_first=batch_first)
    x = torch.randn(3, 6, 4) if batch_first else torch.randn(6, 3, 4)
    packed, state = layer(pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first, total_length=6)
    for lengths in (LENGTHS, LENGTHS.int()):
        output, here = layer(x, lengths=lengths)
        torch.testing.assert_close(output, expected, rtol=0, atol=0)
        for one, other in zip(tensors_of(here), tensors_of(state), strict=True):
            assert torch.equal(one, other)
    full, _ = layer(x, lengths=torch.tensor([6, 6, 6]))
    assert torch.equal(full, layer(x)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
@pytest.mark.parametrize("two", [False, True])
def test_length_0(kind: str, options: dict[str, Any], two: bool) -> None:
    layer = make(kind, 4, 5, 2, batch_first=True, bidirectional=two, **options)
    x, lengths = torch.randn(3, 6, 4), torch.tensor([3, 0, 6])
    start = torch.randn(4 if two else 2, 3, 5)
    output, state = layer(x, (start, start + 1) if kind == "LSTM" else start, lengths=lengths)
    assert output[1].abs().max() == 0
    assert torch.equal(tensors_of(state)[0][:, 1], start[:, 1])
    if kind == "LSTM":
        assert torch.equal(state[1][:, 1], start[:, 1] + 1)
    alone, _ = layer(x[:1, :3], (start[:, :1], start[:, :1] + 1) if kind == "LSTM" else start[:, :1])
    torch.testing.assert_close(output[:1, :3], alone, rtol=0, atol=1e-5)
    final = make(kind, 4, 5, 2, batch_first=True, bidirectional=two, return_sequences=False, **options)
    last = final(x, lengths=lengths)[0]
    assert last[1].abs().max() == 0
    assert last[0].abs().max() > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
def test_without_steps(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, 4, 5, **options)
    start = torch.randn(1, 3, 5)
    output, state = layer(torch.zeros(0, 3, 4), (start, start) if kind == "LSTM" else start)
    assert output.shape == (0, 3, 5)
    assert torch.equal(tensors_of(state)[0], start)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "recurrent_activation": "hard_sigmoid"}])
@pytest.mark.parametrize("two", [False, True])
def test_padding_changes_nothing(kind: str, options: dict[str, Any], two: bool) -> None:
    layer = make(kind, 4, 5, 2, batch_first=True, bidirectional=two, **options)
    x = torch.randn(3, 6, 4)
    longer = torch.cat((x, torch.full((3, 5, 4), 1e3)), dim=1)
    for row, length in enumerate(LENGTHS.tolist()):
        longer[row, length:] = float("nan")
    output, state = layer(x, lengths=LENGTHS)
    padded, padded_state = layer(longer, lengths=LENGTHS)
    torch.testing.assert_close(padded[:, :6], output, rtol=0, atol=1e-6)
    assert padded[:, 6:].abs().max() == 0
    for here, there in zip(tensors_of(padded_state), tensors_of(state), strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["sum", "mul", "ave"])
@pytest.mark.parametrize("options", [{}, {"activation": "softsign"}])
@pytest.mark.parametrize("ragged", [False, True])
def test_merge_modes(kind: str, mode: str, options: dict[str, Any], ragged: bool) -> None:
    torch.manual_seed(3)
    merged = make(kind, 4, 5, 2, bidirectional=True, merge_mode=mode, **options)
    x, lengths = torch.randn(6, 3, 4), LENGTHS if ragged else None
    output, state = merged(x, lengths=lengths)
    operations: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "sum": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "ave": lambda a, b: (a + b) / 2,
    }
    values, finals = x, []
    for layer, size in ((0, 4), (1, 5)):
        single = make(kind, size, 5, bidirectional=True, **options)
        weights = {n.replace(f"_l{layer}", "_l0"): p for n, p in merged.state_dict().items() if f"_l{layer}" in n}
        single.load_state_dict(weights)
        both, final = single(values, lengths=lengths)
        values = operations[mode](*both.chunk(2, dim=-1))
        finals.append(tensors_of(final))
    torch.testing.assert_close(output, values, rtol=0, atol=1e-6)
    for here, there in zip(tensors_of(state), zip(*finals, strict=True), strict=True):
        torch.testing.assert_close(here, torch.cat(there), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["concat", "sum"])
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
@pytest.mark.parametrize("ragged", [False, True])
def test_return_sequences_false(kind: str, mode: str, options: dict[str, Any], ragged: bool) -> None:
    whole = make(kind, 4, 5, 2, batch_first=True, bidirectional=True, **options)
    x, lengths = torch.randn(3, 6, 4), LENGTHS if ragged else None
    last = make(
        kind, 4, 5, 2, batch_first=True, bidirectional=True, return_sequences=False, return_state=False, **options
    )
    last.load_state_dict(whole.state_dict())
    output = whole(x, lengths=lengths)[0]
    ends = LENGTHS - 1 if ragged else torch.full((3,), 5)
    forward, backward = output[torch.arange(3), ends, :5], output[:, 0, 5:]
    if mode == "concat":
        torch.testing.assert_close(last(x, lengths=lengths), torch.cat((forward, backward), dim=-1))
    else:
        summed = make(
            kind, 4, 5, batch_first=True, bidirectional=True, return_sequences=False, merge_mode="sum", **options
        )
        result, state = summed(x, lengths=lengths)
        torch.testing.assert_close(result, tensors_of(state)[0].sum(0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
@pytest.mark.parametrize("batch_first", [False, True])
def test_go_backwards(kind: str, options: dict[str, Any], batch_first: bool) -> None:
    layer = make(kind, 4, 5, batch_first=batch_first, **options)
    turned = make(kind, 4, 5, batch_first=batch_first, go_backwards=True, **options)
    turned.load_state_dict(layer.state_dict())
    x = torch.randn(3, 6, 4)
    reversed_rows = x.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        reversed_rows[row, :length] = x[row, :length].flip(0)

    def lay(values: Tensor) -> Tensor:
        return values if batch_first else values.transpose(0, 1)

    torch.testing.assert_close(turned(lay(x))[0], layer(lay(x.flip(1)))[0])
    torch.testing.assert_close(turned(lay(x), lengths=LENGTHS)[0], layer(lay(reversed_rows), lengths=LENGTHS)[0])
    packed, _ = turned(pack_padded_sequence(lay(x), LENGTHS, batch_first, enforce_sorted=False))
    padded, _ = pad_packed_sequence(packed, batch_first)
    torch.testing.assert_close(padded, layer(lay(reversed_rows), lengths=LENGTHS)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_is_answered_in_kind(kind: str, options: dict[str, Any], enforce_sorted: bool) -> None:
    layer = make(kind, 4, 5, 2, **options)
    lengths = LENGTHS.sort(descending=True).values if enforce_sorted else LENGTHS
    x = torch.randn(6, 3, 4)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
    output, state = layer(packed)
    assert isinstance(output, PackedSequence)
    assert torch.equal(output.batch_sizes, packed.batch_sizes)
    assert (output.sorted_indices is None) == enforce_sorted
    padded, state_of_lengths = layer(x, lengths=lengths)
    torch.testing.assert_close(pad_packed_sequence(output)[0], padded)
    for here, there in zip(tensors_of(state), tensors_of(state_of_lengths), strict=True):
        torch.testing.assert_close(here, there)
    last = make(kind, 4, 5, return_sequences=False, return_state=False, **options)
    torch.testing.assert_close(last(packed), last(x, lengths=lengths))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
def test_stateful(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, 4, 5, 2, stateful=True, **options)
    plain = make(kind, 4, 5, 2, **options)
    plain.load_state_dict(layer.state_dict())  # the buffers are not persistent
    x = torch.randn(6, 3, 4)
    whole, end = plain(x)
    parts = torch.cat([layer(x[:2])[0], layer(x[2:])[0]])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)
    assert not layer.state_h.requires_grad
    assert layer.state_h.shape == (2, 3, 5)
    assert "state_h" not in layer.state_dict()
    with pytest.raises(StateError, match=r"holds the state of a batch of 3; got a batch of 2: call reset_states\(\)"):
        layer(x[:, :2])
    layer.reset_states()
    torch.testing.assert_close(layer(x[:, :2])[0], plain(x[:, :2])[0], rtol=0, atol=1e-6)

    start = tuple(torch.randn(2, 3, 5) for _ in tensors_of(end))
    hx = start if kind == "LSTM" else start[0]
    torch.testing.assert_close(layer(x[:2], hx)[0], plain(x[:2], hx)[0])  # an explicit state wins, and goes on
    torch.testing.assert_close(layer(x[2:])[0], plain(x, hx)[0][2:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
def test_the_held_state_is_the_layers_own(kind: str, options: dict[str, Any]) -> None:
    """Neither an edit of what was returned nor inference mode reaches the next call."""
    layer = make(kind, 4, 5, stateful=True, **options)
    plain = make(kind, 4, 5, **options)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(6, 3, 4)
    with torch.inference_mode():
        for state in tensors_of(layer(x[:2])[1]):
            state.zero_()
    output = layer(x[2:])[0]
    output.sum().backward()
    torch.testing.assert_close(output, plain(x)[0][2:], rtol=0, atol=1e-5)


def test_dropout_asks_for_nothing_at_inference() -> None:
    layer = nn.GRU(4, 5, bidirectional=True, recurrent_dropout=0.5, input_dropout=0.5)
    with forced(TORCH):
        with pytest.raises(UnsupportedError, match=r"lack recurrent_dropout, input_dropout in two directions"):
            layer(torch.zeros(6, 3, 4))
        assert layer.eval()(torch.zeros(6, 3, 4))[0].shape == (6, 3, 10)


def test_state_that_nobody_reads_is_not_built() -> None:
    layer = nn.LSTM(4, 5, 2, return_state=False, return_sequences=False)
    whole = nn.LSTM(4, 5, 2)
    whole.load_state_dict(layer.state_dict())
    x = torch.randn(6, 3, 4)
    torch.testing.assert_close(layer(x), whole(x)[1][0][-1], rtol=0, atol=1e-6)
    assert layer._stacked([(x, x)]) == ()
