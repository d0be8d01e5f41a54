"""torch.compile and torch.export keep a layer whole, and its numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.export import Dim

from tidegate import nn
from tidegate.errors import UnsupportedError

LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"num_layers": 2}),
    ("GRU", {"bidirectional": True, "layer_norm": True, "merge_mode": "sum"}),
    ("LSTM", {"peephole": True, "zoneout_cell": 0.2, "go_backwards": True, "return_sequences": False}),
]
NOISE = [  # of torch's own tracing
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
pytestmark = NOISE


def build(kind: str, options: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    return getattr(nn, kind)(4, 5, batch_first=True, return_state=False, **options).double()


def inputs(batch: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.arange(batch) % (steps + 1)
    return torch.randn(batch, steps, 4, dtype=torch.float64), lengths


@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_compile(kind: str, options: dict[str, Any]) -> None:
    torch.compiler.reset()
    layer = build(kind, options).eval()
    compiled: Any = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for batch, steps in ((3, 6), (4, 9)):
        x, lengths = inputs(batch, steps)
        torch.testing.assert_close(compiled(x, lengths=lengths), layer(x, lengths=lengths), rtol=0, atol=1e-6)
        torch.testing.assert_close(compiled(x), layer(x), rtol=0, atol=1e-6)


def test_compile_trains() -> None:
    torch.compiler.reset()
    layer = build("LSTM", {"peephole": True, "bidirectional": True})
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x, lengths = inputs(3, 6)
    expected = torch.autograd.grad(layer(x, lengths=lengths).square().sum(), list(layer.parameters()))
    result = torch.autograd.grad(compiled(x, lengths=lengths).square().sum(), list(layer.parameters()))
    for here, there in zip(result, expected, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), LAYERS)
@pytest.mark.parametrize("ragged", [False, True])
def test_export_with_dynamic_batch_and_time(kind: str, options: dict[str, Any], ragged: bool) -> None:
    layer = build(kind, options).eval()
    x, lengths = inputs(3, 6)
    batch, time = Dim("batch"), Dim("time")
    call = {"lengths": lengths} if ragged else {}
    shapes: dict[str, Any] = {"input": {0: batch, 1: time}} | ({"lengths": {0: batch}} if ragged else {})
    program = torch.export.export(layer, (x,), kwargs=call, dynamic_shapes=shapes)
    names = {str(node.target) for node in program.graph.nodes}
    assert f"tidegate.{kind.lower()}.default" in names
    for size, steps in ((3, 6), (5, 11)):
        x, lengths = inputs(size, steps)
        call = {"lengths": lengths} if ragged else {}
        torch.testing.assert_close(program.module()(x, **call), layer(x, **call), rtol=0, atol=1e-6)


def test_export_refuses_a_stateful_layer() -> None:
    layer = build("GRU", {"stateful": True}).eval()
    with pytest.raises(UnsupportedError, match=r"a stateful layer cannot be exported: .* hand the state in as hx"):
        torch.export.export(layer, inputs(3, 6)[:1])
