"""The layers as torch's modules: copied, moved, pruned, called functionally, differentiated in every way of torch's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.utils import prune

from tidegate import nn

KINDS = ("LSTM", "GRU")


def make(kind: str, *arguments: Any, **options: Any) -> Any:
    return getattr(nn, kind)(*arguments, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "zoneout_hidden": 0.1}])
def test_copy_pickle_and_move(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, 4, 5, 2, bidirectional=True, **options).eval()
    x = torch.randn(6, 3, 4)
    expected = layer(x)[0]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], expected)
        with torch.no_grad():
            other.weight_ih_l0.mul_(2)
        assert not torch.equal(other(x)[0], expected)
    assert torch.equal(layer(x)[0], expected)
    torch.testing.assert_close(layer.double()(x.double())[0].float(), expected, rtol=0, atol=2e-5)
    halved = layer.to(torch.bfloat16)(x.bfloat16())[0]
    assert halved.dtype == torch.bfloat16
    torch.testing.assert_close(halved.float(), expected, rtol=0, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
def test_replaced_weights_are_read(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, 4, 5, **options)
    x = torch.randn(6, 3, 4)
    before = layer(x)[0]
    prune.l1_unstructured(layer, "weight_ih_l0", amount=0.5)  # type: ignore[no-untyped-call]
    pruned = layer(x)[0]
    assert (layer.weight_ih_l0 == 0).sum() == layer.weight_ih_l0.numel() // 2
    assert not torch.equal(pruned, before)
    pruned.sum().backward()
    assert layer.weight_ih_l0_orig.grad is not None
    prune.remove(layer, "weight_ih_l0")  # type: ignore[no-untyped-call]
    layer.weight_hh_l0 = torch.nn.Parameter(torch.zeros_like(layer.weight_hh_l0))
    layer.flatten_parameters()
    assert not torch.equal(layer(x)[0], pruned)


def test_weights_can_be_called_functionally() -> None:
    layer = nn.LSTM(4, 5)
    other = nn.LSTM(4, 5)
    x = torch.randn(6, 3, 4)
    result = torch.func.functional_call(layer, dict(other.named_parameters()), (x,))
    assert torch.equal(result[0], other(x)[0])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # within forward mode itself
@pytest.mark.parametrize("kind", KINDS)
def test_torch_func_and_forward_mode(kind: str) -> None:
    """With an option that torch lacks: the same numbers by reverse mode, by torch.func and by forward mode."""
    layer = make(kind, 4, 5, layer_norm=True, return_state=False).double()
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    tangent = torch.randn_like(x)

    def total(values: Tensor) -> Tensor:
        return torch.sin(layer(values, lengths=torch.tensor([6, 2, 4]))).sum()

    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(total(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(total)(x), expected)
    along = (expected * tangent).sum()
    torch.testing.assert_close(torch.func.jvp(total, (x,), (tangent,))[1], along)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(total(forward_ad.make_dual(x, tangent)))  # type: ignore[no-untyped-call]
        assert dual.tangent is not None
        torch.testing.assert_close(dual.tangent.detach(), along)
    stacked = torch.stack((x, 2 * x))
    many = torch.func.vmap(layer)(stacked)
    torch.testing.assert_close(many, torch.stack((layer(x), layer(2 * x))))


def test_stands_in_a_sequential() -> None:
    net = torch.nn.Sequential(
        nn.LSTM(1, 8, batch_first=True, return_state=False, input_dropout=0.2),
        nn.LSTM(8, 4, batch_first=True, return_sequences=False, return_state=False, recurrent_dropout=0.1),
        torch.nn.Linear(4, 1),
    )
    output = net(torch.randn(3, 6, 1))
    output.sum().backward()
    assert output.shape == (3, 1)
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_extra_repr_shows_the_options(kind: str) -> None:
    layer = make(kind, 4, 5, num_layers=2, bidirectional=True, merge_mode="sum", layer_norm=True, init="keras")
    expected = "4, 5, num_layers=2, bidirectional=True, merge_mode='sum', layer_norm=True, init='keras'"
    assert layer.extra_repr() == expected


@pytest.mark.parametrize(("kind", "options"), [("LSTM", {"proj_size": 2}), ("GRU", {"bias": False})])
def test_all_weights_are_torchs(kind: str, options: dict[str, Any]) -> None:
    layer = make(kind, 4, 5, 2, bidirectional=True, **options)
    theirs = getattr(torch.nn, kind)(4, 5, 2, bidirectional=True, **options)
    theirs.load_state_dict(layer.state_dict())
    assert [len(weights) for weights in layer.all_weights] == [len(weights) for weights in theirs.all_weights]
    for mine, other in zip(layer.all_weights, theirs.all_weights, strict=True):
        for here, there in zip(mine, other, strict=True):
            assert isinstance(here, torch.nn.Parameter)
            assert torch.equal(here, there)
    normed = nn.LSTM(4, 5, layer_norm=True)
    assert [id(weight) for weight in normed.all_weights[0]] == [id(weight) for weight in normed.parameters()]
