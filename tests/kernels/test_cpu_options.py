"""The compiled CPU kernels against `reference`: every option by itself, and every gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tidegate.kernels import native, ops
from tidegate.kernels.arguments import CELL_GRADIENTS
from tidegate.kernels.options import Activation, CellOptions

Draw = Callable[..., dict[str, Any]]
Gather = Callable[[str, dict[str, Any]], Any]
MakeCall = Callable[..., Any]
Agree = Callable[..., None]

DTYPES = (torch.float64, torch.float32)
ZONEOUT = CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3)
ALONE: dict[str, tuple[set[str], CellOptions]] = {
    "plain": ({"state", "bias"}, CellOptions()),
    "no bias": ({"state"}, CellOptions()),
    "no state": ({"bias"}, CellOptions()),
    "neither": (set(), CellOptions()),
    "batch first": ({"state", "bias"}, CellOptions(batch_first=True)),
    "reverse": ({"state", "bias"}, CellOptions(reverse=True)),
    "last output": ({"state", "bias"}, CellOptions(return_sequences=False)),
    "last output, reverse, batch first": (
        {"bias", "lengths"},
        CellOptions(return_sequences=False, reverse=True, batch_first=True),
    ),
    "peephole": ({"state", "bias", "peephole"}, CellOptions()),
    "layer norm": ({"state", "bias", "layer_norm"}, CellOptions()),
    "layer norm without bias": ({"state", "layer_norm"}, CellOptions()),
    "layer norm, masks": ({"state", "bias", "layer_norm", "masks"}, CellOptions(reverse=True)),
    "masks": ({"state", "bias", "masks"}, CellOptions()),
    "projection": ({"state", "bias", "proj_size"}, CellOptions()),
    "zoneout, drawn": ({"state", "bias", "seed"}, ZONEOUT),
    "zoneout, drawn, hidden alone": ({"bias", "seed"}, CellOptions(zoneout_hidden=0.4)),
    "zoneout, drawn, cell alone": ({"bias", "seed"}, CellOptions(zoneout_cell=0.4)),
    "zoneout, drawn, reverse": ({"bias", "seed", "lengths"}, CellOptions(zoneout_hidden=0.4, reverse=True)),
    "zoneout, expected": ({"state", "bias"}, ZONEOUT),
    "a seed without zoneout": ({"bias", "seed"}, CellOptions()),
    "reset before": ({"state", "bias"}, CellOptions(reset_after=False)),
    "reset before, no bias": ({"state"}, CellOptions(reset_after=False)),
    "reset before, masks, lengths": ({"bias", "masks", "lengths"}, CellOptions(reset_after=False, reverse=True)),
    "reset before, zoneout": ({"state", "seed"}, CellOptions(reset_after=False, zoneout_hidden=0.4)),
}
OF_AN_LSTM = {"peephole", "projection", "zoneout, drawn, cell alone"}
ALL_AT_ONCE = {"state", "bias", "lengths", "layer_norm", "peephole", "masks", "seed"}
CASES = [(cell, name) for cell in ("lstm", "gru") for name in ALONE if cell == "lstm" or name not in OF_AN_LSTM]


@pytest.mark.parametrize(("cell", "name"), CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_option_alone(
    cell: str, name: str, dtype: torch.dtype, draw: Draw, make_call: MakeCall, agree: Agree
) -> None:
    flags, options = ALONE[name]
    sizes = {"batch_first": options.batch_first, "dtype": dtype}
    for batch, features, units in ((7, 3, 19), (2, 6, 32)):
        tensors = draw(cell, flags, steps=6, batch=batch, features=features, units=units, **sizes)
        agree(make_call(cell, tensors, options))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("present", ["h_0", "c_0", "bias_ih", "bias_hh"])
def test_one_of_a_pair_may_be_absent(cell: str, present: str, draw: Draw, make_call: MakeCall, agree: Agree) -> None:
    tensors = draw(cell, {"state", "bias"}, steps=3, batch=5, features=2, units=9)
    pair = {"h_0", "c_0"} if present in ("h_0", "c_0") else {"bias_ih", "bias_hh"}
    kept = {name: tensor for name, tensor in tensors.items() if name == present or name not in pair}
    agree(make_call(cell, kept, CellOptions()))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("activation", list(Activation))
@pytest.mark.parametrize("recurrent", list(Activation))
def test_every_pair_of_activations(
    cell: str, activation: Activation, recurrent: Activation, draw: Draw, make_call: MakeCall, agree: Agree
) -> None:
    for dtype in DTYPES:
        for reset_after, flags in ((True, {"state", "bias", "peephole"}), (False, {"bias"})):
            options = CellOptions(activation=activation, recurrent_activation=recurrent, reset_after=reset_after)
            agree(make_call(cell, draw(cell, flags, steps=2, batch=5, features=4, units=9, dtype=dtype), options))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("flags", [{"state", "bias"}, ALL_AT_ONCE])
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_gradient_alone(
    cell: str,
    flags: set[str],
    dtype: torch.dtype,
    draw: Draw,
    make_call: MakeCall,
    instruction_sets: tuple[str, ...],
) -> None:
    call = make_call(cell, draw(cell, flags, steps=5, batch=7, features=3, units=18, dtype=dtype), ZONEOUT)
    expected = call.by_operators()
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for name in CELL_GRADIENTS[cell]:
        if getattr(call.tensors, name) is not None:
            for instructions in instruction_sets:
                with native.limited_to(instructions):
                    found = call.by_operators([name])[f"gradient of {name}"]
                wanted = expected[f"gradient of {name}"]
                assert (found - wanted).abs().max() <= tolerance * (1 + wanted.abs().max()), (name, instructions)
    assert call.by_operators([]).keys() == {"output", "h_n", *(["c_n"] if cell == "lstm" else [])}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("missing", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_a_result_that_nobody_differentiates(
    cell: str, missing: tuple[int, ...], draw: Draw, make_call: MakeCall, agree: Agree
) -> None:
    for flags in ({"state", "bias"}, ALL_AT_ONCE):
        call = make_call(cell, draw(cell, flags, steps=4, batch=5, features=3, units=9), ZONEOUT)
        gradients = tuple(None if place in missing else g for place, g in enumerate(call.gradients))
        agree(type(call)(cell, call.tensors, call.options, gradients))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("flags", [{"state", "bias"}, ALL_AT_ONCE])
def test_nothing_that_was_given_is_written_to(
    cell: str, flags: set[str], draw: Draw, make_call: MakeCall, instruction_sets: tuple[str, ...]
) -> None:
    """So a graph can be walked twice: the same bits, from the same reserve."""
    call = make_call(cell, draw(cell, flags, steps=18, batch=7, features=3, units=18), ZONEOUT, layout="contiguous")
    for instructions in instruction_sets:
        with native.limited_to(instructions):
            given = [tensor for tensor in (*call.tensors, *call.gradients) if tensor is not None]
            before = [tensor.clone() for tensor in given]
            *results, reserve = call.forward(keep=True)
            given += [*results, reserve]
            before += [tensor.clone() for tensor in (*results, reserve)]
            first, _ = call.backward(reserve)
            second, _ = call.backward(reserve)
        assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("cell", "kept"), [("lstm", 6), ("gru", 5)])
@pytest.mark.usefixtures("instruction_sets")
def test_values_kept_for_backward(cell: str, kept: int, draw: Draw, make_call: MakeCall) -> None:
    tensors = draw(cell, {"state", "bias", "lengths"}, steps=4, batch=7, features=3, units=18, dtype=torch.float32)
    *_, reserve = make_call(cell, tensors, CellOptions()).forward(keep=True)
    assert reserve.shape == (4, 7, kept * 18)
    assert reserve.dtype == torch.float32
    assert reserve.isfinite().all()  # past the lengths too


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.usefixtures("instruction_sets")
def test_backward_without_a_reserve_runs_forward_again(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias", "seed"}, steps=18, batch=7, features=3, units=18, dtype=torch.float32)
    variables = [tensor.requires_grad_() for name, tensor in tensors.items() if name in CELL_GRADIENTS[cell]]
    description = ops.LSTM if cell == "lstm" else ops.GRU
    operator: Any = getattr(torch.ops.tidegate, cell)
    arguments = (*gather(cell, tensors), *ZONEOUT.arguments(description.options))
    kept, again = (torch.autograd.grad(operator(*arguments, keep)[0].sum(), variables) for keep in (True, False))
    assert all(torch.equal(a, b) for a, b in zip(kept, again, strict=True))


@pytest.fixture
def fallen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list of the calls of `reference` by way of any operator, as they come."""
    seen: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            seen.append(name)
            return function(*arguments, **keywords)

        return call

    for cell in (ops.LSTM, ops.GRU, *ops._REFERENCE.values()):
        for name in ("run", "run_backward"):
            monkeypatch.setitem(cell.__dict__, name, watched(name, getattr(cell, name)))
    return seen


@pytest.mark.usefixtures("instruction_sets")
@pytest.mark.parametrize(("cell", "name"), CASES)
@pytest.mark.parametrize("dtype", [*DTYPES, torch.bfloat16, torch.float16])
def test_only_a_projection_falls_to_the_reference(
    cell: str, name: str, dtype: torch.dtype, draw: Draw, make_call: MakeCall, fallen: list[str]
) -> None:
    flags, options = ALONE[name]
    make_call(cell, draw(cell, flags, batch_first=options.batch_first, dtype=dtype), options).by_operators()
    assert fallen == (["run", "run_backward"] if name == "projection" else [])
