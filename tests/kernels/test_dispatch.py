"""Which implementation runs, and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.utils.rnn import pack_sequence

from tidegate import nn
from tidegate.errors import SpecError, UnsupportedError
from tidegate.kernels import dispatch, explain, native, ops
from tidegate.kernels.dispatch import CROSSOVERS, FUSED, REFERENCE, TORCH, Call, choose, forced

LENGTHS = torch.tensor([6, 2, 4])
LACKING = "torch's own kernels lack "
MISSING = ", and the compiled kernels are missing"
X = torch.zeros(6, 3, 4)

needs_the_library = pytest.mark.skipif(not ops.COMPILED, reason="the compiled kernels are missing")


def call(**changes: Any) -> Call:
    """Describe a call of a plain cell where the compiled kernels are, and change it."""
    plain = Call(cell="lstm", beyond_torch=(), values=X, units=5, projected=False, steps=6, rows=2, compiled=True)
    return plain._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "implementation", "reason"),
    [
        ({}, FUSED, "the compiled kernels are the fastest for this cell"),
        ({"shortest": 0}, FUSED, "torch's own kernels refuse a length of 0"),
        ({"steps": 0}, FUSED, "torch's own kernels refuse a sequence without steps"),
        ({"beyond_torch": ("peephole", "layer_norm")}, FUSED, f"{LACKING}peephole, layer_norm"),
        (
            {"projected": True},
            TORCH,
            "a plain cell with a projection: torch computes exactly this, and the compiled kernels know no projection",
        ),
        (
            {"projected": True, "beyond_torch": ("peephole",)},
            REFERENCE,
            f"{LACKING}peephole, and the compiled kernels know no projection",
        ),
        ({"compiled": False}, TORCH, "a plain cell: torch's own kernels compute exactly this"),
        ({"compiled": False, "shortest": 1}, TORCH, "a plain cell: torch's own kernels compute exactly this"),
        ({"compiled": False, "shortest": 0}, REFERENCE, f"torch's own kernels refuse a length of 0{MISSING}"),
        ({"compiled": False, "beyond_torch": ("peephole",)}, REFERENCE, f"{LACKING}peephole{MISSING}"),
        (
            {"values": X.to("meta"), "beyond_torch": ("peephole",)},
            REFERENCE,
            f"{LACKING}peephole, and the compiled kernels are for CPUs",
        ),
        ({"values": X.to("meta")}, TORCH, "a plain cell: torch's own kernels compute exactly this"),
    ],
)
def test_choice(changes: dict[str, Any], implementation: str, reason: str) -> None:
    assert choose(call(**changes)) == (implementation, reason)


@pytest.mark.parametrize(("cell", "dtype"), list(CROSSOVERS))
def test_large_plain_cells_run_on_torch(cell: str, dtype: torch.dtype) -> None:
    units, rows, inference_only = CROSSOVERS[cell, dtype]
    large, least = call(cell=cell, values=X.to(dtype), units=units), f"from {units} units on"
    with torch.no_grad():
        assert choose(large._replace(units=units - 1)).implementation == FUSED
        choice = choose(large)
        assert choice.implementation == TORCH
        assert choice.reason.startswith(f"a plain cell in {dtype}: torch's own kernels are faster {least}")
        assert choose(large._replace(compiled=False)).implementation == TORCH
        assert choose(large._replace(beyond_torch=("peephole",))).implementation == FUSED
        if rows < math.inf:
            assert choose(large._replace(rows=int(rows))).implementation == FUSED
            assert choose(large._replace(rows=int(rows) - 1)).implementation == TORCH
    assert choose(large).implementation == (FUSED if inference_only else TORCH)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_counts_as_its_dtype(dtype: torch.dtype) -> None:
    units = CROSSOVERS["gru", dtype].units
    large = call(cell="gru", units=units, rows=1000)
    with torch.autocast("cpu", dtype):
        assert choose(large).implementation == TORCH
        assert choose(large._replace(units=units - 1)).implementation == FUSED
    assert choose(large).implementation == FUSED


def test_torch_func_transforms_plain_cells() -> None:
    """torch.func cannot see through the operators; what worked before there were compiled kernels still does."""
    layer = nn.LSTM(4, 5)
    parameters: dict[str, Tensor] = dict(nn.LSTM(4, 5).named_parameters())
    chosen = []

    def total(values: dict[str, Tensor]) -> Tensor:
        chosen.append(choose(call()))
        output: Tensor = torch.func.functional_call(layer, values, (X + 1,))[0]
        return output.sum()

    gradients = torch.func.grad(total)(parameters)
    expected = torch.autograd.grad(total(parameters), list(parameters.values()))
    for here, there in zip(gradients.values(), expected, strict=True):
        torch.testing.assert_close(here, there)
    assert chosen[0] == (REFERENCE, "torch.func and forward-mode derivatives see through plain torch only")
    assert chosen[1].implementation == FUSED
    with forward_ad.dual_level():
        assert choose(call()) == chosen[0]
        assert choose(call(beyond_torch=("peephole",))) == (
            REFERENCE,
            f"{LACKING}peephole, and torch.func and forward-mode derivatives see through plain torch only",
        )


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, within torch.func
@pytest.mark.parametrize("layer", [nn.LSTM(3, 5), nn.GRU(3, 5), nn.GRU(3, 5, layer_norm=True)])
def test_every_transformation_of_torch_func_runs(layer: Any) -> None:
    values, tangent = torch.randn(7, 2, 3), torch.randn(7, 2, 3)

    def total(x: Tensor) -> Tensor:
        output: Tensor = layer(x)[0]
        return output.sin().sum()

    slope = (torch.autograd.grad(total(leaf := values.clone().requires_grad_()), leaf)[0] * tangent).sum()
    along = torch.func.jvp(total, (values,), (tangent,))[1]
    torch.testing.assert_close(along, slope)
    both = torch.func.vmap(total)(torch.stack((values, tangent)))
    torch.testing.assert_close(both, torch.stack((total(values), total(tangent))))
    assert torch.func.hessian(total)(values[:1, :1]).shape == (1, 1, 3, 1, 1, 3)


def test_a_layer_on_the_meta_device_gives_shapes() -> None:
    output, (h_n, c_n) = nn.LSTM(3, 5, peephole=True, device="meta")(torch.empty(7, 2, 3, device="meta"))
    assert output.is_meta
    assert (output.shape, h_n.shape, c_n.shape) == ((7, 2, 5), (1, 2, 5), (1, 2, 5))


def test_complex_numbers_are_refused_by_the_compiled_kernels() -> None:
    if not ops.COMPILED:
        pytest.skip("the compiled kernels are missing")
    with pytest.raises(RuntimeError, match="expected an input of float32, float64, bfloat16 or float16"):
        nn.GRU(3, 5, reset_after=False, dtype=torch.complex64)(torch.zeros(7, 2, 3, dtype=torch.complex64))


@pytest.mark.parametrize(
    ("options", "lengths", "implementation", "reason"),
    [
        ({}, None, TORCH, "a plain cell"),
        ({"recurrent_dropout": 0.5}, None, REFERENCE, "recurrent_dropout"),
        ({"input_dropout": 0.5}, None, TORCH, "a plain cell"),
        ({"input_dropout": 0.5, "bidirectional": True}, None, REFERENCE, "input_dropout in two directions"),
        ({"peephole": True, "activation": "relu"}, None, REFERENCE, f"{LACKING}activation='relu', peephole"),
        ({}, LENGTHS, TORCH, "a plain cell"),
        ({}, torch.tensor([0, 1, 2]), REFERENCE, "a length of 0"),
        ({"bidirectional": True, "merge_mode": "ave"}, None, TORCH, "a plain cell"),
        ({"stateful": True, "go_backwards": True, "return_sequences": False}, None, TORCH, "a plain cell"),
    ],
)
def test_explain_without_the_library(
    options: dict[str, Any],
    lengths: Tensor | None,
    implementation: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ops, "COMPILED", False)
    layer = nn.LSTM(4, 5, **options)
    explanation = explain(layer, X, lengths)
    assert explanation.implementation == implementation
    assert reason in explanation.reason
    assert str(explanation).startswith(f"LSTM runs on {implementation} (torch.float32, cpu): ")
    monkeypatch.setattr(ops, "COMPILED", True)
    assert layer.choice(X, lengths).implementation == FUSED


@needs_the_library
def test_explain_names_the_instruction_set() -> None:
    explanation = explain(nn.GRU(4, 5).double(), pack_sequence([torch.zeros(3, 4, dtype=torch.float64)]))
    assert explanation.instruction_set == native.instruction_set()
    assert str(explanation) == (
        f"GRU runs on fused, {native.instruction_set()} (torch.float64, cpu): "
        "the compiled kernels are the fastest for this cell"
    )


def operators_of(run: Callable[[], object]) -> list[str]:
    """Name Tidegate's operators among those that ``run`` calls."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run()
    return [event.name for event in profile.events() or [] if event.name.startswith("tidegate::")]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_forced(kind: str) -> None:
    layer, x = getattr(nn, kind)(4, 5), torch.randn(6, 3, 4)
    name = kind.lower()

    def train() -> None:
        layer(x)[0].sum().backward()

    with forced(TORCH):
        assert choose(call(beyond_torch=())) == (TORCH, "it is forced")
        assert operators_of(train) == []
        expected = layer(x)[0]
        with forced(REFERENCE):
            assert layer.choice(x) == (REFERENCE, "it is forced")
            assert operators_of(train) == [f"tidegate::{name}_reference", f"tidegate::{name}_backward_reference"]
            torch.testing.assert_close(layer(x)[0], expected)
        assert layer.choice(x).implementation == TORCH
    assert dispatch.forced_implementation() is None


