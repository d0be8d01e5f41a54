"""The operators: gradients of first, second and third order, torch's own checks, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from tidegate.kernels import ops, reference
from tidegate.kernels.arguments import CELL_GRADIENTS, GruTensors, LstmTensors
from tidegate.kernels.dispatch import REFERENCE, forced
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, Activation, CellOptions

Draw = Callable[..., dict[str, Any]]
Gather = Callable[[str, dict[str, Any]], Any]

OPTIONS = {"lstm": LSTM_OPTIONS, "gru": GRU_OPTIONS}
SMOOTH = (Activation.TANH, Activation.SIGMOID, Activation.SOFTSIGN, Activation.LINEAR)

ALONE: dict[str, tuple[set[str], CellOptions]] = {
    "plain": ({"state", "bias"}, CellOptions()),
    "no bias, no state": (set(), CellOptions()),
    "batch first": ({"bias"}, CellOptions(batch_first=True)),
    "reverse": ({"state", "bias"}, CellOptions(reverse=True)),
    "lengths": ({"state", "bias", "lengths"}, CellOptions()),
    "lengths, reverse": ({"state", "bias", "lengths"}, CellOptions(reverse=True)),
    "last output": ({"state", "bias", "lengths"}, CellOptions(return_sequences=False)),
    "peephole": ({"state", "bias", "peephole"}, CellOptions()),
    "layer norm": ({"state", "bias", "layer_norm"}, CellOptions()),
    "masks": ({"state", "bias", "masks"}, CellOptions()),
    "projection": ({"state", "bias", "proj_size"}, CellOptions()),
    "zoneout, drawn": ({"state", "bias", "seed"}, CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3)),
    "zoneout, expected": ({"state", "bias"}, CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3)),
    "reset before": ({"state", "bias", "masks"}, CellOptions(reset_after=False)),
    **{f"activation {a.name}": (set(), CellOptions(activation=a)) for a in Activation},
    **{f"gates {a.name}": (set(), CellOptions(recurrent_activation=a)) for a in Activation},
}
EVERYTHING = {"state", "bias", "lengths", "layer_norm", "peephole", "proj_size", "masks", "seed"}


def differentiable(cell: str, tensors: dict[str, Any]) -> dict[str, Tensor]:
    return {name: tensors[name].requires_grad_() for name in CELL_GRADIENTS[cell] if tensors.get(name) is not None}


def as_function(
    cell: str, tensors: dict[str, Any], options: CellOptions, gather: Gather
) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    variables = differentiable(cell, tensors)
    run: Callable[..., tuple[Tensor, ...]] = getattr(ops, cell)

    def function(*values: Tensor) -> tuple[Tensor, ...]:
        given = tensors | dict(zip(variables, values, strict=True))
        return tuple(result for result in run(gather(cell, given), options) if result.numel())

    return function, list(variables.values())


def flags_for(cell: str, flags: set[str]) -> set[str]:
    return flags - {"proj_size", "peephole"} if cell == "gru" else flags


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("name", ALONE)
def test_gradients_of_each_option_alone(cell: str, name: str, draw: Draw, gather: Gather) -> None:
    flags, options = ALONE[name]
    tensors = draw(cell, flags_for(cell, flags), steps=2, batch_first=options.batch_first)
    function, variables = as_function(cell, tensors, options, gather)
    assert gradcheck(function, variables, fast_mode=True)
    assert gradgradcheck(function, variables, fast_mode=True)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(
    flags=st.sets(st.sampled_from(sorted(EVERYTHING))),
    activation=st.sampled_from(SMOOTH),
    recurrent_activation=st.sampled_from(SMOOTH),
    zoneout=st.sampled_from([(0.0, 0.0), (0.4, 0.3)]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=12)
def test_gradients_of_drawn_combinations(
    cell: str,
    flags: set[str],
    activation: Activation,
    recurrent_activation: Activation,
    zoneout: tuple[float, float],
    switches: tuple[bool, bool, bool, bool],
    draw: Draw,
    gather: Gather,
) -> None:
    reset_after, batch_first, reverse, return_sequences = switches
    options = CellOptions(
        activation=activation,
        recurrent_activation=recurrent_activation,
        zoneout_hidden=zoneout[0],
        zoneout_cell=zoneout[1],
        reset_after=reset_after or "layer_norm" in flags,
        batch_first=batch_first,
        reverse=reverse,
        return_sequences=return_sequences,
    )
    tensors = draw(cell, flags_for(cell, flags), steps=2, batch_first=batch_first)
    function, variables = as_function(cell, tensors, options, gather)
    assert gradcheck(function, variables, fast_mode=True, atol=1e-4)
    assert gradgradcheck(function, variables, fast_mode=True, atol=1e-4)


def both_gradients(
    cell: str, tensors: dict[str, Any], options: CellOptions, gather: Gather
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Differentiate the same sum through the operator's backward pass and through autograd over the reference."""
    variables = differentiable(cell, tensors)
    results = []
    for module in (ops, reference):
        outputs = getattr(module, cell)(gather(cell, tensors), options)[: 3 if cell == "lstm" else 2]
        total = sum((torch.sin(o.double() * (k + 1)).sum() for k, o in enumerate(outputs)), torch.zeros(()))
        assert isinstance(total, Tensor)
        results.append(dict(zip(variables, torch.autograd.grad(total, list(variables.values())), strict=True)))
    return results[0], results[1]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [15, 16, 17, 40])
