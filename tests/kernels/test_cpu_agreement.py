"""The compiled CPU kernels against `reference`: shapes, layouts in memory, lengths, and drawn combinations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tidegate import nn
from tidegate.kernels import native
from tidegate.kernels.dispatch import FUSED, REFERENCE, forced
from tidegate.kernels.options import Activation, CellOptions
from tidegate.specs.recurrent import ACTIVATIONS

Draw = Callable[..., dict[str, Any]]
MakeCall = Callable[..., Any]
Agree = Callable[..., None]

DTYPES = (torch.float64, torch.float32)
LAYOUTS = ("contiguous", "shifted", "strided", "transposed", "expanded")
SHAPES = [  # units, features, batch, steps: around the widths of vectors, of register tiles and of backward's chunks
    (1, 1, 1, 1),
    (1, 5, 4, 3),
    (2, 3, 1, 7),
    (3, 2, 6, 1),
    (5, 70, 7, 2),
    (7, 4, 2, 15),
    (8, 8, 8, 16),
    (15, 1, 5, 17),
    (16, 16, 12, 4),
    (17, 15, 13, 33),
    (31, 7, 3, 5),
    (33, 33, 11, 3),
    (50, 1, 32, 4),
    (64, 65, 6, 3),
    (65, 64, 19, 2),
    (100, 50, 9, 3),
    (128, 8, 33, 2),
    (256, 8, 21, 2),
    (512, 100, 3, 2),
]
EMPTY = [(5, 3, 4, 0), (16, 8, 0, 3), (3, 2, 0, 0), (64, 8, 1, 0)]

FLAGS = ("state", "bias", "layer_norm", "masks", "lengths", "seed", "peephole", "proj_size")
GROWING = (Activation.RELU, Activation.LINEAR)
GATES = (Activation.SIGMOID, Activation.HARD_SIGMOID)


@pytest.mark.usefixtures("instruction_sets")
@pytest.mark.parametrize("operator", ["lstm", "lstm_backward", "gru", "gru_backward"])
def test_the_library_has_a_kernel_of_its_own(operator: str) -> None:
    """Without it everything below would compare `reference` with itself."""
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"tidegate::{operator}", "CPU")


def test_each_instruction_set_can_be_forced(instruction_sets: tuple[str, ...]) -> None:
    best = native.instruction_set()
    for name in instruction_sets:
        with native.limited_to(name):
            assert native.instruction_set() == name
    assert native.instruction_set() == best


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(
    cell: str, dtype: torch.dtype, shape: tuple[int, ...], draw: Draw, make_call: MakeCall, agree: Agree
) -> None:
    units, features, batch, steps = shape
    tensors = draw(cell, {"state", "bias"}, steps=steps, batch=batch, features=features, units=units, dtype=dtype)
    agree(make_call(cell, tensors, CellOptions()))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", EMPTY)
@pytest.mark.parametrize("flags", [set(), {"state", "bias", "lengths", "layer_norm", "peephole", "masks", "seed"}])
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_rows_or_steps(
    cell: str,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    flags: set[str],
    batch_first: bool,
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
) -> None:
    units, features, batch, steps = shape
    sizes = {"steps": steps, "batch": batch, "features": features, "units": units}
    options = CellOptions(batch_first=batch_first, zoneout_hidden=0.3, reverse=batch_first)
    call = make_call(cell, draw(cell, flags, dtype=dtype, batch_first=batch_first, **sizes), options)
    agree(call)
    given = [tensor.data_ptr() for tensor in call.tensors if tensor is not None and tensor.numel()]
    for result in call.forward(keep=True):  # an operator may not answer with what it was given
        assert result.numel() == 0 or result.data_ptr() not in given


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("lengths", [(0, 0, 0, 0, 0, 0, 0), (1, 0, 3, 2, 0, 3, 1), (5,) * 7, (0, 18, 16, 1, 17, 15, 9)])
@pytest.mark.parametrize(
    "switches", [(False, False, True), (True, False, False), (False, True, True), (True, True, True)]
)
@pytest.mark.parametrize("flags", [{"bias"}, set(FLAGS) - {"lengths", "proj_size"}])
def test_lengths(
    cell: str,
    lengths: tuple[int, ...],
    switches: tuple[bool, bool, bool],
    flags: set[str],
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
) -> None:
    """What lies past the lengths is NaN in the input and in the gradient of the output, and reaches nothing."""
    batch_first, reverse, return_sequences = switches
    options = CellOptions(
        batch_first=batch_first,
        reverse=reverse,
        return_sequences=return_sequences,
        zoneout_hidden=0.3,
        zoneout_cell=0.2 if "seed" in flags else 0.0,
    )
    steps = 18 if max(lengths) > 5 else 5
    tensors = draw(cell, flags, steps=steps, batch=7, features=3, units=9, batch_first=batch_first)
    tensors["lengths"] = torch.tensor(lengths)
    call = make_call(cell, tensors, options)
    for sequence in (call.tensors.input, call.gradients[0]):
        if sequence is not None:
            for row, length in enumerate(lengths):
                (sequence[row] if batch_first else sequence[:, row])[length:] = math.nan
    agree(call)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_any_strides_are_read(
    cell: str,
    dtype: torch.dtype,
    layout: str,
    batch_first: bool,
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
) -> None:
    """Of every tensor that is handed in, masks, lengths, norms and gradients among them."""
    flags = set(FLAGS) - {"proj_size"}
    sizes = {"steps": 4, "batch": 7, "features": 5, "units": 18}
    for chosen in ({"state", "bias"}, flags):
        tensors = draw(cell, chosen, dtype=dtype, batch_first=batch_first, **sizes)
        agree(make_call(cell, tensors, CellOptions(batch_first=batch_first, zoneout_hidden=0.4), layout=layout))


def tame(activations: tuple[Activation, Activation], dtype: torch.dtype) -> bool:
    """Say whether a long sequence neither grows without bound nor turns float32's rounding into chaos."""
    bounded = activations[0] not in GROWING and activations[1] not in GROWING
    return bounded and (dtype == torch.float64 or activations[1] in GATES)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(
    flags=st.sets(st.sampled_from(FLAGS)),
    activations=st.tuples(st.sampled_from(Activation), st.sampled_from(Activation)),
    zoneout=st.sampled_from([(0.0, 0.0), (0.4, 0.0), (0.0, 0.3), (0.25, 0.6)]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    steps=st.sampled_from([1, 2, 3, 5, 18]),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 70), st.sampled_from([1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 50])),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=100)
