"""`kernels.packed`: the same bits as without, as long as nobody edits a weight."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tidegate import kernels, nn
from tidegate.kernels import native, ops, packing
from tidegate.kernels.dispatch import INT8_UNITS, forced

pytestmark = pytest.mark.skipif(
    not ops.COMPILED, reason=f"the compiled kernels are missing: {native.missing_because()}"
)

OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True, "merge_mode": "sum"},
    {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
    {"layer_norm": True},
    {"zoneout_hidden": 0.2, "recurrent_dropout": 0.3},
    {"return_sequences": False, "go_backwards": True},
]


def _layers() -> list[Any]:
    lstm: list[dict[str, Any]] = [{"peephole": True}, {"zoneout_cell": 0.1}]
    gru: list[dict[str, Any]] = [{"reset_after": False}]
    return [(nn.LSTM, options) for options in [*OPTIONS, *lstm]] + [(nn.GRU, options) for options in [*OPTIONS, *gru]]


@pytest.mark.parametrize(("layer", "options"), _layers())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_bits_are_those_of_a_plain_call(layer: Any, options: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = layer(3, 50, batch_first=True, dtype=dtype, **options).eval()
    values = torch.randn(4, 9, 3, dtype=dtype)
    for lengths in (None, torch.tensor([9, 0, 3, 5])):
        with torch.inference_mode():
            plain = module(values, lengths=lengths)
            with kernels.packed(module):
                again = module(values, lengths=lengths)
        for one, other in zip(_flat(plain), _flat(again), strict=True):
            assert torch.equal(one, other)


def _flat(results: Any) -> list[torch.Tensor]:
    return [results] if isinstance(results, torch.Tensor) else [t for part in results for t in _flat(part)]


def test_the_initial_state_is_read() -> None:
    module, values = nn.GRU(2, 5).eval(), torch.randn(4, 3, 2)
    state = torch.randn(1, 3, 5)
    with torch.inference_mode(), kernels.packed(module):
        packed = module(values, state)[0]
    assert torch.equal(packed, module(values, state)[0])
    assert not torch.equal(packed, module(values)[0])


def test_packed_weights_serve_inference_inside_the_block_only() -> None:
    module, values = nn.LSTM(2, 5).eval(), torch.randn(4, 3, 2)
    with torch.no_grad():
        before = module(values)[0]
        with kernels.packed(torch.nn.Sequential(module)):
            assert packing.packed_weights(module) is not None
            module.all_weights[0][1].mul_(2)
            assert torch.equal(module(values)[0], before)  # the weights as they were when the block began
            with torch.enable_grad():
                trained = module(values)[0]
            module.train()
            assert packing.packed_weights(module) is None
        assert packing.packed_weights(module) is None
        assert torch.equal(module(values)[0], trained)
        assert not torch.equal(trained, before)


def test_a_layer_that_the_compiled_kernels_do_not_know_runs_as_ever() -> None:
    module, values = nn.LSTM(2, 5, proj_size=3, peephole=True).eval(), torch.randn(4, 3, 2)
    with torch.inference_mode(), kernels.packed(module):
        assert module.pack() is None
        assert torch.equal(module(values)[0], module(values)[0])


def test_other_weights_are_refused() -> None:
    values, run = torch.zeros(2, 1, 3), torch.ops.tidegate.run_packed
    packed = packing.pack(ops.GRU, [torch.zeros(12, 3), torch.zeros(12, 4), *[None] * 4], (0, 1, 0.0, True))
    assert [tuple(t.shape) for t in run(packed, values, None, None, None, False, False, True)] == [
        (2, 1, 4),
        (1, 4),
        (0, 4),
    ]
    for wrong in (torch.zeros(8, dtype=torch.uint8), torch.zeros(4096, dtype=torch.uint8), packed[:-1], packed.int()):
        with pytest.raises(RuntimeError, match="packed weights"):
            run(wrong, values, None, None, None, False, False, True)
    with pytest.raises(RuntimeError, match="packed for another dtype"):
        run(packed, values.double(), None, None, None, False, False, True)
    with pytest.raises(RuntimeError, match=r"expected input of shape \[2, 1, 3\]; got \[2, 1, 2\]"):
        run(packed, values[..., :2], None, None, None, False, False, True)
    if native.instruction_set() != "baseline":
        with native.limited_to("baseline"), pytest.raises(RuntimeError, match="another instruction set"):
            run(packed, values, None, None, None, False, False, True)


def _int8(module: Any) -> Any:
    module.int8 = True
    return module


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True}, {"return_sequences": False, "go_backwards": True}]
)
@pytest.mark.parametrize("ragged", [False, True])
def test_int8_is_close_to_float32(layer: Any, options: dict[str, Any], ragged: bool) -> None:
    torch.manual_seed(0)
    module = _int8(layer(5, 40, batch_first=True, **options).eval())
    values, lengths = torch.randn(6, 25, 5), torch.tensor([25, 0, 3, 25, 7, 12]) if ragged else None
    states = 0.5 * torch.randn(2, (4 if "num_layers" in options else 1), 6, 40)
    for hx in (None, states[0] if layer is nn.GRU else tuple(states)):
        with torch.inference_mode():
            plain = _flat(module(values, hx, lengths=lengths))
            with kernels.packed(module):
                found = _flat(module(values, hx, lengths=lengths))
        for one, other in zip(plain, found, strict=True):
            assert 0 < float((one - other).abs().max()) < 0.02


def test_int8_is_for_packed_layers_of_some_size() -> None:
    for units, taken in ((INT8_UNITS - 1, False), (INT8_UNITS, True), (600, True)):  # float32's crossover is not asked
        module, values = _int8(nn.LSTM(2, units).eval()), torch.randn(4, 3, 2)
        with torch.inference_mode():
            plain = module(values)[0]
            with kernels.packed(module):
                assert packing.packed_weights(module) is not None
                assert torch.equal(module(values)[0], plain) is not taken
                with forced("reference"):
                    assert torch.allclose(module(values)[0], plain, atol=1e-6)
            assert torch.equal(module(values)[0], plain)


def test_int8_packs_what_was_quantised_before_to_the_same_numbers() -> None:
    torch.manual_seed(0)
    module, values = _int8(nn.GRU(3, 33).eval()), torch.randn(7, 2, 3)
    with torch.inference_mode():
        with kernels.packed(module):
            first = module(values)[0]
        for name, weight in module.named_parameters():
            if name.startswith("weight"):
                scale = weight.abs().amax(1, keepdim=True) / 127
                weight.copy_((weight / scale).round() * scale)
        with kernels.packed(module):
            again = module(values)[0]
    assert torch.allclose(first, again, atol=1e-6)


def test_training_ends_int8() -> None:
    layer = nn.LSTM(2, 40, batch_first=True).eval()
    layer.int8 = True
    assert layer.eval().int8
    assert not layer.train().int8
    assert not layer.eval().int8