@needs_the_library
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_forced_to_the_compiled_kernels(kind: str) -> None:
    layer, x = getattr(nn, kind)(4, CROSSOVERS[kind.lower(), torch.bfloat16].units).bfloat16(), X.bfloat16()
    assert layer.choice(x).implementation == TORCH
    with forced(FUSED):
        assert layer.choice(x).implementation == FUSED
        calls = operators_of(lambda: layer(x)[0].sum().backward())
    assert calls == [f"tidegate::{kind.lower()}", f"tidegate::{kind.lower()}_backward"]


@pytest.mark.parametrize(
    ("implementation", "changes", "reason"),
    [
        (TORCH, {"beyond_torch": ("peephole",)}, f"{LACKING}peephole"),
        (TORCH, {"steps": 0}, "torch's own kernels refuse a sequence without steps"),
        (TORCH, {"shortest": 0}, "torch's own kernels refuse a length of 0"),
        (FUSED, {"projected": True}, "the compiled kernels know no projection"),
        (FUSED, {"compiled": False}, "the compiled kernels are missing"),
        (FUSED, {"values": X.to("meta")}, "the compiled kernels are for CPUs"),
    ],
)
def test_forced_to_what_cannot_run_it(implementation: str, changes: dict[str, Any], reason: str) -> None:
    with (
        forced(implementation),
        pytest.raises(UnsupportedError, match=f"'{implementation}' is forced, but cannot run this layer: {reason}; "),
    ):
        choose(call(**changes))


def test_forced_refuses_another_name() -> None:
    with pytest.raises(SpecError, match="implementation must be"), forced("tidegate"):
        pass
    assert dispatch.forced_implementation() is None


def test_a_projected_cell_says_what_is_wrong_with_its_weights() -> None:
    layer = nn.LSTM(3, 5, proj_size=2, peephole=True)
    layer.weight_hr_l0 = torch.nn.Parameter(torch.zeros(3, 5))
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied|size of tensor"):
        layer(torch.zeros(7, 2, 3))
