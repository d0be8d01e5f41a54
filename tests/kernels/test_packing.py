"""`packed_context`: weights packed for calls that are made by ``run``, as long as the context lives."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor

from tidegate import kernels, nn
from tidegate.kernels import dispatch, native, ops, packing

pytestmark = pytest.mark.skipif(
    not ops.COMPILED, reason=f"the compiled kernels are missing: {native.missing_because()}"
)

VALUES = torch.linspace(-1, 1, 12).view(1, 12, 1)


def layer(seed: int = 0) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(1, 50, batch_first=True).eval()


def ask(module: nn.LSTM) -> Tensor:
    with torch.inference_mode():
        output: Tensor = module(VALUES)[0]
    return output


def test_calls_by_run_give_the_same_bits_on_packed_weights() -> None:
    module = layer()
    context = packing.packed_context(torch.nn.Sequential(module))
    assert torch.equal(context.run(ask, module), ask(module))
    with torch.inference_mode():
        assert context.run(packing.packed_weights, module) is not None
        assert packing.packed_weights(module) is None  # outside, nothing is packed
    assert context.run(packing.packed_weights, module) is None  # nor for calls with gradients


def test_an_edit_is_not_seen_before_weights_are_packed_anew() -> None:
    module = layer()
    context, before = packing.packed_context(module), ask(module)
    with torch.no_grad():
        next(module.parameters()).zero_()
    assert torch.equal(context.run(ask, module), before)
    assert not torch.equal(ask(module), before)
    assert torch.equal(packing.packed_context(module).run(ask, module), ask(module))


def test_contexts_know_nothing_of_each_other_nor_of_a_block_around_them() -> None:
    one, two = layer(0), layer(1)
    with kernels.packed(one):
        first, second = packing.packed_context(one), packing.packed_context(two)
        with torch.inference_mode():
            assert first.run(packing.packed_weights, two) is None
            assert second.run(packing.packed_weights, one) is None
            assert second.run(packing.packed_weights, two) is not None
            assert packing.packed_weights(one) is not None  # the block's own


def test_what_the_caller_forces_inside_a_run_is_obeyed() -> None:
    module = layer()
    context = packing.packed_context(module)

    def forced() -> object:
        with dispatch.forced("reference"), torch.inference_mode():
            return packing.packed_weights(module)

    assert context.run(forced) is None


def test_weights_are_let_go_with_the_context() -> None:
    module = layer()
    context = packing.packed_context(module)
    with torch.inference_mode():
        weights = context.run(packing.packed_weights, module)
    assert weights is not None
    alive = weakref.ref(next(iter(weights)))
    del weights
    gc.collect()
    assert alive() is not None
    del context
    gc.collect()
    assert alive() is None