def test_drawn_combinations(
    cell: str,
    flags: set[str],
    activations: tuple[Activation, Activation],
    zoneout: tuple[float, float],
    switches: tuple[bool, bool, bool, bool],
    steps: int,
    sizes: tuple[int, int, int],
    dtype: torch.dtype,
    layout: str,
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
) -> None:
    reset_after, batch_first, reverse, return_sequences = switches
    flags = flags - {"proj_size"} if cell == "gru" else flags
    options = CellOptions(
        activation=activations[0],
        recurrent_activation=activations[1],
        zoneout_hidden=zoneout[0],
        zoneout_cell=zoneout[1],
        reset_after=reset_after or "layer_norm" in flags,
        batch_first=batch_first,
        reverse=reverse,
        return_sequences=return_sequences,
    )
    batch, features, units = sizes
    tensors = draw(
        cell,
        flags,
        steps=steps if tame(activations, dtype) else min(steps, 2),
        batch=batch,
        features=features,
        units=units,
        batch_first=batch_first,
        dtype=dtype,
    )
    agree(make_call(cell, tensors, options, layout=layout))


def layer_results(layer: Any, x: Tensor, states: tuple[Tensor, ...] | None, lengths: Tensor | None) -> list[Tensor]:
    """Give output, final states and every gradient of a layer, with the masks and draws of a fixed seed."""
    torch.manual_seed(1)
    hx = states[0] if states is not None and isinstance(layer, nn.GRU) else states
    output, finals = layer(x, hx, lengths=lengths)
    results = [output, *(finals if isinstance(finals, tuple) else (finals,))]
    total = torch.stack([torch.sin(result * (k + 1)).sum() for k, result in enumerate(results)]).sum()
    return [*results, *torch.autograd.grad(total, [x, *(states or ()), *layer.parameters()])]


@given(
    kind=st.sampled_from(["LSTM", "GRU"]),
    shape=st.fixed_dictionaries(
        {
            "num_layers": st.integers(1, 2),
            "bias": st.booleans(),
            "batch_first": st.booleans(),
            "bidirectional": st.booleans(),
            "return_sequences": st.booleans(),
            "activation": st.sampled_from([name for name in ACTIVATIONS if name not in ("relu", "linear")]),
            "recurrent_activation": st.sampled_from([name for name in ACTIVATIONS if name not in ("relu", "linear")]),
            "layer_norm": st.booleans(),
            "input_dropout": st.sampled_from([0.0, 0.3]),
            "recurrent_dropout": st.sampled_from([0.0, 0.3]),
            "zoneout_hidden": st.sampled_from([0.0, 0.2]),
        }
    ),
    merge_mode=st.sampled_from(["concat", "sum", "mul", "ave"]),
    own=st.booleans(),  # LSTM: peephole; GRU: reset_after=False
    training=st.booleans(),
    ragged=st.booleans(),
    started=st.booleans(),
    single=st.booleans(),
)
@settings(max_examples=60)
def test_drawn_layers(
    kind: str,
    shape: dict[str, Any],
    merge_mode: str,
    own: bool,
    training: bool,
    ragged: bool,
    started: bool,
    single: bool,
    instruction_sets: tuple[str, ...],
) -> None:
    """`nn.LSTM` and `nn.GRU` as a whole: stacked, in both directions, under their own dropout."""
    if shape["bidirectional"]:
        shape = shape | {"merge_mode": merge_mode}
    else:
        shape = shape | {"go_backwards": merge_mode == "sum"}
    if shape["num_layers"] == 2:
        shape = shape | {"dropout": 0.25}
    if kind == "LSTM":
        shape = shape | {"peephole": own, "zoneout_cell": shape["zoneout_hidden"]}
    else:
        shape = shape | {"reset_after": not own or shape["layer_norm"]}
    # `reference` is of the same dtype here; a norm of almost equal values would cost both their float32's precision
    dtype, tolerance = (torch.float32, 1e-5) if single and not shape["layer_norm"] else (torch.float64, 1e-10)
    torch.manual_seed(0)
    layer = getattr(nn, kind)(5, 11, dtype=dtype, **shape).train(training)
    x = torch.randn((6, 7, 5) if shape["batch_first"] else (7, 6, 5), dtype=dtype, requires_grad=True)
    lengths = torch.tensor([3, 7, 0, 1, 7, 5]) if ragged else None
    rows = shape["num_layers"] * (1 + shape["bidirectional"])
    count = 2 if kind == "LSTM" else 1
    states = tuple(torch.randn(rows, 6, 11, dtype=dtype, requires_grad=True) for _ in range(count)) if started else None
    with forced(REFERENCE):
        expected = layer_results(layer, x, states, lengths)
    for name in instruction_sets:
        with native.limited_to(name), forced(FUSED):
            results = layer_results(layer, x, states, lengths)
        for result, wanted in zip(results, expected, strict=True):
            assert result.shape == wanted.shape
            assert (result - wanted).abs().max() <= tolerance * (1 + wanted.abs().max())