def test_backward_across_chunks(cell: str, reverse: bool, steps: int, draw: Draw, gather: Gather) -> None:
    options = CellOptions(reverse=reverse, zoneout_hidden=0.3, zoneout_cell=0.2)
    tensors = draw(cell, flags_for(cell, EVERYTHING), steps=steps)
    by_operator, by_autograd = both_gradients(cell, tensors, options, gather)
    for name, expected in by_autograd.items():
        torch.testing.assert_close(by_operator[name], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_gradients(cell: str, dtype: torch.dtype, draw: Draw, gather: Gather) -> None:
    flags = flags_for(cell, EVERYTHING - {"seed"})
    options = CellOptions()
    low, _ = both_gradients(cell, draw(cell, flags, steps=6, dtype=dtype), options, gather)
    high, _ = both_gradients(cell, draw(cell, flags, steps=6), options, gather)
    for name, expected in high.items():
        assert low[name].dtype == dtype
        error = (low[name].double() - expected).norm() / expected.norm()
        assert error < (0.08 if dtype == torch.bfloat16 else 0.01), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_reaches_no_gradient(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, flags_for(cell, EVERYTHING), steps=6)
    spoilt = tensors | {"input": tensors["input"].clone()}
    for row, length in enumerate(tensors["lengths"].tolist()):
        spoilt["input"][length:, row] = float("inf")
    clean, _ = both_gradients(cell, tensors, CellOptions(), gather)
    dirty, _ = both_gradients(cell, spoilt, CellOptions(), gather)
    for name, expected in clean.items():
        assert torch.equal(dirty[name], expected), name
    assert dirty["input"][3:, 2].abs().max() == 0


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_third_derivative(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"bias"}, steps=2)
    function, variables = as_function(cell, tensors, CellOptions(), gather)
    weight = variables[1]

    def second(value: Tensor) -> Tensor:
        (first,) = torch.autograd.grad(function(variables[0], value, *variables[2:])[0].sum(), value, create_graph=True)
        (again,) = torch.autograd.grad(first.square().sum(), value, create_graph=True)
        return again

    assert gradcheck(second, (weight,), fast_mode=True)


@pytest.mark.parametrize(
    ("cell", "name", "keep", "sizes"),
    [
        # Tracing the recomputation of double backward is dear: with every option for given sizes only.
        ("lstm", "everything", True, "static"),
        ("gru", "everything", True, "static"),
        ("lstm", "last output", True, "dynamic"),
        ("gru", "lengths, reverse", False, "dynamic"),
    ],
)
def test_opcheck(cell: str, name: str, keep: bool, sizes: str, draw: Draw, gather: Gather) -> None:
    everything = (EVERYTHING, CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3, batch_first=True))
    flags, options = everything if name == "everything" else ALONE[name]
    if cell == "lstm":  # the draws are the GRU's too, and dear to trace
        flags = flags - {"seed"}
    tensors = draw(cell, flags_for(cell, flags), steps=1, batch_first=options.batch_first)
    differentiable(cell, tensors)
    arguments = (*gather(cell, tensors), *options.arguments(OPTIONS[cell]))
    forward = getattr(torch.ops.tidegate, cell).default
    assert set(torch.library.opcheck(forward, (*arguments, keep)).values()) == {"SUCCESS"}
    *results, reserve = forward(*arguments, True)
    gradients = [torch.randn_like(result).requires_grad_() for result in results]
    needs = [tensors.get(tensor) is not None for tensor in CELL_GRADIENTS[cell]]
    backward = getattr(torch.ops.tidegate, f"{cell}_backward").default
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", f"test_aot_dispatch_{sizes}")
    checked = torch.library.opcheck(backward, (*gradients, reserve.detach(), *arguments, needs), test_utils=checks)
    assert set(checked.values()) == {"SUCCESS"}


def test_schemas_name_the_arguments_in_order() -> None:
    for cell, kind in (("lstm", LstmTensors), ("gru", GruTensors)):
        schema = getattr(torch.ops.tidegate, cell).default._schema
        names = [argument.name for argument in schema.arguments]
        assert tuple(names) == (*kind._fields, *OPTIONS[cell], "keep")
        backward = getattr(torch.ops.tidegate, f"{cell}_backward").default._schema
        assert [argument.name for argument in backward.arguments][-len(names) : -1] == names[:-1]
        assert [result.name for result in backward.returns] == [f"grad_{name}" for name in CELL_GRADIENTS[cell]]


