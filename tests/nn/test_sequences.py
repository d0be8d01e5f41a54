"""Refusals of inputs, lengths and states, with what was expected and what came."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

from tidegate import nn
from tidegate.errors import ShapeError
from tidegate.kernels.dispatch import REFERENCE, TORCH, forced

X = torch.zeros(6, 3, 4)
H = torch.zeros(1, 3, 5)

REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (torch.zeros(4), {}, "expected an input [time, batch, feature] or [time, feature]; got shape (4,)"),
    (torch.zeros(1, 6, 3, 4), {}, "got shape (1, 6, 3, 4)"),
    (
        torch.zeros(6, 3, 7),
        {},
        "expected 4 features in the input's last dimension (input_size); got 7, shape (6, 3, 7)",
    ),
    (pack_sequence([torch.zeros(2, 7)]), {}, "expected 4 features in the input's last dimension (input_size); got 7"),
    (X.double(), {}, "expected an input of the parameters' dtype, torch.float32; got torch.float64"),
    (X.long(), {}, "expected an input of the parameters' dtype, torch.float32; got torch.int64"),
    (X, {"lengths": [1, 2, 3]}, "expected lengths as a tensor of whole numbers, [batch]; got list"),
    (X, {"lengths": torch.ones(3)}, "expected lengths as a tensor of whole numbers, [batch]; got torch.float32"),
    (X, {"lengths": torch.ones(3) > 0}, "expected lengths as a tensor of whole numbers, [batch]; got torch.bool"),
    (X, {"lengths": torch.tensor([1, 2])}, "expected one length a row, shape (3,); got shape (2,)"),
    (X, {"lengths": torch.tensor([1, 7, 2])}, "expected lengths from 0 to 6, the steps of the input; got 7 in row 1"),
    (X, {"lengths": torch.tensor([1, 2, -1])}, "expected lengths from 0 to 6, the steps of the input; got -1 in row 2"),
    (X[:, 0], {"lengths": torch.tensor([1])}, "lengths belong to a batch, [time, batch, feature]"),
    (pack_sequence([X[:, 0]]), {"lengths": torch.tensor([1])}, "a PackedSequence has its own lengths"),
    (X, {"hx": H}, "expected hx as two tensors, (h_0, c_0); got Tensor"),
    (X, {"hx": (H, H[:, :2])}, "expected c_0 of shape (1, 3, 5); got (1, 2, 5)"),
    (X, {"hx": (H.double(), H)}, "expected h_0 of the input's dtype, torch.float32; got torch.float64"),
    (X[:, 0], {"hx": (H[:, :1], H[:, :1])}, "expected h_0 of shape (1, 5); got (1, 1, 5)"),
    (X[:, 0], {"hx": (H[:, 0, :4], H[:, 0])}, "expected h_0 of shape (1, 5); got (1, 4)"),
]


@pytest.mark.parametrize(("given", "call", "message"), REFUSED)
def test_refused(given: Any, call: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        nn.LSTM(4, 5)(given, **call)


def test_batch_first_is_named_in_the_message() -> None:
    with pytest.raises(ShapeError, match=re.escape("expected an input [batch, time, feature] or [time, feature]")):
        nn.GRU(4, 5, batch_first=True)(torch.zeros(4))


def test_gru_takes_one_state() -> None:
    with pytest.raises(ShapeError, match=r"expected hx as one tensor, h_0; got tuple"):
        nn.GRU(4, 5)(X, (H, H))


def test_projected_state_has_the_projected_size() -> None:
    layer = nn.LSTM(4, 5, proj_size=2, peephole=True)
    with pytest.raises(ShapeError, match=re.escape("expected h_0 of shape (1, 3, 2); got (1, 3, 5)")):
        layer(X, (H, H))
    output, (h_n, c_n) = layer(X, (H[..., :2], H))
    assert (output.shape, h_n.shape, c_n.shape) == ((6, 3, 2), (1, 3, 2), (1, 3, 5))


@pytest.mark.parametrize("options", [{}, {"peephole": True}])
def test_autocast_takes_float32(options: dict[str, Any]) -> None:
    layer = nn.LSTM(4, 5, 2, **options)
    x = torch.randn(6, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = layer(x, lengths=torch.tensor([6, 2, 4]))
    torch.testing.assert_close(output.float(), layer(x, lengths=torch.tensor([6, 2, 4]))[0], rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("implementation", [TORCH, REFERENCE, None])
@pytest.mark.parametrize("call", ["full", "lengths", "packed", "state"])
def test_autocast_answers_in_one_dtype(kind: str, dtype: torch.dtype, implementation: str | None, call: str) -> None:
    """Torch's own GRU answers in float32 there, and its LSTM where sequences are packed."""
    torch.manual_seed(0)
    layer = getattr(nn, kind)(4, 5)
    x, lengths = torch.randn(6, 3, 4), torch.tensor([6, 2, 4])
    hx: Any = torch.randn(1, 3, 5)
    arguments: dict[str, tuple[Any, dict[str, Any]]] = {
        "full": (x, {}),
        "lengths": (x, {"lengths": lengths}),
        "packed": (pack_padded_sequence(x, lengths, enforce_sorted=False), {}),
        "state": (x, {"hx": hx if kind == "GRU" else (hx, hx)}),
    }
    given, options = arguments[call]
    exact = layer(given, **options)[0]
    with nullcontext() if implementation is None else forced(implementation), torch.autocast("cpu", dtype):
        output, state = layer(given, **options)
    values, states = output.data if call == "packed" else output, state if isinstance(state, tuple) else (state,)
    assert [tensor.dtype for tensor in (values, *states)] == [dtype] * (1 + len(states))
    torch.testing.assert_close(values.float(), exact.data, rtol=0, atol=0.02)
    values.float().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in layer.parameters())


@pytest.mark.parametrize("options", [{}, {"peephole": True}, {"layer_norm": True}])
def test_an_empty_batch(options: dict[str, Any]) -> None:
    layer = nn.LSTM(4, 5, **options)
    output, (h_n, _) = layer(X[:, :0], lengths=torch.zeros(0, dtype=torch.int64))
    assert (output.shape, h_n.shape) == ((6, 0, 5), (1, 0, 5))
    output.sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() == 0
