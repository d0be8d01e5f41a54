"""The compiled CPU kernels on all kinds of numbers: half precision, saturation, and the tiniest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.kernels import native, ops
from tidegate.kernels.activations import ACTIVATIONS
from tidegate.kernels.options import Activation, CellOptions

Draw = Callable[..., dict[str, Any]]
Gather = Callable[[str, dict[str, Any]], Any]
MakeCall = Callable[..., Any]
Agree = Callable[..., None]

DTYPES = (torch.float64, torch.float32)
ZONEOUT = CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3)
CASES: list[tuple[str, set[str], CellOptions]] = [
    ("lstm", {"state", "bias"}, CellOptions()),
    ("lstm", {"lengths"}, CellOptions(reverse=True, return_sequences=False)),
    ("lstm", {"state", "bias", "peephole", "masks", "lengths"}, CellOptions(batch_first=True)),
    ("lstm", {"state", "bias", "layer_norm"}, CellOptions()),
    ("lstm", {"bias", "proj_size", "seed"}, ZONEOUT),
    ("gru", {"state", "bias"}, CellOptions()),
    ("gru", {"lengths"}, CellOptions(reverse=True, return_sequences=False)),
    ("gru", {"state", "bias", "masks", "lengths"}, CellOptions(batch_first=True, reset_after=False)),
    ("gru", {"state", "bias", "layer_norm"}, CellOptions()),
    ("gru", {"bias", "seed"}, ZONEOUT),
]
HALVES = {torch.bfloat16: 2e-3, torch.float16: 2.5e-4}  # half a rounding each, for a few may fall otherwise


@pytest.mark.parametrize(("cell", "flags", "options"), CASES)
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("mixed", [False, True])
def test_half_precision(
    cell: str,
    flags: set[str],
    options: CellOptions,
    dtype: torch.dtype,
    mixed: bool,
    draw: Draw,
    make_call: MakeCall,
    instruction_sets: tuple[str, ...],
) -> None:
    """In one dtype, or as under autocast: operands of products in half precision, everything else in float32."""
    tensors = draw(
        cell, flags, steps=5, batch=7, features=3, units=19, batch_first=options.batch_first, dtype=torch.float32
    )
    for kind, tensor in tensors.items():
        if tensor.is_floating_point() and not (mixed and kind not in ops._PRODUCTS):
            tensors[kind] = tensor.to(dtype)
    call = make_call(cell, tensors, options)
    expected = call.by_reference()
    for instructions in instruction_sets:
        with native.limited_to(instructions):
            results = call.by_operators()
        assert results.keys() == expected.keys()
        for result, wanted in zip(results.values(), expected.values(), strict=True):
            assert (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
            assert (result.double() - wanted.double()).norm() <= HALVES[dtype] * wanted.double().norm()


@pytest.mark.usefixtures("instruction_sets")
def test_the_cell_state_is_carried_in_float32(gather: Gather) -> None:
    """A thousand small additions would be lost in bfloat16, whose 1 + 2⁻⁹ is 1."""
    bias = torch.tensor([30.0, 30.0, 0.001, 30.0], dtype=torch.bfloat16)  # i, f, o open; g = 0.001
    zeros = torch.zeros(4, 1, dtype=torch.bfloat16)
    tensors = gather(
        "lstm", {"input": zeros.new_zeros(1000, 1, 1), "weight_ih": zeros, "weight_hh": zeros, "bias_ih": bias}
    )
    options = CellOptions(activation=Activation.LINEAR).arguments(ops.LSTM.options)
    _, _, c_n, _ = torch.ops.tidegate.lstm.default(*tensors, *options, False)
    assert c_n.item() == pytest.approx(1000 * bias[2].item(), rel=0.005)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recurrent", [Activation.SIGMOID, Activation.HARD_SIGMOID, Activation.TANH])
@pytest.mark.parametrize("activation", [Activation.TANH, Activation.SIGMOID, Activation.SOFTSIGN])
def test_saturation(
    cell: str,
    dtype: torch.dtype,
    recurrent: Activation,
    activation: Activation,
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
) -> None:
    """Sums of ±10⁴ (of ±10³ to ±10⁵, drawn): neither infinite nor NaN, and what `reference` says."""
    tensors = draw(cell, {"state", "bias", "peephole"}, steps=3, batch=6, features=1, units=9, dtype=dtype)
    tensors["input"] = 1e4 * tensors["input"].sign()
    tensors["weight_ih"] = tensors["weight_ih"] + tensors["weight_ih"].sign() * 0.1  # none near 0
    options = CellOptions(activation=activation, recurrent_activation=recurrent)
    call = make_call(cell, tensors, options)
    assert all(result.isfinite().all() for result in call.by_operators().values())
    agree(call)


def sweep(dtype: torch.dtype, least: float, most: float) -> Tensor:
    """Give numbers of both signs, evenly spread over the magnitudes: ``[batch, unit]``."""
    positive = torch.logspace(least, most, 33 * 31, dtype=torch.float64)
    return torch.stack((positive, -positive), dim=1).reshape(62, 33).to(dtype)


@pytest.mark.parametrize(("dtype", "ulps"), [(torch.float32, 2.0**-20), (torch.float64, 2.0**-49)])
@pytest.mark.parametrize("phi", [Activation.TANH, Activation.SOFTSIGN])
def test_relative_accuracy_of_activations(
    dtype: torch.dtype, ulps: float, phi: Activation, gather: Gather, instruction_sets: tuple[str, ...]
) -> None:
    """Down to the tiniest, and in the tail of the sigmoid: h' = 1 · φ(c) with the gates open, h' = σ(h) · 1."""
    units, exact = 33, ACTIVATIONS
    opened = torch.tensor([-1000.0, 60.0, 0.0, 60.0], dtype=dtype).repeat_interleave(units)  # i shut, f and o open
    nothing = torch.zeros(1, 62, 1, dtype=dtype)
    shared = {"input": nothing, "weight_ih": torch.zeros(4 * units, 1, dtype=dtype), "bias_ih": opened}
    copied = torch.zeros(4 * units, units, dtype=dtype)
    copied[3 * units :] = torch.eye(units, dtype=dtype)  # the output gate reads h
    cells, tail = sweep(dtype, -30, 2), sweep(dtype, -30, 1.9)
    shut = opened.clone()
    shut[3 * units :] = 0
    by_phi = shared | {"weight_hh": torch.zeros_like(copied), "c_0": cells}
    by_sigma = shared | {"weight_hh": copied, "bias_ih": shut, "h_0": tail, "c_0": torch.ones_like(tail)}
    cases = [(by_phi, CellOptions(activation=phi), phi, cells)]
    cases += [(by_sigma, CellOptions(activation=Activation.LINEAR), Activation.SIGMOID, tail)]
    for name in instruction_sets:
        for tensors, options, function, given in cases:
            arguments = (*gather("lstm", tensors), *options.arguments(ops.LSTM.options))
            with native.limited_to(name):
                h_n = torch.ops.tidegate.lstm.default(*arguments, False)[1].double()
            wanted = exact[function](given.double())
            assert ((h_n - wanted) / wanted).abs().max() <= ulps, (name, function)