class Reserves(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the shape of what each call of a forward operator keeps, and whether it was asked to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if str(func).removesuffix(".default").removesuffix("_reference") in ("tidegate.lstm", "tidegate.gru"):
            self.kept.append(tuple(results[-1].shape))
        return results


@pytest.mark.parametrize(
    ("cell", "flags", "width"),
    [
        ("lstm", {"bias"}, 6 * 4),
        ("gru", {"bias"}, 5 * 4),
        ("lstm", {"layer_norm"}, 6 * 4 + 8 * 4),
        ("gru", {"layer_norm"}, 5 * 4 + 6 * 4),
        ("lstm", {"proj_size"}, 5 * 4 + 3),
        ("lstm", {"proj_size", "layer_norm"}, 5 * 4 + 3 + 8 * 4),
    ],
)
def test_reserve_is_kept_only_for_gradients(cell: str, flags: set[str], width: int, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, flags)
    call: Callable[..., tuple[Tensor, ...]] = getattr(ops, cell)
    with Reserves() as reserves:
        call(gather(cell, tensors), CellOptions())
        differentiable(cell, tensors)
        call(gather(cell, tensors), CellOptions())
        with torch.no_grad():
            call(gather(cell, tensors), CellOptions())
        with torch.inference_mode():
            call(gather(cell, tensors), CellOptions())
    assert reserves.kept == [(0,), (4, 3, width), (0,), (0,)]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("flags", [{"state", "bias"}, {"lengths", "layer_norm", "masks"}, {"proj_size"}])
def test_eager_and_the_operators_own_formula_agree(cell: str, flags: set[str], draw: Draw, gather: Gather) -> None:
    """A layer takes a shorter way to the operators than torch.ops; values and gradients are the same."""
    tensors = draw(cell, flags_for(cell, flags))
    variables = list(differentiable(cell, tensors).values())
    arguments = (*gather(cell, tensors), *CellOptions().arguments(OPTIONS[cell]))
    *theirs, reserve = getattr(torch.ops.tidegate, cell)(*arguments, True)
    ours = getattr(ops, cell)(gather(cell, tensors), CellOptions())
    assert not reserve.requires_grad
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other)
    mine, other = (torch.autograd.grad([o.sin().sum() for o in outputs], variables) for outputs in (ours, theirs))
    assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_forced_reference_differentiates_twice(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias", "lengths"}, steps=2)
    function, variables = as_function(cell, tensors, CellOptions(), gather)
    with forced(REFERENCE):
        assert gradcheck(function, variables, fast_mode=True)
        assert gradgradcheck(function, variables, fast_mode=True)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_graph_can_be_walked_twice(cell: str, draw: Draw, gather: Gather) -> None:
    function, variables = as_function(cell, draw(cell, {"state", "bias"}), CellOptions(), gather)
    total = function(*variables)[0].square().sum()
    first = torch.autograd.grad(total, variables, retain_graph=True)
    second = torch.autograd.grad(total, variables)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_backward_without_a_reserve_runs_forward_again(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias", "seed"})
    options = CellOptions(zoneout_hidden=0.5)
    variables = list(differentiable(cell, tensors).values())
    arguments = (*gather(cell, tensors), *options.arguments(OPTIONS[cell]))
    operator = getattr(torch.ops.tidegate, cell)
    with_reserve, without = (
        torch.autograd.grad(operator(*arguments, keep)[0].sum(), variables, allow_unused=True) for keep in (True, False)
    )
    for a, b in zip(with_reserve, without, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_only_what_is_needed_is_computed(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias"})
    tensors["weight_ih"].requires_grad_()
    output = getattr(ops, cell)(gather(cell, tensors), CellOptions())[0]
    output.sum().backward()
    assert tensors["weight_ih"].grad is not None
    assert tensors["input"].grad is None
    assert tensors["weight_hh"].grad is None


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_autocast_runs_products_in_bfloat16(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias", "layer_norm", "masks"}, steps=5, dtype=torch.float32)
    variables = differentiable(cell, tensors)
    call: Callable[..., tuple[Tensor, ...]] = getattr(ops, cell)
    exact = call(gather(cell, tensors), CellOptions())[0]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = call(gather(cell, tensors), CellOptions())[0]
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0, atol=0.05)
    products = ("input", "h_0", "weight_ih", "weight_hh", "mask_x", "mask_h")
    cast = {name: tensor.bfloat16() if name in products else tensor for name, tensor in tensors.items()}
    assert torch.equal(call(gather(cell, cast), CellOptions())[0], rounded)  # no sum has been rounded beside
    assert not torch.equal(rounded.float(), exact)
    for gradient in torch.autograd.grad(rounded.float().sum(), list(variables.values()), allow_unused=True):
        assert gradient is None or gradient.dtype == torch.float32


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_any_strides_are_read(cell: str, batch_first: bool, draw: Draw, gather: Gather) -> None:
    options = CellOptions(batch_first=batch_first)
    tensors = draw(cell, {"bias"}, batch_first=batch_first)
    expected = getattr(ops, cell)(gather(cell, tensors), options)[0]
    wide = torch.stack([tensors["input"]] * 2, dim=-1)[..., 0]
    turned = tensors["input"].transpose(0, 2).contiguous().transpose(0, 2)
    for x in (wide, turned):
        assert not x.is_contiguous()
        torch.testing.assert_close(getattr(ops, cell)(gather(cell, tensors | {"input": x}), options)[0], expected)
